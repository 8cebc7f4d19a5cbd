"""The bench of risk: each path is what it is called, and peers do what they are measured for."""

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from tidegate_cli.bench import BenchOptions, find_bench
from tidegate_cli.bench.risk_kernel import recorded
from tidegate_cli.bench.risk_paths import ACCEPT, PATHS, Path
from tidegate_cli.bench.risk_peers import (
    NautilusPeer,
    PeerMarket,
    VeighnaPeer,
    measure_peers,
    peer_versions,
)
from tidegate_cli.bench.risk_stage import RiskStage, Size, market_quotes
from tidegate_common.clock import ManualClock
from tidegate_common.domain.enums import Reason
from tidegate_common.errors import InvariantError
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.runtime.system_clock import SystemClock

SIZE = Size(position_count=3, batch_count=7)
# What people's commands and a rebalance's targets are answered with: no path of an order.
ANSWERS = {
    Reason.BAD_LIMITS,
    Reason.UNKNOWN_VOLATILITY,
    Reason.INSIDE_BAND,
    Reason.TURNOVER_LIMIT,
}
# What is answered before a check.
UNCHECKED = {Reason.UNKNOWN_ACCOUNT, Reason.DUPLICATE_REQUEST, Reason.UNKNOWN_ORDER}
MARKET = PeerMarket(
    codes=["600000", "600001", "600002"],
    prices=[Decimal("10.00"), Decimal("10.01"), Decimal("10.02")],
    position_count=1,
    batch_count=2,
)


class FakePeer:
    """Lets so many orders of a batch through, each in a millisecond."""

    def __init__(self, clock: ManualClock, let_through: int) -> None:
        self.passed_count = 0
        self._clock = clock
        self._let_through = let_through

    def submit(self) -> None:
        """Check the batch."""
        self.passed_count += self._let_through
        self._clock.advance(0.001 * self._let_through)


@pytest.fixture(scope="module")
def quotes() -> Sequence[QuoteRows]:
    """Return a small market."""
    return market_quotes(20)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_path_every_order_goes_it_beat_after_beat(
    path: Path,
    quotes: Sequence[QuoteRows],
) -> None:
    """A figure of another path than its name says is worse than none."""
    stage = RiskStage(quotes, SIZE, SystemClock(), path)

    times = [stage.request(SIZE.batch_count) for _ in range(3)]

    assert all(map(math.isfinite, times))


def test_every_reason_of_an_order_has_its_path() -> None:
    """A check that is added has to be measured."""
    assert {path.reason for path in PATHS} == set(Reason) - ANSWERS
    assert len(PATHS) == len({path.name for path in PATHS})


def test_stage_order_that_goes_another_way_is_an_error(quotes: Sequence[QuoteRows]) -> None:
    """What is measured is checked in every beat."""
    stage = RiskStage(quotes, SIZE, SystemClock(), replace(ACCEPT, reason=Reason.BAD_LOT))

    with pytest.raises(InvariantError, match="must be 7 of reason bad_lot, were 7 of none"):
        stage.request(SIZE.batch_count)


@pytest.mark.parametrize("is_encoded", [True, False])
def test_stage_scores_ask_for_a_batch_of_every_account(
    is_encoded: bool,  # noqa: FBT001  # pytest gives it by name
    quotes: Sequence[QuoteRows],
) -> None:
    """The engine and the service decide the same, and no order is left for the next beat."""
    size = replace(SIZE, account_count=2)
    stage = RiskStage(quotes, size, SystemClock(), is_encoded=is_encoded)

    times = [stage.whole(size.batch_count), stage.whole(0), stage.score(), stage.score()]

    assert all(map(math.isfinite, times))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_kernel_alone_decides_as_in_the_engine(path: Path, quotes: Sequence[QuoteRows]) -> None:
    """It is given what the engine gave it, so its time is a part of the engine's."""
    stage = RiskStage(quotes, SIZE, SystemClock(), path)

    with recorded() as tape:
        stage.request(SIZE.batch_count)

    assert sum(map(len, tape.intents)) == (0 if path.reason in UNCHECKED else SIZE.batch_count)
    if tape.intents:
        assert (tape.times(path.reason, SystemClock(), 2) > 0).all()


def test_kernel_that_decides_otherwise_is_an_error(quotes: Sequence[QuoteRows]) -> None:
    """A figure of another path than its name says is worse than none."""
    stage = RiskStage(quotes, SIZE, SystemClock())
    with recorded() as tape:
        stage.score()
    stage.score()

    with pytest.raises(InvariantError, match="must decide all by bad_lot, decided by none"):
        tape.times(Reason.BAD_LOT, SystemClock(), 1)

    assert sum(map(len, tape.intents)) == SIZE.batch_count


def test_measure_peers_takes_the_fastest_batch_of_those_that_are_installed() -> None:
    """Peers are no dependencies, and a busy machine flatters nobody."""
    clock = ManualClock()
    peers = {
        "fake": ("numpy", lambda _: FakePeer(clock, MARKET.batch_count)),
        "missing": ("no-such-distribution", lambda _: FakePeer(clock, 0)),
    }

    found = measure_peers(MARKET, clock=clock, repeat_count=3, peers=peers)

    assert found == {"fake": pytest.approx(1_000_000)}
    assert peer_versions(peers)[1] == "missing not installed"


def test_measure_peers_order_that_is_denied_is_an_error() -> None:
    """A denial is another path than ours."""
    clock = ManualClock()
    peers = {"fake": ("numpy", lambda _: FakePeer(clock, 1))}

    with pytest.raises(InvariantError, match="fake must let 6 orders through, let 3"):
        measure_peers(MARKET, clock=clock, repeat_count=3, peers=peers)


def test_nautilus_peer_checks_the_cash() -> None:
    """It is the whole engine, not an empty one; where it is installed."""
    pytest.importorskip("nautilus_trader")
    good = NautilusPeer(MARKET)
    dear = NautilusPeer(replace(MARKET, prices=[Decimal("1_000_001.00")] * 3))

    for peer in (good, dear, good):
        peer.submit()

    assert good.passed_count == 2 * MARKET.batch_count
    assert dear.passed_count == 0


def test_veighna_peer_checks_the_tick() -> None:
    """Its rules are on; where it is installed."""
    pytest.importorskip("vnpy_riskmanager")
    good = VeighnaPeer(MARKET)
    odd = VeighnaPeer(replace(MARKET, prices=[Decimal("10.005")] * 3))

    for peer in (good, odd, good):
        peer.submit()

    assert good.passed_count == 2 * MARKET.batch_count
    assert odd.passed_count == 0


def test_bench_risk_reports_its_goals_and_its_ratios() -> None:
    """Programs compare runs by these names."""
    options = BenchOptions(SystemClock(), repeat_count=1, instrument_count=220)

    report = find_bench("risk").run(options)

    goals = {each.metric: each.goal for each in report.results}
    for count in (2, 20):
        assert goals[f"manual_order_us_{count}_positions_p50"] == 10.0
        assert goals[f"order_us_{count}_positions_p50"] == 3.0
        assert goals[f"beat_us_{count}_positions_p50"] == 2_000.0
        assert goals[f"kernel_sized_ns_{count}_positions_p50"] == 60.0
        assert goals[f"kernel_accept_ns_{count}_positions_p50"] == 60.0
        names = {"sized", *(path.name for path in PATHS)}
        checked = {f"kernel_{name}" for name in names - UNCHECKED}
        for name in names | checked:
            assert {f"{name}_ns_{count}_positions_{tail}" for tail in ("p50", "p99")} <= set(goals)
    assert {"accounts_40_idle_beat_us_p50", "accounts_40_mb"} <= set(goals)
    assert all(math.isfinite(each.value) for each in report.results)
    assert report.notes[0].startswith("220 instruments; a batch is 20 orders; 1 beats each.")
