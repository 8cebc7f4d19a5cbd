"""What the ledger raises."""

from tidegate_common.errors import InvariantError


class LedgerError(InvariantError):
    """An operation would break an invariant of the books; it has changed nothing."""
