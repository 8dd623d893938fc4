"""Certificates that come to their end: their holders are told before, and what is left is expired then.

Safe to run as often as one likes, and in two processes at once.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q

from marketplace.energy.models import CertificateLot
from marketplace.energy.retiring import move_lots, refuse_lots, take_out
from marketplace.events.services import record

WARNED_BEFORE = timedelta(days=30)
MOST = 1_000  # lots in one transaction
USABLE = ("available", "reserved")


@transaction.atomic
def warn_of_expiry(*, now: datetime, before: timedelta = WARNED_BEFORE, most: int = MOST) -> int:
    """Tell once of each lot with usable energy that it expires within `before`; how many were told of."""
    usable = Q(available_wh__gt=0) | Q(reserved_wh__gt=0)
    due = CertificateLot.objects.filter(usable, state="active", warned_at=None, issuance__expires_at__gt=now)
    rows = due.expiring(now + before).select_related("holder", "issuance").order_by("pk")
    locked = list(rows.select_for_update(of=("self",), skip_locked=True)[:most])
    CertificateLot.objects.filter(pk__in=[row.pk for row in locked]).update(warned_at=now, version=F("version") + 1)
    for row in locked:
        facts = {"available_wh": row.available_wh, "reserved_wh": row.reserved_wh}
        record(
            "certificate_lot.expiring", object_id=row.public_id, seq=row.version + 1, now=now, state=row.state,
            provider=row.holder, facts=facts,
        )  # fmt: skip
    return len(locked)


@transaction.atomic
def expire_lots(*, now: datetime, most: int = MOST) -> int:
    """Expire what is usable of lots whose time is over and close them; refuse those that still wait. How many lots."""
    due = (
        CertificateLot.objects.filter(state__in=["pending", "active"]).expiring(now).select_related("issuance__source")
    )
    rows = list(due.order_by("pk").select_for_update(of=("self",), skip_locked=True)[:most])
    active = [row for row in rows if row.state == "active"]
    take_out(lots=[row.pk for row in active], states=USABLE, to="expired", now=now, reason="expired")
    move_lots(active, "closed", now=now, reason="expired")
    refuse_lots([row for row in rows if row.state == "pending"], now=now, reason="expired")
    return len(rows)
