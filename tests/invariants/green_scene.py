"""Energy of which something of everything has happened: made, promised, used, matched, stored, taken out, cancelled."""

from datetime import timedelta

from accounts.models import Role
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.metering import Reading, record_readings
from marketplace.energy.models import CertificateLot
from marketplace.energy.reviewing import verify_source
from marketplace.energy.settling import settle_due
from marketplace.energy.storage import charge, discharge
from marketplace.energy.supply import take
from tests.energy.evidence import make_issuance, make_lot, make_share, make_source, make_use
from tests.energy.files import Provider, gc
from tests.energy.test_settling import promise
from tests.market import MONDAY, at, make_member, make_organization

SETTLED = MONDAY + timedelta(hours=80)


def energy_that_was_matched() -> CertificateLot:
    """The lot of an hour of which a part was promised, a part is used by a job, and a part was stored."""
    provider = Provider()
    auditor = make_member(make_organization(funds=0), Role.AUDITOR)
    share = make_share(provider.roof, provider.point)
    promise("rsv_a", share, MONDAY, 50, 100_000)
    record_generation(source=provider.roof, made=[Made(MONDAY, 1000), Made(at(MONDAY, 1), 100)], now=MONDAY)
    verify_source(source=provider.roof, evidence="metered", by=auditor, now=MONDAY)
    battery = make_source(
        provider.organization, kind="storage", technology="storage", efficiency_ppm=880_000, evidence="metered",
        verified_by=auditor, verified_at=MONDAY,
    )  # fmt: skip
    make_share(battery, provider.point)
    charge(store=battery, point=provider.point, start=MONDAY, wh=200, now=MONDAY)
    record_generation(source=battery, made=[Made(at(MONDAY, 1), 150)], now=MONDAY)
    discharge(store=battery, point=provider.point, start=at(MONDAY, 1), wh=150, now=MONDAY)
    month = make_issuance(length=timedelta(days=30), temporal_resolution="month")
    make_lot(1000, issuance=month, point=provider.point, holder=provider.organization)
    provider.send(gc(start_utc="2026-11-22T00:00Z", end_utc="2026-11-22T01:00Z"), "gc")
    record_readings(point=provider.point, readings=[Reading(at(MONDAY, hour), 900, 1000) for hour in (0, 1)])
    for hour in (0, 1):
        make_use(provider.point, "job_a", at(MONDAY, hour), 500)
    make_use(provider.point, "rsv_a", MONDAY, 200)
    settle_due(now=SETTLED)
    lot = CertificateLot.objects.filter(issuance__source=provider.roof).earliest("pk")
    take(lots=[lot.pk], wh=50, old="reserved", new="cancelled", subject="job_a", now=SETTLED)
    return lot
