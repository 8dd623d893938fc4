"""A charge or a credit as a line of an invoice: what, where, when, how much at which price, frozen as it is printed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from marketplace.booking.meters import UNITS, Terms, plain, scaled_price, scaled_quantity
from marketplace.common.clock import rfc3339
from marketplace.ledger.invoices import Item

OF_CHARGE = (
    "public_id", "charge_minor", "tax_minor", "livemode", "meter", "quantity", "attempt", "idle", "during", "contract",
    "contract__public_id", "contract__subject", "contract__currency", "contract__tax_bp", "contract__units",
    "contract__seconds", "contract__price_lines", "contract__offer__tier", "contract__offer__title",
    "contract__offer__hardware__accelerator", "contract__offer__site__name", "contract__offer__site__locality",
    "contract__offer__site__country", "contract__offer__site__zone__code", "contract__provider__name",
)  # fmt: skip
OF_CREDIT = (
    "public_id", "amount_minor", "tax_minor", "livemode", "asset", "kind", "subject", "created_at", "contract",
    "contract__public_id", "contract__subject", "contract__tax_bp",
)  # fmt: skip


class Charged(NamedTuple):
    """The values of OF_CHARGE: making objects of all they name took most of the time of a large bill."""

    public_id: str
    charge_minor: int
    tax_minor: int
    livemode: bool
    meter: str
    quantity: int
    attempt: str
    idle: bool
    during: DateTimeTZRange
    contract: int
    contract_id: str
    contract_subject: str
    currency: str
    tax_bp: int
    units: int
    seconds: list[int]
    price_lines: list[dict[str, Any]]
    tier: str
    title: str
    hardware: str
    site: str
    locality: str
    country: str
    zone: str
    provider: str


class Credited(NamedTuple):
    """The values of OF_CREDIT."""

    public_id: str
    amount_minor: int
    tax_minor: int
    livemode: bool
    asset: str
    kind: str
    subject: str
    created_at: datetime
    contract: int | None
    contract_id: str | None
    contract_subject: str | None
    tax_bp: int | None


def charge_item(row: Charged, orders: Mapping[str, str]) -> Item:
    """The line of a charge; `orders` names the job or reservation of a contract's subject."""
    unit, terms = UNITS[row.meter], Terms(row.units, row.seconds, row.price_lines)
    facts = {
        "type": "charge",
        "order": orders.get(row.contract_subject, row.contract_subject),
        "attempt": row.attempt,
        "contract": row.contract_id,
        "hardware": row.hardware,
        "offer": row.title,
        "tier": row.tier,
        "provider": row.provider,
        "site": row.site,
        "locality": row.locality,
        "country": row.country,
        "zone": row.zone,
        "units": row.units,
        "start": rfc3339(row.during.lower),
        "end": rfc3339(row.during.upper),
        "idle": row.idle,
    }
    return Item(
        source=row.public_id, amount_minor=row.charge_minor, tax_minor=row.tax_minor, tax_bp=row.tax_bp, facts=facts,
        quantity=plain(scaled_quantity(row.quantity, unit)), unit=unit.name,
        unit_price=plain(scaled_price(terms, unit, row.currency)),
    )  # fmt: skip


def credit_item(row: Credited, orders: Mapping[str, str]) -> Item:
    """The line of a credit: what the buyer got back, below 0."""
    subject = row.contract_subject or ""
    facts = {
        "type": "credit",
        "credit": row.kind,
        "subject": row.subject,
        "at": rfc3339(row.created_at),
        "order": orders.get(subject, subject),
        "contract": row.contract_id or "",
    }
    return Item(
        source=row.public_id, amount_minor=row.tax_minor - row.amount_minor, tax_minor=-row.tax_minor,
        tax_bp=(row.tax_bp or 0) if row.tax_minor else 0, facts=facts,
    )  # fmt: skip
