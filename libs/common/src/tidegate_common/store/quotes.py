"""The newest quotes in Redis: one value a shard, a frame of the newest row of each instrument.

One key says which run is the newest and how many shards it has; a shard's quotes count if they are
of that run. The rules of the stamps are in `tidegate_common.store.stamped`.
"""

from collections.abc import Sequence

import msgspec

from tidegate_common.errors import ContractError
from tidegate_common.frames.codec import decode_frame, encode_frame
from tidegate_common.frames.frame import Frame
from tidegate_common.frames.rows import QuoteRows
from tidegate_common.store.stamped import Stamped, StampedCache, errors_translated


class QuoteCache(StampedCache):
    """The newest quotes of every shard of the newest run."""

    async def put(self, frames: Sequence[Frame]) -> bool:
        """Store the newest quotes of all shards; tell whether Redis has them or newer ones.

        Never raises and never waits longer than its timeout.

        Parameters
        ----------
        frames : of one run, one a shard, by shard; at least one. A frame's stamp is of the last
            beat that it knows.
        """
        run_id, beat = frames[0].stamp.run_id, max(frame.stamp.beat for frame in frames)
        shards = [
            Stamped(self._key(frame.shard), run_id, frame.stamp.beat, encode_frame(frame))
            for frame in frames
        ]
        count = msgspec.json.encode(len(frames))
        return await self._put([*shards, Stamped(self._run_key(), run_id, beat, count)])

    async def get(self) -> list[Frame]:
        """Return the newest quotes of the newest run, by shard; none if there are none.

        Raises
        ------
        TransientError
            If Redis does not answer in time, or holds something else there.
        """
        with errors_translated():
            (run,) = await self._get(self._run_key())
            if run is None:
                return []
            count = msgspec.json.decode(run.value, type=int)
            found = await self._get(*map(self._key, range(count)))
            return [
                _quotes(one.value) for one in found if one is not None and one.run_id == run.run_id
            ]

    def _key(self, shard: int) -> str:
        return f"{self._prefix}quotes:{shard}"

    def _run_key(self) -> str:
        return f"{self._prefix}quotes"


def _quotes(value: bytes) -> Frame:
    frame = decode_frame(value)
    if not isinstance(frame.rows, QuoteRows):
        message = f"expected a frame of quotes, found one of {frame.stamp.kind}"
        raise ContractError(message)
    return frame
