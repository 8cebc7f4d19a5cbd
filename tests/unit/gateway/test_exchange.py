"""The guard around an application of its own, message by message."""

from dataclasses import dataclass, field

import pytest
import structlog
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs
from tests.unit.gateway.guarded import CALLERS

from tidegate_common.clock import ManualClock
from tidegate_common.errors import TransientError
from tidegate_common.events.audit import AuditRecord
from tidegate_common.runtime.logging import get_logger
from tidegate_gateway.security.guard import HEADER_BYTES_MAX, Guard, GuardOptions

START: Message = {"type": "http.response.start", "status": 202, "headers": []}
ENDING: Message = {"type": "http.response.body", "body": b"{}", "more_body": False}


@pytest.fixture(autouse=True)
def _logging() -> None:
    structlog.reset_defaults()


@dataclass
class Asked:
    """A guard, what it is asked, and what came of it."""

    answer: list[Message] = field(default_factory=lambda: [dict(START), dict(ENDING)])
    method: str = "POST"
    path: str = "/v1/orders"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    is_audit_away: bool = False
    reads: int = 0
    sent: list[Message] = field(default_factory=list)
    measured: list[int] = field(default_factory=list)
    audits: list[AuditRecord] = field(default_factory=list)

    async def go(self) -> dict[str, object]:
        """Ask, and return the line of the log."""
        options = GuardOptions(
            audit=self._audit,
            clock=ManualClock(),
            log=get_logger(),
            measure=lambda status, _seconds: self.measured.append(status),
            body_bytes_max=1_024,
        )
        scope: Scope = {
            "type": "http",
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "state": {"caller": CALLERS["trader"]},
        }
        with capture_logs() as lines:
            await Guard(self._app, options)(scope, self._receive, self._send)
        (line,) = [one for one in lines if one["event"] == "request_answered"]
        return dict(line)

    async def _app(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in self.answer:
            await send(message)

    async def _receive(self) -> Message:
        self.reads += 1
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    async def _audit(self, record: AuditRecord) -> None:
        if self.is_audit_away:
            message = "away"
            raise TransientError(message)
        self.audits.append(record)


@pytest.mark.parametrize(("more", "status"), [(0, 202), (1, 431)])
async def test_headers_count_with_their_names_up_to_the_limit(more: int, status: int) -> None:
    """The limit itself is allowed."""
    half = HEADER_BYTES_MAX // 2
    asked = Asked(headers=[(b"x" * half, b"y" * (half + more))])

    line = await asked.go()

    assert asked.sent[0]["status"] == line["status"] == status
    assert asked.measured == [status]


@pytest.mark.parametrize(("size", "reads", "status"), [(1_024, 1, 202), (1_025, 0, 413)])
async def test_body_that_is_too_large_by_its_word_is_not_read(
    size: int, reads: int, status: int
) -> None:
    """It is refused, counted and logged all the same."""
    asked = Asked(headers=[(b"content-length", str(size).encode())])

    line = await asked.go()

    assert (asked.reads, asked.sent[0]["status"], line["status"]) == (reads, status, status)
    assert (asked.measured, line["log_level"]) == ([status], "info")


async def test_write_that_is_not_written_down_is_answered_503_alone() -> None:
    """Nothing of what the application said goes out; log and metrics say 503, too."""
    asked = Asked(is_audit_away=True)

    line = await asked.go()

    assert [one["type"] for one in asked.sent] == ["http.response.start", "http.response.body"]
    assert b"written down" in asked.sent[1]["body"]
    assert (asked.sent[0]["status"], line["status"], asked.measured) == (503, 503, [503])


async def test_request_that_nobody_answered_is_logged() -> None:
    """A read, too: its client was gone, or it came to a fault."""
    asked = Asked(answer=[], method="GET")

    line = await asked.go()

    assert (line["status"], line["log_level"], asked.sent) == (0, "info", [])


async def test_audit_and_log_are_bounded() -> None:
    """Whatever a caller puts into an address or a header."""
    asked = Asked(path="/v1/" + "x" * 600, headers=[(b"idempotency-key", b"k" * 200)])

    line = await asked.go()

    (record,) = asked.audits
    assert (len(record.path), len(record.request_id), len(str(line["path"]))) == (500, 100, 500)


async def test_headers_of_the_application_give_way_to_the_guards() -> None:
    """One of each, and others stay."""
    said = [(b"cache-control", b"public"), (b"x-frame-options", b"SAMEORIGIN"), (b"etag", b"1")]
    asked = Asked(answer=[{**START, "headers": said}, dict(ENDING)])

    await asked.go()

    names = [name for name, _ in asked.sent[0]["headers"]]
    told = dict(asked.sent[0]["headers"])
    assert len(names) == len(set(names))
    assert (told[b"cache-control"], told[b"x-frame-options"]) == (b"no-store", b"DENY")
    assert told[b"etag"] == b"1"
