"""What was decided on a plant or lot, the latest first, and the receipts that have a new version by it."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from frontend.components.formats import grouped
from marketplace.energy.models import GreenReceipt
from marketplace.energy.receipts.words import evidence_name, status_name
from marketplace.events.models import Event

SHOWN = 10
RECEIPTS = 20
TYPES = (
    "energy_source.created", "energy_source.changed", "energy_source.verified", "energy_source.refused",
    "energy_source.revoked", "certificate_lot.active", "certificate_lot.refused", "certificate_lot.closed",
    "certificate_lot.corrected",
)  # fmt: skip


def decisions_on(public_id: str) -> list[dict[str, Any]]:
    """Of a source or lot, by its id: what happened, why, and which receipts are new by it."""
    events = Event.objects.filter(object_id=public_id, type__in=TYPES).order_by("-object_seq")[:SHOWN]
    return [_told(event) for event in events]


def _told(event: Event) -> dict[str, Any]:
    subjects = event.facts.get("subjects", [])
    rows = GreenReceipt.objects.filter(subject__in=subjects, issued_at=event.at, version__gt=1).order_by("subject")
    return {
        "at": event.at,
        "words": _words(event),
        "reason": event.facts.get("reason", ""),
        "receipts": [receipt_told(row) for row in rows[:RECEIPTS]],
        "more": max(0, len(subjects) - RECEIPTS),
    }


def receipt_told(row: GreenReceipt) -> dict[str, Any]:
    """A version of a receipt with the address of its page."""
    return {
        "id": row.public_id, "version": row.version, "status": status_name(row.status), "subject": row.subject,
        "href": f"{reverse('receipt', args=[row.public_id])}?version={row.version}",
    }  # fmt: skip


def _words(event: Event) -> str:
    what = event.type.partition(".")[2]
    if what == "verified":
        lots = event.facts.get("lots", 0)
        records = ngettext("%(count)s record became usable", "%(count)s records became usable", lots)
        words = _("Verified: %(evidence)s") % {"evidence": evidence_name(event.facts.get("evidence", ""))}
        return f"{words} · {records % {'count': grouped(lots)}}" if lots else words
    return {
        "created": _("Registered"),
        "changed": _("Changed by its owner"),
        "refused": _("Refused"),
        "revoked": _("Revoked"),
        "active": _("Accepted"),
        "closed": _("Withdrawn") if event.reason == "withdrawn" else _("Closed"),
        "corrected": _("Withdrawn, corrected by its issuer"),
    }[what]
