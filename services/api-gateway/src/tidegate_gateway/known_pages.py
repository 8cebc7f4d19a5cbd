"""What addresses of listings mean, learned from their routes.

What a query string means to a caller depends on nothing else, and to find it out takes FastAPI
longer than a page takes PostgreSQL. Desks ask for the same pages again and again.
"""

from typing import Final

from starlette.types import Scope

from tidegate_gateway.pages import PageQuery
from tidegate_gateway.security.callers import Caller

# With their queries, a megabyte.
PAGES_MAX: Final = 1_000
_QUERY_BYTES_MAX: Final = 500


class KnownPages:
    """The queries of the addresses that were asked for last.

    pages_max : so many are kept.
    """

    def __init__(self, *, pages_max: int = PAGES_MAX) -> None:
        self._pages_max = pages_max
        self._known: dict[tuple[str, bytes, frozenset[str]], PageQuery] = {}

    def keep(self, scope: Scope, caller: Caller, query: PageQuery) -> None:
        """Note what a good request means; whose accounts are others may mean something else."""
        if len(scope["query_string"]) > _QUERY_BYTES_MAX:
            return
        self._known[_key(scope, caller)] = query
        if len(self._known) > self._pages_max:
            # The first that was kept is kept again when it is asked for again.
            del self._known[next(iter(self._known))]

    def find(self, scope: Scope, caller: Caller) -> PageQuery | None:
        """Return what a request means, None if it is not known."""
        return self._known.get(_key(scope, caller))


def _key(scope: Scope, caller: Caller) -> tuple[str, bytes, frozenset[str]]:
    return scope["path"], scope["query_string"], caller.accounts
