"""Many rows into the database by COPY: a year of a zone in a fraction of a second, all or nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from django.db import connection, transaction

GRID_LOCK = 7_300_412  # one writer of grid data at a time, so that keys are handed out in the order of commits


class HourRow(NamedTuple):
    """A GridHour about to be written, in the order of COPY; `zone` is the zone's key."""

    zone: int
    start: datetime
    direct_mg: int
    lifecycle_mg: int
    residual_mg: int | None
    renewable_ppm: int
    carbon_free_ppm: int
    source: str
    vintage: str
    estimated: bool
    published_at: datetime


COPY_HOURS = """
COPY energy_gridhour (zone_id, start, direct_mg_per_kwh, lifecycle_mg_per_kwh, residual_mg_per_kwh, renewable_ppm,
                      carbon_free_ppm, source, vintage, estimated, published_at) FROM STDIN
"""


def wait_for_turn() -> None:
    """Hold the writers' lock until the transaction ends."""
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("the writers' lock ends with a transaction: there is none")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [GRID_LOCK])


def copy_hours(rows: Iterable[HourRow]) -> int:
    """Write `rows` and count them; an error raised by `rows` or by a constraint leaves none."""
    return copy_rows(COPY_HOURS, rows)


def copy_rows(statement: str, rows: Iterable[Sequence[Any]]) -> int:
    """Write `rows` by the COPY of `statement` and count them; an error leaves none.

    `rows` must not ask the database anything while they come: its connection is busy with them.
    """
    count = 0
    with connection.cursor() as cursor, connection.wrap_database_errors, cast(Any, cursor).copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count
