"""Bytes <-> events, validated.

The only module besides settings and HTTP where pydantic works. Encoding is deterministic: fields
in the order of the class, no spaces, so equal events are equal bytes.
"""

import re
from typing import TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from tidegate_common.errors import ContractError

Event = TypeVar("Event")

_ERRORS_SHOWN_MAX = 3
_INT64_END = 2**63
_INT64_DIGITS = 19
# A number of 19 digits or more where JSON has values: only such a one can be beyond 64 bits.
_LONG_NUMBER = re.compile(rb"(?<=[:,\[\s])-?(\d{19,})")

_ADAPTERS: dict[type, TypeAdapter[object]] = {}


def _adapter(event_type: type) -> TypeAdapter[object]:
    adapter = _ADAPTERS.get(event_type)
    if adapter is None:
        adapter = _ADAPTERS[event_type] = TypeAdapter(event_type)
    return adapter


def encode_event(event: object) -> bytes:
    """Return an event as JSON bytes."""
    return _adapter(type(event)).dump_json(event)


def decode_event(event_type: type[Event], data: bytes | str) -> Event:
    """Return the event that JSON bytes hold; fields that are not known are ignored.

    Raises
    ------
    ContractError
        If the bytes are not JSON, a field is missing or of a wrong type or value, or a number does
        not fit the 64 bits of an engine's array.
    """
    _check_numbers(data.encode(errors="replace") if isinstance(data, str) else data)
    try:
        return cast("Event", _adapter(event_type).validate_json(data, strict=True))
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_context=False)
        ]
        shown = "; ".join(problems[:_ERRORS_SHOWN_MAX])
        more = len(problems) - _ERRORS_SHOWN_MAX
        suffix = f"; and {more} more" if more > 0 else ""
        message = f"expected a {event_type.__name__} as JSON, found: {shown}{suffix}"
        raise ContractError(message) from error


def _check_numbers(data: bytes) -> None:
    for match in _LONG_NUMBER.finditer(data):
        digits = match[1]
        if len(digits) > _INT64_DIGITS or int(digits) >= _INT64_END:
            message = f"expected numbers of 64 bits, found {match[0][:40].decode()}"
            raise ContractError(message)
