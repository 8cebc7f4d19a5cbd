"""Random markets for risk and its slow oracle: every board, every state, phases, several days.

All randomness comes from one seed. Prices wander within their limits; some instruments are
suspended, not listed, silent, sealed at a limit, or of unknown limit, sector or board.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from tests.property.risk.oracle_rules import limit_rate, limits_from, phase_on, price, tick
from tests.unit.risk.scenario import Quote, Reference, bar_rows, quote_rows, reference_rows

from tidegate_common.domain.enums import BeatKind, Board, Exchange, LimitState, Phase
from tidegate_common.domain.ids import AccountId, RunId, shard_of
from tidegate_common.events.run import (
    AccountSpec,
    CommissionSpec,
    ProgrammeTradingSpec,
    RiskLimits,
    RunSpec,
    StrategySpec,
)
from tidegate_common.frames.frame import BeatStamp, Frame, FrameRows
from tidegate_common.market.sessions import NS_PER_SECOND, shanghai_ns

RHYTHMS = ("tick", "tick", "tick", "bar", "daily")
# Before the cage of the main board, after it, with thresholds, and under the rules of 2026.
ERAS = (
    (2022_06_06, 2022_06_07, 2022_06_08, 2022_06_09, 2022_06_10),
    (2024_06_03, 2024_06_04, 2024_06_05, 2024_06_06, 2024_06_07),
    (2025_08_04, 2025_08_05, 2025_08_06, 2025_08_07, 2025_08_08),
    (2026_09_07, 2026_09_08, 2026_09_09, 2026_09_10, 2026_09_11),
)
CONTRACTS = (
    CommissionSpec(250, 500),
    CommissionSpec(0, 0),
    CommissionSpec(300, 500, is_bundled=False),
)
NO_MARK = 1_603_999
NEVER_LISTED = 1_600_001
# Price at the start in 1/10,000 CNY, and the sector.
SHARES: dict[int, tuple[Board, int, str]] = {
    1_600_000: (Board.MAIN, 100_000, "bank"),
    1_600_519: (Board.MAIN, 1_450_000, "food"),
    1_601_318: (Board.MAIN, 45_500, "bank"),
    1_600_090: (Board.MAIN, 15_500, "metal"),
    NO_MARK: (Board.MAIN, 0, "metal"),
    1_688_981: (Board.STAR, 200_000, "chips"),
    1_688_111: (Board.STAR, 93_700, "chips"),
    2_000_001: (Board.MAIN, 99_900, "bank"),
    2_000_333: (Board.MAIN, 50_000, "food"),
    2_000_504: (Board.MAIN, 30_000, "media"),
    2_300_750: (Board.CHINEXT, 190_000, "metal"),
    2_300_059: (Board.CHINEXT, 20_000, "media"),
    3_920_002: (Board.BSE, 100_000, "metal"),
    3_430_047: (Board.BSE, 25_300, "media"),
    3_835_185: (Board.BSE, 41_700, "chips"),
    1_510_300: (Board.ETF, 40_000, "fund"),
    2_159_915: (Board.ETF_GROWTH, 20_000, "fund"),
    1_588_000: (Board.ETF_GROWTH, 10_230, "fund"),
    1_511_880: (Board.UNKNOWN, 1_000_000, "fund"),
}
ST_SHARES = frozenset({1_600_090, 2_000_504, 2_300_059, 3_430_047})
# These speak in one tick of eight.
SHY_SHARES = frozenset({2_000_333, 1_688_111, 1_588_000})
ACCOUNTS = {
    "alpha": (1_000_000_000, RiskLimits(10_000, 10_000, 10_000, 10_000, 10_000)),
    "beta": (100_000_000, RiskLimits()),
    "gamma": (5_000_000, RiskLimits(10_000, 10_000, 10_000, 10_000, 10_000, 3)),
    "delta": (200_000_000, RiskLimits(5_000, 40, 150, 8_000, 9_000, 1)),
    "omega": (10_000_000_000, RiskLimits(10_000, 10_000, 10_000, 10_000, 5_000)),
}
# Hour, minute, milliseconds from there: each phase's edges, and some beats of one second.
MOMENTS = (
    (9, 14, 59_000),
    (9, 15, 0),
    (9, 19, 59_500),
    (9, 20, 0),
    (9, 24, 59_999),
    (9, 25, 0),
    (9, 30, 0),
    (9, 30, 400),
    (10, 0, 0),
    (10, 0, 300),
    (10, 0, 999),
    (10, 10, 0),
    (10, 20, 0),
    (10, 30, 0),
    (11, 29, 59_999),
    (11, 30, 0),
    (13, 0, 0),
    (13, 30, 0),
    (14, 0, 0),
    (14, 10, 0),
    (14, 20, 0),
    (14, 56, 59_999),
    (14, 57, 0),
    (15, 0, 0),
    (15, 10, 0),
)


@dataclass
class Share:
    """An instrument of the world today; prices in 1/10,000 CNY."""

    number: int
    board: Board
    sector: str
    last: int
    close: int = 0
    up: int = 0
    down: int = 0
    state: LimitState = LimitState.UNKNOWN

    @property
    def exchange(self) -> Exchange:
        """Venue."""
        return Exchange(self.number // 1_000_000)

    @property
    def step(self) -> int:
        """Price step."""
        return int(tick(self.board) * 10_000)

    def begin_day(self, dice: Random, day: int) -> Reference:
        """Say how the day begins; some shares went ex rights overnight."""
        if dice.random() < 0.06:
            self.last = self.last * 85 // (100 * self.step) * self.step
        self.close = 0 if dice.random() < 0.03 else self.last
        rate = limit_rate(self.board, day, is_st=self.number in ST_SHARES)
        self.state = LimitState.UNLIMITED
        self.up = self.down = 0
        if rate is not None and self.last and dice.random() < 0.92:
            self.state = LimitState.LIMITED
            edges = limits_from(price(self.last), rate, self.board)
            self.up, self.down = (int(edge * 10_000) for edge in edges)
        elif dice.random() < 0.4:
            self.state = LimitState.UNKNOWN
        return Reference(
            self.number,
            limit_state=self.state,
            is_suspended=dice.random() < 0.04,
            prev_close_e4=self.close,
            limit_up_e4=self.up,
            limit_down_e4=self.down,
            is_st=self.number in ST_SHARES,
            sector="" if dice.random() < 0.04 else self.sector,
        )

    def wander(self, dice: Random) -> None:
        """Move by some steps, sometimes as far as the limits let it."""
        if not self.last:
            return
        width = 0.5 if dice.random() < 0.05 else 0.008
        moved = round(self.last * (1 + dice.gauss(0, width)) / self.step) * self.step
        self.last = max(moved, self.step)
        if self.state is LimitState.LIMITED:
            self.last = min(max(self.last, self.down), self.up)

    def quote(self, dice: Random, phase: Phase) -> Quote:
        """Say something: at a limit one side is empty, sometimes both are."""
        bid, ask = (max(self.last - dice.randrange(3) * self.step, 0) for _ in range(2))
        ask = 2 * self.last - ask
        if dice.random() < 0.03:
            bid = ask = 0
        if self.last == self.up or dice.random() < 0.03:
            ask = 0
        elif self.last == self.down or dice.random() < 0.03:
            bid = 0
        last = 0 if dice.random() < 0.03 else self.last
        own_phase = dice.choice(list(Phase)) if dice.random() < 0.04 else phase
        return Quote(self.number, last_e4=last, phase=own_phase, bid_e4=bid, ask_e4=ask)


class World:
    """A market of one seed, and the run in it.

    Parameters
    ----------
    moments : of the day's ticks.

    silent : instruments whose shard says nothing in the beat.
    """

    def __init__(self, seed: int, moments: tuple[tuple[int, int, int], ...] = MOMENTS) -> None:
        self.dice = Random(seed)
        self._moments = moments
        self.rhythm = RHYTHMS[seed % len(RHYTHMS)]
        self.days = ERAS[seed % len(ERAS)]
        self.shares = {
            number: Share(number, board, sector, last)
            for number, (board, last, sector) in SHARES.items()
        }
        self.is_classified = self.dice.random() < 0.8
        self.silent: list[int] = []
        self.spec = RunSpec(
            run_id=RunId("run"),
            accounts=tuple(
                AccountSpec(AccountId(name), cash_fen, limits)
                for name, (cash_fen, limits) in ACCOUNTS.items()
            ),
            strategies=(StrategySpec("first", "fake"),),
            commission=CONTRACTS[seed % len(CONTRACTS)],
            programme_trading=self._thresholds() if seed % len(RHYTHMS) == 0 else None,
        )

    @property
    def beat_count(self) -> int:
        """Beats of all days."""
        return len(self.days) * len(self._plan())

    def frames(self) -> Iterator[Frame]:
        """Yield the beats of all days."""
        beat = 0
        for day in self.days:
            for kind, seconds, milliseconds in self._plan():
                ts_event_ns = shanghai_ns(day, seconds) + milliseconds * NS_PER_SECOND // 1_000
                stamp = BeatStamp(self.spec.run_id, beat, kind, day, ts_event_ns)
                yield Frame(stamp, 0, self._rows(stamp, seconds + milliseconds // 1_000))
                beat += 1

    def _thresholds(self) -> ProgrammeTradingSpec:
        # The rule book's own hold on the last day.
        return ProgrammeTradingSpec(3, 10, self.days[0], self.days[-2], "none, a test")

    def _plan(self) -> list[tuple[BeatKind, int, int]]:
        plan = [(BeatKind.OPEN, 33_000, 0)]
        if self.rhythm == "tick":
            plan += [(BeatKind.TICK, h * 3_600 + m * 60, more) for h, m, more in self._moments]
        elif self.rhythm == "bar":
            plan += [(BeatKind.BAR, 36_000 + 300 * number, 0) for number in range(14)]
        return [*plan, (BeatKind.CLOSE, 54_900, 0)]

    def _rows(self, stamp: BeatStamp, second: int) -> FrameRows:
        self.silent = []
        if stamp.kind is BeatKind.OPEN:
            return self._reference_rows(stamp.trade_date)
        for share in self.shares.values():
            share.wander(self.dice)
        if self.dice.random() < 0.15:
            self.silent = [number for number in self.shares if shard_of(number, 4) == 0]
        speaking = [each for each in self.shares.values() if self._speaks(each)]
        if stamp.kind is not BeatKind.TICK:
            rows = bar_rows({share.number: share.last for share in speaking})
            volumes = [self.dice.randrange(2_000) * 1_000 for _ in speaking]
            return replace(rows, volume_shares=np.array(volumes, np.int64))
        return quote_rows(
            [share.quote(self.dice, self._phase(share, stamp, second)) for share in speaking],
        )

    def _speaks(self, share: Share) -> bool:
        rate = 0.12 if share.number in SHY_SHARES else 0.95
        return share.number not in self.silent and self.dice.random() < rate

    def _phase(self, share: Share, stamp: BeatStamp, second: int) -> Phase:
        phase = phase_on(share.exchange, share.board, day=stamp.trade_date, second=second)
        # Feeds know no locked part of the opening call.
        return Phase.OPEN_CALL if phase is Phase.OPEN_CALL_LOCKED else phase

    def _reference_rows(self, day: int) -> FrameRows:
        references = []
        for share in self.shares.values():
            reference = share.begin_day(self.dice, day)
            if self.rhythm == "daily":
                share.wander(self.dice)
                reference = replace(reference, open_e4=share.last)
            if not self.is_classified:
                reference = replace(reference, sector="")
            if self.dice.random() < 0.96:
                references.append(reference)
        boards = {each.instrument: self.shares[each.instrument].board for each in references}
        return replace(
            reference_rows(references),
            board=np.array([boards[number] for number in sorted(boards)], np.uint8),
        )
