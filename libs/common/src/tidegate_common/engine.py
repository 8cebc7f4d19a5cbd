"""What every engine is: deterministic memory that can be written down and taken up again.

An engine is synchronous and pure. Its `on_beat` differs by stage; its memory does not.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# A recursive alias needs Python 3.12; `object` keeps 3.11.
JsonDict = dict[str, object]


@dataclass(frozen=True, slots=True)
class EngineState:
    """Memory of an engine after a beat.

    values : JSON-ready small state (int, float, str, bool, None, lists and dicts of them). Floats
        survive exactly, because their shortest text is read back to the same bits.
    arrays : named arrays of bool, integer or float dtype.
    """

    values: JsonDict = field(default_factory=dict)
    arrays: dict[str, NDArray[np.generic]] = field(default_factory=dict)


class Engine(Protocol):
    """The part that all engines share; `restore(snapshot())` changes nothing."""

    def snapshot(self) -> EngineState:
        """Return the memory; later beats do not change what was returned."""

    def restore(self, state: EngineState) -> None:
        """Take up a memory that `snapshot` returned, in this or in another process."""
