"""Pages of the waiting list: join it, see the place and the expected start, leave it."""

from datetime import UTC, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.tenancy import current_organization, organizations_of
from frontend.components.formats import whole_hours
from frontend.store.access import attempt, for_members
from frontend.store.acts import act_once
from frontend.store.waitforms import MINUTE, WaitForm
from marketplace.booking import waiting
from marketplace.booking.models import Wait
from marketplace.booking.waitview import wait_as_json
from marketplace.catalog.models import Offer
from marketplace.common.clock import read_rfc3339, utc_now
from marketplace.common.ids import new_id
from scheduler.waitinglist import join_list

SHOWN_FOR = timedelta(days=2)  # what is waited for no more
MOST_SHOWN = 30


def waits_shown(request: HttpRequest) -> list[dict[str, Any]]:
    """The places of the person's organizations, those that wait first, and what became of the last others."""
    now = utc_now()
    rows = Wait.objects.of(organizations_of(request)).recent(now - SHOWN_FOR).with_terms()[:MOST_SHOWN]
    titles = dict(Offer.objects.filter(public_id__in=_offers(rows)).values_list("public_id", "title"))
    return [_shown(each, titles) for each in sorted(rows, key=lambda row: row.state != "waiting")]


def _offers(rows: Any) -> list[str]:
    return [name for row in rows for name in row.where.get("offer", ())]


def _shown(wait: Wait, titles: dict[str, str]) -> dict[str, Any]:
    """The place as the API has it, with its words."""
    told = wait_as_json(wait, utc_now())
    names = [titles.get(each, each) for each in wait.where.get("offer", ())] or wait.where.get("accelerator", ())
    return told | {
        "name": _(" or ").join(names),
        "amount": _amount(wait),
        "word": words()[told["outcome"]],
        "tone": {"offered": "warn", "reserved": "good"}.get(told["outcome"], ""),
        "expected": wait.expected_start,
        "by": wait.start_by,
        "answer": read_rfc3339(told["answer_by"]) if told["answer_by"] else None,
    }


def _amount(wait: Wait) -> str:
    units = ngettext("%(count)d unit", "%(count)d units", wait.units) % {"count": wait.units}
    return _("%(units)s for %(hours)s") % {"units": units, "hours": whole_hours(wait.hours)}


def words() -> dict[str, str]:
    """What became of a place."""
    return {
        "waiting": _("Waiting"),
        "offered": _("Held for you"),
        "reserved": _("Reserved for you"),
        "passed": _("Not taken in time"),
        "given_back": _("Given back"),
        "left": _("Left the list"),
        "over": _("Over: no room came free in time"),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def wait_new(request: HttpRequest) -> HttpResponse:
    """The form; sent, it joins the list once."""
    buyer = current_organization(request)
    asked = request.POST if request.method == "POST" else request.GET
    offer = Offer.objects.with_shelf().filter(public_id=asked.get("offer", "")).first()
    if request.method != "POST":
        return _form(request, WaitForm(currency=buyer.currency, offer=offer, initial=_initial(request)))
    form = WaitForm(request.POST, currency=buyer.currency, offer=offer)
    if not form.is_valid():
        return _form(request, form)

    def act() -> dict[str, Any]:
        return {"wait": join_list(buyer=buyer, wanted=form.wanted(), now=utc_now()).public_id}

    def join() -> None:
        act_once(request, repr(sorted(form.cleaned_data.items())), act)

    if not attempt(request, join, done=_("You are on the list: your place is shown below.")):
        return _form(request, form)
    return HttpResponseRedirect(f"{reverse('reservation-list')}#waits")


def _initial(request: HttpRequest) -> dict[str, Any]:
    """What the page that leads here knows; a start that was chosen is the one that is waited for."""
    known = {name: str(request.GET[name]) for name in ("accelerator", "units", "hours") if request.GET.get(name)}
    try:
        start = f"{read_rfc3339(request.GET.get('start', '')).astimezone(UTC):{MINUTE}}"
    except ValueError:
        return {"units": 1, "hours": 1} | known
    return {"units": 1, "hours": 1} | known | {"after": start, "by": start}


def _form(request: HttpRequest, form: WaitForm) -> HttpResponse:
    context = {"form": form, "offer": form.offer, "request_key": new_id("key")}
    return render(request, "reservations/wait_new.html", context)


@require_POST
@for_members
def wait_leave(request: HttpRequest, wait: str) -> HttpResponse:
    """Give up a place."""
    row = Wait.objects.of(organizations_of(request)).with_terms().by_public_id(wait)
    attempt(request, lambda: waiting.leave(wait=row, now=utc_now()), done=_("You have left the list."))
    return HttpResponseRedirect(f"{reverse('reservation-list')}#waits")
