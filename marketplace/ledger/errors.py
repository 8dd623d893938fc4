"""What the ledger refuses."""

from marketplace.common.errors import DomainError


class InsufficientFunds(DomainError):
    """An account holds less than was asked of it."""

    code = "insufficient_funds"


class JournalConflict(Exception):
    """The fact is in the books already, with other amounts: two parts of the program disagree about it."""
