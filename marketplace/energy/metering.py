"""What was used where and by whom, as it becomes known: uses add up hour by hour until the hour is settled."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Sum

from marketplace.common.clock import HOUR
from marketplace.common.errors import IllegalState
from marketplace.energy.models import MeterPoint, PointHour, ReceiptStep, UseHour, UseMethod
from marketplace.energy.use import site_wh

METHODS = tuple(UseMethod.values)  # from best to worst
ADD = """
    INSERT INTO energy_usehour AS use
        (subject, point_id, start, it_wh, site_wh, matched_wh, volume_wh, unit_seconds, method)
    SELECT %(subject)s, %(point)s, start, it_wh, site_wh, 0, 0, unit_seconds, %(method)s
    FROM unnest(%(starts)s::timestamptz[], %(it)s::bigint[], %(site)s::bigint[], %(seconds)s::bigint[])
         AS part(start, it_wh, site_wh, unit_seconds)
    ORDER BY start
    ON CONFLICT (subject, point_id, start) DO UPDATE
    SET it_wh = use.it_wh + excluded.it_wh, unit_seconds = use.unit_seconds + excluded.unit_seconds,
        site_wh = ((use.it_wh + excluded.it_wh) * %(pue)s + 999999) / 1000000,
        method = (%(methods)s::text[])[greatest(array_position(%(methods)s::text[], use.method::text),
                                                array_position(%(methods)s::text[], excluded.method::text))]
    WHERE use.settled_at IS NULL
"""


class UsePart(NamedTuple):
    """What was used within one UTC hour: Wh of the machines, and unit-seconds."""

    start: datetime
    it_wh: int
    unit_seconds: int


@transaction.atomic
def record_use(*, subject: str, point: MeterPoint, parts: Sequence[UsePart], method: str) -> int:
    """Add what `subject` used at `point`; how many hours took it. An hour keeps the least exact of its methods.

    An hour that is settled takes nothing more.
    """
    pue = point.pue_design_ppm
    with connection.cursor() as cursor:
        cursor.execute(
            ADD,
            {
                "subject": subject, "point": point.pk, "method": method, "pue": pue, "methods": list(METHODS),
                "starts": [part.start for part in parts], "it": [part.it_wh for part in parts],
                "site": [site_wh(part.it_wh, pue) for part in parts],
                "seconds": [part.unit_seconds for part in parts],
            },
        )  # fmt: skip
        added = int(cursor.rowcount)
    ReceiptStep.objects.bulk_create([ReceiptStep(subject=subject)], ignore_conflicts=True)
    return added


class Reading(NamedTuple):
    """What a point's meters said of the hour from `start`, in Wh: of the machines, and of everything."""

    start: datetime
    it_wh: int
    total_wh: int


class Settled(NamedTuple):
    """What the uses of an hour at a point were settled as, all together."""

    it_wh: int
    site_wh: int

    def fits(self, reading: Reading) -> bool:
        """Whether a meter that speaks later does not contradict it."""
        return self.it_wh <= reading.it_wh and self.site_wh <= reading.total_wh


def lock_points(points: Iterable[int]) -> list[MeterPoint]:
    """The points with these keys, locked in their order: what is read and what is settled there wait for each other."""
    rows = MeterPoint.objects.filter(pk__in=set(points)).order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True))


def settled_uses(*, point: MeterPoint, start: datetime, end: datetime) -> dict[datetime, Settled]:
    """What was settled at `point`, by the hours that start in [start, end)."""
    rows = UseHour.objects.filter(point=point, start__gte=start, start__lt=end, settled_at__isnull=False).order_by()
    sums = rows.values_list("start").annotate(it=Sum("it_wh"), site=Sum("site_wh"))
    return {hour: Settled(it, site) for hour, it, site in sums}


@transaction.atomic
def record_readings(*, point: MeterPoint, readings: Sequence[Reading], pue_method: str = "hourly") -> int:
    """Write the hours of a point. An hour that is there already raises IntegrityError, and nothing is written.

    Of an hour that was settled before its meter spoke, what was settled is given out of it. Raises IllegalState where
    the meter says less than that.
    """
    if not readings:
        return 0
    lock_points([point.pk])
    starts = [each.start for each in readings]
    used = settled_uses(point=point, start=min(starts), end=max(starts) + HOUR)
    late = [each.start for each in readings if each.start in used and not used[each.start].fits(each)]
    if late:
        raise IllegalState(f"{point.code} was settled as more at {late[0]:%Y-%m-%dT%HZ}", hours=len(late))
    rows = PointHour.objects.bulk_create(
        [
            PointHour(
                point=point, start=each.start, it_wh=each.it_wh, total_wh=each.total_wh, method="metered",
                attributed_wh=used[each.start].site_wh if each.start in used else 0, pue_method=pue_method,
            )
            for each in readings
        ],
        batch_size=5_000,
    )  # fmt: skip
    return len(rows)
