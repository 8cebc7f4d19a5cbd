"""Lets a caller in: key or loopback, origin, rate, role, in this order."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from tidegate_gateway.problems import ProblemError
from tidegate_gateway.security.callers import LOCAL, Caller, Role
from tidegate_gateway.security.limiter import Limiter, Taken

# A browser cannot give a WebSocket headers of its own, but it can name protocols.
KEY_PROTOCOL = "tidegate.key."

# Callers choose what they say in Host.
_HOSTS_MAX = 256
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tidegate"'}


class Keys(Protocol):
    """Knows whose key a text is; `KeyRing` in production."""

    def find(self, text: str) -> Caller | None:
        """Return the caller, None for nobody; TransientError where it cannot be known."""

    def is_good(self, caller: Caller) -> bool:
        """Tell whether a caller's key is still good; TransientError where it cannot be known."""


@dataclass(frozen=True, slots=True)
class Security:
    """What a gateway asks of its callers.

    keys : None switches authentication off; then only this machine itself is served.
    limiter, failures : of each key, and of each address that brings no good key; None for none.
    origins : of web pages that may write and open WebSockets, besides the gateway's own.
    """

    keys: Keys | None = None
    limiter: Limiter | None = None
    failures: Limiter | None = None
    origins: tuple[str, ...] = ()

    async def admit(self, connection: HTTPConnection, role: Role) -> Caller:
        """Return who asks.

        Raises
        ------
        ProblemError
            401 without a good key, 403 where the key is not good for this, 429 too often.
        TransientError
            If the keys are not to be had.
        """
        peer = connection.client.host if connection.client else ""
        if self.keys is None:
            _check_local(connection, peer)
            caller = LOCAL
        else:
            caller = await self._known(connection, self.keys, peer)
        connection.state.caller = caller
        self._check_origin(connection)
        if self.keys is not None and self.limiter is not None:
            taken = await self.limiter.take(f"key:{caller.key_id}")
            headers = rate_headers(self.limiter, taken)
            connection.state.rate_headers = headers
            _check_taken(taken, headers)
        if not caller.role.covers(role):
            detail = f"this needs a key of role {role}, {caller.name} has {caller.role}"
            raise ProblemError(HTTPStatus.FORBIDDEN, detail)
        return caller

    def is_good(self, caller: Caller) -> bool:
        """Tell whether a caller who was let in would be let in again.

        Raises
        ------
        TransientError
            If the keys are not to be had.
        """
        return self.keys is None or self.keys.is_good(caller)

    async def _known(self, connection: HTTPConnection, keys: Keys, peer: str) -> Caller:
        text = _key_text(connection)
        caller = keys.find(text) if text else None
        if caller is not None:
            return caller
        if self.failures is not None:
            taken = await self.failures.take(f"failures:{peer}")
            _check_taken(taken, rate_headers(self.failures, taken))
        detail = (
            "the API key is not known, has expired or was revoked" if text else "a key is asked"
        )
        more = "" if text else " for: send Authorization: Bearer <API key>"
        raise ProblemError(HTTPStatus.UNAUTHORIZED, detail + more, _CHALLENGE)

    def _check_origin(self, connection: HTTPConnection) -> None:
        """Refuse what a page of another origin makes a browser send."""
        is_safe = connection.scope.get("method", "") in _SAFE_METHODS
        origin = connection.headers.get("origin")
        if is_safe or origin is None or origin in self.origins:
            return
        if urlsplit(origin).netloc != connection.headers.get("host", ""):
            detail = f"pages of {origin[:100]} may not do this here"
            raise ProblemError(HTTPStatus.FORBIDDEN, detail)


def check_account(caller: Caller, account_id: str | None) -> None:
    """Refuse an account that a caller's key is not for; None stands for all accounts.

    Raises
    ------
    ProblemError
        403, whether there is such an account or not.
    """
    if not caller.is_for(account_id):
        which = "all accounts" if account_id is None else f"account {account_id}"
        detail = f"the key of {caller.name} is not for {which}"
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)


def rate_headers(limiter: Limiter, taken: Taken) -> dict[str, str]:
    """Return what tells a client how often it may ask."""
    rate = limiter.rate
    seconds = -(-rate.burst_us // 1_000_000)
    headers = {
        "RateLimit-Policy": f'"default";q={rate.burst};w={seconds}',
        "RateLimit": f'"default";r={taken.remaining};t={taken.retry_seconds}',
    }
    if not taken.is_allowed:
        headers["Retry-After"] = str(taken.retry_seconds)
    return headers


@lru_cache(maxsize=_HOSTS_MAX)
def is_loopback(host: str) -> bool:
    """Tell whether a name or an address stands for this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=_HOSTS_MAX)
def _is_to_loopback(host: str) -> bool:
    """Tell whether a Host header stands for this machine."""
    return is_loopback(urlsplit(f"//{host}").hostname or "")


def _check_taken(taken: Taken, headers: Mapping[str, str]) -> None:
    if not taken.is_allowed:
        detail = f"too many requests, the next one in {taken.retry_seconds} s"
        raise ProblemError(HTTPStatus.TOO_MANY_REQUESTS, detail, headers)


def _key_text(connection: HTTPConnection) -> str:
    """Return the key that a caller brings, "" for none."""
    scheme, _, text = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return text.strip()
    if connection.scope["type"] == "websocket":
        for protocol in connection.scope.get("subprotocols", ()):
            if protocol.startswith(KEY_PROTOCOL):
                return str(protocol).removeprefix(KEY_PROTOCOL)
    return ""


def _check_local(connection: HTTPConnection, peer: str) -> None:
    """Refuse whoever is not on this machine, or may not be.

    A proxy on this machine makes every caller local, so what it forwards is refused. A page whose
    name was made to lead here (DNS rebinding) still says that name in Host.
    """
    is_forwarded = any(name in connection.headers for name in _FORWARDED)
    is_here = _is_to_loopback(connection.headers.get("host", ""))
    if is_forwarded or not is_here or not is_loopback(peer):
        detail = "authentication is off here, so requests are taken from this machine only"
        raise ProblemError(HTTPStatus.FORBIDDEN, detail)
