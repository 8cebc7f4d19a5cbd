"""Where an order came from and what became of it: frame, score, decision, order, fills."""

from enum import StrEnum

from pydantic import Field

from tidegate_common.domain.enums import Layer, OrderReason, OrderStatus, Outcome, Side, Unit
from tidegate_common.events.execution import OrderUpdate
from tidegate_common.events.portfolio import LimitUsage
from tidegate_common.events.risk import Decision
from tidegate_gateway.schemas.base import Model
from tidegate_gateway.schemas.market import BarView, InstrumentView, QuoteView
from tidegate_gateway.schemas.orders import DecisionView, FillView, OrderView


class FrameSource(StrEnum):
    """Where the market's figures are from."""

    ARCHIVE = "archive"
    LOG = "log"
    RECORDED = "recorded"


class FrameView(Model):
    """What the market said of the instrument up to the beat that made risk look at it.

    source : archive and log for the frame's own row; recorded where the archive does not have the
        day (yet), and the log not any more: then there is the last bar only.
    """

    beat: int = Field(examples=[12])
    trade_date: int | None = Field(description="null when not recorded yet", examples=[20230201])
    ts_event_ns: int | None = Field(examples=[1675215000000000000])
    time: str | None = Field(examples=["2023-02-01T09:30:00+08:00"])
    source: FrameSource
    quote_beat: int | None = Field(description="beat of the quote or bar", examples=[12])
    quote: QuoteView | None = Field(description="of a run of ticks")
    bar: BarView | None = Field(description="of a run of bars, or the last recorded")
    instrument: InstrumentView | None = Field(description="when the day began")


class ScoreLineageView(Model):
    """The score that made the decision."""

    strategy: str = Field(examples=["ma_cross"])
    score: str = Field(description="as the decision used it", examples=["0.400000"])
    beat: int = Field(examples=[12])
    said_since_beat: int | None = Field(
        description="since when the strategy says that; null when not recorded",
        examples=[10],
    )
    reasons: dict[str, str] | None = Field(
        description="the numbers that made it; null unless it was among the recommendations",
        examples=[{"fast_cny": "1801.500000", "slow_cny": "1790.250000"}],
    )


class LayerStatus(StrEnum):
    """How a check of risk went."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not_reached"
    NOT_APPLIED = "not_applied"


class LayerView(Model):
    """A check of risk on the way to the decision.

    status : the first check that fails ends the way; sells only reduce risk, so of the layers
        after market hours none is applied to them.
    observed, limit, unit : of the check itself where it failed; else, in bps, of how much the whole
        account used of the limit after the beat, as recorded; null where there is no such number.
    """

    layer: Layer
    status: LayerStatus
    observed: int | None = Field(examples=[1250])
    limit: int | None = Field(examples=[2000])
    unit: Unit | None


class OrderStateView(Model):
    """What the exchange said of the order."""

    beat: int = Field(examples=[13])
    status: OrderStatus
    reason: OrderReason
    cumulative_shares: int = Field(examples=[100])
    leaves_shares: int = Field(examples=[100])
    ts_event_ns: int = Field(examples=[1675215003000000000])

    @classmethod
    def of(cls, update: OrderUpdate) -> "OrderStateView":
        """Return the view of a state."""
        return cls(
            beat=update.beat,
            status=update.status,
            reason=update.reason,
            cumulative_shares=update.cumulative_shares,
            leaves_shares=update.leaves_shares,
            ts_event_ns=update.ts_event_ns,
        )


class LineageView(Model):
    """The chain of an order; of a rejected intent it ends with the decision."""

    run_id: str = Field(examples=["20230201-a1b2"])
    trace_id: str = Field(
        description="of the trace of the beat that decided, if that beat was traced",
        examples=["7d3f1b0c5e2a49b8a6d4c1f0e9b87263"],
    )
    frame: FrameView
    score: ScoreLineageView | None = Field(description="null where a request was the cause")
    request_id: str | None = Field(description="null where a score was", examples=[None])
    decision: DecisionView
    layers: list[LayerView] = Field(description="validity, then the six layers, in their order")
    order: OrderView | None = Field(description="null when rejected, or not recorded yet")
    states: list[OrderStateView]
    fills: list[FillView]


def layers_of(decision: Decision, usage: tuple[LimitUsage, ...]) -> list[LayerView]:
    """Return what the decision and the account's use of limits say of each check.

    Parameters
    ----------
    usage : after the decision's beat; empty when not recorded.
    """
    used = {one.layer: one for one in usage}
    failed = decision.layer if decision.outcome is Outcome.REJECTED else None
    layers = list(Layer)
    views = []
    for layer in layers:
        if layer is failed:
            told = (decision.observed, decision.limit, decision.unit)
            views.append(_layer(layer, LayerStatus.FAILED, *told))
        elif failed is not None and layers.index(layer) > layers.index(failed):
            views.append(_layer(layer, LayerStatus.NOT_REACHED))
        elif decision.side is Side.SELL and layer not in _OF_SELLS:
            views.append(_layer(layer, LayerStatus.NOT_APPLIED))
        elif layer in used:
            told = (used[layer].observed_bps, used[layer].limit_bps, Unit.BPS)
            views.append(_layer(layer, LayerStatus.PASSED, *told))
        else:
            views.append(_layer(layer, LayerStatus.PASSED))
    return views


_OF_SELLS = (Layer.VALIDITY, Layer.MARKET_HOURS)


def _layer(
    layer: Layer,
    status: LayerStatus,
    observed: int | None = None,
    limit: int | None = None,
    unit: Unit | None = None,
) -> LayerView:
    return LayerView(layer=layer, status=status, observed=observed, limit=limit, unit=unit)
