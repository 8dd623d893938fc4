"""The one door to the books: `post` writes a fact, whole and once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg
from django.db import IntegrityError, connection, transaction

from accounts.models import Organization
from marketplace.common.ids import new_id
from marketplace.common.sending import ask
from marketplace.ledger.errors import InsufficientFunds, JournalConflict
from marketplace.ledger.kinds import ACCOUNTS, book_of
from marketplace.ledger.lines import Line
from marketplace.ledger.models import Account, Entry, Journal

NEVER_NEGATIVE = "account_never_negative"
# Entries by account: whoever moves the same balances locks them in the same order.
WRITE = """
    WITH journal AS (
        INSERT INTO ledger_journal (public_id, book, kind, ref, livemode, reverses_id, posted_at, actor, xid)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0)
        ON CONFLICT (book, kind, ref) DO NOTHING RETURNING id, livemode, xid
    ), written AS (
        INSERT INTO ledger_entry (journal_id, account_id, asset, livemode, amount)
        SELECT journal.id, line.account, line.asset, journal.livemode, line.amount
        FROM journal, unnest(%s::bigint[], %s::text[], %s::bigint[]) AS line(account, asset, amount)
        ORDER BY line.account RETURNING 1
    )
    SELECT journal.id, journal.xid, (SELECT count(*) FROM written) FROM journal
"""


def account_of(*, kind: str, owner: Organization | None, asset: str, livemode: bool) -> Account:
    """The account, made when it is first needed. Raises ValueError for an unknown kind or one with another owner."""
    how = ACCOUNTS.get(kind)
    if how is None:
        raise ValueError(f"{kind!r} is no kind of account")
    if how.owned != (owner is not None):
        raise ValueError(f"accounts of kind {kind} belong to {'an organization' if how.owned else 'the operator'}")
    book_of(asset)
    key = {"kind": kind, "owner": owner, "asset": asset, "livemode": livemode}
    found: Account | None = Account.objects.filter(**key).first()
    if found is None:
        Account.objects.bulk_create([Account(**key, normal=how.normal, kept=how.kept)], ignore_conflicts=True)
        found = Account.objects.get(**key)
    return found


def post(
    *, kind: str, ref: str, lines: Sequence[Line], now: datetime, actor: str, reverses: Journal | None = None
) -> Journal:
    """Write the journal of a fact, all or nothing.

    `ref` is the name by which the world outside knows the fact: a second call with equal lines gives the journal that
    is there, one with other lines raises JournalConflict. Raises InsufficientFunds when a balance would fall below 0,
    ValueError for lines that are no journal. Nothing is written in any of these cases.
    """
    lines = sorted(lines, key=lambda line: line.account.pk)
    book, livemode = _checked(lines)
    head: dict[str, Any] = {
        "public_id": new_id("jrn"), "book": book, "kind": kind, "ref": ref, "livemode": livemode,
        "reverses_id": reverses.pk if reverses else None, "posted_at": now, "actor": actor,
    }  # fmt: skip
    accounts, amounts = [line.account for line in lines], [line.amount for line in lines]
    body: list[Any] = [[each.pk for each in accounts], [each.asset for each in accounts], amounts]
    try:
        with transaction.atomic(), ask(WRITE, [*head.values(), *body]) as answer:
            written = answer.fetchone()
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.Error) or error.__cause__.diag.constraint_name != NEVER_NEGATIVE:
            raise
        raise _short_of(lines) from error
    if not written:
        return _known(book, kind, ref, lines)
    head["id"], head["xid"], _ = written
    names = [field.attname for field in Journal._meta.concrete_fields]
    return Journal.from_db(connection.alias, names, [head[name] for name in names])


def reverse(*, journal: Journal, now: datetime, actor: str) -> Journal:
    """Undo a journal by one that moves everything back; a second call gives the first one's."""
    entries = Entry.objects.filter(journal=journal).select_related("account")
    lines = [Line(entry.account, -entry.amount) for entry in entries]
    return post(kind="correction", ref=journal.public_id, lines=lines, now=now, actor=actor, reverses=journal)


def balance_of(account: Account) -> int:
    """The balance as it stands, on the side on which the account grows."""
    row = Account.objects if account.kept else Account.objects.with_sum()
    return int(row.values_list("balance" if account.kept else "summed", flat=True).get(pk=account.pk))


def _checked(lines: Sequence[Line]) -> tuple[str, bool]:
    """(book, livemode) of the lines. The database looks again; this tells the caller which rule it broke."""
    if len({line.account.pk for line in lines}) != len(lines):
        raise ValueError("a journal has one line for each account")
    modes, books = {line.account.livemode for line in lines}, {book_of(line.account.asset) for line in lines}
    if len(modes) > 1 or len(books) > 1:
        raise ValueError("a journal moves test money or live money, and assets of one book")
    for asset, amount in _sums(lines).items():
        if amount:
            raise ValueError(f"the lines in {asset} sum to {amount}, not to 0")
    if len(lines) < 2:
        raise ValueError("a journal has two lines or more")
    return books.pop(), modes.pop()


def _sums(lines: Iterable[Line]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.account.asset] = sums.get(line.account.asset, 0) + line.amount
    return sums


def _known(book: str, kind: str, ref: str, lines: Sequence[Line]) -> Journal:
    journal = Journal.objects.get(book=book, kind=kind, ref=ref)
    there = dict(Entry.objects.filter(journal=journal).values_list("account_id", "amount"))
    if there != {line.account.pk: line.amount for line in lines}:
        raise JournalConflict(f"{kind} {ref} is in the books with other lines: {journal.public_id}")
    return journal


def _short_of(lines: Sequence[Line]) -> InsufficientFunds:
    """Which account lacked what, as far as can be told a moment later."""
    asked = {line.account.pk: -line.account.normal * line.amount for line in lines if line.account.kept}
    for account in Account.objects.filter(pk__in=asked).order_by("pk"):
        if asked[account.pk] > account.balance:
            return _lacks(account.asset, account.balance, asked[account.pk])
    pk, needed = max(asked.items(), key=lambda item: item[1])
    account = next(line.account for line in lines if line.account.pk == pk)
    return _lacks(account.asset, balance_of(account), needed)


def _lacks(asset: str, available: int, needed: int) -> InsufficientFunds:
    return InsufficientFunds(
        f"{needed} minor units of {asset} are needed and {available} are there",
        hint="Top up the wallet, or ask for less.", asset=asset, available=available, needed=needed,
    )  # fmt: skip
