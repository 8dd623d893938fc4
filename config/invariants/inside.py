"""C6: work inside reservations, swept again from contracts, changes and runs."""
# ruff: noqa: S608  # the queries are put together from words of this package, nothing typed by anybody

from django.utils.translation import gettext_noop as _

from config.invariants.capacity import BLOCKS
from config.invariants.check import Check

PRESENT = "present AS (SELECT date_trunc('hour', transaction_timestamp(), 'UTC') AS this_hour)"
HOUR_TOLD = """r.public_id || ' ' || to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"Z"')"""


def _from_now_on(claims: str, column: str) -> str:
    """Hours from the running one on of which the days of a reservation say something else than `claims` sum up to."""
    return f"""
        WITH {PRESENT},
        expected AS (
            SELECT p.reservation_id, h AS hour, sum(p.units) AS units
            FROM ({claims}) p, present, generate_series(
                greatest(date_trunc('hour', p.start, 'UTC'), present.this_hour),
                p."end" - interval '1 microsecond', interval '1 hour'
            ) h
            GROUP BY 1, 2
        ),
        found AS (
            SELECT d.reservation_id, d.day::timestamp AT TIME ZONE 'UTC' + make_interval(hours => n - 1) AS hour,
                   d.{column}[n] AS units
            FROM booking_reservationday d, present, generate_series(1, 24) n
            WHERE d.day >= (present.this_hour AT TIME ZONE 'UTC')::date
        )
        SELECT {HOUR_TOLD}, coalesce(e.units, 0)::text, coalesce(f.units::text, 'no such day')
        FROM expected e FULL JOIN found f USING (reservation_id, hour)
        JOIN booking_reservation r ON r.id = reservation_id CROSS JOIN present
        WHERE hour >= present.this_hour AND coalesce(e.units, 0) <> coalesce(f.units, 0)
        ORDER BY r.public_id, hour
    """


HELD = _from_now_on(f"SELECT * FROM ({BLOCKS}) block WHERE state IN ('held', 'confirmed', 'active')", "units_total")
GIVEN = _from_now_on("SELECT * FROM scheduler_allocation WHERE live AND reservation_id IS NOT NULL", "units_promised")
# What really ran inside, at each instant; ends count before starts. Behind the last hour a program may be going yet.
RUNS = f"""
    WITH run AS (
        SELECT l.reservation_id, l.units, a.started_at AS since, coalesce(a.ended_at, transaction_timestamp()) AS until
        FROM scheduler_attempt a JOIN scheduler_allocation l ON l.id = a.allocation_id
        WHERE a.started_at IS NOT NULL AND l.reservation_id IS NOT NULL
    ),
    piece AS (
        SELECT r.reservation_id, r.units, h AS hour, greatest(r.since, h) AS since,
               least(r.until, h + interval '1 hour') AS until
        FROM run r, generate_series(
            date_trunc('hour', r.since, 'UTC'), r.until - interval '1 microsecond', interval '1 hour'
        ) h
    ),
    step AS (
        SELECT reservation_id, hour, since AS at, 1 AS turn, units FROM piece WHERE since < until
        UNION ALL
        SELECT reservation_id, hour, until, 0, -units FROM piece WHERE since < until
    ),
    level AS (
        SELECT reservation_id, hour,
               sum(units) OVER (PARTITION BY reservation_id, hour ORDER BY at, turn ROWS UNBOUNDED PRECEDING) AS units
        FROM step
    ),
    peak AS (SELECT reservation_id, hour, max(units) AS units FROM level GROUP BY 1, 2),
    bought AS (
        SELECT b.reservation_id, h AS hour, sum(b.units) AS units
        FROM ({BLOCKS}) b, generate_series(
            date_trunc('hour', b.start, 'UTC'), b."end" - interval '1 microsecond', interval '1 hour'
        ) h GROUP BY 1, 2
    )
    SELECT {HOUR_TOLD} || ' running', 'at most ' || b.units, p.units::text
    FROM peak p JOIN bought b USING (reservation_id, hour) JOIN booking_reservation r ON r.id = reservation_id
    WHERE p.units > b.units ORDER BY 1
"""
ELSEWHERE = """
    SELECT l.public_id, 'inside ' || coalesce(r.public_id, 'the reservation of its job'),
           l.units || ' units of offer ' || l.offer_id || ', ' || l.start || ' to ' || l."end"
    FROM scheduler_allocation l JOIN scheduler_job j ON j.id = l.job_id
    LEFT JOIN booking_reservation r ON r.id = l.reservation_id
    WHERE l.reservation_id IS DISTINCT FROM j.reservation_id
       OR (l.reservation_id IS NOT NULL AND (l.offer_id, l.contract_id) IS DISTINCT FROM (r.offer_id, r.contract_id))
       OR l.start < r.start OR l."end" > r."end"
    ORDER BY l.id
"""

C6 = Check(
    id="C6",
    promise=_("work inside a reservation stays within its units, its hours and its offer; it holds what was bought"),
    rows="""
        SELECT (SELECT count(*) FROM booking_reservationday)
             + (SELECT count(*) FROM scheduler_allocation WHERE reservation_id IS NOT NULL)
    """,
    queries=(HELD, GIVEN, RUNS, ELSEWHERE),
    corrupt=(
        "ALTER TABLE booking_reservationday DROP CONSTRAINT reservation_never_overfilled",
        "UPDATE booking_reservationday SET units_promised[24] = units_promised[24] + 1 WHERE id = "
        "(SELECT max(id) FROM booking_reservationday WHERE day >= (transaction_timestamp() AT TIME ZONE 'UTC')::date)",
    ),
)

CHECKS = (C6,)
