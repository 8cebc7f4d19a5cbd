"""What people and programs had the gateway do."""

from msgspec import Struct


class AuditRecord(Struct, frozen=True):
    """A write that a known caller asked the gateway for, and how it was answered.

    audit_id : unique; a repeat of the record has the same.
    ts_ns : when it was answered, UTC epoch.
    caller, key_id, role : of the API key; "local" and "" where none is asked for.
    peer : the address that it came from.
    request_id : the caller's Idempotency-Key, as it was sent.
    status : of the answer, as HTTP has it.
    body : what was sent, cut off where it is long.
    """

    audit_id: str
    ts_ns: int
    caller: str
    key_id: str
    role: str
    peer: str
    method: str
    path: str
    request_id: str
    status: int
    body: str
