"""What the ledger refuses."""

from marketplace.common.errors import DomainError, IllegalState, Unavailable


class InsufficientFunds(DomainError):
    """An account holds less than was asked of it."""

    code = "insufficient_funds"


class HoldClosed(DomainError):
    """A hold has less left than was to be captured or released."""

    code = "hold_closed"


class JournalConflict(Exception):
    """The fact is in the books already, with other amounts: two parts of the program disagree about it."""


class NothingToInvoice(IllegalState):
    """Everything there is of it is on an invoice already, or nothing was charged."""


class IssuerUnknown(Unavailable):
    """An invoice about live money must say who asks for it, and the operator has not said who that is."""
