"""Search answers that break a parser, by coverage: `python -m tests.fuzz.quote_text_atheris`.

Needs `pip install atheris` (Linux), which is not locked; takes libFuzzer's options, such as
`-runs=1000000 -max_len=2000`. The tests beside it find what is wrong in accepted rows; this looks
for exceptions on paths that they do not come to.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tidegate_ingest.engine"]):
    from tests.unit.ingest.test_push_quotes import ROW, arrow_bytes, json_text, make_table

    from tidegate_common.errors import ContractError
    from tidegate_common.testing.quote_lines import (
        QuoteLine,
        eastmoney_answer,
        eastmoney_row,
        sina_line,
        tencent_line,
        text_answer,
    )
    from tidegate_ingest.engine.push_quotes import parse_push_arrow, parse_push_json
    from tidegate_ingest.engine.quote_text import QuoteSource, parse_quotes

SOURCES = tuple(QuoteSource)


def parse_one(data: bytes) -> None:
    """Give an answer to the parser that its first byte names."""
    choice, data = data[:1], data[1:]
    number = choice[0] % (len(SOURCES) + 2) if choice else 0
    if number < len(SOURCES):
        parsed = parse_quotes(SOURCES[number], data)
        assert parsed.lines_in == len(parsed) + sum(parsed.rejected.values())
        return
    try:
        if number == len(SOURCES):
            parse_push_arrow(data)
        else:
            parse_push_json(data.decode(errors="replace"))
    except ContractError:
        return


def _write_seeds(folder: Path) -> None:
    """Write an answer of each parser: from nothing, no mutant would ever be a line."""
    quote = QuoteLine()
    answers = {
        QuoteSource.SINA: text_answer(sina_line(quote)),
        QuoteSource.TENCENT: text_answer(tencent_line(quote)),
        QuoteSource.EASTMONEY: eastmoney_answer(eastmoney_row(quote)),
    }
    seeds = (*(answers[source] for source in SOURCES), arrow_bytes(make_table()))
    for number, seed in enumerate((*seeds, json_text(ROW).encode())):
        (folder / str(number)).write_bytes(bytes([number]) + seed)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        _write_seeds(Path(folder))
        atheris.Setup([*sys.argv, folder], parse_one)
        atheris.Fuzz()
