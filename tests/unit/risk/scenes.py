"""One order request before a market: a scene, and two of them at a boundary."""

from dataclasses import dataclass, field

from tests.unit.risk.scenario import (
    APPLIANCE,
    BANK,
    LOOSE,
    PRICE_E4,
    Quote,
    Reference,
    Stage,
    order_request,
)

from tidegate_common.domain.enums import (
    Layer,
    Outcome,
    Reason,
    Side,
    Unit,
)
from tidegate_common.domain.ids import RequestId
from tidegate_common.events.risk import Decision
from tidegate_common.events.run import CommissionSpec, ProgrammeTradingSpec, RiskLimits

Options = dict[str, object]

# 2024-06: commission 500 fen at least, transfer fee 0.001%, stamp duty 0.05% for sellers.
FEES = CommissionSpec(rate_e6=250, minimum_fen=500)
FREE = CommissionSpec(0, 0)
FIRST, SECOND = Reference(), Reference(APPLIANCE)
QUIET = Quote()


@dataclass(frozen=True)
class Scene:
    """One order request before a market; what is not said is harmless.

    held_shares : bought at 4.00 the day before, in an account of `cash_fen`.
    before : requests of the same beat that pass, ahead of it.
    volumes_shares : what the market traded in the first instrument on the days before.
    idle_beats : ticks without news before the request.
    second : another instrument of the market.
    """

    request: Options = field(default_factory=dict)
    before: tuple[Options, ...] = ()
    reference: Reference = FIRST
    quote: Quote = QUIET
    limits: RiskLimits = LOOSE
    cash_fen: int = 100_000
    commission: CommissionSpec = FREE
    held_shares: int = 0
    idle_beats: int = 0
    seconds: int = 36_000
    stale: tuple[int, ...] = ()
    thresholds: ProgrammeTradingSpec | None = None
    volumes_shares: tuple[int, ...] = ()
    second: Reference = SECOND

    def decide(self) -> Decision:
        """Return what risk decides."""
        stage = Stage(
            cash_fen=self.cash_fen,
            limits=self.limits,
            commission=self.commission,
            thresholds=self.thresholds,
        )
        if self.held_shares:
            stage.hold(self.held_shares, Reference(), SECOND)
        for volume_shares in self.volumes_shares:
            stage.open(Reference(), SECOND)
            stage.close({BANK: PRICE_E4}, volume_shares=volume_shares)
        stage.open(self.reference, self.second)
        stage.tick(self.quote, Quote(APPLIANCE))
        for _ in range(self.idle_beats):
            stage.tick()
        requests = [
            order_request(**{"request_id": RequestId(f"before{number}")} | options)
            for number, options in enumerate(self.before)
        ]
        requests.append(order_request(**self.request))
        output = stage.tick(requests=tuple(requests), seconds=self.seconds, stale=self.stale)
        *earlier, decision = output.decisions
        assert all(each.outcome is Outcome.ACCEPTED for each in earlier)
        return decision


@dataclass(frozen=True)
class Boundary:
    """A scene that passes, its neighbour that does not, and what is said of that one."""

    reason: Reason
    good: Scene
    bad: Scene
    layer: Layer = Layer.VALIDITY
    observed: int = 0
    limit: int = 0
    unit: Unit = Unit.NONE


def sell(quantity_shares: int, **changes: object) -> Options:
    """Return what makes a request a sell."""
    return {"side": Side.SELL, "quantity_shares": quantity_shares} | changes
