"""Certificates of a provider: what is held, for whom, files that bring more, and statements that are due."""

import csv
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.tenancy import current_organization
from frontend.components.energywords import supply_name
from frontend.components.formats import energy, grouped
from frontend.console.certificateforms import CertificatesForm, StatementForm, StatementsForm
from frontend.console.certificateview import Due, checks_of, dues_of, lot_row, lots_of, match_of, subjects_of
from frontend.console.pointnames import names_of, points_of
from frontend.console.uploads import take_file
from frontend.store.access import for_providers
from frontend.store.pager import listing
from frontend.store.refusals import refusal_text
from marketplace.common.clock import rfc3339, utc_now
from marketplace.common.errors import DomainError
from marketplace.energy.errors import StatementRangeMismatch
from marketplace.energy.expiring import WARNED_BEFORE
from marketplace.energy.imports.statements import STATEMENTS, StatementRow
from marketplace.energy.models import CertificateLot, Scheme
from marketplace.energy.querysets import CertificateLotQuerySet
from marketplace.energy.receipts.statements import confirm_cancellation

STATES = {"pending": ("pending",), "active": ("active",), "past": ("closed", "refused")}
RECORDS = "records"
LISTED = 12  # lots of one page
MOST = 200  # spans and entries that are shown of one lot
DUE = 10  # statements listed


@require_safe
@for_providers
def certificates_page(request: HttpRequest) -> HttpResponse:
    """Lots with their states, statements that are due, and the checks."""
    return _show(request)


def _show(request: HttpRequest, **found: Any) -> HttpResponse:
    """The page; `found` has the form that was refused, or the report of a file."""
    organization, now = current_organization(request), utc_now()
    points = points_of(organization)
    everything = lots_of(organization)
    group = request.GET.get("show", "")
    page = listing(request, _grouped(everything, group), limit=LISTED)
    due = [each for each in dues_of(organization) if each.by is not None]
    subjects, subject_count = subjects_of(organization)
    context = {
        "page": page,
        "rows": [lot_row(lot) for lot in page.rows],
        "tabs": _tabs(group),
        "group": group,
        "names": names_of(points),
        "points": points,
        "empty": not page.rows and not everything.exists(),
        "due": due[:DUE],
        "due_count": len(due),
        "expiring": everything.expiring(now + WARNED_BEFORE).filter(state="active", available_wh__gt=0).count(),
        "soon": now + WARNED_BEFORE,
        "match": match_of(points, now),
        "checks": checks_of(organization),
        "subjects": subjects,
        "more_subjects": subject_count - len(subjects),
        "form": CertificatesForm(organization=organization),
        "statements_form": StatementsForm(),
    } | found
    return render(request, "console/certificates.html", context, status=422 if found else 200)


def _grouped(lots: CertificateLotQuerySet, group: str) -> CertificateLotQuerySet:
    """The lots of a tab: on-site records are no certificates, and there is one for each hour of a plant."""
    if group == RECORDS:
        return lots.filter(issuance__scheme=Scheme.METER)
    lots = lots.exclude(issuance__scheme=Scheme.METER)
    return lots.filter(state__in=STATES[group]) if group in STATES else lots


def _tabs(group: str) -> list[dict[str, Any]]:
    words = {
        "": _("Certificates"), "pending": _("Pending"), "active": _("Active"), "past": _("Past"),
        RECORDS: _("On-site records"),
    }  # fmt: skip
    return [
        {"name": word, "href": f"?show={key}", "current": key == group or (not key and group not in words)}
        for key, word in words.items()
    ]


@require_POST
@for_providers
def send_certificates(request: HttpRequest) -> HttpResponse:
    """Import a file of certificates; its lots wait for somebody outside. One with a fault imports nothing."""
    organization = current_organization(request)
    form = CertificatesForm(request.POST, request.FILES, organization=organization)
    if not form.is_valid():
        return _show(request, form=form, wrong="files")
    values = form.cleaned_data
    told, report = take_file(
        sent=values["file"], kind=values["kind"], point=values["point"], organization=organization, now=utc_now()
    )
    if report:
        return _show(request, report=report)
    messages.success(request, f"{told} {_('Lots wait until somebody outside your organization has accepted them.')}")
    return HttpResponseRedirect(f"{reverse('console-certificates')}?show=pending")


@require_POST
@for_providers
def send_statements(request: HttpRequest) -> HttpResponse:
    """Cancel what a file of statements says; one with a fault cancels nothing, and names the expected range."""
    form = StatementsForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, statements_form=form, wrong="statements")
    mine = current_organization(request)
    told, report = take_file(sent=form.cleaned_data["file"], kind=STATEMENTS, organization=mine, now=utc_now())
    if report:
        return _show(request, report=report)
    messages.success(request, f"{told} {_('What they state is cancelled.')}")
    return HttpResponseRedirect(reverse("console-certificates"))


@require_safe
@for_providers
def due_csv(request: HttpRequest) -> HttpResponse:
    """Every range that is due, in the columns of a file of statements; what the registry states is filled in then."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="statements.csv"'
    table = csv.writer(answer)
    table.writerow([*StatementRow._fields, "registry", "issuance_id", "due_by"])
    for due in dues_of(current_organization(request)):
        if due.by is not None:
            issued = due.lot.issuance
            row = StatementRow(due.lot.public_id, due.subject, due.lower, due.upper, due.subject, "")
            table.writerow([*row, issued.registry, issued.issuance_id, rfc3339(due.by)])
    return answer


@require_safe
@for_providers
def lot_page(request: HttpRequest, lot: str) -> HttpResponse:
    """One lot: the state of each of its Wh and every move that led there."""
    return _show_lot(request, lots_of(current_organization(request)).by_public_id(lot))


def _show_lot(request: HttpRequest, lot: CertificateLot, **refused: Any) -> HttpResponse:
    """The page of a lot; `refused` has the statement that was, and why."""
    spans, entries = lot.spans.order_by("wh_range"), lot.entries.order_by("pk")
    context = {
        "row": lot_row(lot),
        "lot": lot,
        "point": names_of([lot.point]).get(lot.point.pk) if lot.point else "",
        "record": lot.issuance.scheme == Scheme.METER,
        "spans": [{"span": each, "state": supply_name(each.state)} for each in spans[:MOST]],
        "entries": [
            {"entry": each, "old": supply_name(each.from_state), "new": supply_name(each.to_state)}
            for each in entries[:MOST]
        ],
        "more_spans": max(0, spans.count() - MOST),
        "more_entries": max(0, entries.count() - MOST),
        "statements": _statements(dues_of(current_organization(request), lot), refused),
        "last": lot.issuance.end - timedelta(microseconds=1),
    } | refused
    return render(request, "console/certificate.html", context, status=422 if refused else 200)


def _statements(dues: list[Due], refused: dict[str, Any]) -> list[dict[str, Any]]:
    """A form for each subject with its expected ranges; the one that was refused as it was filled in."""
    found: dict[str, list[Due]] = {}
    for due in dues:
        found.setdefault(due.subject, []).append(due)
    return [_statement(number, subject, ranges, refused) for number, (subject, ranges) in enumerate(found.items())]


def _statement(number: int, subject: str, ranges: list[Due], refused: dict[str, Any]) -> dict[str, Any]:
    form = StatementForm(number=number, subject=subject)
    sent = refused.get("form")
    if sent is not None and sent.data.get("subject") == subject:
        sent.auto_id, form = form.auto_id, sent
    return {
        "subject": subject,
        "by": ranges[0].by,
        "ranges": [f"{grouped(due.lower)} – {grouped(due.upper)}" for due in ranges],
        "wh": energy(sum(due.upper - due.lower for due in ranges)),
        "form": form,
    }


@require_POST
@for_providers
def state_cancellation(request: HttpRequest, lot: str) -> HttpResponse:
    """What a registry states of a cancellation: exactly the reserved range, or it is refused with the expected one."""
    organization = current_organization(request)
    row = lots_of(organization).by_public_id(lot)
    form = StatementForm(request.POST)
    if not form.is_valid():
        return _show_lot(request, row, form=form, wrong="statements")
    statement, subject = form.statement_of(row), form.cleaned_data["subject"]
    try:
        wh = confirm_cancellation(holder=organization, subject=subject, statements=[statement], now=utc_now())
    except StatementRangeMismatch as error:
        return _show_lot(request, row, form=form, mismatch=_mismatch(error, subject, form.cleaned_data))
    except DomainError as error:
        return _show_lot(request, row, form=form, refusal=refusal_text(error))
    done = ngettext("%(wh)s are cancelled for %(subject)s.", "%(wh)s are cancelled for %(subject)s.", wh)
    messages.success(request, done % {"wh": energy(wh), "subject": subject})
    return HttpResponseRedirect(reverse("console-certificate", args=[row.public_id]))


def _mismatch(error: StatementRangeMismatch, subject: str, values: dict[str, Any]) -> dict[str, Any]:
    """Both ranges side by side."""
    return {
        "code": error.code,
        "subject": subject,
        "expected": [f"{grouped(lower)} – {grouped(upper)}" for lower, upper in error.facts["expected"]],
        "stated": f"{grouped(values['from_wh'])} – {grouped(values['to_wh'])}",
    }
