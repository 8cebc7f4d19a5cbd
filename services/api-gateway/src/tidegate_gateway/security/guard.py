"""Around every request: size limits, security headers, the audit of writes, log and metrics.

Plain ASGI, so that streams go out as they come.
"""

import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.stdlib import BoundLogger

from tidegate_common.clock import Clock
from tidegate_common.errors import TransientError
from tidegate_common.events.audit import AuditRecord
from tidegate_gateway.problems import problem_response
from tidegate_gateway.security.callers import Caller

HEADER_BYTES_MAX = 16_384
BODY_BYTES_MAX = 65_536
# Of a request's body and path, so much is written down.
AUDIT_BODY_CHARACTERS_MAX = 8_192
_AUDIT_PATH_CHARACTERS_MAX = 500
_AUDIT_KEY_CHARACTERS_MAX = 100

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
# Swagger's page starts its program with a line of its own, and draws with styles and data: images.
_DOCS_POLICY = (
    "default-src 'none'; connect-src 'self'; frame-ancestors 'none'; "
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)
_POLICY = "default-src 'none'; frame-ancestors 'none'"
_YEAR_SECONDS = 31_536_000
# As they go over the wire, names in lower case: every answer has them.
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_HEADERS_OF_DOCS = (*_HEADERS, (b"content-security-policy", _DOCS_POLICY.encode()))
_HEADERS_OF_REST = (*_HEADERS, (b"content-security-policy", _POLICY.encode()))
_NO_STORE = (b"cache-control", b"no-store")
_ONLY_TLS = (b"strict-transport-security", f"max-age={_YEAR_SECONDS}".encode())

_Header = tuple[bytes, bytes]
Audit = Callable[[AuditRecord], Awaitable[None]]
# Is told the status of each answer and the time to its first byte, s.
Measure = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """What the guard works with.

    audit : keeps what was written; TransientError if it is not kept.
    """

    audit: Audit
    clock: Clock
    log: BoundLogger
    measure: Measure
    body_bytes_max: int = BODY_BYTES_MAX


class Guard:
    """The outermost of the application."""

    def __init__(self, app: ASGIApp, options: GuardOptions) -> None:
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})
        exchange = _Exchange(scope, receive, send, self._options)
        answer = exchange.refusal() or self._app
        try:
            await answer(scope, exchange.receive, exchange.send)
        finally:
            exchange.finish()


@dataclass(slots=True)
class _Exchange:
    """One request and its answer."""

    scope: Scope
    inner_receive: Receive
    inner_send: Send
    options: GuardOptions
    started: float = 0.0
    status: int = 0
    body: bytearray = field(default_factory=bytearray)
    is_replaced: bool = False

    def __post_init__(self) -> None:
        self.started = self.options.clock.monotonic_seconds()

    def refusal(self) -> ASGIApp | None:
        """Return the answer to a request that is too large by its own word."""
        headers = self.scope["headers"]
        if sum(len(name) + len(value) for name, value in headers) > HEADER_BYTES_MAX:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            detail = f"the headers must be at most {HEADER_BYTES_MAX} bytes"
            return problem_response(status, detail)
        said = next((value for name, value in headers if name == b"content-length"), b"")
        # What is no number is the server's to refuse; it counts again as the body comes.
        if said.isdigit() and int(said) > self.options.body_bytes_max:
            return problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large())
        return None

    async def receive(self) -> Message:
        """Return what comes, as long as it is not too much."""
        message = await self.inner_receive()
        if message["type"] == "http.request":
            self.body += message.get("body", b"")
            if len(self.body) > self.options.body_bytes_max:
                self.body.clear()
                # The one kind of error that FastAPI lets through while it reads a body.
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, self._too_large())
        return message

    async def send(self, message: Message) -> None:
        """Send an answer, with its headers, once the write that it answers is written down."""
        if self.is_replaced:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if not await self._is_audited():
                self.is_replaced = True
                self.status = HTTPStatus.SERVICE_UNAVAILABLE
                detail = "the request could not be written down: send it again with the same key"
                await problem_response(HTTPStatus.SERVICE_UNAVAILABLE, detail)(
                    self.scope, self.inner_receive, self._send_with_headers
                )
                self._measure()
                return
            self._measure()
        await self._send_with_headers(message)

    def finish(self) -> None:
        """Write the line of the log."""
        level = self.options.log.info if self._is_notable() else self.options.log.debug
        caller = self._caller()
        level(
            "request_answered",
            method=self.scope["method"],
            path=self.scope["path"][:_AUDIT_PATH_CHARACTERS_MAX],
            status=self.status,
            caller=caller.name if caller else "",
            peer=self._peer(),
            seconds=round(self.options.clock.monotonic_seconds() - self.started, 6),
        )

    async def _send_with_headers(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = self._with_headers(message["headers"])
        await self.inner_send(message)

    def _with_headers(self, headers: Iterable[_Header]) -> list[_Header]:
        """Return an answer's headers and ours, which replace those of the same names."""
        path: str = self.scope["path"]
        ours = list(_HEADERS_OF_DOCS if path.startswith("/docs") else _HEADERS_OF_REST)
        if self.scope.get("scheme") == "https":
            ours.append(_ONLY_TLS)
        if path.startswith("/v1"):
            ours.append(_NO_STORE)
        rates: Mapping[str, str] = self.scope["state"].get("rate_headers", {})
        ours += [(name.lower().encode(), value.encode()) for name, value in rates.items()]
        names = {name for name, _ in ours}
        return [header for header in headers if header[0] not in names] + ours

    async def _is_audited(self) -> bool:
        """Write a caller's write down; tell whether the answer may be sent."""
        caller = self._caller()
        is_write = self.scope["method"] in _WRITES
        # Too many requests are too many records.
        if caller is None or not is_write or self.status == HTTPStatus.TOO_MANY_REQUESTS:
            return True
        record = AuditRecord(
            audit_id=secrets.token_hex(16),
            ts_ns=self.options.clock.now_ns(),
            caller=caller.name,
            key_id=caller.key_id,
            role=caller.role.value,
            peer=self._peer(),
            method=self.scope["method"],
            path=self.scope["path"][:_AUDIT_PATH_CHARACTERS_MAX],
            request_id=Headers(scope=self.scope).get("idempotency-key", "")[
                :_AUDIT_KEY_CHARACTERS_MAX
            ],
            status=int(self.status),
            body=_text(bytes(self.body)),
        )
        try:
            await self.options.audit(record)
        except TransientError as error:
            self.options.log.warning("audit_failed", error=str(error), path=record.path)
            # What was refused has changed nothing, so its answer may go without.
            return self.status >= HTTPStatus.BAD_REQUEST
        return True

    def _measure(self) -> None:
        seconds = self.options.clock.monotonic_seconds() - self.started
        self.options.measure(int(self.status), seconds)

    def _is_notable(self) -> bool:
        is_refused = self.status >= HTTPStatus.BAD_REQUEST or self.status == 0
        return is_refused or self.scope["method"] in _WRITES

    def _caller(self) -> Caller | None:
        caller: Caller | None = self.scope["state"].get("caller")
        return caller

    def _peer(self) -> str:
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    def _too_large(self) -> str:
        return f"the body must be at most {self.options.body_bytes_max} bytes"


def _text(body: bytes) -> str:
    """Return a body as one line that PostgreSQL keeps."""
    text = body.decode(errors="replace")
    with contextlib.suppress(ValueError, RecursionError):
        # Spaces and line breaks of JSON say nothing.
        text = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:AUDIT_BODY_CHARACTERS_MAX]
