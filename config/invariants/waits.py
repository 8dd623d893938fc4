"""C9: what serves the waiting list, against what was waited for."""

from django.utils.translation import gettext_noop as _

from config.invariants.check import Check

C9 = Check(
    id="C9",
    promise=_("who waited was served once, with the units, the hours and the start that were waited for"),
    rows="SELECT count(*) FROM booking_wait",
    queries=(
        """
        SELECT w.public_id, w.units || ' units for ' || w.hours || ' h, for their buyer, in the window',
               coalesce(c.units || ' units for ' || round(extract(epoch FROM c."end" - c.start) / 3600, 2) || ' h',
                        'nothing')
        FROM booking_wait w
        LEFT JOIN booking_reservation r ON r.id = w.reservation_id LEFT JOIN booking_contract c ON c.id = r.contract_id
        WHERE (w.state = 'served') <> (r.id IS NOT NULL)
           OR r.buyer_id <> w.buyer_id OR c.units <> w.units OR c."end" - c.start <> make_interval(hours => w.hours)
           OR c.start < w.start_after OR c.start > w.start_by
        ORDER BY w.id
        """,
        """
        SELECT r.public_id, 'serves one wait', count(*)::text
        FROM booking_wait w JOIN booking_reservation r ON r.id = w.reservation_id
        GROUP BY r.id HAVING count(*) > 1 ORDER BY r.id
        """,
    ),
    corrupt=("UPDATE booking_wait SET units = units + 1 WHERE state = 'served'",),
)

CHECKS = (C9,)
