"""Charges, credits and their taxes as rows of FOCUS 1.2, the format in which costs of many clouds are compared.

https://focus.finops.org. One row for a charge, a credit and a tax; money that came in or went back is no cost and has
no row. Everything is counted in integers: a cost is exactly the printed quantity times the printed price.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import StringIO
from typing import Any, NamedTuple

from marketplace.booking.meters import PLACES, UNITS, Terms, plain, scaled_price, scaled_quantity
from marketplace.common.cells import PIECE, plain_text, taken
from marketplace.common.currencies import to_major
from marketplace.common.months import Month
from marketplace.common.units import decimal_text

MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
)  # fmt: skip
FURTHER = (
    "CapacityReservationId", "CapacityReservationStatus", "ChargeFrequency", "ConsumedQuantity", "ConsumedUnit",
    "ContractedUnitPrice", "InvoiceId", "ListUnitPrice", "PricingCategory", "RegionId", "RegionName", "ResourceId",
    "ResourceType", "ServiceSubcategory", "SkuId", "SkuMeter",
    "SkuPriceDetails", "SkuPriceId",
)  # fmt: skip
OURS = ("x_ContractId", "x_MatchedShare", "x_SiteWh", "x_Livemode")
COLUMNS = (*MANDATORY, *FURTHER, *OURS)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
Cells = dict[str, str]


class Charge(NamedTuple):
    """What a row of a charge is made of."""

    public_id: str
    order: str  # the job, or the reservation
    subject: str
    contract: str
    meter: str
    idle: bool
    start: datetime
    end: datetime
    quantity: int
    charge_minor: int
    tax_minor: int
    livemode: bool
    month: datetime  # the start of the month it is billed in
    invoice: str | None
    buyer: str
    buyer_name: str
    publisher: str
    currency: str
    units: int
    seconds: list[int]
    price_lines: list[dict[str, Any]]
    tier: str
    offer: str
    hardware: str
    hardware_slug: str
    site: str
    zone: str
    zone_name: str
    site_wh: int | None


class Credit(NamedTuple):
    """What a row of a credit is made of; `billed` says that a charge of its contract is of an earlier month."""

    public_id: str
    kind: str
    order: str | None
    subject: str | None
    contract: str | None
    amount_minor: int
    tax_minor: int
    at: datetime
    livemode: bool
    month: datetime
    billed: bool
    invoice: str | None
    buyer: str
    buyer_name: str
    publisher: str | None
    currency: str
    hardware: str | None


def focus_rows(charges: Iterable[Charge], credits_: Iterable[Credit], *, issuer: str) -> Iterator[str]:
    """The file piece by piece, with its head line; `issuer` is who bills."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cells in _rows(charges, credits_, issuer):
        writer.writerow([cells.get(name, "") for name in COLUMNS])
        if out.tell() > PIECE:
            yield taken(out)
    yield taken(out)


def _rows(charges: Iterable[Charge], credits_: Iterable[Credit], issuer: str) -> Iterator[Cells]:
    for charge in charges:
        cells = charge_cells(charge, issuer)
        yield cells
        if charge.tax_minor:
            yield tax_cells(cells, charge.tax_minor, charge.currency)
    for credit in credits_:
        cells = credit_cells(credit, issuer)
        if credit.amount_minor != credit.tax_minor:
            yield cells
        if credit.tax_minor:
            yield tax_cells(cells, -credit.tax_minor, credit.currency)


def charge_cells(row: Charge, issuer: str) -> Cells:
    """The row of a charge, without its tax."""
    unit = UNITS[row.meter]
    quantity = scaled_quantity(row.quantity, unit)
    price = scaled_price(Terms(row.units, row.seconds, row.price_lines), unit, row.currency)
    cost, amount, hours = decimal_text(quantity * price, 2 * PLACES), plain(quantity), plain(price)
    reserved = row.subject.startswith("rsv_")
    start, end = _floor(row.start), _floor(row.end)
    used = row.end - timedelta(microseconds=1)
    return _common(row, issuer) | _billed(to_major(row.charge_minor, row.currency)) | {
        "ListCost": cost, "ContractedCost": cost, "ListUnitPrice": hours, "ContractedUnitPrice": hours,
        "PricingQuantity": amount, "ConsumedQuantity": amount, "PricingUnit": unit.name, "ConsumedUnit": unit.name,
        "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based",
        "ChargeClass": "Correction" if Month.of(used).start < row.month else "",
        "ChargeDescription": plain_text(f"{row.hardware} x {row.units} at {row.site}{', unused' if row.idle else ''}"),
        "ChargePeriodStart": _time(start), "ChargePeriodEnd": _time(max(end, start + SECOND)),
        "PricingCategory": "Dynamic" if row.tier == "interruptible" else "Standard",
        "ServiceCategory": "Compute", "ServiceSubcategory": "Other (Compute)",
        "ServiceName": plain_text(row.hardware), "SkuId": row.hardware_slug, "SkuMeter": unit.what,
        "SkuPriceId": row.offer, "RegionId": plain_text(row.zone), "RegionName": plain_text(row.zone_name),
        "ResourceId": row.order, "ResourceType": _resource(row.order),
        "CapacityReservationId": row.subject if reserved else "",
        "CapacityReservationStatus": ("Unused" if row.idle else "Used") if reserved else "",
        "x_SiteWh": "" if row.site_wh is None else str(row.site_wh),
    }  # fmt: skip


def credit_cells(row: Credit, issuer: str) -> Cells:
    """The row of a credit, without the tax that went back with it."""
    day = row.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    cost = to_major(row.tax_minor - row.amount_minor, row.currency)
    return _common(row, issuer) | _billed(cost) | {
        "ListCost": cost, "ContractedCost": cost, "ChargeCategory": "Credit", "ChargeFrequency": "One-Time",
        "ChargeClass": "Correction" if row.billed else "", "ChargeDescription": f"Credit: {row.kind}",
        "ChargePeriodStart": _time(day), "ChargePeriodEnd": _time(day + DAY),
        "ServiceCategory": "Compute" if row.hardware else "Other",
        "ServiceSubcategory": "Other (Compute)" if row.hardware else "Other (Other)",
        "ServiceName": plain_text(row.hardware or "Marketplace"),
        "ResourceId": row.order or "", "ResourceType": _resource(row.order) if row.order else "",
    }  # fmt: skip


def tax_cells(of: Mapping[str, str], tax_minor: int, currency: str) -> Cells:
    """The row of the tax on a charge or credit."""
    cost = to_major(tax_minor, currency)
    return {name: of[name] for name in KEPT_BY_TAX if name in of} | _billed(cost) | {
        "ListCost": cost, "ContractedCost": cost, "ChargeCategory": "Tax",
        "ChargeDescription": f"Tax on: {of['ChargeDescription']}",
    }  # fmt: skip


KEPT_BY_TAX = frozenset(COLUMNS) - {
    "ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "ConsumedQuantity", "PricingUnit", "ConsumedUnit",
    "PricingCategory", "SkuId", "SkuMeter", "SkuPriceId", "x_SiteWh", "CapacityReservationId",
    "CapacityReservationStatus",
}  # fmt: skip


@lru_cache(maxsize=64)
def _period(start: datetime) -> Cells:
    month = Month.of(start)
    return {"BillingPeriodStart": _time(month.start), "BillingPeriodEnd": _time(month.end)}


def _common(row: Charge | Credit, issuer: str) -> Cells:
    return _period(row.month) | {
        "BillingAccountId": row.buyer, "BillingAccountName": plain_text(row.buyer_name),
        "BillingCurrency": row.currency,
        "InvoiceIssuerName": plain_text(issuer), "ProviderName": plain_text(issuer),
        "PublisherName": plain_text(row.publisher or issuer), "InvoiceId": row.invoice or "",
        "x_ContractId": row.contract or "", "x_Livemode": "true" if row.livemode else "false",
    }  # fmt: skip


def _billed(cost: str) -> Cells:
    return {"BilledCost": cost, "EffectiveCost": cost}


def _resource(order: str) -> str:
    return "Reservation" if order.startswith("rsv_") else "Job"


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _time(moment: datetime) -> str:
    return moment.isoformat()[:19] + "Z"
