"""What operators see of risk: counts of decisions, and sums of accounts by class."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from tests.unit.risk.scenario import (
    LOOSE,
    Quote,
    Reference,
    Stage,
    control_request,
    fill_of,
    filled,
)

from tidegate_common.clock import ManualClock
from tidegate_common.domain.enums import ControlCommand, Layer
from tidegate_risk.engine.figures import AccountFigures
from tidegate_risk.metrics import LOOK_EVERY_SECONDS, RiskMeter, RiskMetrics

TWICE = replace(LOOSE, leverage_bps_max=20_000)
NOTHING = replace(LOOSE, position_bps_max=0)
CASH_YUAN = 1_000_000


class Desk:
    """Accounts with their metrics."""

    def __init__(self, stage: Stage, clock: ManualClock | None = None) -> None:
        self.stage = stage
        self.registry = CollectorRegistry()
        self.meter = RiskMeter(
            RiskMetrics(self.registry),
            clock or ManualClock(),
            figures=stage.engine.figures,
        )

    def value(self, name: str, **labels: str) -> float | None:
        """Return a metric's value."""
        return self.registry.get_sample_value(f"tidegate_risk_{name}", labels)

    def by_class(self, name: str) -> list[float | None]:
        """Return a metric of both classes."""
        return [self.value(name, account_class=each) for each in ("cash", "margin")]


def bought(stage: Stage, quantity_shares: int, account: str = "alpha") -> None:
    """Buy at 4 yuan, filled on the next beat."""
    order = stage.ask(Quote(), quantity_shares=quantity_shares, account_id=account).submits[0]
    stage.tick(fills=(fill_of(order),), updates=(filled(order),))


async def test_accounts_are_summed_by_what_their_leverage_limit_allows() -> None:
    """A person who looks at profit must not see loans and savings in one number."""
    stage = Stage(accounts=("alpha", "beta", "gamma"), own_limits={"beta": TWICE})
    desk = Desk(stage)
    stage.open()
    bought(stage, 1_000)
    stage.tick(Quote(last_e4=38_000))

    await desk.meter.look()

    assert desk.by_class("nav_yuan") == [2 * CASH_YUAN - 200, CASH_YUAN]
    assert desk.by_class("day_pnl_yuan") == [-200, 0]
    assert desk.by_class("gross_exposure_yuan") == [3_800, 0]
    assert desk.by_class("drawdown_ratio") == [0.0002, 0]


async def test_limit_usage_is_the_largest_of_all_accounts() -> None:
    """One account at its limit is what a person has to know of."""
    stage = Stage(accounts=("alpha", "beta"))
    desk = Desk(stage)
    stage.open(Reference())
    bought(stage, 100_000, "beta")
    bought(stage, 50_000)

    await desk.meter.look()

    used = {layer: desk.value("limit_usage_ratio", rule=layer.value) for layer in Layer}
    assert used == {
        Layer.VALIDITY: None,
        Layer.MARKET_HOURS: None,
        Layer.POSITION_SIZE: 0.4,
        Layer.DAILY_LOSS: 0,
        Layer.DRAWDOWN: 0,
        Layer.SECTOR_CONCENTRATION: 0.4,
        Layer.LEVERAGE: 0.4,
    }


async def test_limit_of_nothing_is_far_exceeded_by_anything() -> None:
    """A division by the limit has no answer, and a person has to see it."""
    stage = Stage()
    desk = Desk(stage)
    stage.open()
    bought(stage, 1_000)
    set_limits = control_request(ControlCommand.SET_LIMITS, account="alpha", limits=NOTHING)
    stage.tick(requests=(set_limits,))

    await desk.meter.look()

    assert desk.value("limit_usage_ratio", rule="position_size") == 40


async def test_kill_switch_shows_while_it_is_on() -> None:
    """An account that reduces may not buy either, but nobody has pulled the switch on it."""
    stage = Stage(accounts=("alpha", "beta", "gamma"))
    desk = Desk(stage)
    stage.open()
    seen = []
    for number, (command, account) in enumerate(
        [
            (ControlCommand.REDUCE, "alpha"),
            (ControlCommand.HALT, "beta"),
            (ControlCommand.RESUME, "beta"),
        ]
    ):
        stage.tick(requests=(control_request(command, account=account, request=f"c{number}"),))
        await desk.meter.look()
        seen.append((desk.value("accounts_halted"), desk.value("kill_switch")))

    assert seen == [(1, 0), (2, 1), (1, 0)]


async def test_decisions_are_counted_by_outcome_and_reason() -> None:
    """All reasons are there before the first, so that a rate sees the first one."""
    stage = Stage()
    desk = Desk(stage)
    stage.open()
    accepted = stage.ask(Quote(), quantity_shares=100)
    rejected = stage.ask(Quote(), quantity_shares=150)

    for output in (accepted, rejected, rejected):
        desk.meter.take(output.decisions)

    assert desk.value("decisions_total", outcome="accepted", rule="none") == 1
    assert desk.value("decisions_total", outcome="rejected", rule="bad_lot") == 2
    assert desk.value("decisions_total", outcome="rejected", rule="over_st_cap") is None
    assert desk.value("decisions_total", outcome="rejected", rule="stale_mark") == 0


async def test_meter_before_a_runs_first_beat_shows_what_was_last() -> None:
    """Between two runs nobody has lost all of his money."""
    stage = Stage()
    desk = Desk(stage)
    before = desk.by_class("nav_yuan")
    stage.open()
    await desk.meter.look()
    desk.meter._figures = Stage().engine.figures

    await desk.meter.look()

    assert before == [0, 0]
    assert desk.by_class("nav_yuan") == [CASH_YUAN, 0]


class EnoughError(Exception):
    """Somebody slept for the last time."""


class TurnClock(ManualClock):
    """A clock on which one can sleep twice."""

    async def sleep(self, seconds: float) -> None:
        """Move on, or end what sleeps."""
        if self.monotonic_seconds() >= 2 * LOOK_EVERY_SECONDS:
            raise EnoughError
        await super().sleep(seconds)


async def test_meter_looks_again_and_again_at_as_many_accounts_as_there_are() -> None:
    """More than are looked at in one go."""
    stage = Stage(accounts=tuple(f"a{number:02}" for number in range(40)))
    desk = Desk(stage, TurnClock())
    stage.open()
    looks = 0
    figures = desk.meter._figures

    def counted() -> Iterator[AccountFigures]:
        nonlocal looks
        looks += 1
        yield from figures()

    desk.meter._figures = counted

    with pytest.raises(EnoughError):
        await desk.meter.run()

    assert looks == 3
    assert desk.by_class("nav_yuan") == [40 * CASH_YUAN, 0]
