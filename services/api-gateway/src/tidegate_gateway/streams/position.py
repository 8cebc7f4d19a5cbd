"""Places in the log that mean the same on every gateway, before and after a restart.

A lane is what one producer says on one partition of one topic: beat after beat, each beat once.
A position is the next event of a lane that has not been told; a cursor is the positions of all
lanes. They are written as `run-1@12.1,13.0,-`: run, beat and number in the beat; the run only where
it is another than in the position before; `-` where nothing has come yet.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_POSITION = re.compile(
    r"(?:(?P<run>[A-Za-z0-9][A-Za-z0-9_-]{0,62})@)?(?P<beat>\d{1,18})\.(?P<number>\d{1,18})",
    re.ASCII,
)
_NOTHING = "-"


class Position(NamedTuple):
    """Where a lane goes on: with event `number` of a beat, counted from 0."""

    run_id: str
    beat: int
    number: int


Cursor = tuple[Position | None, ...]


def format_cursor(positions: Sequence[Position | None]) -> str:
    """Return the text of a cursor; the inverse of `parse_cursor`."""
    parts, run_id = [], ""
    for position in positions:
        if position is None:
            parts.append(_NOTHING)
            continue
        prefix = "" if position.run_id == run_id else f"{position.run_id}@"
        parts.append(f"{prefix}{position.beat}.{position.number}")
        run_id = position.run_id
    return ",".join(parts)


def parse_cursor(text: str, lane_count: int) -> Cursor:
    """Return the cursor that a text says.

    Raises
    ------
    ValueError
        If it is none, or one of a deployment with another number of lanes.
    """
    parts = text.split(",")
    if len(parts) != lane_count:
        message = f"after must have {lane_count} places, as `seq` has, had {len(parts)}"
        raise ValueError(message)
    found: list[Position | None] = []
    run_id = ""
    for part in parts:
        match = _POSITION.fullmatch(part)
        run_id = (match and match["run"]) or run_id
        if part == _NOTHING:
            found.append(None)
        elif match is None or not run_id:
            message = f"after must be a `seq` of the stream, was {text[:100]!r}"
            raise ValueError(message)
        else:
            found.append(Position(run_id, int(match["beat"]), int(match["number"])))
    return tuple(found)
