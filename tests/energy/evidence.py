"""Evidence for tests: points, plants, what they made and lots of it."""

from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange

from marketplace.energy.models import (
    CertificateLot,
    EnergySource,
    GenerationHour,
    GridZone,
    Issuance,
    MeterPoint,
    SourceShare,
    UseHour,
)
from tests.market import MONDAY, make_organization, make_zone

_number = count(1)
HOUR = timedelta(hours=1)
FOREVER = DateTimeTZRange(MONDAY - timedelta(days=3650), None)


def make_point(organization: Any = None, *, zone: GridZone | None = None, **fields: Any) -> MeterPoint:
    return MeterPoint.objects.create(
        organization=organization or make_organization(funds=0), code=f"point {next(_number)}",
        zone=zone or make_zone(), **({"pue_design_ppm": 1_140_000, "created_at": MONDAY} | fields),
    )  # fmt: skip


def make_source(organization: Any = None, *, zone: GridZone | None = None, **fields: Any) -> EnergySource:
    number = next(_number)
    values = {
        "device_id": f"device {number}", "name": f"Plant {number}", "kind": "onsite", "technology": "solar",
        "capacity_w": 10_000_000, "commissioned_on": date(2024, 5, 1), "created_at": MONDAY,
    }  # fmt: skip
    return EnergySource.objects.create(
        organization=organization or make_organization(funds=0), zone=zone or make_zone(), **(values | fields)
    )


def make_share(source: EnergySource, point: MeterPoint, low: int = 0, high: int = 1_000_000) -> SourceShare:
    return SourceShare.objects.create(source=source, point=point, slice=NumericRange(low, high), valid=FOREVER)


def make_issuance(start: datetime = MONDAY, *, length: timedelta = HOUR, **fields: Any) -> Issuance:
    number = next(_number)
    values = {
        "registry": "test registry", "issuance_id": f"issuance {number}", "scheme": "GC",
        "device_id": f"device {number}", "technology": "wind", "capacity_w": 3_000_000,
        "commissioned_on": date(2020, 1, 1), "issuer": "test issuer", "temporal_resolution": "hour",
    }  # fmt: skip
    return Issuance.objects.create(
        start=start, end=start + length, zone=fields.pop("zone", None) or make_zone(), **(values | fields)
    )


def make_lot(
    wh: int = 1000, *, issuance: Issuance | None = None, low: int = 0, state: str = "active", **fields: Any
) -> CertificateLot:
    lot: CertificateLot = CertificateLot.objects.create(
        issuance=issuance or make_issuance(), wh_range=NumericRange(low, low + wh), state=state,
        holder=fields.pop("holder", None) or make_organization(funds=0), created_at=MONDAY, **fields,
    )  # fmt: skip
    lot.refresh_from_db()
    return lot


def make_generation(source: EnergySource, start: datetime, *wh: int, quality: str = "metered") -> list[GenerationHour]:
    return GenerationHour.objects.bulk_create(
        GenerationHour(source=source, start=start + n * HOUR, quality=quality, wh=each) for n, each in enumerate(wh)
    )


def make_use(point: MeterPoint, subject: str, start: datetime, it_wh: int, **fields: Any) -> UseHour:
    values = {"site_wh": it_wh, "method": "metered_node", "unit_seconds": 3600}
    return UseHour.objects.create(point=point, subject=subject, start=start, it_wh=it_wh, **(values | fields))
