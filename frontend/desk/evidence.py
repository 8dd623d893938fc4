"""Green evidence on the desk: what waits for a reviewer, the oldest first, and the page of a plant."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, Min, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from frontend.components.energywords import source_kind_name
from frontend.components.formats import energy
from frontend.desk.access import for_desk, frame, operator_of
from frontend.desk.decisions import decisions_on
from frontend.desk.evidenceforms import ReasonForm, VerifyForm, decided, why_not
from frontend.desk.evidencewords import told, verdict
from marketplace.common.clock import utc_now
from marketplace.energy.models import CertificateLot, EnergySource, ImportFile
from marketplace.energy.models.sources import EVIDENCE_ORDER
from marketplace.energy.models.supply import RangeLength
from marketplace.energy.receipts.words import evidence_name, technology_name
from marketplace.energy.reviewing import refuse_source, verify_source
from marketplace.energy.sourcechecks import checks_of_source, latest_hours
from marketplace.energy.sources import UNPROVEN

SHOWN = 50
HOURS = 12
OLD = timedelta(days=14)
NO_FILE = "-"  # in addresses, of lots that came without a file


@require_safe
@for_desk
def queue_page(request: HttpRequest) -> HttpResponse:
    """Plants that nobody has verified and files of certificates that nobody has accepted, the oldest first."""
    now = utc_now()
    plants = EnergySource.objects.to_review()
    waiting = sorted([*_plants(), *_deliveries()], key=lambda each: each["since"])[:SHOWN]
    lots = CertificateLot.objects.to_review()
    context = {
        **frame(request, _("Green evidence")),
        "waiting": [each | {"old": now - each["since"] > OLD} for each in waiting],
        "plants": plants.count(),
        "lots": lots.count(),
        "wh": energy(lots.aggregate(wh=Sum(RangeLength(F("wh_range"))))["wh"] or 0),
        "verified": EnergySource.objects.exclude(evidence="declared").count(),
        "active": CertificateLot.objects.filter(state="active").count(),
    }
    return render(request, "admin/energy/queue.html", context)


def _plants() -> list[dict[str, Any]]:
    rows = EnergySource.objects.to_review().select_related("organization", "zone").order_by("created_at", "pk")
    return [
        {
            "since": row.created_at, "holder": row.organization.name, "plant": row,
            "name": row.name, "words": f"{technology_name(row.technology)} · {source_kind_name(row.kind)}",
            "href": reverse("desk-source", args=[row.public_id]),
        }
        for row in rows[:SHOWN]
    ]  # fmt: skip


def _deliveries() -> list[dict[str, Any]]:
    """Lots that wait, by their holder and the file that they came in."""
    rows = (
        CertificateLot.objects.to_review().order_by()
        .values("holder__public_id", "holder__name", "evidence_sha256")
        .annotate(
            since=Min("created_at"), lots=Count("pk"), wh=Sum(RangeLength(F("wh_range"))), one=Min("public_id"),
            devices=Count("issuance__device_id", distinct=True),
            schemes=ArrayAgg("issuance__scheme", distinct=True, order_by="issuance__scheme"),
            technologies=ArrayAgg(
                "issuance__technology", distinct=True, order_by="issuance__technology"
            ),
        )
        .order_by("since", "holder__public_id", "evidence_sha256")[:SHOWN]
    )  # fmt: skip
    return [
        {
            "since": row["since"], "holder": row["holder__name"], "lots": row["lots"], "wh": energy(row["wh"]),
            "name": _("%(schemes)s certificates") % {"schemes": ", ".join(row["schemes"])},
            "devices": row["devices"], "sha256": row["evidence_sha256"],
            "words": ", ".join(technology_name(each) for each in row["technologies"]),
            "href": reverse("desk-lot", args=[row["one"]]) if row["lots"] == 1 else reverse(
                "desk-delivery", args=[row["holder__public_id"], row["evidence_sha256"] or NO_FILE]
            ),
        }
        for row in rows
    ]  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@for_desk
def source_page(request: HttpRequest, source: str) -> HttpResponse:
    """All that is known of one plant; who is outside its organization verifies it or refuses to."""
    row = source_or_404(source)
    do, now = request.POST.get("do", ""), utc_now()
    verify = VerifyForm(request.POST if do == "verify" else None, source=row)
    refuse = ReasonForm(request.POST if do == "refuse" else None)
    if (verify.is_valid() and _verified(request, row, verify, now)) or (
        refuse.is_valid() and _refused(request, row, refuse, now)
    ):
        return HttpResponseRedirect(reverse("desk-source", args=[row.public_id]))
    checks = checks_of_source(row, now=now)
    mine = CertificateLot.objects.on_site_of(row)
    pending = mine.pending().aggregate(lots=Count("pk"), wh=Sum(RangeLength(F("wh_range"))))
    context = {
        **frame(request, row.name),
        "source": row,
        "technology": technology_name(row.technology),
        "kind": source_kind_name(row.kind),
        "evidence": evidence_name(row.evidence),
        "checks": told(checks),
        "verdict": verdict(checks),
        "hours": latest_hours(row, most=HOURS),
        "shares": list(row.shares.select_related("point").order_by("valid", "slice")[:SHOWN]),
        "pending": pending["lots"],
        "pending_wh": energy(pending["wh"] or 0),
        "files": list(ImportFile.objects.filter(organization=row.organization, kind="meter", state="imported")[:5]),
        "decisions": decisions_on(row.public_id),
        "why_not": why_not(request, row.organization),
        "verify": verify if row.evidence != EVIDENCE_ORDER[-1] else None,
        "refuse": refuse if row.evidence in UNPROVEN else None,
        "revocable": row.evidence != EVIDENCE_ORDER[0],
    }
    return render(request, "admin/energy/source.html", context, status=422 if verify.errors or refuse.errors else 200)


def source_or_404(public_id: str) -> EnergySource:
    """The source with its organization, zone and who verified it."""
    rows = EnergySource.objects.select_related("organization", "zone", "verified_by")
    found = rows.filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _verified(request: HttpRequest, row: EnergySource, form: VerifyForm, now: datetime) -> bool:
    def act() -> str:
        said = form.cleaned_data
        source = verify_source(
            source=row, evidence=said["evidence"], by=operator_of(request), now=now, note=said["note"],
            evidence_sha256=said["evidence_sha256"],
        )  # fmt: skip
        return _("%(name)s is %(evidence)s from now on.") % {
            "name": source.name, "evidence": evidence_name(source.evidence),
        }  # fmt: skip

    return decided(request, row.organization, act)


def _refused(request: HttpRequest, row: EnergySource, form: ReasonForm, now: datetime) -> bool:
    def act() -> str:
        refuse_source(source=row, by=operator_of(request), reason=form.cleaned_data["reason"], now=now)
        return _("Refused; its owner reads why.")

    return decided(request, row.organization, act)
