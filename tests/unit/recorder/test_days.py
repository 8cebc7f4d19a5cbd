"""Which frames make which day of the archive."""

from collections.abc import Iterable

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.frame import BeatStamp
from tidegate_recorder.engine.days import PAST_RUNS_MAX, DayEnd, Part, Place, ShardDays

RUN = "run-1"


def stamp(
    beat: int,
    kind: BeatKind = BeatKind.TICK,
    *,
    run: str = RUN,
    date: int = 20230201,
    is_last: bool = False,
) -> BeatStamp:
    """Return the stamp of a beat."""
    return BeatStamp(RunId(run), beat, kind, date, 1_000 + beat, is_last)


def day_of(first_beat: int, date: int, run: str = RUN) -> list[BeatStamp]:
    """Return a day of four beats."""
    return [
        stamp(first_beat, BeatKind.OPEN, run=run, date=date),
        stamp(first_beat + 1, run=run, date=date),
        stamp(first_beat + 2, run=run, date=date),
        stamp(first_beat + 3, BeatKind.CLOSE, run=run, date=date),
    ]


def take(
    days: ShardDays,
    stamps: Iterable[BeatStamp],
    first_offset: int = 0,
) -> list[tuple[str, list[int]] | DayEnd]:
    """Return what stamps complete: kind and beats of parts, ends as they are."""
    found: list[tuple[str, list[int]] | DayEnd] = []
    for offset, each in enumerate(stamps, start=first_offset):
        for what in days.take(each, b"12345678", run_spec="{}", offset=offset):
            if isinstance(what, Part):
                assert what.values == (b"12345678",) * len(what.stamps)
                beats = [one.beat for one in what.stamps]
                found.append((what.stamps[0].kind.value, beats))
            else:
                found.append(what)
    return found


def test_day_is_its_kinds_in_parts_and_an_end() -> None:
    """A row group has one kind, so that a reader asks for its columns alone."""
    found = take(ShardDays(Place("main")), day_of(0, 20230201))

    assert found == [
        ("open", [0]),
        ("tick", [1, 2]),
        ("close", [3]),
        DayEnd(
            RUN,
            20230201,
            is_closed=True,
            is_last=False,
            run_spec="{}",
            place=Place("main", 4, RUN, 4, 20230201),
        ),
    ]


def test_day_is_cut_where_a_part_is_full() -> None:
    """Memory is bounded, and the cut follows from the log alone."""
    found = take(ShardDays(Place("main"), part_bytes=8), day_of(0, 20230201))

    assert found[1:3] == [("tick", [1]), ("tick", [2])]


def test_days_taken_again_from_the_place_of_an_end_are_the_same() -> None:
    """That is all that a restart needs."""
    log = [*day_of(0, 20230201), *day_of(4, 20230202), *day_of(8, 20230203)]
    whole = take(ShardDays(Place("main")), log)
    first_end = whole[3]
    assert isinstance(first_end, DayEnd)

    place = first_end.place
    again = take(ShardDays(place), log[place.next_offset :], place.next_offset)

    assert again == whole[4:]


def test_repeats_and_frames_after_a_gap_add_nothing() -> None:
    """No stage takes them either."""
    clean = take(ShardDays(Place("main")), day_of(0, 20230201))
    beats = day_of(0, 20230201)

    found = take(ShardDays(Place("main")), [*beats[:2], stamp(3), *beats[:2], *beats[2:]])

    assert found[:3] == clean[:3]
    assert isinstance(found[3], DayEnd)
    assert found[3].place.next_offset == 7


def test_day_that_another_run_cuts_off_ends_unclosed_before_it() -> None:
    """What was told is kept, and says that it is not all."""
    days = ShardDays(Place("main"))

    found = take(days, [*day_of(0, 20230201)[:2], *day_of(0, 20230105, run="run-2")])

    assert found[:2] == [("open", [0]), ("tick", [1])]
    cut, end = found[2], found[-1]
    assert isinstance(cut, DayEnd)
    assert isinstance(end, DayEnd)
    assert (cut.run, cut.is_closed, cut.place.next_offset) == (RUN, False, 2)
    assert (end.run, end.is_closed, end.place.past) == ("run-2", True, (RUN,))
    assert take(ShardDays(cut.place), day_of(0, 20230105, run="run-2"), 2) == found[3:]


def test_day_without_a_close_ends_where_the_next_begins() -> None:
    """A feed may stop early; the next day is another file."""
    beats = day_of(0, 20230201)[:2]

    found = take(ShardDays(Place("main")), [*beats, *day_of(2, 20230202)])

    cut = found[2]
    assert isinstance(cut, DayEnd)
    assert (cut.trade_date, cut.is_closed) == (20230201, False)
    assert (cut.place.next_offset, cut.place.next_beat) == (2, 2)
    assert found[3] == ("open", [2])


def test_run_that_was_replaced_does_not_come_back() -> None:
    """A zombie's repeats must not cut the day of the run of now."""
    days = ShardDays(Place("main"))
    take(days, [*day_of(0, 20230201), *day_of(0, 20230201, run="run-2")[:2]])

    assert take(days, day_of(0, 20230201), 6) == []
    assert take(days, day_of(0, 20230201, run="run-2")[2:], 10)[-1] is not None
    assert days.is_past(RunId(RUN), 3)


def test_runs_that_are_remembered_have_a_limit() -> None:
    """The place is written at each day's end."""
    days = ShardDays(Place("main"))
    ends: list[object] = []

    for number in range(PAST_RUNS_MAX + 3):
        ends += take(days, day_of(0, 20230201, run=f"run-{number}"))

    end = ends[-1]
    assert isinstance(end, DayEnd)
    assert len(end.place.past) == PAST_RUNS_MAX
    assert end.place.past[-1] == f"run-{PAST_RUNS_MAX + 1}"


def test_last_beat_ends_the_day_and_the_run() -> None:
    """It may be no CLOSE."""
    days = ShardDays(Place("main"))

    found = take(days, [*day_of(0, 20230201)[:2], stamp(2, is_last=True)])

    end = found[-1]
    assert isinstance(end, DayEnd)
    assert (end.is_closed, end.is_last) == (True, True)
    assert days.is_past(RunId(RUN), 2)
    assert not days.is_past(RunId(RUN), 3)


def test_beats_after_the_close_belong_to_no_file() -> None:
    """The day's file is there already, and whole files do not change."""
    days = ShardDays(Place("main"))
    take(days, day_of(0, 20230201))

    assert take(days, [stamp(4)], 4) == []
    assert take(days, day_of(5, 20230202), 5)[0] == ("open", [5])
