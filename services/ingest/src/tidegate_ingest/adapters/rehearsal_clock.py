"""The market's time of a rehearsal: recorded quotes are polled as if it were their day."""

from tidegate_common.clock import Clock
from tidegate_common.errors import ConfigError


class RehearsalClock:
    """A clock that was right at one moment of the wall clock, and runs faster.

    Parameters
    ----------
    market_ns : market time, UTC epoch, at `wall_ns` of the wall clock.
    speed : market seconds a second, >= 1.
    """

    def __init__(self, clock: Clock, *, market_ns: int, wall_ns: int, speed: int) -> None:
        self._clock = clock
        self._market_ns = market_ns
        self._wall_ns = wall_ns
        self._speed = speed

    def now_ns(self) -> int:
        """Return the market's time."""
        return self._market_ns + (self._clock.now_ns() - self._wall_ns) * self._speed

    def monotonic_seconds(self) -> float:
        """Return seconds as they pass: who does not answer is not faster in a rehearsal."""
        return self._clock.monotonic_seconds()

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds of the market's time."""
        await self._clock.sleep(seconds / self._speed)


def market_clock(clock: Clock, rehearsal: str) -> Clock:
    """Return the market's clock: the wall's, or that of a rehearsal.

    Parameters
    ----------
    rehearsal : `MARKET_NS@WALL_NS@SPEED`, "" for none; a `WALL_NS` of 0 is now.

    Raises
    ------
    ConfigError
        If it is no such three numbers.
    """
    if not rehearsal:
        return clock
    numbers = rehearsal.split("@")
    is_given = len(numbers) == len(("market", "wall", "speed"))
    if not is_given or not all(number.isdecimal() for number in numbers) or not int(numbers[-1]):
        message = (
            "setting TIDEGATE_INGEST_LIVE__REHEARSAL must be MARKET_NS@WALL_NS@SPEED, "
            f"was {rehearsal!r}"
        )
        raise ConfigError(message)
    market_ns, wall_ns, speed = map(int, numbers)
    return RehearsalClock(
        clock, market_ns=market_ns, wall_ns=wall_ns or clock.now_ns(), speed=speed
    )
