"""What taking evidence back reaches beyond the lots: receipts, promises and credits with figures, organizations."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import Organization
from frontend.components.formats import energy, money
from frontend.desk.decisions import receipt_told
from marketplace.booking.greenpromises import credit_owed, credits_of
from marketplace.common.units import PPM
from marketplace.energy.models import GreenPromise, GreenReceipt
from marketplace.energy.querysets import CertificateLotQuerySet
from marketplace.energy.receipts.figures import sums_within
from marketplace.energy.receipts.words import share
from marketplace.energy.retiring import Touched, matched_on, touched_by

SHOWN = 50
Hours = Mapping[datetime, int]  # Wh by the hour


@dataclass(frozen=True)
class Reach:
    """All that a decision touches. Receipts and promises show what they say now and what they would say after it."""

    touched: Touched
    receipts: list[dict[str, Any]]
    without: int  # uses that have no receipt yet
    promises: list[dict[str, Any]]
    credits: list[dict[str, Any]]
    organizations: list[dict[str, Any]]


def reach_of(lots: CertificateLotQuerySet, *, correction: bool) -> Reach:
    """What withdrawing `lots` would reach, with a `correction` of what was cancelled too."""
    states = ("reserved", "cancelled") if correction else ("reserved",)
    gone = matched_on(lots=lots, states=states)
    receipts = list(GreenReceipt.objects.newest().filter(subject__in=list(gone)).select_related("buyer"))
    by_subject = {receipt.subject: receipt for receipt in receipts}
    promises = list(GreenPromise.objects.filter(subject__in=list(gone)).order_by("pk"))
    return Reach(
        touched=touched_by(lots=lots),
        receipts=[_receipt(row, sum(gone[row.subject].values())) for row in receipts],
        without=len(set(gone) - set(by_subject)),
        promises=[_promise(row, by_subject.get(row.subject), gone[row.subject]) for row in promises],
        credits=_credits([row.public_id for row in promises]),
        organizations=_organizations(lots, receipts),
    )


def _receipt(row: GreenReceipt, gone: int) -> dict[str, Any]:
    """A receipt with its share matched by the hour now, and after so many Wh have gone."""
    totals = row.payload["totals"]
    used, matched = totals["site_wh"], totals["onsite_wh"] + totals["certificate_wh"]
    return receipt_told(row) | {
        "buyer": row.buyer.name, "gone": energy(gone), "now": share(row.payload["shares"]["matched_ppm"]),
        "after": share(max(0, matched - gone) * PPM // used if used else 0),
    }  # fmt: skip


def _promise(row: GreenPromise, receipt: GreenReceipt | None, gone: Hours) -> dict[str, Any]:
    """A promise, whether it would still be kept, and what would be owed beyond the credits that it has given."""
    told: dict[str, Any] = {"id": row.public_id, "subject": row.subject, "percent": f"{row.promised_percent}%"}
    if receipt is None or receipt.status != "final":
        return told | {"open": True}
    matched, used = sums_within(receipt.payload["hours"], row.start, row.end)
    after = max(0, matched - sum(wh for start, wh in gone.items() if row.start <= start < row.end))
    missed = after * 100 < row.promised_percent * used
    owed = credit_owed(promise=row, matched_wh=after, used_wh=used) if missed else None
    return told | {
        "missed": missed, "after": share(after * PPM // used if used else 0),
        "owed": money(*owed) if owed is not None and owed[0] else "",
    }  # fmt: skip


def _credits(promises: Sequence[str]) -> list[dict[str, Any]]:
    """What was given already for these promises."""
    return [
        {"id": row.public_id, "pk": row.pk, "buyer": row.buyer.name, "amount": money(row.amount_minor, row.asset)}
        for row in credits_of(promises).select_related("buyer").order_by("pk")[:SHOWN]
    ]


def _organizations(lots: CertificateLotQuerySet, receipts: Collection[GreenReceipt]) -> list[dict[str, Any]]:
    """Holders, providers and buyers, each once, with what they are here."""
    parts = {
        "holder": set(lots.order_by().values_list("holder__public_id", flat=True)),
        "provider": {each for row in receipts for each in row.providers},
        "buyer": {row.buyer.public_id for row in receipts},
    }
    rows = Organization.objects.filter(public_id__in=set().union(*parts.values())).order_by("name", "pk")
    return [
        {"name": row.name, "pk": row.pk, "parts": [part for part, ids in parts.items() if row.public_id in ids]}
        for row in rows
    ]
