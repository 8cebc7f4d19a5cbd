"""Polls public quote services over HTTP, one after the other where one fails.

A poll asks for every share once, in batches, side by side. A batch goes to the first service that
is not resting; where it fails (no answer in time, an error, nothing that is a quote) the service
rests, each time twice as long, and the batch goes to the next. The first service is asked again
when its rest is over. Where all rest, a batch has no quotes: marks grow stale, and say so.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from tidegate_common.clock import Clock
from tidegate_common.errors import TransientError
from tidegate_common.runtime.logging import get_logger
from tidegate_ingest.adapters.quote_services import QuoteService
from tidegate_ingest.engine.quote_text import LineFault, ParsedPayload, parse_quotes

# A rest after the first failure, and the longest one.
REST_SECONDS_MIN = 3.0
REST_SECONDS_MAX = 300.0
# 400 lines of Tencent are 200 kB; nobody means well who sends so much more.
ANSWER_BYTES_MAX = 4_000_000
# Lines that are no quotes at all, as in an error page or an answer in another encoding. One line
# in two may be so; more is no answer.
_STRANGE = (LineFault.BAD_ENCODING, LineFault.BAD_LINE, LineFault.FIELD_COUNT)
_HTTP_OK = 200
_NS_PER_MS = 1_000_000


class QuoteServiceError(TransientError):
    """A quote service did not answer, or not with quotes."""


@dataclass(frozen=True, slots=True)
class PollingOptions:
    """How often and how patiently services are asked.

    interval_ms : from poll to poll, on the wall clock's grid.
    timeout_seconds : longest wait for an answer.
    requests_per_second_max : to one service.
    connections_max : to one service, kept open.
    """

    interval_ms: int = 3_000
    timeout_seconds: float = 2.0
    requests_per_second_max: float = 8.0
    connections_max: int = 4


@dataclass(slots=True)
class _Turn:
    """A service and when it may be asked again, in monotonic seconds."""

    service: QuoteService
    failures: int = 0
    rests_until: float = 0.0
    next_request_at: float = 0.0


class LivePolling:
    """Asks for the quotes of a run's shares, again and again.

    counts : polls, requests by service and outcome, such as `sina failed`, and `failovers`:
        requests that another service than the first one answered.
    """

    def __init__(
        self,
        services: Sequence[QuoteService],
        codes: Sequence[str],
        *,
        clock: Clock,
        options: PollingOptions,
    ) -> None:
        """Take the services in the order in which they are asked, and codes like `sh600000`."""
        self.counts: Counter[str] = Counter()
        self._turns = [_Turn(service) for service in services]
        self._codes = tuple(codes)
        self._clock = clock
        self._options = options
        self._session: aiohttp.ClientSession | None = None
        self._log = get_logger()

    async def __aenter__(self) -> Self:
        """Open the connections."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit_per_host=self._options.connections_max),
            timeout=aiohttp.ClientTimeout(total=self._options.timeout_seconds),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    @property
    def is_patient(self) -> bool:
        """Whether quotes can wait: the market does not."""
        return False

    async def next_quotes(
        self, is_wanted: Callable[[int], bool]
    ) -> tuple[list[ParsedPayload], int]:
        """Wait for the next poll; return its answers, and the time when they were there.

        Parameters
        ----------
        is_wanted : tells of a time whether quotes are any use then; if not, nobody is asked.
        """
        interval_ns = self._options.interval_ms * _NS_PER_MS
        wait_ns = interval_ns - self._clock.now_ns() % interval_ns
        await self._clock.sleep(wait_ns / 1e9)
        now_ns = self._clock.now_ns()
        if not is_wanted(now_ns):
            return [], now_ns
        answers = await self.poll()
        return answers, self._clock.now_ns()

    async def poll(self) -> list[ParsedPayload]:
        """Return the answers for all shares, as far as some service has one."""
        self.counts["polls"] += 1
        size = min(turn.service.batch_size for turn in self._turns)
        batches = [self._codes[start : start + size] for start in range(0, len(self._codes), size)]
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._ask_in_turn(batch)) for batch in batches]
        answers = (task.result() for task in asked)
        return [answer for answer in answers if answer is not None]

    async def _ask_in_turn(self, codes: Sequence[str]) -> ParsedPayload | None:
        for turn in self._turns:
            if not await self._take_slot(turn):
                continue
            name = turn.service.source.value
            try:
                answer = await self._ask(turn.service, codes)
            except QuoteServiceError as error:
                self.counts[f"{name} failed"] += 1
                self._rest(turn, str(error))
                continue
            self.counts[f"{name} answered"] += 1
            if turn is not self._turns[0]:
                self.counts["failovers"] += 1
            if turn.failures:
                turn.failures = 0
                self._log.info("quote_service_recovered", source=name)
            return answer
        return None

    async def _take_slot(self, turn: _Turn) -> bool:
        """Wait for the time of a request; return whether the service is not resting then."""
        now = self._clock.monotonic_seconds()
        if now < turn.rests_until:
            return False
        slot = max(now, turn.next_request_at)
        turn.next_request_at = slot + 1 / self._options.requests_per_second_max
        if slot > now:
            await self._clock.sleep(slot - now)
        return self._clock.monotonic_seconds() >= turn.rests_until

    def _rest(self, turn: _Turn, reason: str) -> None:
        """Leave a service alone; requests that failed side by side are one failure."""
        now = self._clock.monotonic_seconds()
        if now < turn.rests_until:
            return
        rest = min(REST_SECONDS_MIN * 2**turn.failures, REST_SECONDS_MAX)
        turn.failures += 1
        turn.rests_until = now + rest
        self._log.warning(
            "quote_service_rests",
            source=turn.service.source.value,
            seconds=rest,
            reason=reason,
        )

    async def _ask(self, service: QuoteService, codes: Sequence[str]) -> ParsedPayload:
        """Return a service's answer.

        Raises
        ------
        QuoteServiceError
            If it did not answer in time, or with something else than quotes.
        """
        assert self._session is not None, "polling is used inside `async with`"
        address = service.address(codes)
        try:
            async with self._session.get(
                address, headers=service.headers, allow_redirects=False
            ) as response:
                if response.status != _HTTP_OK:
                    message = f"expected status 200, found {response.status}"
                    raise QuoteServiceError(message)
                data = await _read(response.content)
        except TimeoutError as error:
            message = f"no answer within {self._options.timeout_seconds} s"
            raise QuoteServiceError(message) from error
        except (aiohttp.ClientError, OSError) as error:
            message = f"{type(error).__name__}: {error}"[:200]
            raise QuoteServiceError(message) from error
        # A batch of 400 lines parses in milliseconds; the loop has nothing more urgent to do.
        answer = parse_quotes(service.source, data)
        strange = sum(answer.rejected.get(fault, 0) for fault in _STRANGE)
        if not answer.lines_in or 2 * strange > answer.lines_in:
            message = f"expected quotes, found {strange} strange of {answer.lines_in} lines"
            raise QuoteServiceError(message)
        return answer


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Return an answer's bytes, up to a bound."""
    parts = bytearray()
    async for part in content.iter_any():
        parts += part
        if len(parts) > ANSWER_BYTES_MAX:
            message = f"expected at most {ANSWER_BYTES_MAX} bytes, found more"
            raise QuoteServiceError(message)
    return bytes(parts)
