"""Certified energy on the desk: one lot with every move of it, and a file of lots that waits for a reviewer."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.models import Organization
from frontend.components.energywords import lot_state_name, supply_name
from frontend.components.formats import energy, grouped
from frontend.desk.access import for_desk, frame, operator_of
from frontend.desk.decisions import decisions_on, receipt_told
from frontend.desk.evidence import NO_FILE
from frontend.desk.evidenceforms import ReasonForm, decided, why_not
from frontend.desk.evidencewords import title_of, told, tone_class, tone_name, verdict
from marketplace.common.clock import utc_now
from marketplace.energy.lotchecks import BAD, GOOD, NOTE, checks_of, counted, worst
from marketplace.energy.models import CertificateLot, GreenReceipt, ImportFile, Scheme
from marketplace.energy.models.supply import RangeLength
from marketplace.energy.querysets import CertificateLotQuerySet
from marketplace.energy.receipts.words import scheme_name, technology_name
from marketplace.energy.reviewing import (
    MOST,
    accept_lot,
    accept_together,
    refuse_lot,
    refuse_together,
)
from marketplace.energy.states import SUPPLY

ENTRIES, RECEIPTS, LOTS = 100, 20, 50
ORDER = {BAD: 0, NOTE: 1, GOOD: 2}
WITH = ("issuance__zone", "issuance__source", "point__zone", "holder", "reviewed_by")


@require_http_methods(["GET", "HEAD", "POST"])
@for_desk
def lot_page(request: HttpRequest, lot: str) -> HttpResponse:
    """All that is known of one lot, its ledger and the receipts that used it; a pending one is decided on."""
    row, now = lot_or_404(lot), utc_now()
    form = ReasonForm(request.POST if request.POST.get("do") == "refuse" else None)
    act = _act_on(request, form, row, now)
    if act is not None:
        decided(request, row.holder, act)
        return HttpResponseRedirect(reverse("desk-lot", args=[row.public_id]))
    checks = checks_of([row], now=now)[row.pk]
    context = {
        **frame(request, _("Lot %(id)s") % {"id": row.public_id}),
        **_as_issued(row),
        "lot": row,
        "counts": [{"name": supply_name(each), "wh": getattr(row, f"{each}_wh")} for each in SUPPLY],
        "checks": told(checks),
        "verdict": verdict(checks),
        "file": _file_of(row),
        "siblings": _siblings(row),
        "entries": [_entry(each) for each in row.entries.order_by("-pk")[:ENTRIES]],
        "receipts": receipts_of(row),
        "decisions": decisions_on(row.public_id),
        "why_not": why_not(request, row.holder),
        "refuse": form if row.state == "pending" else None,
        "withdrawable": CertificateLot.objects.filter(pk=row.pk).withdrawable(correction=True).exists(),
    }
    return render(request, "admin/energy/lot.html", context, status=422 if form.errors else 200)


def _act_on(request: HttpRequest, form: ReasonForm, lot: CertificateLot, now: datetime) -> Callable[[], str] | None:
    """What the person decided for the lot; None where nothing, or something incomplete, was sent."""

    def accept() -> str:
        accept_lot(lot=lot, by=operator_of(request), now=now)
        return _("Accepted; its energy may be used.")

    def refuse() -> str:
        refuse_lot(lot=lot, by=operator_of(request), reason=form.cleaned_data["reason"], now=now)
        return _("Refused; its holder reads why.")

    if request.POST.get("do") == "accept":
        return accept
    return refuse if form.is_valid() else None


def _as_issued(lot: CertificateLot) -> dict[str, Any]:
    issued = lot.issuance
    return {
        "what": scheme_name(issued.scheme, issued.temporal_resolution),
        "technology": technology_name(issued.technology),
        "state": lot_state_name(lot.state),
        "wh": energy(lot.wh_range.upper - lot.wh_range.lower),
        "source_href": reverse("desk-source", args=[issued.source.public_id]) if issued.source else "",
        "with_source": lot.state == "pending" and issued.scheme == Scheme.METER,
    }


def lot_or_404(public_id: str) -> CertificateLot:
    """The lot with its issuance, zone, plant, point and holder."""
    found = CertificateLot.objects.select_related(*WITH).filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _entry(entry: Any) -> dict[str, Any]:
    return {"row": entry, "from": supply_name(entry.from_state), "to": supply_name(entry.to_state)}


def receipts_of(lot: CertificateLot) -> list[dict[str, Any]]:
    """The latest versions of the receipts whose subjects any of the lot was reserved, cancelled or withdrawn for."""
    subjects = set(lot.entries.exclude(subject="").values_list("subject", flat=True))
    rows = GreenReceipt.objects.newest().filter(subject__in=subjects).select_related("buyer")
    held = dict(
        lot.spans.exclude(subject="").order_by().values_list("subject").annotate(wh=Sum(RangeLength(F("wh_range"))))
    )
    return [
        receipt_told(row) | {"buyer": row.buyer.name, "wh": int(held.get(row.subject, 0))} for row in rows[:RECEIPTS]
    ]


def _file_of(lot: CertificateLot) -> ImportFile | None:
    if not lot.evidence_sha256:
        return None
    files = ImportFile.objects.filter(organization=lot.holder, sha256=lot.evidence_sha256, state="imported")
    return files.first()


def _siblings(lot: CertificateLot) -> dict[str, Any] | None:
    """The other lots of the same file that wait."""
    if lot.state != "pending" or not lot.evidence_sha256:
        return None
    others = _waiting(lot.holder, lot.evidence_sha256).exclude(pk=lot.pk).count()
    href = reverse("desk-delivery", args=[lot.holder.public_id, lot.evidence_sha256])
    return {"count": others, "href": href} if others else None


def _waiting(holder: Organization, sha256: str) -> CertificateLotQuerySet:
    rows: CertificateLotQuerySet = CertificateLot.objects.to_review().filter(holder=holder, evidence_sha256=sha256)
    return rows


@require_http_methods(["GET", "HEAD", "POST"])
@for_desk
def delivery_page(request: HttpRequest, holder: str, sha256: str) -> HttpResponse:
    """The lots of one file that wait: checked one by one, decided on together or each on its page."""
    owner = Organization.objects.filter(public_id=holder).first()
    if owner is None:
        raise Http404
    waiting, now = _waiting(owner, "" if sha256 == NO_FILE else sha256), utc_now()
    form = ReasonForm(request.POST if request.POST.get("do") == "refuse" else None)
    act = _act(request, form, waiting, now)
    if act is not None:
        done = decided(request, owner, act)
        here = reverse("desk-delivery", args=[holder, sha256])
        return HttpResponseRedirect(reverse("desk-evidence") if done else here)
    rows = list(waiting.select_related(*WITH).order_by("pk")[:MOST])
    if not rows:
        raise Http404
    context = {
        **frame(request, _("Certificates of %(name)s") % {"name": owner.name}),
        **_checked(rows, now),
        "holder": owner,
        "file": _file_of(rows[0]),
        "sha256": rows[0].evidence_sha256,
        "count": len(rows),
        "rest": waiting.count() - len(rows),
        "wh": energy(sum(row.wh_range.upper - row.wh_range.lower for row in rows)),
        "devices": len({row.issuance.device_id for row in rows}),
        "points": sorted({row.point.code for row in rows if row.point}),
        "start": min(row.issuance.start for row in rows),
        "end": max(row.issuance.end for row in rows),
        "why_not": why_not(request, owner),
        "refuse": form,
    }
    return render(request, "admin/energy/delivery.html", context, status=422 if form.errors else 200)


def _act(
    request: HttpRequest, form: ReasonForm, waiting: CertificateLotQuerySet, now: datetime
) -> Callable[[], str] | None:
    """What the person decided for all that wait; None where nothing, or something incomplete, was sent."""

    def accept() -> str:
        lots = accept_together(lots=waiting, by=operator_of(request), now=now)
        words = ngettext("%(count)s lot is accepted.", "%(count)s lots are accepted.", lots)
        return words % {"count": grouped(lots)}

    def refuse() -> str:
        reason = form.cleaned_data["reason"]
        lots = refuse_together(lots=waiting, by=operator_of(request), reason=reason, now=now)
        return ngettext("%(count)s lot is refused.", "%(count)s lots are refused.", lots) % {"count": grouped(lots)}

    if request.POST.get("do") == "accept":
        return accept
    return refuse if form.is_valid() else None


def _checked(rows: Sequence[CertificateLot], now: datetime) -> dict[str, Any]:
    """The lots with their checks, what speaks against accepting first, and how the checks ended in all."""
    checks = checks_of(rows, now=now)
    shown = sorted(rows, key=lambda row: (ORDER[worst(checks[row.pk])], row.pk))[:LOTS]
    return {
        "sums": _sums(counted(checks)),
        "lots": [_lot_row(row, verdict(checks[row.pk])) for row in shown],
        "hidden": len(rows) - len(shown),
    }


def _sums(counts: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """How many lots each check ended in which tone for, what speaks against accepting first."""
    return [
        {"title": title_of(code), "lots": grouped(lots), "tone": tone_class(tone), "tone_words": tone_name(tone)}
        for (code, tone), lots in sorted(counts.items(), key=lambda item: (ORDER[item[0][1]], item[0][0]))
    ]


def _lot_row(lot: CertificateLot, said: dict[str, str]) -> dict[str, Any]:
    return {
        "href": reverse("desk-lot", args=[lot.public_id]), "row": lot, "verdict": said,
        "what": scheme_name(lot.issuance.scheme, lot.issuance.temporal_resolution),
        "wh": energy(lot.wh_range.upper - lot.wh_range.lower),
    }  # fmt: skip
