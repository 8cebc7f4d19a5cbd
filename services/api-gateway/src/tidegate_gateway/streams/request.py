"""What a client of the stream may ask for."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from tidegate_gateway.schemas.base import Model
from tidegate_gateway.schemas.texts import AccountText, SymbolText

ChannelName = Literal["quotes", "decisions", "orders", "fills", "portfolios"]
# A subscription is one message, and this much fits into it.
NAMES_MAX = 500
AFTER_CHARACTERS_MAX = 4_000


class Wanted(Model):
    """What of a channel is wanted.

    accounts, symbols : all if none is named; `quotes` takes symbols only, and must have some.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accounts: list[AccountText] = Field([], max_length=NAMES_MAX)
    symbols: list[SymbolText] = Field([], max_length=NAMES_MAX)


class Subscribe(Model):
    """Begin to hear channels; a channel that is heard already is heard so from now on.

    after : `seq` of the last message that was received, to go on from there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Literal["subscribe"]
    channels: dict[ChannelName, Wanted] = Field(min_length=1)
    after: str | None = Field(None, max_length=AFTER_CHARACTERS_MAX)


class Unsubscribe(Model):
    """Hear channels no more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Literal["unsubscribe"]
    channels: list[ChannelName] = Field(min_length=1, max_length=5)


class Ping(Model):
    """Ask for a heartbeat now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    op: Literal["ping"]


Request = Annotated[Subscribe | Unsubscribe | Ping, Field(discriminator="op")]
REQUEST: TypeAdapter[Subscribe | Unsubscribe | Ping] = TypeAdapter(Request)
