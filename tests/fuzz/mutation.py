"""Mutations of answers: what networks, recorders and services have done to them, and worse."""

from collections.abc import Mapping, Sequence

import numpy as np

# Words that have fooled parsers of numbers, and pieces of the formats themselves.
WORDS = (
    *("", "0", "-", "-1", "nan", "inf", "1e9", "0x10", "+5", " 7", "1_000", "1,5", ".5", "5."),
    *(
        "\u0663",
        "\uff15",
        "9" * 15,
        "9" * 16,
        "0.00001",
        "1.2345",
        "00",
        "03",
        "-2",
        "-3",
        "D",
        "S",
    ),
    *('"', ";", ",", "~", "/", "=", '"";', "\n", "\r", "\x00", "\ufffd", "\u2028", "\x1c"),
    *("2026-02-30", "24:00:00", "20260914250000", "退", "*ST", "N新", "sh688256", "bj430047"),
)

# What a column of numbers may hold, sensible or not.
NUMBERS = (
    *("", "0", "-1", "nan", "inf", "-inf", "1e9", "1e300", ".5", "5.", "00", "-0.0", "0.00001"),
    *(
        "1.2345",
        "10.005",
        "9" * 12,
        "9" * 15,
        "9" * 16,
        "1e-300",
        "92900000",
        "96100000",
        "93161000",
        "240000000",
    ),
)


def mutate_line(generator: np.random.Generator, line: str) -> str:
    """Return a line after one to three small changes, most of them to one of its fields."""
    for _ in range(generator.integers(1, 4)):
        line = _change_line(generator, line)
    return line


def mutate_bytes(generator: np.random.Generator, data: bytes) -> bytes:
    """Return an answer cut, flipped, spliced or in another encoding."""
    for _ in range(generator.integers(1, 4)):
        first, second = sorted(generator.integers(0, len(data) + 1, 2).tolist())
        match generator.integers(0, 6):
            case 0:
                data = data[:second]
            case 1:
                data = data[:first] + data[second:]
            case 2:
                data = data[:second] + data[first:]
            case 3:
                noise = generator.integers(0, 256, 4, dtype=np.uint8).tobytes()
                data = data[:first] + noise + data[first + 4 :]
            case 4:
                data = data.decode("gbk", errors="ignore").encode("utf-16")
            case _:
                data = data.replace(b"\n", b"", 1)
    return data


def mutate_row(generator: np.random.Generator, row: Mapping[str, object]) -> dict[str, object]:
    """Return a row of JSON with one or two fields that say something else."""
    changed = dict(row)
    for _ in range(generator.integers(1, 3)):
        field = _choose(generator, tuple(row))
        value = row[field]
        words: tuple[object, ...] = (*WORDS, None, [], {}, True, -1, 10**40, 1e300)
        factors = (0.01, 0.1, 10, 100, 10_000)
        if isinstance(value, int | float) and generator.integers(0, 2):
            changed[field] = value * factors[generator.integers(0, len(factors))]
        else:
            changed[field] = words[generator.integers(0, len(words))]
    return changed


def mutate_cells(
    generator: np.random.Generator,
    row: Mapping[str, str],
    numbers: Sequence[str],
) -> dict[str, str]:
    """Return a file's row with one or two cells that say something else.

    Parameters
    ----------
    numbers : columns that keep to numbers: a word among them is a file that cannot be read.
    """
    changed, names = dict(row), tuple(row)
    for _ in range(generator.integers(1, 3)):
        name = _choose(generator, names)
        if name not in numbers:
            # A line feed is another row, and not this test's.
            text = mutate_line(generator, changed[name])
            changed[name] = text.translate(dict.fromkeys(map(ord, '\n\r\x00"'), None))
            continue
        match generator.integers(0, 3):
            case 0:
                changed[name] = _choose(generator, NUMBERS)
            case 1:
                changed[name] = changed[_choose(generator, numbers)]
            case _ if changed[name].replace(".", "").isdecimal():
                changed[name] = _scale(generator, changed[name])
            case _:
                changed[name] = "0"
    return changed


def _change_line(generator: np.random.Generator, line: str) -> str:
    separator = "~" if "~" in line else ","
    fields = line.split(separator)
    place, other = generator.integers(0, len(fields), 2).tolist()
    match generator.integers(0, 7):
        case 0:
            fields[place] = _choose(generator, WORDS)
        case 1:
            fields[place], fields[other] = fields[other], fields[place]
        case 2:
            fields[place] = _scale(generator, fields[place])
        case 3:
            del fields[place]
        case 4:
            fields.insert(place, fields[other])
        case 5:
            fields[place] = _change_letter(generator, fields[place])
        case _:
            return _change_letter(generator, line)
    return separator.join(fields)


def _scale(generator: np.random.Generator, text: str) -> str:
    """Return a number as another unit would have it."""
    whole, _, decimals = text.partition(".")
    return (
        f"{whole}00.{decimals}",
        f"{whole[:-2]}.{whole[-2:]}{decimals}",
        whole + decimals,
        f"{whole}0",
    )[generator.integers(0, 4)]


def _change_letter(generator: np.random.Generator, text: str) -> str:
    place = int(generator.integers(0, len(text) + 1))
    letter = chr(generator.integers(1, 128))
    return text[:place] + letter + text[place + int(generator.integers(0, 2)) :]


def _choose(generator: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(generator.integers(0, len(words)))]
