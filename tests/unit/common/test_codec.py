"""Events as bytes: strict on the way in, the same bytes on the way out."""

import json
from dataclasses import asdict, dataclass

import pytest
from msgspec import Struct

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.domain.enums import Layer
from tidegate_common.errors import ContractError
from tidegate_common.events.message import DeadLetter
from tidegate_common.events.orders import ControlRequest, OrderRequest, RequestEnvelope
from tidegate_common.events.risk import JournalEntry
from tidegate_common.events.run import RunSpec
from tidegate_common.testing.builders import make_journal_entry, make_request, make_run_spec

DEEP = 100_000
CONTROL = b'{"request_id": "r", "command": "set_limits", "limits": {%b}}'
LETTER = DeadLetter("order.events.v1", 0, 7, "risk-0", "reason", "")


def changed(**values: object) -> bytes:
    """Return a request with other values."""
    return json.dumps(json.loads(encode_event(make_request().order)) | values).encode()


def changed_letter(**values: object) -> bytes:
    """Return a dead letter with other values."""
    return json.dumps(asdict(LETTER) | values).encode()


def with_price(number: bytes) -> bytes:
    """Return a request whose price is written so."""
    return changed(price_e4="here").replace(b'"here"', number)


@dataclass(frozen=True, slots=True)
class Inner:
    """A dataclass inside an event."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """An event that pydantic encodes."""

    text: str
    numbers: tuple[int, ...]
    layer: Layer
    inner: Inner | None
    nothing: None = None
    is_true: bool = True


class ToldFast(Struct, frozen=True):
    """The same event, which msgspec encodes."""

    text: str
    numbers: tuple[int, ...]
    layer: Layer
    inner: Inner | None
    nothing: None = None
    is_true: bool = True


def test_struct_is_encoded_as_a_dataclass_of_the_same_fields() -> None:
    """Readers do not see which library encoded: escapes, signs, none, nested dataclasses."""
    text = "".join(map(chr, range(0x800))) + "\u2028\ufeff\uffff平安银行\U0001f600"
    numbers = (0, -1, 2**63 - 1, -(2**63), 10**30)

    slow = encode_event(Told(text, numbers, Layer.VALIDITY, Inner(3)))
    fast = encode_event(ToldFast(text, numbers, Layer.VALIDITY, Inner(3)))

    assert fast == slow


def test_event_decoded_is_what_was_encoded() -> None:
    """Nested events, tuples, enums and defaults included."""
    entry = make_journal_entry(3, 9, requests=[make_request(1), make_request(2)])

    assert decode_event(JournalEntry, encode_event(entry)) == entry
    assert decode_event(RunSpec, encode_event(make_run_spec()).decode()) == make_run_spec()


def test_event_of_an_older_writer_takes_the_defaults() -> None:
    """In one major version only optional fields are added."""
    data = json.loads(changed())
    del data["time_in_force"]

    assert decode_event(OrderRequest, json.dumps(data)) == make_request().order


def test_event_of_a_newer_writer_is_read_without_its_news() -> None:
    """Unknown fields are ignored by readers."""
    assert decode_event(OrderRequest, changed(colour="green")) == make_request().order
    assert decode_event(DeadLetter, changed_letter(colour="green")) == LETTER


def test_event_with_a_key_twice_has_its_last_value() -> None:
    """What most readers of JSON do, so that all of them read the same."""
    data = changed().replace(b"{", b'{"price_e4": 1, ')

    assert decode_event(OrderRequest, data) == make_request().order


@pytest.mark.parametrize(
    ("event_type", "data", "text"),
    [
        (OrderRequest, b"", "expected a OrderRequest as JSON, found: Input data was truncated"),
        (OrderRequest, b"\xff", "can't decode byte 0xff"),
        (OrderRequest, changed() + b"}", "trailing characters"),
        (OrderRequest, b"[]", "Expected `object`, got `array`"),
        (OrderRequest, b"null", "Expected `object`, got `null`"),
        (OrderRequest, b"{}", "missing required field `request_id`"),
        (OrderRequest, changed(side="hold"), r"Invalid enum value 'hold' - at `\$.side`"),
        (OrderRequest, changed(side="a\nb"), r"Invalid enum value 'a\\nb'"),
        (OrderRequest, changed(side=None), r"Expected `str`, got `null` - at `\$.side`"),
        (OrderRequest, changed(account_id=7), r"Expected `str`, got `int` - at `\$.account_id`"),
        (OrderRequest, changed(price_e4="2"), r"Expected `int`, got `str` - at `\$.price_e4`"),
        (OrderRequest, changed(price_e4=2.0), r"Expected `int`, got `float` - at `\$.price_e4`"),
        (OrderRequest, changed(price_e4=True), r"Expected `int`, got `bool` - at `\$.price_e4`"),
        (OrderRequest, changed(price_e4=None), r"Expected `int`, got `null` - at `\$.price_e4`"),
        (OrderRequest, with_price(b"1e3"), r"Expected `int`, got `float` - at `\$.price_e4`"),
        (OrderRequest, with_price(b"1e999"), "Number out of range"),
        (OrderRequest, with_price(b"NaN"), "JSON is malformed"),
        (OrderRequest, with_price(b"Infinity"), "JSON is malformed"),
        (OrderRequest, with_price(b"01"), "JSON is malformed"),
        (ControlRequest, CONTROL % b'"position_bps_max": 1.5', r"at `\$.limits.position_bps_max`"),
        (DeadLetter, b"", "expected a DeadLetter as JSON, found: document: Invalid JSON"),
        (DeadLetter, b"\xff", "document: Invalid JSON"),
        (DeadLetter, changed_letter(offset="7"), "offset: Input should be a valid integer"),
        (DeadLetter, changed_letter(offset=7.0), "offset"),
        (DeadLetter, changed_letter(offset=None), "offset"),
        (DeadLetter, b"{}", "; and 3 more$"),
    ],
)
def test_event_that_breaks_its_contract_is_refused(
    event_type: type, data: bytes, text: str
) -> None:
    """One line that says what was expected and what was found."""
    with pytest.raises(ContractError, match=text) as caught:
        decode_event(event_type, data)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("event_type", [OrderRequest, DeadLetter])
@pytest.mark.parametrize("start", [b"[", b'{"a":', b'{"colour":[', b'{"colour":' + b'{"a":'])
def test_event_nested_too_deep_is_refused(event_type: type, start: bytes) -> None:
    """Nobody can overflow the stack of a reader, whether or not he knows the field."""
    with pytest.raises(ContractError, match="found: "):
        decode_event(event_type, start * DEEP)


@pytest.mark.parametrize(
    "data",
    [
        changed(account_id="here").replace(b"here", b"\xff"),
        changed(colour="here").replace(b"here", b"\xff"),
        changed(colour="here").replace(b"here", b"\xed\xa0\x80"),
        changed(account_id="\ud800"),
        changed(account_id="here").decode().replace("here", "\ud800"),
    ],
)
def test_event_with_text_that_is_no_unicode_is_refused(data: bytes | str) -> None:
    """A database would refuse it later; an unknown field's text counts too."""
    with pytest.raises(ContractError, match="expected a OrderRequest as JSON"):
        decode_event(OrderRequest, data)


@pytest.mark.parametrize("event_type", [OrderRequest, DeadLetter])
@pytest.mark.parametrize(
    ("number", "text"),
    [
        (b"9223372036854775808", "numbers of 64 bits, found 9223372036854775808"),
        (b"9999999999999999999", "numbers of 64 bits, found 9999999999999999999"),
        (b"10000000000000000000", "numbers of 64 bits, found 10000000000000000000"),
        (b"-1" + b"0" * 30, "numbers of 64 bits, found -1000"),
        (b"9" * 9_999, "numbers of 64 bits, found 9999"),
    ],
)
def test_event_with_a_number_beyond_64_bits_is_refused(
    event_type: type, number: bytes, text: str
) -> None:
    """Engines keep numbers in arrays of 64 bits; an unknown field's number counts too."""
    for name in (b"price_e4", b"offset", b"colour"):
        with pytest.raises(ContractError, match=text):
            decode_event(event_type, b'{"%b": %b}' % (name, number))


def test_event_refused_with_a_long_text_has_a_short_reason() -> None:
    """The reason goes into logs and dead letters."""
    with pytest.raises(ContractError) as caught:
        decode_event(OrderRequest, changed(side="x" * 1_000_000))

    assert len(str(caught.value)) < 400


def test_event_with_the_largest_number_passes() -> None:
    """Nanoseconds have nineteen digits, and so has the largest number of 64 bits."""
    order = decode_event(OrderRequest, changed(quantity_shares=2**63 - 1))

    assert order.quantity_shares == 2**63 - 1


def test_event_with_digits_in_a_text_passes() -> None:
    """A hash or an id may be all digits."""
    envelope = RequestEnvelope(order=decode_event(OrderRequest, changed(request_id="7" * 32)))

    assert decode_event(RequestEnvelope, encode_event(envelope)) == envelope
