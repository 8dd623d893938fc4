"""Reservations that were made before their units were kept hour by hour get their days."""

from django.db import migrations

FILL = """
    INSERT INTO booking_reservationday (reservation_id, day, units_total, units_promised)
    SELECT r.id, day::date,
           array_agg(
               CASE WHEN hour >= date_trunc('hour', r.start, 'UTC') AND hour < r."end" THEN r.units ELSE 0 END
               ORDER BY hour
           ),
           array_fill(0, ARRAY[24])
    FROM booking_reservation r,
         generate_series(date_trunc('day', r.start AT TIME ZONE 'UTC'),
                         (r."end" - interval '1 microsecond') AT TIME ZONE 'UTC', interval '1 day') day,
         LATERAL (SELECT (day + make_interval(hours => n)) AT TIME ZONE 'UTC' AS hour FROM generate_series(0, 23) n) h
    WHERE r.state IN ('held', 'confirmed', 'active')
    GROUP BY r.id, day
    ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):

    dependencies = [("booking", "0007_units_inside_reservations")]

    operations = [migrations.RunSQL(FILL, reverse_sql=migrations.RunSQL.noop)]
