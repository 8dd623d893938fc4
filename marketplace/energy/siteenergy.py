"""What each use is given of the energy that a site's meter saw, written beside it once for all (Use of energy)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Sum

from marketplace.common.units import largest_remainder
from marketplace.energy.metering import lock_points
from marketplace.energy.models import PointHour, UseHour
from marketplace.energy.use import shared_site_wh, site_wh

WRITE_USES = """
    UPDATE energy_usehour AS use SET it_wh = given.it_wh, site_wh = given.site_wh, settled_at = %s
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS given(id, it_wh, site_wh) WHERE use.id = given.id
"""
WRITE_POINTS = """
    UPDATE energy_pointhour AS hour SET attributed_wh = hour.attributed_wh + given.wh
    FROM unnest(%s::bigint[], %s::bigint[]) AS given(id, wh) WHERE hour.id = given.id
"""


class Cell(NamedTuple):
    """A point (by key) in the hour from `start`."""

    point: int
    start: datetime


def shares_of_meter(it_wh: int, total_wh: int, claims: Sequence[int]) -> list[tuple[int, int]]:
    """(Wh of the machines, Wh of the site) for each claim on a meter that saw `it_wh` of `total_wh`.

    The total is split over the claims and the machines that nobody rented, whose part is nobody's here. Where the
    claims exceed what the meter saw they are cut to it in proportion: a meter is believed before a model.
    """
    claimed = sum(claims)
    own = largest_remainder(it_wh, claims) if claimed > it_wh else list(claims)
    if not any(own):
        return [(0, 0)] * len(own)
    of_the_site = shared_site_wh(total_wh, [*own, it_wh - sum(own)])
    return list(zip(own, of_the_site[: len(own)], strict=True))


def share_site_energy(cells: Mapping[Cell, Sequence[UseHour]], now: datetime) -> None:
    """Give every use its part of the site's meter, or its own energy with the overhead of the design, and mark it
    settled. The uses are locked; what was given out earlier of an hour stays given."""
    points = {point.pk: point for point in lock_points({cell.point for cell in cells})}
    hours = PointHour.objects.filter(point__in=points, start__in={cell.start for cell in cells})
    readings = {Cell(hour.point_id, hour.start): hour for hour in hours.select_for_update(of=("self",)).order_by("pk")}
    given: list[tuple[int, int]] = []
    for cell, members in cells.items():
        reading = readings.get(cell)
        if reading is None:
            for use in members:
                use.site_wh = site_wh(use.it_wh, points[cell.point].pue_design_ppm)
            continue
        it_left, total_left = _left(reading)
        for use, (own, whole) in zip(
            members, shares_of_meter(it_left, total_left, [use.it_wh for use in members]), strict=True
        ):
            use.it_wh, use.site_wh = own, whole
        given.append((reading.pk, sum(use.site_wh for use in members)))
    _write([use for members in cells.values() for use in members], given, now)


def _left(reading: PointHour) -> tuple[int, int]:
    """What of a reading has no user yet: of the machines, and of everything."""
    if not reading.attributed_wh:
        return reading.it_wh, reading.total_wh
    settled = UseHour.objects.filter(point=reading.point_id, start=reading.start, settled_at__isnull=False)
    used = settled.aggregate(it=Sum("it_wh"))["it"] or 0
    return reading.it_wh - used, reading.total_wh - reading.attributed_wh


def _write(uses: Sequence[UseHour], given: Sequence[tuple[int, int]], now: datetime) -> None:
    with connection.cursor() as cursor:
        columns = [[use.pk for use in uses], [use.it_wh for use in uses], [use.site_wh for use in uses]]
        cursor.execute(WRITE_USES, [now, *columns])
        cursor.execute(WRITE_POINTS, [[key for key, _ in given], [wh for _, wh in given]])
