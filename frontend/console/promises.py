"""What a provider has promised to buyers, and giving up what it cannot keep, at a consequence that is shown first."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.tenancy import current_organization
from frontend.components import states
from frontend.store.access import attempt, for_providers
from frontend.store.acts import act_once
from frontend.store.pager import listing
from frontend.store.refusals import refusal_text
from marketplace.booking.models import Reservation, ServiceCredit
from marketplace.booking.querysets import ReservationQuerySet
from marketplace.booking.states import GIVE_UP_REASONS, RESERVATION
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError
from marketplace.common.ids import new_id
from scheduler.inside import give_up_reservation

GROUPS = {"open": ("confirmed", "active"), "past": ("completed", "cancelled", "failed")}
FIRM = ("confirmed", "active", "completed", "cancelled", "failed")


def sold(request: HttpRequest) -> ReservationQuerySet:
    """What was firmly promised of the organization's offers."""
    rows = Reservation.objects.sold_by([current_organization(request)]).with_terms().with_changes()
    return rows.filter(state__in=FIRM).select_related("offer__site__zone")


@require_safe
@for_providers
def promise_list(request: HttpRequest) -> HttpResponse:
    """Every reservation of the own offers, the newest first; whose it is stays the buyer's."""
    group, rows = request.GET.get("state", ""), sold(request)
    page = listing(request, rows.filter(state__in=GROUPS[group]) if group in GROUPS else rows)
    words = {"": _("All"), "open": _("Open"), "past": _("Past")}
    tabs = [
        {"name": word, "href": f"?state={key}", "current": key == group or (not key and group not in GROUPS)}
        for key, word in words.items()
    ]
    return render(
        request, "console/promises.html", {"page": page, "tabs": tabs, "empty": not page.rows and not rows.exists()}
    )


@require_safe
@for_providers
def promise_page(request: HttpRequest, reservation: str) -> HttpResponse:
    """One promise, and what giving it up would come to now."""
    row = sold(request).by_public_id(reservation)
    context: dict[str, Any] = {"reservation": row, "reason_words": states.reason(row.reason) if row.reason else ""}
    if row.state == "failed":
        context |= _owed(row)
    elif "failed" in RESERVATION.moves[row.state]:
        context |= _consequence(sold(request).get(pk=row.pk))
    return render(request, "console/promise.html", context)


def _owed(row: Reservation) -> dict[str, int]:
    """What giving it up came to."""
    credits_ = ServiceCredit.objects.filter(contract__in=row.contracts, subject__in=[x.subject for x in row.contracts])
    return {
        "credit_minor": sum(each.amount_minor for each in credits_),
        "owed_minor": sum(each.provider_minor for each in credits_),
    }


def _consequence(row: Reservation) -> dict[str, Any]:
    """What it would come to, tried and taken back at once; or why it cannot be."""
    try:
        with transaction.atomic():
            told = give_up_reservation(reservation=row, reason=GIVE_UP_REASONS[0], now=utc_now())
            transaction.set_rollback(True)
    except DomainError as error:
        return {"refused": refusal_text(error)}
    reasons = [{"code": each, "name": states.reason(each)} for each in GIVE_UP_REASONS]
    return {"told": told, "reasons": reasons, "request_key": new_id("key")}


@require_POST
@for_providers
def give_up(request: HttpRequest, reservation: str) -> HttpResponse:
    """Give it up, at no more than was shown; a form sent twice gives up once."""
    row, said = sold(request).by_public_id(reservation), request.POST
    reason, shown = said.get("reason", ""), said.get("provider_minor", "")
    here = HttpResponseRedirect(reverse("console-promise", args=[row.public_id]))

    def act() -> dict[str, Any]:
        most = int(shown) if shown.isascii() and shown.isdigit() else None
        told = give_up_reservation(reservation=row, reason=reason, now=utc_now(), shown_minor=most)
        return {"provider_minor": told.provider_minor}

    attempt(
        request, lambda: act_once(request, f"{reason} {shown}", act),
        done=_("It is given up; its buyer reads why, and has the money back."),
    )  # fmt: skip
    return here
