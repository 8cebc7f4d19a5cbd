"""When a buy may be sold again."""

# Products that may be sold on the day they are bought (bond, money-market, gold, commodity and
# cross-border funds) are named one by one, never by class. The platform trades none of them yet.
_SAME_DAY_RESALE: frozenset[int] = frozenset()


def is_t_plus_one(instrument: int) -> bool:
    """Tell whether what is bought today can be sold tomorrow at the earliest.

    True for every share, and for every instrument that is not known: the conservative reading.

    Source: SSE and SZSE Trading Rules, shares since 1995-01-01 (A); same-day products (B).
    """
    return instrument not in _SAME_DAY_RESALE
