"""A credit that the operator pays for: its own fault, or a kindness. It is asked for and approved like any journal that
is booked by hand, and leaves a service credit behind."""

from collections.abc import Mapping
from datetime import datetime

from marketplace.booking.models import ServiceCredit
from marketplace.events.services import record
from marketplace.ledger import manual
from marketplace.ledger.lines import credit, debit
from marketplace.ledger.models import Journal, JournalRequest

KIND = "goodwill"


def _goodwill(row: JournalRequest, now: datetime) -> Journal:
    """The credit and its journal, under one name."""
    if row.organization is None:
        raise ValueError(f"{row.public_id} names no wallet")
    ServiceCredit.objects.create(
        public_id=row.ref, buyer=row.organization, kind=KIND, subject=row.public_id, asset=row.asset,
        livemode=row.livemode, base_minor=row.amount, amount_minor=row.amount, fee_minor=0, provider_minor=0,
        facts={"reason": row.reason}, created_at=now,
    )  # fmt: skip
    record(
        "credit.issued", object_id=row.ref, seq=1, now=now, reason=KIND, buyer=row.organization,
        facts={"amount_minor": row.amount, "currency": row.asset, "subject": row.public_id},
    )  # fmt: skip
    expense = debit(manual.account_for(row, "sla_expense"), row.amount)
    wallet = credit(manual.account_for(row, "buyer_available", row.organization), row.amount)
    return manual.post_request(row, now, [expense, wallet])


BOOKS: Mapping[str, manual.Book] = {**manual.BOOKS, KIND: _goodwill}  # everything that is booked by hand
