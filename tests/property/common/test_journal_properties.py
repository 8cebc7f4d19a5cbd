"""Two owners at once, with stale knowledge: one history all the same."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate_common.bus.journal import JournalFold
from tidegate_common.domain.ids import RunId
from tidegate_common.events.risk import JournalEntry
from tidegate_common.testing.builders import RUN_ID, make_journal_entry, make_request

REQUEST_COUNT = 12
REQUESTS = [make_request(number) for number in range(REQUEST_COUNT)]


class Writer:
    """An owner of the journal that has read it up to some offset."""

    def __init__(self) -> None:
        self.fold = JournalFold()

    def read(self, log: list[JournalEntry], count: int) -> None:
        """Read so many more entries."""
        start = self.fold.next_offset
        for offset, entry in enumerate(log[start : start + count], start):
            self.fold.offer(entry, offset)

    def write(self, dice: Random, run_id: str) -> JournalEntry:
        """Return the entry that this owner thinks is next."""
        start = self.fold.requests_through_offset
        first = self.fold.covered_to(run_id)
        return make_journal_entry(
            first,
            first + dice.randint(1, 4),
            run_id=run_id,
            requests_from=start,
            requests=REQUESTS[start : start + dice.randint(0, 3)],
        )


def history(log: list[JournalEntry], dice: Random) -> list[tuple[str, int, str]]:
    """Return (run, beat, request) as a reader sees it that is restarted at times."""
    fold = JournalFold()
    entered = []
    for offset, entry in enumerate(log):
        before = fold.covered_to(entry.run_id)
        counts = fold.offer(entry, offset)
        for beat in range(before, fold.covered_to(entry.run_id)):
            assert counts
            for request in fold.requests_at(entry.run_id, beat):
                assert request.order is not None
                entered.append((str(entry.run_id), beat, str(request.order.request_id)))
        if dice.random() < 0.3:
            values = fold.snapshot()
            fold = JournalFold()
            fold.restore(values)
    return entered


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_fold_two_stale_writers_make_one_history(seed: int) -> None:
    """All readers agree, no request enters twice, and none is lost."""
    dice = Random(seed)
    log: list[JournalEntry] = []
    writers = (Writer(), Writer())
    runs = (RUN_ID, RunId("run-b"))
    for step in range(40):
        writer = dice.choice(writers)
        writer.read(log, dice.randint(0, 3))
        # The second run begins while a zombie may still write for the first.
        run_id = runs[0] if step < 20 else dice.choice(runs)
        if dice.random() < 0.6:
            log.append(writer.write(dice, run_id))
    last = writers[0]
    last.read(log, len(log))
    while last.fold.requests_through_offset < REQUEST_COUNT:
        log.append(last.write(dice, runs[1]))
        last.read(log, 1)

    one, two = (history(log, Random(reader)) for reader in (1, 2))

    assert one == two
    assert [request for _, _, request in one] == [f"q{number}" for number in range(REQUEST_COUNT)]
