"""The lines of a journal: debits and credits."""

from dataclasses import dataclass

from marketplace.ledger.models import Account


@dataclass(frozen=True, slots=True)
class Line:
    """What a journal moves on one account; a debit is positive."""

    account: Account
    amount: int


def debit(account: Account, amount: int) -> Line:
    """A line on the debit side; `amount` > 0."""
    return Line(account, _positive(amount))


def credit(account: Account, amount: int) -> Line:
    """A line on the credit side; `amount` > 0."""
    return Line(account, -_positive(amount))


def _positive(amount: int) -> int:
    if amount <= 0:
        raise ValueError(f"a line moves an amount above 0, not {amount}")
    return amount
