"""C1, C2, C5, C7: what is promised, what exists, and what runs."""
# ruff: noqa: S608  # the queries are put together from words of this module, nothing typed by anybody

from django.utils.translation import gettext_noop as _

from config.invariants.check import Check

C1 = Check(
    id="C1",
    promise=_("0 <= promised <= total, each offer and hour"),
    rows="SELECT count(*) FROM booking_capacityday",
    queries=(
        """
        SELECT o.public_id || ' ' || c.day || ' ' || lpad((h - 1)::text, 2, '0') || 'h',
               '0 to ' || coalesce(c.units_total[h]::text, 'a number'), coalesce(c.units_promised[h]::text, 'nothing')
        FROM booking_capacityday c JOIN catalog_offer o ON o.id = c.offer_id, generate_series(1, 24) h
        WHERE coalesce(c.units_promised[h] < 0 OR c.units_promised[h] > c.units_total[h], true)
        ORDER BY c.id, h
        """,
        """
        SELECT o.public_id || ' ' || c.day, '24 hours',
               cardinality(c.units_promised) || ' promised, ' || cardinality(c.units_total) || ' existing'
        FROM booking_capacityday c JOIN catalog_offer o ON o.id = c.offer_id
        WHERE cardinality(c.units_promised) <> 24 OR cardinality(c.units_total) <> 24
        """,
    ),
    corrupt=(
        "ALTER TABLE booking_capacityday DROP CONSTRAINT capacity_never_oversold",
        "UPDATE booking_capacityday SET units_promised[1] = units_total[1] + 1 "
        "WHERE id = (SELECT min(id) FROM booking_capacityday)",
    ),
)

# What each reservation holds: its first contract and the changes since.
BLOCKS = """
    SELECT r.id AS reservation_id, r.offer_id, r.state, c.units, c.start, c."end"
    FROM booking_reservation r JOIN booking_contract c ON c.id = r.contract_id
    UNION ALL
    SELECT r.id, r.offer_id, r.state, change.units, change.start, change."end"
    FROM booking_reservationchange change JOIN booking_reservation r ON r.id = change.reservation_id
"""
# From the running hour on: an hour that had passed when its promise ended stays promised. Work inside a reservation has
# no promise of its own (C6).
PROMISES = f"""
    WITH present AS (SELECT date_trunc('hour', transaction_timestamp(), 'UTC') AS this_hour),
    promise AS (
        SELECT offer_id, units, start, "end" FROM ({BLOCKS}) block WHERE state IN ('held', 'confirmed', 'active')
        UNION ALL
        SELECT offer_id, units, start, "end" FROM scheduler_allocation WHERE live AND reservation_id IS NULL
        UNION ALL
        SELECT c.offer_id, c.units, c.start, c."end"
        FROM scheduler_piece p JOIN booking_contract c ON c.id = p.contract_id
        WHERE p.begun_at IS NULL AND p.released_at IS NULL
    ),
    expected AS (
        SELECT p.offer_id, h AS hour, sum(p.units) AS units
        FROM promise p, present, generate_series(
            greatest(date_trunc('hour', p.start, 'UTC'), present.this_hour),
            p."end" - interval '1 microsecond', interval '1 hour'
        ) h
        GROUP BY 1, 2
    ),
    found AS (
        SELECT c.offer_id, c.day::timestamp AT TIME ZONE 'UTC' + make_interval(hours => n - 1) AS hour,
               c.units_promised[n] AS units
        FROM booking_capacityday c, present, generate_series(1, 24) n
        WHERE c.day >= (present.this_hour AT TIME ZONE 'UTC')::date
    )
    SELECT o.public_id || ' ' || to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"Z"'),
           coalesce(e.units, 0)::text, coalesce(f.units::text, 'no such day')
    FROM expected e FULL JOIN found f USING (offer_id, hour)
    JOIN catalog_offer o ON o.id = offer_id CROSS JOIN present
    WHERE hour >= present.this_hour AND (coalesce(e.units, 0) <> coalesce(f.units, 0))
    ORDER BY o.public_id, hour
"""

# Real runs, cut at the hours; at one instant ends count before starts. Offers on the same machines count together.
RUNS = """
    WITH run AS (
        SELECT coalesce(o.twin_id, o.id) AS offer_id, l.units, a.started_at AS since,
               coalesce(a.ended_at, transaction_timestamp()) AS until
        FROM scheduler_attempt a JOIN scheduler_allocation l ON l.id = a.allocation_id
        JOIN catalog_offer o ON o.id = l.offer_id
        WHERE a.started_at IS NOT NULL
    ),
    piece AS (
        SELECT r.offer_id, r.units, h AS hour, greatest(r.since, h) AS since,
               least(r.until, h + interval '1 hour') AS until
        FROM run r, generate_series(
            date_trunc('hour', r.since, 'UTC'), r.until - interval '1 microsecond', interval '1 hour'
        ) h
    ),
    step AS (
        SELECT offer_id, hour, since AS at, 1 AS turn, units FROM piece WHERE since < until
        UNION ALL
        SELECT offer_id, hour, until, 0, -units FROM piece WHERE since < until
    ),
    level AS (
        SELECT offer_id, hour, at,
               sum(units) OVER (PARTITION BY offer_id, hour ORDER BY at, turn ROWS UNBOUNDED PRECEDING) AS units
        FROM step
    ),
    peak AS (SELECT offer_id, hour, max(units) AS units FROM level GROUP BY 1, 2)
    SELECT o.public_id || ' running in ' || to_char(p.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"Z"'),
           'at most ' || coalesce(c.units_total[extract(hour FROM p.hour AT TIME ZONE 'UTC')::int + 1], 0),
           p.units::text
    FROM peak p JOIN catalog_offer o ON o.id = p.offer_id
    LEFT JOIN booking_capacityday c ON c.offer_id = p.offer_id AND c.day = (p.hour AT TIME ZONE 'UTC')::date
    WHERE p.units > coalesce(c.units_total[extract(hour FROM p.hour AT TIME ZONE 'UTC')::int + 1], 0)
    ORDER BY 1
"""

C2 = Check(
    id="C2",
    promise=_(
        "promised[h] is the sum of live promises on h from the running hour on; real runs never exceed what exists"
    ),
    rows="""
        SELECT (SELECT count(*) FROM booking_capacityday) + (SELECT count(*) FROM booking_reservation)
             + (SELECT count(*) FROM scheduler_allocation)
    """,
    queries=(PROMISES, RUNS),
    corrupt=(
        "ALTER TABLE booking_capacityday DROP CONSTRAINT capacity_never_oversold",
        "UPDATE booking_capacityday SET units_promised[24] = units_promised[24] + 1 WHERE id = "
        "(SELECT max(id) FROM booking_capacityday WHERE day >= (transaction_timestamp() AT TIME ZONE 'UTC')::date)",
    ),
)

C5 = Check(
    id="C5",
    promise=_("a held reservation expires, and is swept within two sweeps of it"),
    rows="SELECT count(*) FROM booking_reservation WHERE state = 'held'",
    queries=(
        """
        SELECT public_id, 'expires_at', 'held for ever' FROM booking_reservation
        WHERE state = 'held' AND expires_at IS NULL ORDER BY id
        """,
        """
        SELECT public_id, 'expired', 'held, lapsed at ' || expires_at FROM booking_reservation
        WHERE state = 'held' AND expires_at < transaction_timestamp() - %(patience)s::interval ORDER BY id
        """,
    ),
    corrupt=(
        "ALTER TABLE booking_reservation DROP CONSTRAINT reservation_held_expires",
        "UPDATE booking_reservation SET state = 'held', expires_at = NULL "
        "WHERE id = (SELECT min(id) FROM booking_reservation)",
    ),
)

C7 = Check(
    id="C7",
    promise=_("an interruptible offer has what its firm twin has not promised, each hour"),
    rows="""
        SELECT count(*) FROM booking_capacityday c JOIN catalog_offer o ON o.id = c.offer_id
        WHERE o.twin_id IS NOT NULL
    """,
    queries=(
        """
        SELECT o.public_id || ' ' || rest.day || ' ' || lpad((h - 1)::text, 2, '0') || 'h',
               coalesce(sold.units_total[h] - sold.units_promised[h], 0)::text, rest.units_total[h]::text
        FROM booking_capacityday rest JOIN catalog_offer o ON o.id = rest.offer_id
        LEFT JOIN booking_capacityday sold ON sold.offer_id = o.twin_id AND sold.day = rest.day,
             generate_series(1, 24) h
        WHERE o.twin_id IS NOT NULL
          AND rest.units_total[h] <> coalesce(sold.units_total[h] - sold.units_promised[h], 0)
        ORDER BY rest.id, h
        """,
        """
        SELECT loose.public_id, 'a firm twin of the same site and hardware', coalesce(firm.public_id, 'nothing')
        FROM catalog_offer loose LEFT JOIN catalog_offer firm ON firm.id = loose.twin_id
             AND firm.tier = 'firm' AND firm.site_id = loose.site_id AND firm.hardware_id = loose.hardware_id
        WHERE loose.twin_id IS NOT NULL AND (firm.id IS NULL OR loose.tier <> 'interruptible') ORDER BY loose.id
        """,
    ),
    corrupt=(
        "UPDATE booking_capacityday SET units_total[1] = units_total[1] + 1 WHERE id = (SELECT min(c.id) "
        "FROM booking_capacityday c JOIN catalog_offer o ON o.id = c.offer_id AND o.twin_id IS NOT NULL)",
    ),
)

CHECKS = (C1, C2, C5, C7)
