"""What the people of a green hour do inside the market, and days later than the test can wait: run in its environment.

`main` prints one JSON document: of `open`, or of `settle` with the id of a job. Every step is a service that a page or
a task of the market calls with the clock's own time; here it is given the time at which it would have been called.
"""

import json
import sys
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Membership, Organization, Role, User
from accounts.services import issue_key
from marketplace.catalog.sites import add_site
from marketplace.common.clock import HOUR, hour_floor, utc_now
from marketplace.energy.imports.evidence import import_evidence
from marketplace.energy.imports.grid import import_grid
from marketplace.energy.models import CertificateLot, EnergySource, GridZone, SupplyEntry, UseHour
from marketplace.energy.receipts.issuing import advance_receipts
from marketplace.energy.receipts.statements import Statement, confirm_cancellation, expected_of
from marketplace.energy.reviewing import accept_lot, verify_source
from marketplace.energy.settling import settle_due

ZONE = "PL"
REGION = "journey"
REGISTRY, ISSUANCE = "journey registry", "GC-1"
SUN_WH, BOUGHT_WH = 14, 5
HISTORY = timedelta(days=32)


def open_site() -> dict[str, Any]:
    """A zone that is known by its published hours, and in it a provider's site; the keys of both.

    The provider is no sample organization, so that nothing on the receipt is a sample.
    """
    now = utc_now()
    zone = GridZone.objects.create(code=ZONE, name="Poland", country="PL", market_boundary="PL")
    publish(hour_floor(now) - HISTORY, hour_floor(now), now)
    provider = Organization.objects.create(name="Hall Compute", country="PL", created_at=now)
    owner = User.objects.create_user("owner@hall.example")
    Membership.objects.create(organization=provider, user=owner, role=Role.PROVIDER, created_at=now)
    site = add_site(
        provider=provider, name="Hall with panels", name_zh="光伏机房", locality="Poznań", locality_zh="波兹南",
        kind="edge", country="PL", region=REGION, latitude=52.41, longitude=16.93, zone=zone, pue_ppm=1_140_000,
        created_at=now,
    )  # fmt: skip
    scopes = ["offers:read", "offers:write", "energy:read", "energy:write"]
    _, key = issue_key(organization=provider, name="shelf", scopes=scopes, created_by=owner, now=now)
    _, agent_key = issue_key(organization=provider, name="hall", scopes=["agent"], site=site.public_id, now=now)
    return {"site": site.public_id, "point": site.point.code, "key": key, "agent_key": agent_key}


def settle(subject: str) -> dict[str, Any]:
    """Three days after the job: meters and registry have told the hour, others have looked at it, it is settled."""
    uses = list(UseHour.objects.of_subject(subject))
    starts = [use.start for use in uses]
    told, later = max(starts) + 2 * HOUR, max(starts) + timedelta(hours=80)
    publish(hour_floor(min(starts)), told, told)
    plant = EnergySource.objects.get(device_id="hall roof")
    tell_evidence(plant, uses, told)
    settled = settle_due(now=later)
    advance_receipts(now=later)
    confirm(subject, later + HOUR)
    advance_receipts(now=later + 2 * HOUR)
    ledger = SupplyEntry.objects.cancelled_for([subject]).select_related("lot")
    entries = [[each.lot.public_id, each.wh_range.lower, each.wh_range.upper, each.statement_ref] for each in ledger]
    used = sum(UseHour.objects.get(pk=use.pk).site_wh for use in uses)
    return {"settled": settled, "used_wh": used, "entries": entries}


def publish(first: datetime, last: datetime, now: datetime) -> None:
    """The zone's hours in [first, last), from a file as the portal of Electricity Maps gives them."""
    heads = (
        "Datetime (UTC),Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (Life cycle),"
        "Carbon-free energy percentage (CFE%),Renewable energy percentage (RE%),Data estimated"
    )
    rows = [
        f"{first + n * HOUR:%Y-%m-%d %H:%M:%S},{ZONE},{600 + n % 24}.5,{650 + n % 24}.25,32.5,30.1,false"
        for n in range((last - first) // HOUR)
    ]
    done = import_grid(data="\n".join([heads, *rows]).encode(), kind="grid_portal", now=now, zones=[])
    assert done.state == "imported", done.errors


def tell_evidence(plant: Any, uses: list[Any], now: datetime) -> None:
    """The roof's meter and a bought certificate of the hour, both accepted by the market's operator."""
    operator = User.objects.get(memberships__role=Role.OPERATOR)
    point = uses[0].point
    verify_source(source=plant, evidence="audited", by=operator, now=now)
    start = uses[0].start
    meter = f"device_id,start_utc,minutes,wh\n{plant.device_id},{start:%Y-%m-%dT%H:%MZ},60,{SUN_WH}\n"
    bought = (
        "registry,issuance_id,range_start,range_end,device_id,technology,capacity_w,commissioned_on,start_utc,end_utc,"
        "market_zone,issuer,state,underlying_serial,expires_at\n"
        f"{REGISTRY},{ISSUANCE},0,{BOUGHT_WH},wind 7,wind,3000000,2020-01-01,{start:%Y-%m-%dT%H:%MZ},"
        f"{start + HOUR:%Y-%m-%dT%H:%MZ},{ZONE},journey issuer,active,,{start + timedelta(days=365):%Y-%m-%dT%H:%MZ}\n"
    )
    for kind, text, where in (("meter", meter, None), ("gc", bought, point)):
        done = import_evidence(
            data=text.encode(), kind=kind, organization=plant.organization, now=now, point=where
        )  # fmt: skip
        assert done.state == "imported", done.errors
    for lot in CertificateLot.objects.pending().filter(point=point):
        accept_lot(lot=lot, by=operator, now=now)


def confirm(subject: str, now: datetime) -> None:
    """The provider cancels what it bought at the registry and tells so."""
    lot = CertificateLot.objects.get(issuance__registry=REGISTRY)
    told = [
        Statement(lot, piece.lower, piece.upper, "Sample Buyer Lab", "statement 1")
        for piece in expected_of(lot=lot, subject=subject)
    ]
    confirm_cancellation(holder=lot.holder, subject=subject, statements=told, now=now)


def main() -> None:
    done = open_site() if sys.argv[1] == "open" else settle(sys.argv[2])
    sys.stdout.write(json.dumps(done))
