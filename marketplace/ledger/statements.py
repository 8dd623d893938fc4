"""What happened on an account in a period, with the balance behind every line; as rows, and as CSV for who files it."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO

from django.db.models import Sum

from marketplace.common.clock import rfc3339
from marketplace.common.currencies import figure
from marketplace.ledger.models import Account, Entry

COLUMNS = ("posted_at", "journal", "kind", "reference", "amount", "balance", "asset", "test_money")


@dataclass(frozen=True, slots=True)
class Posting:
    """One line: what a journal moved, on the side on which the account grows, and the balance behind it."""

    posted_at: datetime
    journal: str
    kind: str
    ref: str
    amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The postings of [start, end) between the balances before and behind them, minor units or compute units."""

    account: Account
    opening: int
    postings: Sequence[Posting]

    @property
    def closing(self) -> int:
        """The balance behind the last posting."""
        return self.postings[-1].balance if self.postings else self.opening


def statement_of(*, account: Account, start: datetime, end: datetime) -> Statement:
    """The statement of `account` for journals posted in [start, end), in two queries."""
    entries = Entry.objects.filter(account=account)
    before = entries.before(start).aggregate(sum=Sum("amount"))["sum"] or 0
    opening = balance = account.normal * int(before)
    postings = []
    for entry in entries.between(start, end).select_related("journal"):
        journal, amount = entry.journal, account.normal * entry.amount
        balance += amount
        postings.append(Posting(journal.posted_at, journal.public_id, journal.kind, journal.ref, amount, balance))
    return Statement(account, opening, postings)


def as_csv(statement: Statement) -> str:
    """The statement with a head line, money as plain decimals; text never begins like a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(statement))
    return out.getvalue()


def _rows(statement: Statement) -> Iterator[tuple[str | None, ...]]:
    account = statement.account
    test_money = "no" if account.livemode else "yes"
    for each in statement.postings:
        amount, balance = (figure(value, account.asset) for value in (each.amount, each.balance))
        yield (
            rfc3339(each.posted_at),
            each.journal,
            each.kind,
            plain(each.ref),
            amount,
            balance,
            account.asset,
            test_money,
        )


def plain(text: str) -> str:
    """`text` for a cell of a table: nothing that a spreadsheet would take for a formula."""
    return text if text[:1].isalnum() else f"'{text}"
