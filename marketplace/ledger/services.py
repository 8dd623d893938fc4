"""The one door to the books: `post` writes a fact, whole and once."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import psycopg
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from accounts.models import Organization
from marketplace.common.currencies import figure
from marketplace.common.ids import new_id
from marketplace.common.sending import ask
from marketplace.ledger.errors import InsufficientFunds, JournalConflict
from marketplace.ledger.kinds import ACCOUNTS, book_of
from marketplace.ledger.lines import Fact, Line
from marketplace.ledger.models import Account, Entry, Journal

NEVER_NEGATIVE = "account_never_negative"
# Entries of all journals by account: whoever moves the same balances locks them in the same order.
WRITE = """
    WITH journal AS (
        INSERT INTO ledger_journal (public_id, book, kind, ref, livemode, reverses_id, posted_at, actor, xid)
        SELECT fact.public_id, fact.book, fact.kind, fact.ref, fact.livemode, fact.reverses, %s, %s, 0
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::bigint[])
             AS fact(public_id, book, kind, ref, livemode, reverses)
        ON CONFLICT (book, kind, ref) DO NOTHING RETURNING id, public_id, livemode, xid
    ), written AS (
        INSERT INTO ledger_entry (journal_id, account_id, asset, livemode, amount)
        SELECT journal.id, line.account, line.asset, journal.livemode, line.amount
        FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bigint[]) AS line(journal, account, asset, amount)
        JOIN journal ON journal.public_id = line.journal
        ORDER BY line.account, journal.id RETURNING 1
    )
    SELECT journal.public_id, journal.id, journal.xid, (SELECT count(*) FROM written) FROM journal
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
    """Write the journal of one fact, as `post_many` does."""
    return post_many(facts=[Fact(kind, ref, tuple(lines), reverses)], now=now, actor=actor)[0]


def post_many(*, facts: Sequence[Fact], now: datetime, actor: str) -> list[Journal]:
    """Write the journals of `facts`, in their order, all or nothing.

    `ref` is the name by which the world outside knows a fact: one that is in the books with equal lines gives the
    journal that is there, one with other lines raises JournalConflict. Raises InsufficientFunds when a balance would
    fall below 0, ValueError for lines that are no journal. Nothing is written in any of these cases.

    A transaction calls this once: two calls would lock accounts in an order of their own, and wait for another's.
    """
    facts = [replace(fact, lines=tuple(sorted(fact.lines, key=lambda line: line.account.pk))) for fact in facts]
    rows = {new_id("jrn"): _row_of(fact, now, actor) for fact in facts}
    heads = [[row[name] for row in rows.values()] for name in ("book", "kind", "ref", "livemode", "reverses_id")]
    lines = [(public_id, line) for public_id, fact in zip(rows, facts, strict=True) for line in fact.lines]
    body = [[key for key, _ in lines], [line.account.pk for _, line in lines]]
    body += [[line.account.asset for _, line in lines], [line.amount for _, line in lines]]
    try:
        with transaction.atomic(), ask(WRITE, [now, actor, list(rows), *heads, *body]) as answer:
            written = {public_id: (pk, xid) for public_id, pk, xid, _ in answer.fetchall()}
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.Error) or error.__cause__.diag.constraint_name != NEVER_NEGATIVE:
            raise
        raise _short_of([line for _, line in lines]) from error
    return [
        _journal(row | {"public_id": public_id}, *written[public_id])
        if public_id in written
        else _known(row["book"], fact)
        for (public_id, row), fact in zip(rows.items(), facts, strict=True)
    ]


def reverse(*, journal: Journal, now: datetime, actor: str) -> Journal:
    """Undo a journal by one that moves everything back; a second call gives the first one's."""
    entries = Entry.objects.filter(journal=journal).select_related("account")
    lines = [Line(entry.account, -entry.amount) for entry in entries]
    return post(kind="correction", ref=journal.public_id, lines=lines, now=now, actor=actor, reverses=journal)


def balance_of(account: Account) -> int:
    """The balance as it stands, on the side on which the account grows."""
    row = Account.objects if account.kept else Account.objects.with_sum()
    return int(row.values_list("balance" if account.kept else "summed", flat=True).get(pk=account.pk))


def _row_of(fact: Fact, now: datetime, actor: str) -> dict[str, Any]:
    """The columns of the fact's journal. Raises ValueError for lines that are no journal."""
    book, livemode = _checked(fact.lines)
    return {
        "book": book, "kind": fact.kind, "ref": fact.ref, "livemode": livemode,
        "reverses_id": fact.reverses.pk if fact.reverses else None, "posted_at": now, "actor": actor,
    }  # fmt: skip


def _journal(row: dict[str, Any], pk: int, xid: int) -> Journal:
    names = [field.attname for field in Journal._meta.concrete_fields]
    values = row | {"id": pk, "xid": xid}
    return Journal.from_db(connection.alias, names, [values[name] for name in names])


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


def _known(book: str, fact: Fact) -> Journal:
    journal = Journal.objects.get(book=book, kind=fact.kind, ref=fact.ref)
    there = dict(Entry.objects.filter(journal=journal).values_list("account_id", "amount"))
    if there != {line.account.pk: line.amount for line in fact.lines}:
        raise JournalConflict(f"{fact.kind} {fact.ref} is in the books with other lines: {journal.public_id}")
    return journal


def _short_of(lines: Sequence[Line]) -> InsufficientFunds:
    """Which account lacked what, as far as can be told a moment later."""
    asked: dict[int, int] = {}
    for line in lines:
        if line.account.kept:
            asked[line.account.pk] = asked.get(line.account.pk, 0) - line.account.normal * line.amount
    accounts = list(Account.objects.filter(pk__in=asked).order_by("pk"))
    short = next((each for each in accounts if asked[each.pk] > each.balance), None)
    short = short or max(accounts, key=lambda each: asked[each.pk])
    return _lacks(short.asset, short.balance, asked[short.pk])


def _lacks(asset: str, available: int, needed: int) -> InsufficientFunds:
    wanted, there = (f"{figure(amount, asset)} {asset}" for amount in (needed, available))
    return InsufficientFunds(
        f"{wanted} is needed and {there} is there", asset=asset, available=available, needed=needed,
        hint=f"Top up at {settings.WEB_URL}/wallet/, or ask for less.",
    )  # fmt: skip
