"""Pages of green receipts: what work used, hour by hour, what of it was renewable, and what a month comes to."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Organization
from accounts.tenancy import current_organization, organizations_of
from frontend.components.formats import day_moment
from frontend.store.access import for_members
from frontend.store.pager import listing
from frontend.store.receiptview import certificate_rows, chart_of, hour_rows, share_rows, total_rows
from marketplace.common.clock import utc_now
from marketplace.common.errors import NotFound
from marketplace.common.months import MOMENT, Month
from marketplace.energy.models import GreenReceipt, ReceiptStatus, ReceiptStep
from marketplace.energy.models.receipts import Step
from marketplace.energy.querysets import GreenReceiptQuerySet
from marketplace.energy.receipts.excerpt import is_excerpt, payload_for
from marketplace.energy.receipts.label import label_of
from marketplace.energy.receipts.reading import readers_of
from marketplace.energy.receipts.report import report_of
from marketplace.energy.receipts.words import mass, publisher_name, scopes_words, share, status_name, subject_name

HOURS, RANGES = 48, 20  # of a page
MONTHS = 12  # offered as reports
ORDER = ("-end", "-public_id")


def mine(request: HttpRequest) -> GreenReceiptQuerySet:
    """Receipts of what the person's organizations bought, and of work at their sites."""
    return GreenReceipt.objects.seen_by(organizations_of(request))


@require_safe
@for_members
def receipt_list(request: HttpRequest) -> HttpResponse:
    """The latest version of every receipt, what ended last first."""
    status = request.GET.get("status", "")
    rows = mine(request).newest()
    shown = rows.filter(status=status) if status in ReceiptStatus.values else rows
    page, organizations = listing(request, shown, order=ORDER), organizations_of(request)
    context = {
        "page": page,
        "receipts": [_row(each, payload_for(each, organizations)) for each in page.rows],
        "tabs": _tabs(status),
        "empty": not page.rows and not rows.exists(),
    }
    return render(request, "receipts/list.html", context)


def _tabs(status: str) -> list[dict[str, Any]]:
    words = {"": _("All")} | {each: status_name(each) for each in ReceiptStatus.values}
    return [
        {
            "name": word,
            "href": f"?status={key}",
            "current": key == status or (not key and status not in ReceiptStatus.values),
        }
        for key, word in words.items()
    ]


def _row(receipt: GreenReceipt, payload: Mapping[str, Any]) -> dict[str, Any]:
    totals, shares = payload["totals"], payload["shares"]
    return {
        "id": receipt.public_id,
        "status": receipt.status,
        "status_words": status_name(receipt.status),
        "version": receipt.version,
        "sample": receipt.sample,
        "excerpt": is_excerpt(payload),
        "subject": payload["subject"]["id"],
        "subject_words": subject_name(payload["subject"]["kind"]),
        "sites": ", ".join(place["site"]["name"] for place in payload["places"]),
        "end": receipt.end,
        "energy_wh": totals["site_wh"],
        "matched": share(shares["matched_ppm"], exact=not totals["onsite_wh"] + totals["certificate_wh"]),
        "carbon": mass(totals["location_ug"]),
    }


@require_safe
@for_members
def receipt_page(request: HttpRequest, receipt: str) -> HttpResponse:
    """One receipt: its label, every hour with its sources, certificates, totals, and its versions."""
    readers = readers_of(request, receipt)
    versions = list(GreenReceipt.objects.seen_by(readers).versions_of(receipt))
    row = _version(versions, request.GET.get("version", ""))
    payload = payload_for(row, readers)
    first, certificate = (_place(request, name) for name in ("from", "range"))
    hours, ranges = payload["hours"], payload["certificates"]
    context = {
        "receipt": _row(row, payload),
        "payload": payload,
        "factors": [factor | {"name": publisher_name(factor["source"])} for factor in payload["factors"]],
        "start": datetime.fromisoformat(payload["period"]["start"]),
        "end": datetime.fromisoformat(payload["period"]["end"]),
        "subject_link": _subject_link(row, organizations_of(request)),
        "label": label_of(payload),
        "shares": share_rows(payload),
        "totals": total_rows(payload),
        "chart": chart_of(hours[first : first + HOURS], ranges),
        "hours": hour_rows(hours[first : first + HOURS], many=len(payload["places"]) > 1),
        "hours_earlier": f"?from={max(0, first - HOURS)}#hours" if first else "",
        "hours_later": f"?from={first + HOURS}#hours" if first + HOURS < len(hours) else "",
        "certificates": certificate_rows(ranges[certificate : certificate + RANGES]),
        "ranges_earlier": f"?range={max(0, certificate - RANGES)}#ranges" if certificate else "",
        "ranges_later": f"?range={certificate + RANGES}#ranges" if certificate + RANGES < len(ranges) else "",
        "promise": _promise(payload),
        "next": _next(row, versions[-1]),
        "versions": [_told(each) for each in reversed(versions)],
        "scopes": scopes_words(),
    }
    return render(request, "receipts/receipt.html", context)


def _version(versions: Sequence[GreenReceipt], asked: str) -> GreenReceipt:
    """The version that the address asks for, else the last one; NotFound."""
    found = [each for each in versions if not asked or str(each.version) == asked]
    if not found:
        raise NotFound("there is no such green receipt")
    return found[-1]


def _place(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _subject_link(receipt: GreenReceipt, organizations: Sequence[Organization]) -> str:
    """The page of the job or reservation, for whoever bought it."""
    if receipt.buyer_id not in {each.pk for each in organizations}:
        return ""
    return reverse("job" if receipt.subject.startswith("job_") else "reservation", args=[receipt.subject])


def _told(version: GreenReceipt) -> dict[str, Any]:
    return {
        "number": version.version,
        "status": status_name(version.status),
        "issued_at": version.issued_at,
        "sha256": version.sha256,
        "kid": version.kid,
    }


def _promise(payload: Mapping[str, Any]) -> dict[str, str] | None:
    """What was promised and what became of it."""
    promise, totals = payload.get("promise"), payload["totals"]
    if not promise:
        return None
    kept = (totals["onsite_wh"] + totals["certificate_wh"]) * 100 >= promise["promised_percent"] * totals["site_wh"]
    if payload["status"] == ReceiptStatus.PROVISIONAL:
        tone, words = "", _("Judged by the final version")
    else:
        tone, words = ("good", _("Kept")) if kept else ("bad", _("Missed: a credit follows"))
    return {"percent": f"{promise['promised_percent']}%", "tone": tone, "words": words}


def _next(row: GreenReceipt, last: GreenReceipt) -> str:
    """What comes next for a receipt, and when."""
    if row.pk != last.pk:
        return _("This is version %(number)d; version %(last)d has taken its place.") % {
            "number": row.version, "last": last.version,
        }  # fmt: skip
    step = ReceiptStep.objects.filter(subject=row.subject).first()
    when = {"time": day_moment(step.due_at)} if step is not None and step.due_at else {}
    if step is not None and step.step == Step.SETTLED and when:
        return (
            _("Provisional: its hours are settled at %(time)s UTC, and the next version says what was matched.") % when
        )
    if step is not None and step.step == Step.FINAL and when:
        return (
            _("Settled: it is final when the registries have cancelled its certificates, at the latest %(time)s UTC.")
            % when
        )
    if row.status == ReceiptStatus.PROVISIONAL:
        return _("Provisional: figures may still change.")
    return _("Final: only a correction by a registry would bring another version.")


@require_safe
@for_members
def receipt_reports(request: HttpRequest) -> HttpResponse:
    """What the organization's work came to in a month: a row for each receipt, and the sums, also as files."""
    this = Month.of(utc_now())
    asked = Month.read(request.GET.get("month", ""))
    month = asked if asked is not None and asked <= this else this
    report = report_of(buyer=current_organization(request), month=month)
    context = {
        "month": str(month),
        "months": [{"name": each, "href": f"?month={each}", "current": each == str(month)} for each in _months(this)],
        "rows": [_figures(row) | {"id": row["receipt"], "subject": row["subject"]["id"]} for row in report["rows"]],
        "sums": _figures(report["totals"]),
        "report": report,
        "scopes": scopes_words(),
    }
    return render(request, "receipts/reports.html", context)


def _months(last: Month) -> list[str]:
    months = [last]
    while len(months) < MONTHS:
        months.append(Month.of(months[-1].start - MOMENT))
    return [str(month) for month in months]


def _figures(row: Mapping[str, Any]) -> dict[str, Any]:
    none = not row["onsite_wh"] + row["certificate_wh"]
    return {
        "energy_wh": row["site_wh"],
        "matched": share(row["matched_ppm"], exact=none),
        "blended": share(row["blended_ppm"]),
        "grid": share(row["grid_ppm"]),
        "metered": share(row["measured_ppm"]),
        "location": mass(row["location_ug"]),
        "market": mass(row["market_ug"]),
        "lifecycle": mass(row["lifecycle_ug"]),
        "residual": row["residual"],
        "status_words": status_name(row["status"]) if "status" in row else "",
        "sites": ", ".join(row.get("sites", [])),
    }


def receipt_link(subject: str) -> dict[str, str] | None:
    """The receipt of a job or reservation, where there is one: its page and whether it is final."""
    found = GreenReceipt.objects.of_subject(subject).values("public_id", "status").last()
    if found is None:
        return None
    return {"href": reverse("receipt", args=[found["public_id"]]), "status": status_name(found["status"])}
