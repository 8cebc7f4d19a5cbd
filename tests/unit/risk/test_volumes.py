"""The limit on shares against an average day: what it looks at, and what it lets pass."""

from dataclasses import replace

import numpy as np
from tests.unit.risk.scenario import (
    BANK,
    DAYS,
    LIQUOR,
    LOOSE,
    PRICE_E4,
    Quote,
    Reference,
    Stage,
    fill_of,
    filled,
)

from tidegate_common.domain.enums import Reason, Side
from tidegate_risk.engine.engine import RiskEngine
from tidegate_risk.engine.volumes import DAYS as WINDOW
from tidegate_risk.engine.volumes import DailyVolumes

# A tenth of an average day.
THIN = replace(LOOSE, adv_bps_max=1_000)


def test_average_is_of_the_last_days_and_rounds_down() -> None:
    """What was traded a month ago says nothing of today."""
    volumes = DailyVolumes()
    volumes.grow(np.zeros(0, np.int64), 2)
    both, first = np.array([0, 1]), np.array([0])

    averages = [volumes.take(both, np.array([100, 7])).tolist()]
    averages += [volumes.take(first, np.array([21])).tolist() for _ in range(WINDOW)]

    assert averages[0] == [100, 7]
    assert averages[1] == [60]
    assert averages[WINDOW - 1] == [(100 + 21 * (WINDOW - 1)) // WINDOW]
    assert averages[WINDOW] == [21]
    assert volumes.take(slice(2), np.array([21, 8])).tolist() == [21, 7]


def test_volumes_stay_with_their_instruments_as_the_universe_grows() -> None:
    """Rows move when a new listing comes in between."""
    stage = Stage(limits=THIN)
    stage.open(Reference(LIQUOR))
    stage.close({LIQUOR: PRICE_E4}, volume_shares=1_000)
    stage.open(Reference(LIQUOR), Reference(BANK))

    known = stage.ask(Quote(LIQUOR), Quote(BANK), instrument=LIQUOR).decisions[0]
    new = stage.ask(instrument=BANK).decisions[0]

    assert (known.reason, new.reason) == (Reason.NONE, Reason.UNKNOWN_ADV)


def test_restored_engine_knows_the_volumes() -> None:
    """A restart must not loosen a limit, nor refuse what it let pass."""
    stage = Stage(limits=THIN, days=DAYS)
    stage.open()
    stage.close({BANK: PRICE_E4}, volume_shares=1_000)
    other = RiskEngine(stage.spec, (stage.spec.accounts[0].account_id,))
    other.restore(stage.engine.snapshot())
    stage.engine = other
    stage.open()

    largest = stage.ask(Quote()).decisions[0]
    larger = stage.ask().decisions[0]
    stage.close({BANK: PRICE_E4}, volume_shares=5_000)
    stage.open()
    two_days = stage.ask(Quote(), quantity_shares=200).decisions[0]

    assert (largest.reason, larger.reason) == (Reason.NONE, Reason.ADV_LIMIT)
    assert (larger.observed, larger.limit) == (2_000, 1_000)
    assert two_days.reason is Reason.NONE


def test_sell_is_not_held_back_by_a_thin_market() -> None:
    """Holdings are long only: a sell reduces risk."""
    stage = Stage(limits=THIN)
    stage.open()
    stage.close({BANK: PRICE_E4}, volume_shares=1_000)
    stage.open()
    order = stage.ask(Quote()).submits[0]
    stage.tick(fills=(fill_of(order),), updates=(filled(order),))
    stage.close({BANK: PRICE_E4})
    stage.open()

    buy = stage.ask(Quote()).decisions[0]
    sell = stage.ask(side=Side.SELL).decisions[0]

    assert (buy.reason, sell.reason) == (Reason.ADV_LIMIT, Reason.NONE)
