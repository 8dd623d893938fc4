"""Taking evidence back on the desk: first what the decision touches, then the decision with its reason."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from accounts.models import Organization, User
from frontend.components.energywords import supply_name
from frontend.components.formats import energy, grouped
from frontend.desk.access import for_desk, frame, operator_of
from frontend.desk.evidence import source_or_404
from frontend.desk.evidenceforms import ReasonForm, decided, why_not
from frontend.desk.lots import lot_or_404
from frontend.desk.touching import Reach, reach_of
from marketplace.common.clock import utc_now
from marketplace.common.errors import StaleVersion
from marketplace.energy.models import CertificateLot, EnergySource
from marketplace.energy.querysets import CertificateLotQuerySet
from marketplace.energy.reviewing import revoke_source, withdraw_lot
from marketplace.energy.supply import lock_lots

TAKEN = ("available", "reserved")  # without a correction; with one, what was cancelled too


@dataclass(frozen=True)
class _Asked:
    """What is to be taken back: the lots that go, whose they are, and where to go from there."""

    title: str
    name: str
    words: str
    holder: Organization
    lots: CertificateLotQuerySet
    back: str
    correction: bool
    taken: EnergySource | CertificateLot


@require_http_methods(["GET", "HEAD", "POST"])
@for_desk
def revoke_page(request: HttpRequest, source: str) -> HttpResponse:
    """What revoking a plant's verification touches; with a reason, it is revoked."""
    row, correction = source_or_404(source), _correction(request)
    asked = _Asked(
        title=_("Revoke the verification of %(name)s") % {"name": row.name},
        name=row.device_id,
        words=_("It is declared again: its hours back no claim until somebody verifies it anew."),
        holder=row.organization,
        lots=CertificateLot.objects.on_site_of(row).withdrawable(correction=correction),
        back=reverse("desk-source", args=[row.public_id]),
        correction=correction,
        taken=row,
    )
    possible = row.evidence != "declared"
    return _page(request, asked, possible=possible, nothing=_("Nobody has verified it: there is nothing to revoke."))


@require_http_methods(["GET", "HEAD", "POST"])
@for_desk
def withdraw_page(request: HttpRequest, lot: str) -> HttpResponse:
    """What withdrawing a lot touches; with a reason, it is withdrawn."""
    row, correction = lot_or_404(lot), _correction(request)
    lots = CertificateLot.objects.filter(pk=row.pk).withdrawable(correction=correction)
    asked = _Asked(
        title=_("Withdraw %(name)s") % {"name": row.public_id},
        name=row.public_id,
        words=_("The lot is closed: nothing of it serves anybody from then on."),
        holder=row.holder,
        lots=lots,
        back=reverse("desk-lot", args=[row.public_id]),
        correction=correction,
        taken=row,
    )
    nothing = _("Nothing of it can be withdrawn in this way.")
    return _page(request, asked, possible=lots.exists(), nothing=nothing)


def _correction(request: HttpRequest) -> bool:
    return (request.POST if request.method == "POST" else request.GET).get("correction") == "1"


def _page(request: HttpRequest, asked: _Asked, *, possible: bool, nothing: str) -> HttpResponse:
    """Show what is touched, or do it: only what the person has been shown."""
    reach = reach_of(asked.lots, correction=asked.correction)
    seen = fingerprint(reach)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        shown = request.POST.get("seen", "")
        if decided(request, asked.holder, lambda: _taken(asked, shown, operator_of(request), form, utc_now())):
            return HttpResponseRedirect(asked.back)
    context = {
        **frame(request, asked.title),
        "asked": asked,
        "possible": possible,
        "nothing": nothing,
        "reach": reach,
        "states": _states(reach, asked.correction),
        "seen": seen,
        "form": form,
        "why_not": why_not(request, asked.holder),
    }
    status = 422 if form.errors else 409 if request.method == "POST" else 200
    return render(request, "admin/energy/touched.html", context, status=status)


def fingerprint(reach: Reach) -> str:
    """Changes whenever what a decision touches does."""
    touched = reach.touched
    facts = (touched.lots, sorted(touched.wh.items()), touched.subjects, touched.promises, touched.fed)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _states(reach: Reach, correction: bool) -> list[dict[str, Any]]:
    """The Wh of the lots by their state, and what becomes of them."""
    goes = (*TAKEN, "cancelled") if correction else TAKEN
    return [
        {"name": supply_name(state), "wh": energy(wh), "exact": grouped(wh), "goes": state in goes}
        for state, wh in reach.touched.wh.items()
    ]


@transaction.atomic
def _taken(asked: _Asked, shown: str, by: User, form: ReasonForm, now: datetime) -> str:
    """Take it back; what to say of it. Raises StaleVersion where it touches anything else than what was `shown`."""
    reason, correction = form.cleaned_data["reason"], asked.correction
    lock_lots(asked.lots.values_list("pk", flat=True))  # nothing that it touches moves from here on
    reach = reach_of(asked.lots, correction=correction)
    if fingerprint(reach) != shown:
        raise StaleVersion(_("Meanwhile it touches something else; look again before you decide."))
    if isinstance(asked.taken, EnergySource):
        revoke_source(source=asked.taken, by=by, reason=reason, now=now, correction=correction)
    else:
        withdraw_lot(lot=asked.taken, by=by, reason=reason, now=now, correction=correction)
    count = len(reach.receipts)
    return ngettext(
        "Done: %(count)d receipt has a new version, named below.",
        "Done: %(count)d receipts have a new version, named below.", count,
    ) % {"count": count}  # fmt: skip
