"""Files of evidence for tests: a right row of each kind, and rows made from it with some cells changed."""

from datetime import UTC, date, datetime
from typing import Any

from accounts.models import Organization
from marketplace.energy.imports.evidence import import_evidence
from marketplace.energy.models import (
    CertificateLot,
    EnergySource,
    GenerationHour,
    GridZone,
    ImportFile,
    Issuance,
    MeterPoint,
    PointHour,
)
from tests.energy.evidence import make_source
from tests.market import MONDAY, make_organization

NOW = datetime(2026, 12, 1, tzinfo=UTC)
GC = {
    "registry": "a registry", "issuance_id": "iss-1", "range_start": "0", "range_end": "1000", "device_id": "wind 1",
    "technology": "wind", "capacity_w": "3000", "commissioned_on": "2020-01-01", "start_utc": "2026-11-23T00:00Z",
    "end_utc": "2026-11-23T01:00Z", "market_zone": "CN-NX", "issuer": "an issuer", "state": "active",
    "underlying_serial": "", "expires_at": "",
}  # fmt: skip
GEC = {
    "certificate_no": "gec-1", "quantity": "2", "production_month": "2026-03", "plant": "Farm 7", "province": "宁夏",
    "technology": "wind", "commissioned_on": "2021-01-01", "tradable": "yes", "holder": "Huaihe Power",
}  # fmt: skip
POINT = {"point": "hall 1", "start_utc": "2026-11-23T00:00Z", "minutes": "60", "it_wh": "1000", "total_wh": "1140"}
PLANT = {"device_id": "roof 1", "start_utc": "2026-11-23T00:00Z", "minutes": "60", "wh": "900"}


def rows_of(pattern: dict[str, str], *changes: dict[str, Any]) -> list[dict[str, str]]:
    return [pattern | {name: str(value) for name, value in change.items()} for change in changes]


def file_of(rows: list[dict[str, str]], separator: str = ",") -> bytes:
    """The rows as a file, under the headings of the first."""
    lines = [separator.join(rows[0]), *(separator.join(row.values()) for row in rows)]
    return "\n".join([*lines, ""]).encode()


def gc(*changes: dict[str, Any], **columns: str) -> bytes:
    return file_of(rows_of(GC | columns, *(changes or ({},))))


def gec(*changes: dict[str, Any], **columns: str) -> bytes:
    return file_of(rows_of(GEC | columns, *(changes or ({},))))


def points(*changes: dict[str, Any]) -> bytes:
    return file_of(rows_of(POINT, *(changes or ({},))))


def plants(*changes: dict[str, Any]) -> bytes:
    return file_of(rows_of(PLANT, *(changes or ({},))))


def china(code: str = "CN-NX") -> GridZone:
    zone, _ = GridZone.objects.get_or_create(
        code=code, defaults={"name": code, "country": "CN", "market_boundary": "China"}
    )
    return zone


class Provider:
    """An organization in Ningxia with a metering point and a solar roof of 1 kW."""

    def __init__(self, name: str = "Huaihe Power", suffix: str = "1") -> None:
        self.organization: Organization = make_organization(name, funds=0)
        self.point: MeterPoint = MeterPoint.objects.create(
            organization=self.organization, code=f"hall {suffix}", zone=china(), pue_design_ppm=1_140_000,
            created_at=MONDAY,
        )  # fmt: skip
        self.roof: EnergySource = make_source(
            self.organization, zone=china(), device_id=f"roof {suffix}", capacity_w=1_000,
            commissioned_on=date(2024, 5, 1),
        )  # fmt: skip

    def send(self, data: bytes, kind: str, **options: Any) -> ImportFile:
        point = None if kind == "meter" else options.pop("point", self.point)
        return import_evidence(
            data=data, kind=kind, organization=self.organization, point=point, **({"now": NOW} | options)
        )


def everything() -> dict[str, Any]:
    """What imports of evidence may change."""
    return {
        "issuances": Issuance.objects.count(),
        "lots": list(CertificateLot.objects.order_by("pk").values_list("pk", "state", "version")),
        "points": PointHour.objects.count(),
        "generation": list(GenerationHour.objects.order_by("pk").values_list("pk", "wh", "claimed_wh")),
        "zones": set(GridZone.objects.values_list("code", flat=True)),
    }


def refused(provider: Provider, data: bytes, kind: str, **options: Any) -> list[tuple[int, str, str]]:
    """The faults as (line, column, code) of a file that is refused, having changed nothing."""
    before = everything()
    result = provider.send(data, kind, **options)
    assert (result.state, result.rows) == ("refused", 0)
    assert everything() == before
    assert all(fault["detail"] for fault in result.errors)
    return [(fault["line"], fault["column"], fault["code"]) for fault in result.errors]
