"""A charge or a credit as a line of an invoice: what, where, when, how much at which price, frozen as it is printed."""

from collections.abc import Mapping
from typing import Any

from marketplace.booking.meters import UNITS, Terms, plain, scaled_price, scaled_quantity
from marketplace.booking.models import ChargeLine, Contract, ServiceCredit
from marketplace.common.clock import rfc3339
from marketplace.ledger.invoices import Item


def charge_item(charge: ChargeLine, orders: Mapping[str, str]) -> Item:
    """The line of a charge; `orders` names the job or reservation of a contract's subject."""
    contract, unit = charge.contract, UNITS[charge.meter]
    return Item(
        source=charge.public_id, amount_minor=charge.charge_minor, tax_minor=charge.tax_minor, tax_bp=contract.tax_bp,
        facts=_facts(charge, contract, orders), quantity=plain(scaled_quantity(charge.quantity, unit)), unit=unit.name,
        unit_price=plain(scaled_price(terms_of(contract), unit, contract.currency)),
    )  # fmt: skip


def credit_item(credit: ServiceCredit, orders: Mapping[str, str]) -> Item:
    """The line of a credit: what the buyer got back, below 0."""
    contract = credit.contract
    facts = {
        "type": "credit",
        "credit": credit.kind,
        "subject": credit.subject,
        "at": rfc3339(credit.created_at),
        "order": orders.get(contract.subject, contract.subject) if contract else "",
        "contract": contract.public_id if contract else "",
    }
    return Item(
        source=credit.public_id, amount_minor=credit.tax_minor - credit.amount_minor, tax_minor=-credit.tax_minor,
        tax_bp=contract.tax_bp if contract and credit.tax_minor else 0, facts=facts,
    )  # fmt: skip


def terms_of(contract: Contract) -> Terms:
    """What the contract's unit price is made of."""
    return Terms(contract.units, contract.seconds, contract.price_lines)


def _facts(charge: ChargeLine, contract: Contract, orders: Mapping[str, str]) -> dict[str, Any]:
    offer = contract.offer
    return {
        "type": "charge",
        "order": orders.get(contract.subject, contract.subject),
        "attempt": charge.attempt,
        "contract": contract.public_id,
        "hardware": offer.hardware.accelerator,
        "offer": offer.title,
        "tier": contract.terms.get("tier", offer.tier),
        "provider": contract.provider.name,
        "site": offer.site.name,
        "locality": offer.site.locality,
        "country": offer.site.country,
        "zone": offer.site.zone.code,
        "units": contract.units,
        "start": rfc3339(charge.during.lower),
        "end": rfc3339(charge.during.upper),
        "idle": charge.idle,
    }
