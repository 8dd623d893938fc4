"""Invoices and credit notes are drawn up and issued here, and nowhere else."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import transaction

from accounts.models import Organization
from marketplace.common.copying import Rows, rows_of, write_rows
from marketplace.common.ids import new_id
from marketplace.events.services import move
from marketplace.ledger.errors import IssuerUnknown
from marketplace.ledger.models import BillingDetails, Invoice, InvoiceLine, InvoiceSeries
from marketplace.ledger.models.invoices import INVOICES, MONTH
from marketplace.ledger.states import INVOICE
from marketplace.ledger.taxes import is_business, rule_for

CODES = {True: {"invoice": "INV", "credit_note": "CRN"}, False: {"invoice": "TEST-INV", "credit_note": "TEST-CRN"}}


@dataclass(frozen=True, slots=True)
class Item:
    """What becomes one line: a charge, or a credit with amounts below 0. `source` is its public id.

    Quantity and unit price are texts, frozen as they are printed.
    """

    source: str
    amount_minor: int
    tax_minor: int
    tax_bp: int
    facts: dict[str, Any]
    quantity: str = ""
    unit: str = ""
    unit_price: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """For whom, of what and about when an invoice is."""

    buyer: Organization
    asset: str
    livemode: bool
    start: datetime
    end: datetime
    scope: str = MONTH
    order: str = ""
    kind: str = INVOICES
    corrects: int | None = field(default=None)  # the key of the invoice that a credit note is about


@transaction.atomic
def issue(*, head: Head, items: Sequence[Item], now: datetime) -> Invoice:
    """Draw up an invoice, or a credit note, of `items` and give it its number, all or nothing.

    The number comes from a row that stays locked until the caller's transaction ends: keep it short from here on.
    Raises IssuerUnknown for live money of a market that does not say who runs it; IntegrityError when an item is on
    another invoice already.
    """
    invoice = draft(head=head, items=items, now=now)
    return number(invoice=invoice, now=now)


@transaction.atomic
def draft(*, head: Head, items: Sequence[Item], now: datetime) -> Invoice:
    """Draw up an invoice without a number. Raises as `issue` does."""
    if head.livemode and not settings.OPERATOR["name"]:
        raise IssuerUnknown("OPERATOR_NAME is not set: an invoice about live money says who asks for it")
    net, tax = sum(item.amount_minor for item in items), sum(item.tax_minor for item in items)
    invoice = Invoice.objects.create(
        public_id=new_id("inv"), buyer=head.buyer, asset=head.asset, livemode=head.livemode, kind=head.kind,
        scope=head.scope, order=head.order, corrects_id=head.corrects, period_start=head.start, period_end=head.end,
        issuer_facts=dict(settings.OPERATOR), buyer_facts=facts_of(head.buyer), taxes=_taxes(head, items),
        net_minor=net, tax_minor=tax, total_minor=net + tax, created_at=now,
    )  # fmt: skip
    if items:
        write_rows(_lines(invoice, items))
    return invoice


def _lines(invoice: Invoice, items: Sequence[Item]) -> Rows:
    """The lines as columns: a month of a large buyer has a hundred thousand."""
    columns: dict[str, Any] = {
        "invoice": invoice.pk,
        "position": np.arange(1, len(items) + 1),
        "facts": [json.dumps(item.facts) for item in items],
    }
    for name in ("source", "quantity", "unit", "unit_price", "amount_minor", "tax_minor", "tax_bp"):
        columns[name] = [getattr(item, name) for item in items]
    return rows_of(InvoiceLine, len(items), columns)


@transaction.atomic
def number(*, invoice: Invoice, now: datetime) -> Invoice:
    """Issue a draft: the database gives it the next number of its series, and nothing of it changes afterwards."""
    series = series_of(kind=invoice.kind, livemode=invoice.livemode, year=now.year)
    fields = {"series": series, "issued_at": now}
    facts = {"kind": invoice.kind, "asset": invoice.asset, "livemode": invoice.livemode}
    move(invoice, "issued", table=INVOICE, now=now, buyer=invoice.buyer, facts=facts, fields=fields)
    invoice.refresh_from_db(fields=["number", "label"])
    return invoice


def series_of(*, kind: str, livemode: bool, year: int) -> InvoiceSeries:
    """The series that numbers of this kind and year come from, made when it is first needed."""
    key = {"kind": kind, "livemode": livemode, "year": year}
    found = InvoiceSeries.objects.filter(**key).first()
    if found is None:
        fresh = InvoiceSeries(**key, code=f"{CODES[livemode][kind]}-{year}")
        InvoiceSeries.objects.bulk_create([fresh], ignore_conflicts=True)
        found = InvoiceSeries.objects.get(**key)
    return found


def facts_of(buyer: Organization) -> dict[str, str]:
    """Whom an invoice names, as it is frozen on it."""
    details = BillingDetails.objects.filter(organization=buyer).first()
    return {
        "id": buyer.public_id,
        "name": details.legal_name if details else buyer.name,
        "address": details.address if details else "",
        "country": buyer.country,
        "tax_id": details.tax_id if details else "",
        "reference": details.reference if details else "",
    }


def _taxes(head: Head, items: Sequence[Item]) -> list[dict[str, Any]]:
    """What was taxed at each rate, and the text of the rule that says so, if there is one."""
    country, last_day = settings.OPERATOR["country"], (head.end - timedelta(microseconds=1)).date()
    rule = rule_for(
        seller_country=country, buyer_country=head.buyer.country, business=is_business(head.buyer), on=last_day
    )
    rows = []
    for rate in sorted({item.tax_bp for item in items}):
        mine = [item for item in items if item.tax_bp == rate]
        rows.append(
            {
                "tax_bp": rate,
                "text": rule.text if rule and rule.tax_bp == rate else "",
                "net_minor": sum(item.amount_minor for item in mine),
                "tax_minor": sum(item.tax_minor for item in mine),
            }
        )
    return rows
