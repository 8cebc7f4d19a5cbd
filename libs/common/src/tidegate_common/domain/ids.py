"""Identifiers, and the stable hashes that spread them over partitions.

Ids are derived from (run, beat, account, sequence): a replay makes the same ones, and none
names a partition.
"""

import re
import zlib
from functools import lru_cache
from typing import NewType

import numpy as np
from numpy.typing import NDArray

from tidegate_common.domain.enums import Exchange

InstrumentId = NewType("InstrumentId", int)
Symbol = NewType("Symbol", str)
AccountId = NewType("AccountId", str)
RunId = NewType("RunId", str)
DecisionId = NewType("DecisionId", str)
OrderId = NewType("OrderId", str)
FillId = NewType("FillId", str)
RequestId = NewType("RequestId", str)

EXCHANGE_STEP = 1_000_000
# More than the exchanges list: pages of orders name the same ones over and over.
_SYMBOLS_MAX = 16_384
_SYMBOL = re.compile(r"([0-9]{6})\.(SH|SZ|BJ)")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,31}")

# Knuth's multiplicative constant, 2^32 / golden ratio: neighbouring codes spread evenly.
_MULTIPLIER = 2_654_435_761
_MASK = 0xFFFF_FFFF


def parse_symbol(text: str) -> InstrumentId:
    """Return the instrument id of a symbol such as `600519.SH`.

    Raises
    ------
    ValueError
        If the text is not six digits, a dot and SH, SZ or BJ.
    """
    match = _SYMBOL.fullmatch(text)
    if match is None:
        message = f"symbol must look like 600519.SH, 000001.SZ or 430047.BJ, was {text!r}"
        raise ValueError(message)
    return InstrumentId(Exchange[match[2]] * EXCHANGE_STEP + int(match[1]))


def format_symbol(instrument: int) -> Symbol:
    """Return the symbol of an instrument id; the inverse of `parse_symbol`."""
    return _format_symbol(instrument)


@lru_cache(maxsize=_SYMBOLS_MAX)
def _format_symbol(instrument: int) -> Symbol:
    exchange, code = divmod(instrument, EXCHANGE_STEP)
    return Symbol(f"{code:06d}.{Exchange(exchange).name}")


def is_run_id(text: str) -> bool:
    """Tell whether a text may name a run: letters, digits, `_` and `-`, at most 63."""
    return _RUN_ID.fullmatch(text) is not None


def is_account_id(text: str) -> bool:
    """Tell whether a text may name an account: letters, digits and `_`, at most 32."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def shard_of(instrument: int, shard_count: int) -> int:
    """Return the shard of an instrument, the same on every machine and in every version."""
    return ((instrument * _MULTIPLIER & _MASK) >> 16) % shard_count


def shards_of(instruments: NDArray[np.int64], shard_count: int) -> NDArray[np.int64]:
    """Return the shard of each instrument; equals `shard_of` elementwise.

    Parameters
    ----------
    instruments : (n,) int64.
    shard_count : number of shards, >= 1.
    """
    hashed: NDArray[np.int64] = ((instruments * _MULTIPLIER) & _MASK) >> 16
    return hashed % shard_count


def risk_partition_of(account_id: str, partition_count: int) -> int:
    """Return the risk partition that owns an account."""
    return zlib.crc32(account_id.encode()) % partition_count


def id_prefix(run_id: str, beat: int, account_id: str) -> str:
    """Return what the ids of an account's decisions and orders of a beat begin with.

    The decision's number ends both: an order has the name of its decision.
    """
    return f"{run_id}.{beat}.{account_id}."


def decision_id(run_id: str, beat: int, account_id: str, sequence: int) -> DecisionId:
    """Return the id of the account's decision number `sequence` in a beat."""
    return DecisionId(f"{id_prefix(run_id, beat, account_id)}{sequence}")


def order_id(run_id: str, beat: int, account_id: str, sequence: int) -> OrderId:
    """Return the id of the order that decision number `sequence` made."""
    return OrderId(f"{id_prefix(run_id, beat, account_id)}{sequence}")


def fill_id(order: str, fill_index: int) -> FillId:
    """Return the id of an order's fill number `fill_index`, counted from 0."""
    return FillId(f"{order}.{fill_index}")
