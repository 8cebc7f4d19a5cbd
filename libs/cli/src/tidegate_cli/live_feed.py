"""The living market as a run's feed: sources and shares as the user names them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidegate_common.domain.ids import Symbol, format_symbol, parse_symbol
from tidegate_common.errors import ConfigError
from tidegate_common.events.run import LiveSpec
from tidegate_ingest.engine.push_quotes import PUSH_SOURCE
from tidegate_ingest.engine.quote_text import QuoteSource

# Every share of the three exchanges, and some.
SYMBOLS_MAX: Final = 8_000
# A third of a beat, so that a late shard stops nobody.
MAX_WAIT_MS_LIVE: Final = 1_000


def live_spec(sources: str, symbols: Sequence[str]) -> LiveSpec:
    """Return the feed of sources such as `sina,tencent`, or of `push`.

    Parameters
    ----------
    symbols : symbols, lists of them with commas, or names of files with one symbol a line.

    Raises
    ------
    ConfigError
        If a source or a symbol is none, is named twice, or there is none.
    """
    names = [name.strip() for name in sources.split(",")]
    is_polled = len(set(names)) == len(names) and set(names) <= set(QuoteSource)
    if not is_polled and names != [PUSH_SOURCE]:
        message = (
            f"--live must be some of {', '.join(QuoteSource)}, each once, or {PUSH_SOURCE} alone, "
            f"was {sources!r}"
        )
        raise ConfigError(message)
    return LiveSpec(tuple(names), given_symbols(symbols, "--live"))


def given_symbols(symbols: Sequence[str], whose: str) -> tuple[Symbol, ...]:
    """Return the symbols of `--symbols`, each once, in order.

    Parameters
    ----------
    symbols : as of `live_spec`.
    whose : what needs them, for the error.

    Raises
    ------
    ConfigError
        If one is none, or there is none or too many.
    """
    words = [word for given in symbols for word in _words(given)]
    try:
        instruments = sorted({parse_symbol(word) for word in words})
    except ValueError as error:
        message = f"--symbols: {error}"
        raise ConfigError(message) from error
    if not 0 < len(instruments) <= SYMBOLS_MAX:
        message = f"{whose} needs --symbols, 1 to {SYMBOLS_MAX:,}, found {len(instruments)}"
        raise ConfigError(message)
    return tuple(map(format_symbol, instruments))


def live_max_wait_ms(live: LiveSpec | None) -> int:
    """Return how long risk waits for a late shard in a run that does not say.

    A client of `push` may be as fast as the log takes it, and then who is slow sets the pace.
    """
    return MAX_WAIT_MS_LIVE if live and live.sources != (PUSH_SOURCE,) else 0


def _words(given: str) -> list[str]:
    """Return the symbols of an argument: a list, or a file."""
    path = Path(given)
    if not path.is_file():
        return [word for word in given.replace(",", " ").split() if word]
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"--symbols {given} cannot be read: {error}"
        raise ConfigError(message) from error
    return text.replace(",", " ").split()
