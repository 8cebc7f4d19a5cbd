"""API keys: made once, kept as hashes in PostgreSQL, held in memory by the gateway.

A key is `tg_<12 hex digits that name it>_<64 hex digits>`: 256 random bits. So one SHA-256 is the
right hash. Slow hashes with salts make guesses of what people choose dear; nobody guesses 256 bits,
and every request would pay for it.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from tidegate_common.clock import Clock
from tidegate_common.errors import ConfigError, TransientError
from tidegate_common.store.postgres import Pool, errors_translated
from tidegate_gateway.security.callers import Caller, Role

# A key that was revoked is refused after at most so long.
REFRESH_SECONDS = 2.0
# Longer than a failover of PostgreSQL; after it nobody can say which keys were revoked.
STALE_SECONDS_MAX = 300.0
# Of more keys the oldest open nothing any more: who made them may revoke them.
KEYS_MAX = 10_000
NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")

_KEY_PATTERN = re.compile(r"tg_([0-9a-f]{12})_[0-9a-f]{64}")
_ID_BYTES = 6
_SECRET_BYTES = 32
# What an unknown id is compared with, so that it takes as long as a known one.
_NOBODY = bytes(32)

_COLUMNS = "key_id, name, role, accounts, key_sha256, created_ns, expires_ns, revoked_ns"
_INSERT = """
INSERT INTO api_keys (key_id, name, role, accounts, key_sha256, created_ns, expires_ns)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_SELECT = f"""
SELECT {_COLUMNS} FROM api_keys ORDER BY created_ns DESC, key_id DESC LIMIT $1
"""  # noqa: S608  # constants of this file
_SELECT_LIVE = f"""
SELECT {_COLUMNS} FROM api_keys WHERE revoked_ns IS NULL
ORDER BY created_ns DESC, key_id DESC LIMIT $1
"""  # noqa: S608  # constants of this file
_REVOKE = "UPDATE api_keys SET revoked_ns = $2 WHERE key_id = $1 AND revoked_ns IS NULL"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it is kept.

    created_ns, expires_ns, revoked_ns : UTC epoch; None for never.
    """

    caller: Caller
    key_sha256: bytes
    created_ns: int
    expires_ns: int | None = None
    revoked_ns: int | None = None

    def is_good(self, now_ns: int) -> bool:
        """Tell whether it opens anything at a time."""
        is_expired = self.expires_ns is not None and now_ns >= self.expires_ns
        return self.revoked_ns is None and not is_expired


def make_key(
    name: str,
    role: Role,
    accounts: Iterable[str],
    *,
    now_ns: int,
    expires_ns: int | None = None,
) -> tuple[str, StoredKey]:
    """Return a new key's text, which nobody keeps, and what is kept of it."""
    key_id = secrets.token_hex(_ID_BYTES)
    text = f"tg_{key_id}_{secrets.token_hex(_SECRET_BYTES)}"
    caller = Caller(name, role, key_id, frozenset(accounts))
    return text, StoredKey(caller, _hash(text), now_ns, expires_ns)


class KeyStore:
    """The table of the keys.

    keys_max : so many are read at once, the newest.

    Every method raises TransientError if PostgreSQL does not answer.
    """

    def __init__(self, pool: Pool, *, keys_max: int = KEYS_MAX) -> None:
        self._pool = pool
        self._keys_max = keys_max

    async def add(self, key: StoredKey) -> None:
        """Keep a new key."""
        caller = key.caller
        with errors_translated():
            await self._pool.execute(
                _INSERT,
                caller.key_id,
                caller.name,
                caller.role.value,
                sorted(caller.accounts),
                key.key_sha256,
                key.created_ns,
                key.expires_ns,
            )

    async def all(self) -> list[StoredKey]:
        """Return the last keys that were made, oldest first."""
        return await self._fetch(_SELECT)

    async def live(self) -> list[StoredKey]:
        """Return the last keys that were not revoked, oldest first."""
        return await self._fetch(_SELECT_LIVE)

    async def revoke(self, key_id: str, *, now_ns: int) -> bool:
        """Take a key's power; tell whether it had any."""
        with errors_translated():
            answer: str = await self._pool.execute(_REVOKE, key_id, now_ns)
        return answer == "UPDATE 1"

    async def _fetch(self, sql: str) -> list[StoredKey]:
        with errors_translated():
            rows = await self._pool.fetch(sql, self._keys_max)
        return [
            StoredKey(
                Caller(row["name"], Role(row["role"]), row["key_id"], frozenset(row["accounts"])),
                row["key_sha256"],
                row["created_ns"],
                row["expires_ns"],
                row["revoked_ns"],
            )
            for row in reversed(rows)
        ]


class KeyRing:
    """The keys in memory, read again every few seconds.

    No request waits for PostgreSQL. While that is away the keys of before are good, for at most
    `STALE_SECONDS_MAX`.

    Parameters
    ----------
    load : returns the keys; TransientError where they are not to be had.
    """

    def __init__(self, load: Callable[[], Awaitable[list[StoredKey]]], clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._keys: dict[str, StoredKey] = {}
        self._loaded_at: float | None = None

    async def keep_fresh(self) -> None:
        """Read the keys again and again, until cancelled."""
        while True:
            await self.refresh()
            await self._clock.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Read the keys; where they are not to be had, those of before stay."""
        asked_at = self._clock.monotonic_seconds()
        try:
            keys = await self._load()
        except (TransientError, ConfigError):
            return
        self._keys = {key.caller.key_id: key for key in keys}
        self._loaded_at = asked_at

    def find(self, text: str) -> Caller | None:
        """Return whose key a text is; None if it is nobody's any more.

        Raises
        ------
        TransientError
            If the keys were not to be had for too long.
        """
        self._check_fresh()
        match = _KEY_PATTERN.fullmatch(text)
        key = self._keys.get(match[1]) if match else None
        known = key.key_sha256 if key else _NOBODY
        is_same = hmac.compare_digest(_hash(text), known)
        if key is None or not is_same or not key.is_good(self._clock.now_ns()):
            return None
        return key.caller

    def is_good(self, caller: Caller) -> bool:
        """Tell whether the key that a caller came with is still good.

        Raises
        ------
        TransientError
            If the keys were not to be had for too long.
        """
        self._check_fresh()
        key = self._keys.get(caller.key_id)
        return key is not None and key.is_good(self._clock.now_ns())

    def _check_fresh(self) -> None:
        now = self._clock.monotonic_seconds()
        if self._loaded_at is None or now - self._loaded_at > STALE_SECONDS_MAX:
            message = "expected the API keys of PostgreSQL, found: no answer"
            raise TransientError(message)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()
