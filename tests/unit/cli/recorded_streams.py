"""Streams of recorded messages, made by hand."""

from collections.abc import Sequence

import numpy as np

from tidegate_cli.realism.streams import MessageKind, Stream
from tidegate_common.market.sessions import shanghai_ns

MOUTAI = 1600519
TRADE_DATE = 2023_02_01
ADD, DELETE, TRADE = MessageKind.ADD, MessageKind.DELETE, MessageKind.TRADE
Message = tuple[int, int, int, int, int, int, int, int]


def add(order: int, price_e4: int, shares: int, *, is_buy: bool, at: int = 0) -> Message:
    """Return a message of an order that comes to rest."""
    return (ADD, at, int(is_buy), price_e4, shares, order, 0, 0)


def delete(order: int, shares: int, at: int = 0, *, is_buy: bool = True) -> Message:
    """Return a message of a cancel."""
    return (DELETE, at, int(is_buy), 0, shares, order, 0, 0)


def trade(price_e4: int, shares: int, *, buy: int, sell: int, is_buy: bool, at: int = 0) -> Message:
    """Return a message of a trade."""
    return (TRADE, at, int(is_buy), price_e4, shares, 0, buy, sell)


def seconds_ns(hour: int, minute: int, second: int = 0) -> int:
    """Return a time of the day."""
    return shanghai_ns(TRADE_DATE, 3_600 * hour + 60 * minute + second)


def stream_of(messages: Sequence[Message], instrument: int = MOUTAI) -> Stream:
    """Return a day of messages."""
    return Stream(instrument, TRADE_DATE, *np.array(messages, np.int64).reshape(-1, 8).T)
