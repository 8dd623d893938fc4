"""What operators book by hand: asked for with a reason, and above a limit only booked when a second one agrees.

Each kind of request has one function that writes its journal; a layer above adds those of its own (`books`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from accounts.models import Organization, User
from marketplace.common.errors import FieldProblem, ValidationFailed
from marketplace.common.ids import new_id
from marketplace.events.services import move
from marketplace.ledger.errors import SecondApproverNeeded
from marketplace.ledger.kinds import MANUAL, MONEY, OF_WALLETS
from marketplace.ledger.lines import Line, credit, debit
from marketplace.ledger.models import Account, Entry, Journal, JournalRequest
from marketplace.ledger.services import account_of, balance_of, post, reverse
from marketplace.ledger.states import JOURNAL_REQUEST

Book = Callable[[JournalRequest, datetime], Journal]
LONGEST_REF = 120


@dataclass(frozen=True, slots=True)
class Wanted:
    """A journal that an operator wants: `amount` in minor units, signed where the kind may go both ways.

    `ref` is the bank's reference, the balance transaction, or the journal to be undone; other kinds are given one.
    """

    kind: str
    asset: str
    livemode: bool
    amount: int
    reason: str
    organization: Organization | None = None
    ref: str = ""


@transaction.atomic
def ask(*, wanted: Wanted, by: User, request_key: str, now: datetime, books: Mapping[str, Book]) -> JournalRequest:
    """Note what is wanted, and book it unless a second operator has to agree. A repeated key gives the first request.

    Raises ValidationFailed naming the field, InsufficientFunds. Nothing is written then.
    """
    known: JournalRequest | None = JournalRequest.objects.filter(request_key=request_key).first()
    if known is not None:
        return known
    amount, ref = _checked(wanted, books)
    if JournalRequest.objects.filter(kind=wanted.kind, ref=ref, state="waiting").exists():
        raise _wrong("ref", f"{ref} waits for approval already", "decide that request first")
    limit = settings.TWO_PERSON_LIMIT_MINOR
    public_id = new_id("jrq")
    row = JournalRequest.objects.create(
        public_id=public_id, kind=wanted.kind, organization=wanted.organization, asset=wanted.asset,
        livemode=wanted.livemode, amount=amount, ref=ref or public_id, reason=wanted.reason, asked_by=by,
        needs_second=bool(limit) and abs(amount) > limit, request_key=request_key, created_at=now,
    )  # fmt: skip
    if not row.needs_second:
        _book(row, by, now, books)
    return row


@transaction.atomic
def approve(*, request: JournalRequest, by: User, now: datetime, books: Mapping[str, Book]) -> JournalRequest:
    """Book what another operator asked for.

    Raises SecondApproverNeeded to who asked, IllegalState once it is decided, ValidationFailed where the reference has
    been booked meanwhile, InsufficientFunds. Nothing is written then.
    """
    row = _locked(request)
    if row.asked_by_id == by.pk:
        raise SecondApproverNeeded(
            "who asked for a journal does not approve it", hint="Another operator decides.", request=row.public_id
        )
    JOURNAL_REQUEST.check(row.state, "booked")
    _check_fresh(row.kind, row.ref)
    _book(row, by, now, books)
    return row


@transaction.atomic
def refuse(*, request: JournalRequest, by: User, now: datetime) -> JournalRequest:
    """It is not booked; who asked may withdraw it so. Raises IllegalState once it is decided."""
    row = _locked(request)
    move(row, "refused", table=JOURNAL_REQUEST, now=now, fields={"decided_by": by, "decided_at": now})
    return row


def _locked(request: JournalRequest) -> JournalRequest:
    rows = JournalRequest.objects.select_for_update(of=("self",)).select_related("organization")
    return rows.get(pk=request.pk)


def _book(row: JournalRequest, by: User, now: datetime, books: Mapping[str, Book]) -> None:
    journal = books[row.kind](row, now)
    fields = {"journal": journal, "decided_by": by, "decided_at": now}
    move(row, "booked", table=JOURNAL_REQUEST, now=now, reason=row.kind, fields=fields)


def _checked(wanted: Wanted, books: Mapping[str, Book]) -> tuple[int, str]:
    """(amount, reference) to note. Raises ValidationFailed."""
    if wanted.kind not in MANUAL or wanted.kind not in books:
        raise _wrong("kind", f"{wanted.kind!r} is not booked by hand", ", ".join(books))
    if not wanted.reason.strip():
        raise _wrong("reason", "say why", "a sentence for whoever reads the books")
    if wanted.kind == "correction":
        return _amount_to_undo(wanted.ref), wanted.ref
    if wanted.kind in OF_WALLETS and wanted.organization is None:
        raise _wrong("organization", "whose wallet is it?", "an organization")
    if wanted.kind in {"topup_offline", "suspense"}:
        if not 0 < len(wanted.ref) <= LONGEST_REF:
            raise _wrong("ref", "a reference of at most 120 characters is needed", "as the bank or processor names it")
        _check_fresh(wanted.kind, wanted.ref)
    if not wanted.amount or (wanted.amount < 0 and wanted.kind != "suspense"):
        raise _wrong("amount", "must be above 0", "1")
    return wanted.amount, wanted.ref if wanted.kind != "goodwill" else new_id("crd")


def _check_fresh(kind: str, ref: str) -> None:
    if Journal.objects.filter(book=MONEY, kind=kind, ref=ref).exists():
        raise _wrong("ref", f"{ref} is in the books already", "each reference counts once")


def _amount_to_undo(public_id: str) -> int:
    """What the largest side of a journal moved. Only what was booked by hand is undone by hand."""
    journal = Journal.objects.filter(public_id=public_id).first()
    if journal is None:
        raise _wrong("ref", f"there is no journal {public_id}", "its id begins with jrn_")
    if journal.kind not in MANUAL or journal.kind in {"goodwill", "correction"}:
        raise _wrong("ref", f"a journal of kind {journal.kind} is undone by what made it, not by hand", "")
    if Journal.objects.filter(reverses=journal).exists():
        raise _wrong("ref", f"{public_id} was undone before", "")
    return int(Entry.objects.filter(journal=journal, amount__gt=0).aggregate(sum=Sum("amount"))["sum"])


def _wrong(field: str, detail: str, hint: str) -> ValidationFailed:
    return ValidationFailed([FieldProblem(f"/{field}", "bad_value", detail, hint)])


def account_for(row: JournalRequest, kind: str, owner: Organization | None = None) -> Account:
    """The account of the request's asset and mode."""
    return account_of(kind=kind, owner=owner, asset=row.asset, livemode=row.livemode)


def actor_of(row: JournalRequest) -> str:
    """As the books name who wanted it."""
    return f"person:{row.asked_by_id}"


def post_request(row: JournalRequest, now: datetime, lines: list[Line]) -> Journal:
    """The journal of a request, under the request's kind and reference."""
    return post(kind=row.kind, ref=row.ref, lines=lines, now=now, actor=actor_of(row))


def _topup_offline(row: JournalRequest, now: datetime) -> Journal:
    """Money that came to the operator's bank."""
    wallet = account_for(row, "buyer_available", row.organization)
    return post_request(row, now, [debit(account_for(row, "operator_bank"), row.amount), credit(wallet, row.amount)])


def _suspense(row: JournalRequest, now: datetime) -> Journal:
    """A difference to the processor is named: the clearing account follows it, and `suspense` asks why."""
    clearing, suspense = Line(account_for(row, "stripe_clearing"), row.amount), account_for(row, "suspense")
    return post_request(row, now, [clearing, Line(suspense, -row.amount)])


def _write_off(row: JournalRequest, now: datetime) -> Journal:
    """What a provider owes and will not pay, or what is left in suspense, becomes a loss."""
    kind = "provider_receivable" if row.organization else "suspense"
    source = account_for(row, kind, row.organization)
    if balance_of(source) < row.amount:
        raise _wrong("amount", f"{source} holds {balance_of(source)} minor units", str(max(0, balance_of(source))))
    return post_request(row, now, [debit(account_for(row, "dispute_loss"), row.amount), credit(source, row.amount)])


def _correction(row: JournalRequest, now: datetime) -> Journal:
    """A journal that was booked by hand is undone by one that moves everything back."""
    return reverse(journal=Journal.objects.get(public_id=row.ref), now=now, actor=actor_of(row))


BOOKS: Mapping[str, Book] = {
    "topup_offline": _topup_offline, "suspense": _suspense, "write_off": _write_off, "correction": _correction,
}  # fmt: skip
