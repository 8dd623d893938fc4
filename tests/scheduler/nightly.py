"""Work that runs past a midnight, its agent asked for signed lines: the stage of captures while work runs."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Organization
from marketplace.booking.models import ChargeLine
from marketplace.catalog.models import Offer
from marketplace.ledger.wallets import wallet_of
from scheduler.cycle import run_round
from scheduler.finishing import finish
from scheduler.jobfile import parse
from scheduler.leases import renew
from scheduler.models import Attempt, Job, Lease
from scheduler.services import Actor, submit_job
from scheduler.usage import usage_due
from tests.invariants.scene import findings
from tests.scheduler.scene import TestAgent, make_cpu_offer

MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
FILE = "run: echo hello\nresources: {cpus: 4}\nconfig:\n  joulemart:\n    time_limit_s: 10800\n    retries: 1\n"


def last_midnight() -> datetime:
    """That of the database's day, which alone decides over leases."""
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)


def make_shelf(settings: Any, **fields: Any) -> Offer:
    """Four vCPUs for 1.99 an hour each, the fee inside: 23.88 for the three hours of a job."""
    settings.FEE_MODE, settings.ADDED_FEE_BP, settings.FEE_BP = "inside", 0, 1_200
    offer = make_cpu_offer(units=4, now=last_midnight() - timedelta(days=1), **fields)
    offer.rate_mm = [199_000] * 168
    offer.save(update_fields=["rate_mm"])
    return offer


class Run:
    """A job of `buyer` that began to run at `began` (by the market's clock); times are seconds since then."""

    def __init__(self, offer: Offer, buyer: Organization, *, began: datetime, text: str = FILE) -> None:
        self.agent = TestAgent(offer, now=began)
        self.job = submit_job(actor=Actor(organization=buyer), file=parse(text), now=began)
        self.began, self.buyer = began, buyer
        if self.job.reservation_id is None:
            run_round(segment="cpu", now=began)
        [self.lease] = self.agent.claim(now=began)
        Lease.objects.filter(pk=self.lease.pk).update(expires_at=timezone.now() + timedelta(hours=1))
        self.beat(0)

    def at(self, second: float) -> datetime:
        return self.began + second * SECOND

    def beat(self, second: float, *, signed: dict[str, str] | None = None) -> bool:
        """One heartbeat; whether the next is to carry a signed line."""
        now = self.at(second)
        lease = renew(
            public_id=self.lease.public_id, key=self.agent.key, epoch=self.lease.epoch, phase="running", progress=None,
            usage={"cpu_ms": 5, "peak_memory_bytes": 6}, signed=signed, now=now,
        )  # fmt: skip
        return usage_due(lease.attempt, now)

    def sign(self, second: float, *, used_s: float | None = None, **changes: Any) -> dict[str, str]:
        return self.agent.usage(self.lease, round((second if used_s is None else used_s) * 1000), **changes)

    def tell(self, second: float, *, used_s: float | None = None, **changes: Any) -> bool:
        """A heartbeat with the line of what was used by then."""
        return self.beat(second, signed=self.sign(second, used_s=used_s, **changes))

    def end(self, second: float, *, reason: str = "succeeded", used_s: float | None = None) -> Job:
        report = self.agent.report(self.lease, reason=reason, usage=[self.sign(second, used_s=used_s)])
        job = finish(public_id=self.lease.public_id, key=self.agent.key, report=report, now=self.at(second))
        self.job.refresh_from_db()
        return job

    @property
    def attempt(self) -> Attempt:
        return Attempt.objects.get(pk=self.lease.attempt_id)

    @property
    def charges(self) -> list[int]:
        return list(ChargeLine.objects.order_by("seq").values_list("charge_minor", flat=True))

    @property
    def wallet(self) -> tuple[int, int]:
        found = wallet_of(organization=self.buyer, asset="USD", livemode=False)
        return found.available, found.held


def said(line: dict[str, str]) -> dict[str, Any]:
    """What a signed line says."""
    facts: dict[str, Any] = json.loads(line["line"])
    return facts


def broken_promises() -> list[str]:
    """Those of money and metering that the checker finds broken; turns in the queue are of another hour here."""
    found = findings()[1].values()
    return [each["id"] for each in found if each["anomalies_total"] and (each["id"][0] == "M" or each["id"] == "J7")]
