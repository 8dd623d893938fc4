"""Objecting to a charge: which may still be objected to, how, and what became of what was objected to."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.tenancy import current_organization
from frontend.store.access import for_members
from frontend.store.acts import act_once
from frontend.store.pager import listing
from frontend.store.refusals import refusal_text
from marketplace.booking.disputing import open_dispute
from marketplace.booking.models import ChargeLine, UsageDispute
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError
from marketplace.common.ids import new_id
from scheduler.billing import orders_of
from scheduler.models import Attempt

REASONS = {
    "not_delivered": gettext_lazy("It was not delivered"),
    "wrong_quantity": gettext_lazy("More is charged than was used"),
    "poor_performance": gettext_lazy("It ran worse than promised"),
    "not_ordered": gettext_lazy("We did not order it"),
}
STATES = {
    "open": (gettext_lazy("The operator decides"), "warn"),
    "upheld": (gettext_lazy("Upheld"), "good"),
    "refused": (gettext_lazy("Refused"), ""),
}
SHOWN = 50


class ObjectionForm(forms.Form):
    """What is wrong with the charge."""

    reason = forms.ChoiceField(label=gettext_lazy("What is wrong"), choices=[*REASONS.items()])
    text = forms.CharField(
        label=pgettext_lazy("objection", "What happened"), max_length=1000, required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("The operator reads it and decides by it."),
    )  # fmt: skip


def charges_told(lines: Sequence[ChargeLine]) -> list[dict[str, Any]]:
    """Charges with the job or reservation that each is for."""
    attempts = Attempt.objects.filter(public_id__in=[each.attempt for each in lines if each.attempt])
    jobs = dict(attempts.values_list("public_id", "job__public_id"))
    orders = orders_of([each.contract.subject for each in lines])
    told = []
    for line in lines:
        order = jobs.get(line.attempt) or orders.get(line.contract.subject, line.contract.subject)
        page = reverse("job" if order.startswith("job_") else "reservation", args=[order])
        told.append({"line": line, "order": order, "href": page, "currency": line.contract.currency})
    return told


def objections_told(rows: Sequence[UsageDispute]) -> list[dict[str, Any]]:
    """Objections with their charge, in words."""
    charges = charges_told([each.line for each in rows])
    return [
        {**charge, "row": row, "reason": REASONS[row.reason], "state": STATES[row.state][0],
         "tone": STATES[row.state][1], "credit_minor": row.credit.amount_minor if row.credit else 0}
        for row, charge in zip(rows, charges, strict=True)
    ]  # fmt: skip


@require_safe
@for_members
def objection_list(request: HttpRequest) -> HttpResponse:
    """What was objected to, and the charges that may still be, the first to mature first."""
    mine = current_organization(request)
    made = UsageDispute.objects.of_buyers([mine]).select_related("line__contract__offer", "credit")
    page = listing(request, made)
    charges = ChargeLine.objects.of_buyers([mine]).open_to_objection(utc_now()).select_related("contract__offer")
    context = {
        "page": page,
        "rows": objections_told(page.rows),
        "charges": charges_told(list(charges[:SHOWN])),
        "more": max(0, charges.count() - SHOWN),
    }
    return render(request, "objections/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def object_page(request: HttpRequest, line: str) -> HttpResponse:
    """Object to one charge; a form sent twice objects once."""
    mine = current_organization(request)
    row = ChargeLine.objects.of_buyers([mine]).select_related("contract__offer", "contract__buyer").by_public_id(line)
    form = ObjectionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _objected(request, row, form):
        return HttpResponseRedirect(reverse("objections"))
    context = {
        "form": form,
        "charge": charges_told([row])[0],
        "possible": ChargeLine.objects.open_to_objection(utc_now()).filter(pk=row.pk).exists(),
        "request_key": request.POST.get("request_key") or new_id("key"),
    }
    return render(request, "objections/new.html", context, status=422 if form.errors else 200)


def _objected(request: HttpRequest, line: ChargeLine, form: ObjectionForm) -> bool:
    """Whether it was taken; a refusal stands at the form."""
    reason, text = form.cleaned_data["reason"], form.cleaned_data["text"].strip()

    def act() -> dict[str, Any]:
        row = open_dispute(line=line, buyer=line.contract.buyer, reason=reason, text=text, now=utc_now())
        return {"id": row.public_id}

    try:
        act_once(request, f"{reason} {text}", act)
    except DomainError as error:
        form.add_error(None, refusal_text(error))
        return False
    messages.success(request, _("The charge waits until the operator has decided; the provider is not paid for it."))
    return True
