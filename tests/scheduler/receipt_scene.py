"""Work whose energy is receipted: a job that ran for ten minutes on processors, with or without the sun."""

from datetime import timedelta

from marketplace.energy.generation import Made, record_generation
from marketplace.energy.models import GreenReceipt
from marketplace.energy.receipts.issuing import settle_receipts
from marketplace.energy.settling import settle_due
from scheduler.attempts import end_attempt, mark_running
from scheduler.receipting import issue_receipts
from scheduler.usage import record_usage, usage_line
from tests.energy.evidence import make_share, make_source
from tests.market import NOON, make_member, make_organization
from tests.scheduler.scene import TestAgent, allocated, make_cpu_offer, publish_hours

RAN = timedelta(minutes=10)
SETTLED = NOON + timedelta(hours=74)


def receipted_offer(**fields):
    """An offer of processors whose zone's hours are known until its work is settled."""
    offer = make_cpu_offer(now=NOON, **fields)
    publish_hours(offer.site.zone, SETTLED, days=12)
    offer.rate_mm = [400_000] * 168
    offer.save(update_fields=["rate_mm"])
    return offer


def ran(offer, *, wh: int = 600, now=NOON, **fields):
    """A job that ran for ten minutes from `now` and used `wh` Wh."""
    attempt = allocated(offer, now=now, **fields)
    agent = TestAgent(offer, now=now)
    [lease] = agent.claim(now=now)
    attempt = lease.attempt
    mark_running(attempt=attempt, now=now)
    line = agent.usage(lease, RAN // timedelta(milliseconds=1), energy_wh=wh, energy_method="metered_node")
    record_usage(lease=lease, line=usage_line(line, "/usage"), now=now + RAN)
    end_attempt(attempt=attempt, reason="succeeded", now=now + RAN)
    attempt.job.refresh_from_db()
    return attempt.job


def with_sun(offer, wh: int, *, now=NOON):
    """The site's own panels made `wh` Wh in that hour, as their meter and an auditor say."""
    owner = offer.site.provider
    source = make_source(
        owner, zone=offer.site.zone, evidence="audited", verified_by=make_member(make_organization(funds=0)),
        verified_at=NOON,
    )  # fmt: skip
    make_share(source, offer.site.point)
    record_generation(source=source, made=[Made(now.replace(minute=0), wh)], now=now)
    return source


def provisional(offer, **fields) -> GreenReceipt:
    """The first version of the receipt of a job on `offer`."""
    ran(offer, **fields)
    [receipt] = issue_receipts(now=NOON + RAN)
    return receipt


def final(offer, *, sun_wh: int = 500, **fields) -> GreenReceipt:
    """The final version, its second, of the receipt of a job on `offer` with the site's own sun."""
    with_sun(offer, sun_wh)
    first = provisional(offer, **fields)
    settle_due(now=SETTLED)
    [receipt] = settle_receipts(subjects=[first.subject], now=SETTLED)
    assert receipt is not None
    return receipt
