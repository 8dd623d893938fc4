"""C8: what standing orders reserved, against what they asked for and what was really bought."""
# ruff: noqa: S608  # the queries are put together from words of this package, nothing typed by anybody

from django.utils.translation import gettext_noop as _

from config.invariants.capacity import BLOCKS
from config.invariants.check import Check

HOUR = """o.public_id || ' ' || to_char(s.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24"Z"')"""
TOO_MANY = f"""
    SELECT min({HOUR}), 'at most ' || o.units, sum(s.units)::text
    FROM booking_standinghour s JOIN booking_standingorder o ON o.id = s.order_id
    GROUP BY o.id, date_trunc('hour', s.hour, 'UTC') HAVING sum(s.units) > o.units ORDER BY 1
"""
NOT_BOUGHT = f"""
    SELECT {HOUR}, s.units || ' units of ' || r.public_id || ', bought by their buyer', coalesce(bought.units, 0)::text
    FROM booking_standinghour s
    JOIN booking_standingorder o ON o.id = s.order_id JOIN booking_reservation r ON r.id = s.reservation_id
    LEFT JOIN LATERAL (
        SELECT sum(block.units) AS units FROM ({BLOCKS}) block
        WHERE block.reservation_id = r.id AND block.units > 0
          AND block.start < s.hour + interval '1 hour' AND block."end" > s.hour
    ) bought ON true
    WHERE coalesce(bought.units, 0) < s.units OR r.buyer_id <> o.buyer_id ORDER BY 1
"""

C8 = Check(
    id="C8",
    promise=_("a standing order has at most its units in any hour, and each hour it counts was bought by its buyer"),
    rows="SELECT count(*) FROM booking_standinghour",
    queries=(TOO_MANY, NOT_BOUGHT),
    corrupt=(
        "UPDATE booking_standinghour SET units = units + 1 WHERE id = (SELECT max(id) FROM booking_standinghour)",
    ),
)

CHECKS = (C8,)
