"""What was used where and by whom, as it becomes known: uses add up hour by hour until the hour is settled."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction

from marketplace.energy.models import MeterPoint, PointHour, ReceiptStep, UseMethod
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


def record_readings(*, point: MeterPoint, readings: Sequence[Reading], pue_method: str = "hourly") -> int:
    """Write the hours of a point. An hour that is there already raises IntegrityError, and nothing is written."""
    rows = PointHour.objects.bulk_create(
        PointHour(
            point=point, start=each.start, it_wh=each.it_wh, total_wh=each.total_wh, method="metered",
            pue_method=pue_method,
        )
        for each in readings
    )  # fmt: skip
    return len(rows)
