"""Buyers' objections to charges on the desk: an operator decides, nobody else does, and no clock."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.tenancy import actor_of
from frontend.desk.access import for_desk, for_operators, frame, may_act
from frontend.desk.balances import shown
from frontend.store.objections import objections_told
from frontend.store.refusals import refusal_text
from marketplace.booking.disputing import decide
from marketplace.booking.models import UsageDispute
from marketplace.common.clock import utc_now
from marketplace.common.currencies import to_major, to_minor
from marketplace.common.errors import DomainError

OLD = timedelta(days=14)
SHOWN = 50


@require_safe
@for_desk
def objections_page(request: HttpRequest) -> HttpResponse:
    """What waits for a decision, the oldest first, and what was decided last."""
    rows = UsageDispute.objects.select_related(
        "line__contract__offer", "line__contract__provider", "line__contract__buyer", "buyer", "credit"
    )
    waiting = rows.to_decide()
    context = {
        **frame(request, _("Objections to charges")),
        "waiting": [_told(each) for each in objections_told(list(waiting[:SHOWN]))],
        "count": waiting.count(),
        "decided": [_told(each) for each in objections_told(list(rows.exclude(state="open")[:SHOWN]))],
        "may_act": may_act(request),
    }
    return render(request, "admin/money/objections.html", context)


def _told(each: dict[str, Any]) -> dict[str, Any]:
    charge, currency = each["line"].charge_minor, each["currency"]
    return {
        **each, "charged": shown(charge, currency), "most": to_major(charge, currency),
        "credited": shown(each["credit_minor"], currency), "old": utc_now() - each["row"].created_at > OLD,
    }  # fmt: skip


@require_POST
@for_operators
def decide_objection(request: HttpRequest, objection: str) -> HttpResponse:
    """Uphold it with a credit of up to the charge, or refuse it; both with a sentence that the buyer reads."""
    row = UsageDispute.objects.select_related("line__contract__provider", "buyer").filter(public_id=objection).first()
    if row is None:
        raise Http404
    try:
        credit_ = _credit(request, row.line.contract.currency)
    except ValueError:
        messages.error(request, _("Write the credit as an amount of more than nothing, such as 1.50."))
        return HttpResponseRedirect(reverse("desk-objections"))
    said = request.POST.get("decision", "").strip()[:1000]
    if not said:
        messages.error(request, _("Say why; the buyer reads it."))
        return HttpResponseRedirect(reverse("desk-objections"))
    try:
        me = actor_of(request)
        decide(dispute=row, credit_minor=credit_, decision=said, decided_by=me, now=utc_now())
        messages.success(request, _("Upheld; the credit is in the wallet.") if credit_ else _("Refused; it matures."))
    except DomainError as error:
        messages.error(request, refusal_text(error))
    return HttpResponseRedirect(reverse("desk-objections"))


def _credit(request: HttpRequest, currency: str) -> int:
    """The credit that was granted, 0 for a refusal. Raises ValueError for an upheld one of nothing."""
    if request.POST.get("do") != "uphold":
        return 0
    minor = to_minor(request.POST.get("credit", "").strip(), currency)
    if not minor:
        raise ValueError("an upheld objection has a credit")
    return minor
