"""Stamps out of a memory that was written down."""

from typing import cast

from tidegate_common.domain.enums import BeatKind
from tidegate_common.domain.ids import RunId
from tidegate_common.frames.frame import BeatStamp


def load_stamp(values: object) -> BeatStamp | None:
    """Return the stamp whose fields were written down, None for None."""
    if values is None:
        return None
    fields = dict(cast("dict[str, object]", values))
    return BeatStamp(
        run_id=RunId(cast("str", fields["run_id"])),
        beat=cast("int", fields["beat"]),
        kind=BeatKind(cast("str", fields["kind"])),
        trade_date=cast("int", fields["trade_date"]),
        ts_event_ns=cast("int", fields["ts_event_ns"]),
        is_last=cast("bool", fields["is_last"]),
    )
