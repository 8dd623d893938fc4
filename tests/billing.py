"""Charges and credits for tests, of contracts frozen through the product's own service."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import Organization
from marketplace.booking.contracts import freeze_terms
from marketplace.booking.models import ChargeLine, Contract, ServiceCredit
from marketplace.catalog.models import Offer
from tests.market import MONDAY, make_offer

_number = count(1)


def make_contract(
    buyer: Organization, offer: Offer | None = None, *, start: datetime = MONDAY, hours: int = 3, **fields: Any
) -> Contract:
    """A contract of 4 units, of a reservation unless `subject` says otherwise."""
    subject = fields.pop("subject", None) or f"rsv_test{next(_number)}"
    return freeze_terms(
        subject=subject, buyer=buyer, offer=offer or make_offer(), units=fields.pop("units", 4), start=start,
        end=start + timedelta(hours=hours), now=start, **fields,
    )  # fmt: skip


def make_charge(contract: Contract, charge_minor: int = 1_827, **fields: Any) -> ChargeLine:
    """What use from the contract's start on was charged; 12 % of it is the market's fee."""
    start = fields.pop("start", contract.start)
    end = fields.pop("end", None) or start + timedelta(seconds=fields.pop("seconds", 8_263))
    fee = fields.pop("fee_minor", charge_minor * 12 // 100)
    idle = fields.pop("idle", False)
    written = fields.pop("created_at", end)
    values = {
        "meter": "unit_second", "seq": ChargeLine.objects.filter(contract=contract).count() + 1, "idle": idle,
        "attempt": "" if idle else f"att_test{next(_number)}", "during": DateTimeTZRange(start, end),
        "quantity": int((end - start).total_seconds()) * contract.units, "charge_minor": charge_minor,
        "fee_minor": fee, "provider_minor": charge_minor - fee, "tax_minor": 0, "livemode": False,
        "pending_left": charge_minor - fee, "matures_at": end + timedelta(days=7), "created_at": written,
    }  # fmt: skip
    return ChargeLine.objects.create(contract=contract, **(values | fields))


def make_credit(buyer: Organization, amount_minor: int = 100, **fields: Any) -> ServiceCredit:
    """What a buyer got back, all of it the provider's share."""
    fee, tax = fields.pop("fee_minor", 0), fields.pop("tax_minor", 0)
    values = {
        "kind": "interruption", "subject": f"att_gone{next(_number)}", "asset": "USD", "livemode": False,
        "base_minor": amount_minor * 10, "amount_minor": amount_minor, "fee_minor": fee, "tax_minor": tax,
        "provider_minor": amount_minor - fee - tax, "created_at": MONDAY + timedelta(hours=12),
    }  # fmt: skip
    return ServiceCredit.objects.create(buyer=buyer, **(values | fields))
