"""A contract at a stated price, what was used under it, and the money that is held for it."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import Organization
from marketplace.booking.charging import charge_idle, charge_use, parts_of
from marketplace.booking.models import ChargeLine, Contract, UsageRecord
from marketplace.booking.pricing import Rates, price_lines, total_minor
from marketplace.ledger.holds import hold_money, release
from marketplace.ledger.lines import Fact
from marketplace.ledger.models import Hold
from marketplace.ledger.services import post_many
from tests.market import MUCH, NOON, make_offer, make_organization

_number = count(1)
TERMS = {"fee_mode": "inside", "idle_bp": 0, "free_cancel_s": 0, "sla_credit_bp": 1_000, "maturity_days": 7}


class Deal:
    """Units of one offer over whole hours from noon at one rate, with the fee inside the price unless told."""

    def __init__(
        self, *, units: int = 4, hours: int = 3, rate_mm: int = 199_000, fee_bp: int = 1_200, tax_bp: int = 0,
        funds: int = MUCH, hold: int | None = None, **terms: Any,
    ) -> None:  # fmt: skip
        self.terms = TERMS | terms
        added = fee_bp if self.terms["fee_mode"] == "on_top" else 0
        seconds = [3600] * hours
        lines = price_lines(Rates((rate_mm,) * hours, 0, added, tax_bp), seconds, units)
        self.offer = make_offer(units=units)
        self.provider: Organization = self.offer.site.provider
        self.buyer = make_organization(funds=funds)
        self.contract = Contract.objects.create(
            subject=f"deal_{next(_number)}", buyer=self.buyer, provider=self.provider, offer=self.offer, units=units,
            start=NOON, end=NOON + timedelta(hours=hours), currency="USD", rate_mm=[rate_mm] * hours, seconds=seconds,
            electricity_mm=0, fee_bp=fee_bp, tax_bp=tax_bp, price_lines=[line.as_dict() for line in lines],
            total_minor=total_minor(lines), terms=self.terms, created_at=NOON,
        )  # fmt: skip
        [self.part] = parts_of([self.contract])
        self.total = total_minor(lines) if hold is None else hold
        self.hold = self.keep(self.total) if self.total else None

    def keep(self, amount: int) -> Hold:
        return hold_money(
            organization=self.buyer, asset="USD", livemode=False, amount=amount, subject=self.contract.subject,
            now=NOON, actor="test",
        )  # fmt: skip

    def use(
        self, seconds: float, *, attempt: str = "att_1", begin_s: float = 0, units: int | None = None, flagged: str = ""
    ) -> None:
        """Metered use of `seconds` from `begin_s` after noon."""
        start = NOON + timedelta(seconds=begin_s)
        end = start + timedelta(seconds=seconds)
        UsageRecord.objects.create(
            attempt=attempt, contract=self.contract, during=DateTimeTZRange(start, end),
            units=units or self.contract.units, milliseconds=int(seconds * 1000), cpu_ms=0, peak_memory_bytes=0,
            energy_wh=0, site_wh=0, energy_method="test", carbon_ug=0, renewable_ppm=0, signal_quality="test",
            flagged=flagged, created_at=end,
        )  # fmt: skip

    @transaction.atomic
    def charge(self, *, attempt: str = "att_1", until_s: float = 10**6, now: datetime = NOON) -> ChargeLine:
        assert self.hold is not None
        until = NOON + timedelta(seconds=until_s)
        line, facts = charge_use(part=self.part, hold=self.hold, attempt=attempt, until=until, now=now)
        self.post(facts)
        return line

    @transaction.atomic
    def charge_unused(self) -> ChargeLine | None:
        assert self.hold is not None
        line, facts = charge_idle(part=self.part, hold=self.hold, now=NOON)
        self.post(facts)
        return line

    @transaction.atomic
    def release(self) -> int:
        assert self.hold is not None
        freed = self.hold.rest
        self.post(release(hold=self.hold))
        return freed

    def post(self, facts: list[Fact]) -> None:
        if facts:
            post_many(facts=facts, now=NOON, actor="test")
        if self.hold:
            self.hold.refresh_from_db()
