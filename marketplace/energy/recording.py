"""What a source says into the record: hours that are new, and changed ones as a new vintage; nothing is overwritten."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from marketplace.common.clock import HOUR
from marketplace.energy.copying import HourRow, copy_hours, wait_for_turn
from marketplace.energy.models import GridHour, GridZone, MarginalHour
from marketplace.energy.signals.base import HourOfSignals, Signal, SignalPoint, whole_hours


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many hours were written, and the end of the last whole hour that was told (None: none was)."""

    written: int
    known_until: datetime | None


@transaction.atomic
def record_points(
    *, zone: GridZone, source: str, vintage: str, points: Collection[SignalPoint], start: datetime, end: datetime
) -> Recorded:
    """Write what `points` say of the hours in [start, end) that `source` did not say before.

    An hour that is known as it is told is not written again; one that is told differently becomes a new vintage.
    Marginal intensities go into a record of their own. Raises ValueError for points that are no whole hours.
    """
    wait_for_turn()
    within = [point for point in points if start <= point.start < end]
    marginal = [point for point in within if point.kind == Signal.MARGINAL]
    hours = list(whole_hours(point for point in within if point.kind != Signal.MARGINAL))
    before = GridHour.objects.told_by(source, zone, start, end)
    written = copy_hours(_new_hours(zone, source, vintage, hours, before))
    written += _record_marginal(zone, source, vintage, marginal, start, end)
    last = max([hour.start for hour in hours] + [point.start for point in marginal], default=None)
    return Recorded(written, last + HOUR if last else None)


def _new_hours(
    zone: GridZone, source: str, vintage: str, hours: list[HourOfSignals], before: dict[datetime, GridHour]
) -> Iterator[HourRow]:
    """A revision is never published before what it revises, so that it has the last word."""
    for hour in hours:
        known = before.get(hour.start)
        if known is None or _facts(hour) != _known_facts(known):
            yield HourRow(
                zone.pk, hour.start, hour.direct_mg, hour.lifecycle_mg, hour.residual_mg, hour.renewable_ppm,
                hour.carbon_free_ppm, source, vintage, hour.estimated,
                max(hour.issued_at, known.published_at) if known else hour.issued_at,
            )  # fmt: skip


def _facts(hour: HourOfSignals) -> tuple[int | None, ...]:
    return (
        hour.direct_mg, hour.lifecycle_mg, hour.residual_mg, hour.renewable_ppm, hour.carbon_free_ppm, hour.estimated
    )  # fmt: skip


def _known_facts(row: GridHour) -> tuple[int | None, ...]:
    return (
        row.direct_mg_per_kwh, row.lifecycle_mg_per_kwh, row.residual_mg_per_kwh, row.renewable_ppm,
        row.carbon_free_ppm, row.estimated,
    )  # fmt: skip


def _record_marginal(
    zone: GridZone, source: str, vintage: str, points: list[SignalPoint], start: datetime, end: datetime
) -> int:
    before = MarginalHour.objects.filter(source=source).latest_within(zone, start, end)
    fresh = [
        MarginalHour(
            zone=zone, start=point.start, marginal_mg_per_kwh=point.value, source=source, vintage=vintage,
            published_at=point.issued_at,
        )
        for point in points
        if point.start not in before or before[point.start].marginal_mg_per_kwh != point.value
    ]  # fmt: skip
    return len(MarginalHour.objects.bulk_create(fresh))
