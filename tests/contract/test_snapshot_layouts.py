"""What engines keep in their snapshots stays what it is within a format version.

A stage that finds another version in the log passes the snapshot over, and says so; one that finds
other arrays or values under its own version would crash, again at each start. So where this fails,
raise FORMAT_VERSION in snapshots.py and write the file anew with `TIDEGATE_TEST_WRITE_GOLDEN=1`.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

from tidegate_common.bus.snapshots import FORMAT_VERSION
from tidegate_common.engine import EngineState
from tidegate_common.events.orders import CancelOrder, SubmitOrder
from tidegate_common.events.run import FeedSpec, RunSpec, StrategySpec, SyntheticSpec
from tidegate_common.frames.frame import merge_scores
from tidegate_common.testing.builders import make_run_spec
from tidegate_execution.engine.engine import ExecutionEngine
from tidegate_ingest.adapters.feed import open_feed
from tidegate_risk.engine.engine import RiskEngine, RiskInputs
from tidegate_signals.engine import SignalsEngine
from tidegate_signals.engine.recommendations import RecommendationEngine

GOLDEN = Path(__file__).parent / "golden" / "snapshot_layouts.json"
BEATS = 40


def layout_of(value: object) -> object:
    """Return what a value is made of: its keys and the kinds of what is in it, in no order."""
    if isinstance(value, dict):
        return {key: layout_of(each) for key, each in sorted(value.items())}
    if isinstance(value, list | tuple):
        kinds = {json.dumps(layout_of(each), sort_keys=True) for each in value}
        return [json.loads(kind) for kind in sorted(kinds)]
    return type(value).__name__


def state_layout(state: EngineState) -> dict[str, object]:
    """Return what a snapshot is made of."""
    arrays = {name: [array.dtype.str, array.ndim] for name, array in sorted(state.arrays.items())}
    return {"arrays": arrays, "values": layout_of(dict(state.values))}


def layouts(spec: RunSpec) -> dict[str, object]:
    """Return what each engine's snapshot is made of, after some beats with orders in them."""
    names = tuple(account.account_id for account in spec.accounts)
    execution, signals = ExecutionEngine(spec), SignalsEngine(spec)
    risk, recommendations = RiskEngine(spec, names), RecommendationEngine(spec)
    submits: tuple[SubmitOrder, ...] = ()
    cancels: tuple[CancelOrder, ...] = ()
    for frame in open_feed(spec).frames():
        report = execution.on_beat(frame, submits, cancels)
        scores = merge_scores([signals.on_beat(frame).scores])
        recommendations.on_beat(scores)
        told = RiskInputs(frame, scores, report.updates, report.fills)
        output = risk.on_beat(told)
        submits, cancels = output.submits, output.cancels
        if frame.stamp.beat == BEATS:
            break
    return {
        "execution": state_layout(execution.snapshot()),
        "recommendations": state_layout(recommendations.snapshot()),
        "risk": state_layout(risk.snapshot()),
        "signals": state_layout(signals.snapshot()),
    }


def test_snapshots_of_a_format_version_are_made_of_the_same() -> None:
    """Nobody adds an array and leaves the version as it is."""
    feed = FeedSpec(synthetic=SyntheticSpec(instrument_count=5))
    strategies = (StrategySpec("imbalance", "book_imbalance"),)
    spec = replace(make_run_spec(cash_fen=500_000_000), feed=feed, strategies=strategies)

    found = {"format_version": FORMAT_VERSION, **layouts(spec)}
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get("TIDEGATE_TEST_WRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")

    assert text == GOLDEN.read_text(encoding="utf-8")
