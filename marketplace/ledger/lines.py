"""Facts for the books, and the lines of their journals: debits and credits."""

from dataclasses import dataclass

from marketplace.ledger.models import Account, Journal


@dataclass(frozen=True, slots=True)
class Line:
    """What a journal moves on one account; a debit is positive."""

    account: Account
    amount: int


@dataclass(frozen=True, slots=True)
class Fact:
    """A journal to be written: what kind of fact, by which name the world outside knows it, and its lines."""

    kind: str
    ref: str
    lines: tuple[Line, ...]
    reverses: Journal | None = None


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
