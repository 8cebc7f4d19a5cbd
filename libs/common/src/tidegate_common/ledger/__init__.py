"""Portfolio accounting of one account in integers: cash, lots, reservations, P&L and taxes."""

from tidegate_common.ledger.booked import Booked
from tidegate_common.ledger.errors import LedgerError
from tidegate_common.ledger.ledger import Ledger
from tidegate_common.ledger.lots import Lot
from tidegate_common.ledger.queries import Holding
from tidegate_common.ledger.reservations import Reservation

__all__ = ["Booked", "Holding", "Ledger", "LedgerError", "Lot", "Reservation"]
