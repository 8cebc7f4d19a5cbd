"""Answers of one quote a line, as Sina and Tencent send them: `variable="fields";`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tidegate_common.domain.units import BoolArray, Float64Array, Int64Array
from tidegate_ingest.engine.quote_text.payload import FaultyLine, LineFault

# What a decoder puts where bytes mean nothing.
_BROKEN = "\N{REPLACEMENT CHARACTER}"
# Up to 15 digits, and four behind the point: exact in a float64 for what the services send.
_NUMBER = r"^-?\d{1,15}(\.\d{1,4})?$"
_STAMP = r"^\d{14}$"
# Fields of lines that are left out; their numbers are never looked at.
_NO_FIELD = 0


@dataclass(frozen=True, slots=True)
class FieldTable:
    """Fields of the well-formed lines of an answer.

    line : (n,) int64, place in the answer, from 0.
    code : (n,) str objects, such as `SH600000`.
    faults : of the lines that are not among them.
    """

    line: Int64Array
    code: NDArray[np.object_]
    faults: tuple[FaultyLine, ...]
    _flat: pa.Array
    _starts: Int64Array

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.code)

    def texts(self, place: int) -> NDArray[np.object_]:
        """Return field `place` of each line, (n,) str objects."""
        return np.asarray(self._column(place).to_numpy(zero_copy_only=False), dtype=np.object_)

    def numbers(self, places: Sequence[int]) -> Float64Array:
        """Return fields as numbers, (n, places) float64, NaN where one is none."""
        wanted = (self._starts[:, None] + np.array(places, dtype=np.int64)).ravel()
        flat = self._flat.take(pa.array(wanted))
        return _floats(flat).reshape(len(self), len(places))

    def stamps(self, *places: int) -> Int64Array:
        """Return a time of one or two fields as YYYYMMDDhhmmss, -1 where it is none."""
        columns = [self._column(place) for place in places]
        if len(columns) > 1:
            date, clock = columns
            is_time = pc.and_(
                pc.match_substring_regex(date, r"^\d{4}-\d{2}-\d{2}$"),
                pc.match_substring_regex(clock, r"^\d{2}:\d{2}:\d{2}$"),
            )
            text = pc.binary_join_element_wise(date, clock, "")
            digits = pc.if_else(is_time, pc.replace_substring_regex(text, r"[-:]", ""), "")
        else:
            digits = columns[0]
        is_stamp = pc.match_substring_regex(digits, _STAMP)
        stamps = pc.if_else(is_stamp, digits, "-1").cast(pa.int64())
        return np.asarray(stamps.to_numpy(), dtype=np.int64)

    def take(self, chosen: BoolArray, faults: Sequence[FaultyLine]) -> "FieldTable":
        """Return the chosen lines, with the faults of those that are left out."""
        return FieldTable(
            self.line[chosen],
            self.code[chosen],
            (*self.faults, *faults),
            self._flat,
            self._starts[chosen],
        )

    def faulty(self, found: NDArray[np.int64], kinds: Sequence[LineFault]) -> Sequence[FaultyLine]:
        """Return the lines with a fault: code k is the k-th kind, 0 is none.

        Parameters
        ----------
        found : (n,) int64.
        """
        is_faulty = found != _NO_FIELD
        codes, lines = found[is_faulty].tolist(), self.line[is_faulty].tolist()
        return [FaultyLine(kinds[k - 1], line) for k, line in zip(codes, lines, strict=True)]

    def _column(self, place: int) -> pa.Array:
        return self._flat.take(pa.array(self._starts + place))


def split_lines(data: bytes) -> list[str]:
    """Return an answer's lines without the blank ones, whatever its bytes.

    The services send GBK; a recording may have been decoded by whoever made it. Bytes that mean
    nothing come out as U+FFFD, so that only their own line is lost.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # Not GB18030, whose sequences of four bytes would swallow digits.
        text = data.decode("gbk", errors="replace")
    return [line for line in text.split("\n") if line.strip()]


def split_fields(
    lines: Sequence[str],
    *,
    variable: str,
    separator: str,
    counts: range,
) -> FieldTable:
    r"""Return the fields of lines such as `var hq_str_sh600000="a,b,c";`.

    Parameters
    ----------
    variable : regular expression of what stands before the code, such as `var hq_str_`.
    counts : how many fields a line may have.
    """
    text = pa.array(lines, type=pa.string())
    pattern = rf'^{variable}(?P<code>(?:sh|sz|bj)\d{{6}})="(?P<body>[^"]*)";?\s*$'
    parts = pc.extract_regex(text, pattern=pattern)
    code = pc.fill_null(pc.struct_field(parts, "code"), "")
    body = pc.fill_null(pc.struct_field(parts, "body"), "")
    fields = pc.split_pattern(body, separator)
    count = np.asarray(pc.list_value_length(fields).to_numpy(), dtype=np.int64)
    is_broken = _bools(pc.match_substring(text, _BROKEN))
    is_line = _bools(parts.is_valid())
    is_empty = is_line & _bools(pc.equal(body, ""))
    is_wrong_count = (count < counts.start) | (count >= counts.stop)
    found = np.select([is_broken, ~is_line, is_empty, is_wrong_count], [1, 2, 3, 4], _NO_FIELD)
    kinds = (
        LineFault.BAD_ENCODING,
        LineFault.BAD_LINE,
        LineFault.EMPTY_QUOTE,
        LineFault.FIELD_COUNT,
    )
    codes = np.asarray(pc.utf8_upper(code).to_numpy(zero_copy_only=False), dtype=np.object_)
    is_chosen = found == _NO_FIELD
    return FieldTable(
        line=np.flatnonzero(is_chosen),
        code=codes[is_chosen],
        faults=tuple(
            FaultyLine(kinds[found[line] - 1], line) for line in np.flatnonzero(~is_chosen).tolist()
        ),
        _flat=pc.list_flatten(fields),
        _starts=(np.cumsum(count) - count)[is_chosen],
    )


def split_numbers(texts: NDArray[np.object_], separator: str, *, count: int) -> Float64Array:
    """Return texts such as `9.40/771871/722307374` as (n, count) float64, NaN where it is none."""
    fields = pc.split_pattern(pa.array(texts, type=pa.string()), separator)
    is_whole = _bools(pc.equal(pc.list_value_length(fields), count))
    numbers = np.full((len(texts), count), np.nan)
    numbers[is_whole] = _floats(pc.list_flatten(fields.filter(is_whole))).reshape(-1, count)
    return numbers


def _floats(text: pa.Array) -> Float64Array:
    is_number = pc.match_substring_regex(text, _NUMBER)
    numbers = pc.if_else(is_number, text, None).cast(pa.float64())
    return np.asarray(pc.fill_null(numbers, np.nan).to_numpy(), dtype=np.float64)


def _bools(column: pa.Array) -> BoolArray:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.bool_)
