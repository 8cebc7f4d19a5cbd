"""Events as bytes: strict on the way in, the same bytes on the way out."""

import json

import pytest

from tidegate_common.codec import decode_event, encode_event
from tidegate_common.errors import ContractError
from tidegate_common.events.orders import OrderRequest, RequestEnvelope
from tidegate_common.events.risk import JournalEntry
from tidegate_common.events.run import RunSpec
from tidegate_common.testing.builders import make_journal_entry, make_request, make_run_spec


def changed(**values: object) -> bytes:
    """Return a request with other values."""
    return json.dumps(json.loads(encode_event(make_request().order)) | values).encode()


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


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "document: Invalid JSON"),
        (b"\xff", "document: Invalid JSON"),
        (b"[" * 100_000, "recursion limit"),
        (b"[]", "expected a OrderRequest as JSON"),
        (changed(side="hold"), "side: Input should be 'buy' or 'sell'"),
        (changed(quantity_shares="200"), "quantity_shares: Input should be a valid integer"),
        (changed(quantity_shares=200.0), "quantity_shares"),
        (changed(price_e4=None), "price_e4"),
        (changed(quantity_shares=2**63), "numbers of 64 bits, found 9223372036854775808"),
        (changed(quantity_shares=-(10**30)), "numbers of 64 bits, found -1000"),
        (b'{"price_e4":' + b"9" * 9_999 + b"}", "numbers of 64 bits, found 9999"),
        (b"{}", "; and 4 more$"),
    ],
)
def test_event_that_breaks_its_contract_is_refused(data: bytes, text: str) -> None:
    """One line that says what was expected and what was found."""
    with pytest.raises(ContractError, match=text) as caught:
        decode_event(OrderRequest, data)

    assert "\n" not in str(caught.value)


def test_event_with_the_largest_number_passes() -> None:
    """Nanoseconds have nineteen digits, and so has the largest number of 64 bits."""
    order = decode_event(OrderRequest, changed(quantity_shares=2**63 - 1))

    assert order.quantity_shares == 2**63 - 1


def test_event_with_digits_in_a_text_passes() -> None:
    """A hash or an id may be all digits."""
    envelope = RequestEnvelope(order=decode_event(OrderRequest, changed(request_id="7" * 32)))

    assert decode_event(RequestEnvelope, encode_event(envelope)) == envelope
