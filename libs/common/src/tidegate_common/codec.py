"""Bytes <-> events, validated.

Structs, which travel in every beat, by msgspec; all other types by pydantic, which works nowhere
else but in settings and HTTP. Both are strict, and both encode the same bytes: fields in the order
of the class, no spaces, so equal events are equal bytes.
"""

import re
from typing import TypeVar, cast

from msgspec import MsgspecError, Struct, StructMeta
from msgspec.json import Decoder, Encoder
from pydantic import TypeAdapter, ValidationError

from tidegate_common.errors import ContractError

Event = TypeVar("Event")

_ERRORS_SHOWN_MAX = 3
_FOUND_CHARACTERS_MAX = 300
_INT64_END = 2**63
_INT64_DIGITS = 19
# A number of 19 digits or more where JSON has values: only such a one can be beyond 64 bits.
_LONG_NUMBER = re.compile(rb"(?<=[:,\[\s])-?(\d{19,})")
# Most messages have none of these two, and looking for them is ten times faster: nineteen
# digits from 9 on (the time now, in nanoseconds, begins with 1), or twenty digits.
_LARGE = re.compile(rb"9[0-9]{18}")
_TOO_LONG = b"0" * (_INT64_DIGITS + 1)
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"0" * 9)

_ENCODER = Encoder()
_DECODERS: dict[type, Decoder[object]] = {}
_ADAPTERS: dict[type, TypeAdapter[object]] = {}


def encode_event(event: object) -> bytes:
    """Return an event as JSON bytes."""
    if isinstance(event, Struct):
        return _ENCODER.encode(event)
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
    return decode_recorded(event_type, data)


def decode_recorded(event_type: type[Event], data: bytes | str) -> Event:
    """Return the event of JSON that was written after it was decoded once: its numbers fit.

    Raises
    ------
    ContractError
        If it is none.
    """
    try:
        return cast("Event", _decode(event_type, data))
    # msgspec answers what is nested too deep with a RecursionError, and echoes a wrong enum's text.
    except (MsgspecError, RecursionError, UnicodeError, ValidationError) as error:
        found = _problems(error) if isinstance(error, ValidationError) else str(error)
        shown = found[:_FOUND_CHARACTERS_MAX]
        message = f"expected a {event_type.__name__} as JSON, found: {shown}"
        raise ContractError(message) from error


def _decode(event_type: type, data: bytes | str) -> object:
    if not isinstance(event_type, StructMeta):
        return _adapter(event_type).validate_json(data, strict=True)
    decoder = _DECODERS.get(event_type)
    if decoder is None:
        decoder = _DECODERS[event_type] = Decoder(event_type)
    # As text, because msgspec does not look at the bytes of a text that it skips.
    return decoder.decode(data.decode() if isinstance(data, bytes) else data)


def _adapter(event_type: type) -> TypeAdapter[object]:
    adapter = _ADAPTERS.get(event_type)
    if adapter is None:
        adapter = _ADAPTERS[event_type] = TypeAdapter(event_type)
    return adapter


def _problems(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False)
    ]
    shown = "; ".join(problems[:_ERRORS_SHOWN_MAX])
    more = len(problems) - _ERRORS_SHOWN_MAX
    return f"{shown}; and {more} more" if more > 0 else shown


def _check_numbers(data: bytes) -> None:
    if _TOO_LONG not in data.translate(_DIGITS_TO_ZERO) and _LARGE.search(data) is None:
        return
    for match in _LONG_NUMBER.finditer(data):
        digits = match[1]
        if len(digits) > _INT64_DIGITS or int(digits) >= _INT64_END:
            message = f"expected numbers of 64 bits, found {match[0][:40].decode()}"
            raise ContractError(message)
