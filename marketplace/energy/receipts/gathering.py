"""What the record knows of a subject's energy, as the hours and certificates of its receipt."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from marketplace.common.clock import HOUR, rfc3339
from marketplace.common.units import PPM, ceil_div
from marketplace.energy.models import (
    GridHour,
    GridYear,
    MatchLine,
    PointHour,
    Resolution,
    Scheme,
    SupplyEntry,
    UseHour,
)
from marketplace.energy.services import hours_of
from marketplace.energy.signals.base import NOTICES
from marketplace.energy.windows import YEARLY, ZoneHours
from marketplace.energy.years import year_for

Facts = dict[str, Any]
Key = tuple[int, datetime]  # of a point or zone, and an hour


def gather(*, places: Mapping[str, Mapping[int, int]], now: datetime) -> dict[str, Facts]:
    """By subject {hours, certificates, factors, sample} as they are now; `places` numbers its points by their keys.

    Published hours of the grid bear their source and vintage; where nothing is published yet the forecast stands in and
    says so. Raises NoHistory where neither is there.
    """
    uses = list(UseHour.objects.filter(subject__in=places).prefetch_related("point__zone"))
    by_subject: dict[str, list[UseHour]] = {subject: [] for subject in places}
    for use in uses:
        by_subject[use.subject].append(use)
    certificates = _certificates(places)
    grid, readings = _Grid(uses, now), _readings(places)
    return {
        subject: _facts(mine, places[subject], certificates.get(subject, []), grid, readings)
        for subject, mine in by_subject.items()
    }


def _facts(
    uses: Sequence[UseHour], places: Mapping[int, int], certificates: Sequence[Facts], grid: "_Grid",
    readings: Mapping[Key, PointHour],
) -> Facts:  # fmt: skip
    """What one receipt says of `uses`, all of one subject."""
    factors, matched = _Factors(grid), _by_hour(certificates)
    hours = [_hour(use, places, factors, readings, matched) for use in uses]
    sample = any(use.point.zone.sample for use in uses) or any(each["sample"] for each in certificates)
    return {"hours": hours, "certificates": list(certificates), "factors": factors.listed, "sample": sample}


def _hour(
    use: UseHour, places: Mapping[int, int], factors: "_Factors", readings: Mapping[Key, PointHour],
    matched: Mapping[tuple[Any, int], Mapping[str, int]],
) -> Facts:  # fmt: skip
    start, place = rfc3339(use.start), places[use.point_id]
    own = matched.get((start, place), {})
    onsite, certificate, volume = (own.get(name, 0) for name in ("onsite", "certificate", "volume"))
    return {
        "start": start,
        "place": place,
        "it_wh": use.it_wh,
        "site_wh": use.site_wh,
        "onsite_wh": onsite,
        "certificate_wh": certificate,
        "volume_wh": volume,
        "unmatched_wh": use.site_wh - onsite - certificate,
        "unit_seconds": use.unit_seconds,
        "method": use.method,
        "settled": use.settled_at is not None,
        **_overhead(use, readings.get((use.point_id, use.start))),
        **factors.of(use),
    }


def _overhead(use: UseHour, reading: PointHour | None) -> Facts:
    """The overhead of the hour, rounded up, and how it is known."""
    if reading is None or not reading.it_wh:
        return {"pue_ppm": use.point.pue_design_ppm, "pue_method": "design"}
    return {"pue_ppm": ceil_div(reading.total_wh * PPM, reading.it_wh), "pue_method": reading.pue_method}


def _readings(subjects: Collection[str]) -> dict[Key, PointHour]:
    """What the meters of the points said of the settled hours of `subjects`."""
    settled = UseHour.objects.filter(
        subject__in=subjects, settled_at__isnull=False, point=OuterRef("point"), start=OuterRef("start")
    )
    return {(row.point_id, row.start): row for row in PointHour.objects.filter(Exists(settled))}


class _Grid:
    """The grid's figures of the hours of `uses`: as published, else as forecast, else their year's average."""

    def __init__(self, uses: Sequence[UseHour], now: datetime) -> None:
        zones = {use.point.zone_id: use.point.zone for use in uses}
        wanted = {(use.point.zone_id, use.start) for use in uses}
        self.published: dict[Key, GridHour] = {}
        self._first = min((start for _, start in wanted), default=now)
        self._expected: dict[int, ZoneHours] = {}
        self._years = GridYear.objects.of_zones(zones)
        if not wanted:
            return
        last = max(start for _, start in wanted)
        rows = GridHour.objects.within(zones, self._first, last + HOUR)
        self.published = {(row.zone_id, row.start): row for row in rows}
        if missing := wanted - self.published.keys():
            self._first = min(start for _, start in missing)
            count = (max(start for _, start in missing) - self._first) // HOUR + 1
            listed = [zones[key] for key in {zone for zone, _ in missing}]
            window = hours_of(zones=listed, start=self._first, hours=count, now=now)
            self._expected = {zone.pk: window.zone(zone) for zone in listed}

    def expected(self, zone: int, start: datetime) -> tuple[ZoneHours, int]:
        """The forecast of a zone (by key), or the averages of its years, and the number of the hour in it."""
        return self._expected[zone], (start - self._first) // HOUR

    def year(self, zone: int, start: datetime) -> GridYear | None:
        """What is known of the year of that hour."""
        return year_for(self._years[zone], start.year) if zone in self._years else None


class _Factors:
    """The grid's figures of each use of one receipt, and the sources that they rest on, numbered as they come."""

    def __init__(self, grid: _Grid) -> None:
        self.listed: list[Facts] = []
        self._number: dict[tuple[str, str], int] = {}
        self._grid = grid

    def of(self, use: UseHour) -> Facts:
        """Intensities and shares of the hour, and the number of what they rest on."""
        return self._mix(use) | self._residual(use)

    def _mix(self, use: UseHour) -> Facts:
        row = self._grid.published.get((use.point.zone_id, use.start))
        if row is not None:
            return {
                "direct_mg_per_kwh": row.direct_mg_per_kwh, "lifecycle_mg_per_kwh": row.lifecycle_mg_per_kwh,
                "renewable_ppm": row.renewable_ppm, "carbon_free_ppm": row.carbon_free_ppm,
                "factor": self._factor(row.source, row.vintage), "flags": ["estimated"] if row.estimated else [],
            }  # fmt: skip
        hours, number = self._grid.expected(use.point.zone_id, use.start)
        year = self._grid.year(use.point.zone_id, use.start) if hours.qualities[number] == YEARLY else None
        return {
            "direct_mg_per_kwh": hours.direct_mg[number], "lifecycle_mg_per_kwh": hours.lifecycle_mg[number],
            "renewable_ppm": hours.renewable_ppm[number], "carbon_free_ppm": hours.carbon_free_ppm[number],
            "factor": self._of_year(year) if year else self._factor("forecast", "blend"),
            "flags": ["annual_factor"] if year else ["forecast"],
        }  # fmt: skip

    def _residual(self, use: UseHour) -> Facts:
        """The residual mix of the hour, else of its year; of the hour its renewable share is not told."""
        row = self._grid.published.get((use.point.zone_id, use.start))
        if row is not None and row.residual_mg_per_kwh is not None:
            return {"residual_mg_per_kwh": row.residual_mg_per_kwh, "residual_renewable_ppm": None}
        year = self._grid.year(use.point.zone_id, use.start)
        if year is None or year.residual_mg_per_kwh is None:
            return {"residual_mg_per_kwh": None, "residual_renewable_ppm": None}
        self._of_year(year)
        return {
            "residual_mg_per_kwh": year.residual_mg_per_kwh, "residual_renewable_ppm": year.residual_renewable_ppm
        }  # fmt: skip

    def _of_year(self, year: GridYear) -> int:
        return self._factor(year.source, f"{year.zone.code} {year.year} {year.vintage}")

    def _factor(self, source: str, vintage: str) -> int:
        if (source, vintage) not in self._number:
            self._number[source, vintage] = len(self.listed)
            self.listed.append({"source": source, "vintage": vintage, "notice": NOTICES.get(source, "")})
        return self._number[source, vintage]


def _certificates(places: Mapping[str, Mapping[int, int]]) -> dict[str, list[Facts]]:
    """By subject every live match, hour by hour, with what is known of the energy and of its cancellation."""
    lines = MatchLine.objects.live_of(places).select_related("use_hour", "lot__issuance")
    lines = lines.prefetch_related("lot__issuance__source", "lot__issuance__zone")
    ended = _cancellations(places)
    found: dict[str, list[Facts]] = defaultdict(list)
    for line in sorted(lines, key=lambda line: (line.use_hour.start, line.lot_id, line.wh_range.lower)):
        subject = line.use_hour.subject
        found[subject].append(
            _certificate(line, places[subject], _covering(ended.get((subject, line.lot_id), ()), line))
        )
    return found


def _certificate(line: MatchLine, places: Mapping[int, int], entry: SupplyEntry | None) -> Facts:
    lot, issuance = line.lot, line.lot.issuance
    source = issuance.source
    return {
        "hour": rfc3339(line.use_hour.start),
        "place": places[line.use_hour.point_id],
        "lot": lot.public_id,
        "scheme": issuance.scheme,
        "registry": issuance.registry,
        "issuance": issuance.issuance_id,
        "from_wh": line.wh_range.lower,
        "to_wh": line.wh_range.upper,
        "start": rfc3339(issuance.start),
        "end": rfc3339(issuance.end),
        "resolution": issuance.temporal_resolution,
        "release": issuance.release,
        "kind": source.kind if source else "certificate_only",
        "device": issuance.device_id,
        "technology": issuance.technology,
        "commissioned_on": issuance.commissioned_on.isoformat(),
        "boundary": issuance.zone.market_boundary or issuance.zone.code,
        "evidence": source.evidence if source else "documents",
        "serial": lot.serial_text,
        "sample": bool(source and source.sample),
        "cancelled_at": rfc3339(entry.at) if entry else None,
        "purpose": entry.purpose if entry else "",
        "beneficiary": entry.beneficiary if entry else "",
        "statement": entry.statement_ref if entry else "",
    }


def _cancellations(subjects: Collection[str]) -> dict[tuple[str, int], list[SupplyEntry]]:
    """What was cancelled, by subject and lot."""
    found: dict[tuple[str, int], list[SupplyEntry]] = defaultdict(list)
    for entry in SupplyEntry.objects.cancelled_for(subjects):
        found[entry.subject, entry.lot_id].append(entry)
    return found


def _covering(ended: Sequence[SupplyEntry], line: MatchLine) -> SupplyEntry | None:
    """The cancellation that has all of a line; lines are cut where cancellations are."""
    lower, upper = line.wh_range.lower, line.wh_range.upper
    return next((entry for entry in ended if entry.wh_range.lower <= lower and upper <= entry.wh_range.upper), None)


def _by_hour(certificates: Sequence[Facts]) -> dict[tuple[Any, int], dict[str, int]]:
    """Wh by hour and place: on-site records, certificates by the hour, and what is certified more coarsely."""
    found: dict[tuple[Any, int], dict[str, int]] = defaultdict(lambda: {"onsite": 0, "certificate": 0, "volume": 0})
    for each in certificates:
        if each["resolution"] != Resolution.HOUR:
            name = "volume"
        else:
            name = "onsite" if each["scheme"] == Scheme.METER else "certificate"
        found[each["hour"], each["place"]][name] += each["to_wh"] - each["from_wh"]
    return found
