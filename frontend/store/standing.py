"""Pages of standing orders: place one, see how it stands and why, pause it, change its cap, cancel it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.tenancy import current_organization, organizations_of
from frontend.store.access import attempt, for_members
from frontend.store.acts import act_once
from frontend.store.standingforms import AHEAD, BLOCKS, CapForm, StandingForm
from frontend.store.standingwords import decision_words, name_of, short_words, terms_of, tones
from marketplace.booking import standing
from marketplace.booking.models import Reservation, StandingOrder
from marketplace.booking.standingview import decisions_of, order_as_json
from marketplace.booking.states import STANDING_ORDER
from marketplace.common.clock import read_rfc3339, utc_now
from marketplace.common.currencies import to_major
from marketplace.common.ids import new_id
from marketplace.ledger.budgets import change_limit

MOST_ORDERS, MOST_RESERVATIONS = 20, 20
USUAL = {"units": 1, "ahead": AHEAD[2], "block": BLOCKS[3]}


def mine(request: HttpRequest, order: str) -> StandingOrder:
    """One order of the person's organizations."""
    return StandingOrder.objects.of(organizations_of(request)).with_terms().by_public_id(order)


def orders_shown(request: HttpRequest) -> list[dict[str, Any]]:
    """The newest orders, for the list of reservations; those that buy or may buy come first."""
    rows = StandingOrder.objects.of(organizations_of(request)).with_terms()[:MOST_ORDERS]
    return [shown(each) for each in sorted(rows, key=lambda row: row.state in STANDING_ORDER.final)]


def shown(order: StandingOrder) -> dict[str, Any]:
    """The order as the API has it, with its words."""
    told = order_as_json(order, utc_now())
    word = told["standing"] or ""
    return told | {
        "name": name_of(order),
        "word": tones()[word],
        "tone": {"kept": "good", "partly_kept": "warn", "not_kept": "bad"}.get(word, ""),
        "why": short_words(order.short),
        "price": order.where["price__lte"],
        "open": order.state in STANDING_ORDER.open,
        "looked_at": order.looked_at,
        "ends_at": order.ends_at,
        "created": order.created_at,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def standing_new(request: HttpRequest) -> HttpResponse:
    """The form; sent, it places the order once."""
    buyer = current_organization(request)
    if request.method != "POST":
        form = StandingForm(currency=buyer.currency, initial=USUAL | _asked(request.GET))
        return _form(request, form)
    form = StandingForm(request.POST, currency=buyer.currency)
    if not form.is_valid():
        return _form(request, form)
    made: dict[str, Any] = {}

    def act() -> dict[str, Any]:
        return {"order": standing.place_order(buyer=buyer, wish=form.wish(), now=utc_now()).public_id}

    def place() -> None:
        made.update(act_once(request, repr(sorted(form.cleaned_data.items())), act))

    done = _("Placed: the first hours are bought within a minute.")
    if not attempt(request, place, done=done):
        return _form(request, form)
    return HttpResponseRedirect(reverse("standing", args=[made["order"]]))


def _asked(query: QueryDict) -> dict[str, str]:
    return {name: str(query[name]) for name in ("accelerator", "units", "region") if query.get(name)}


def _form(request: HttpRequest, form: StandingForm) -> HttpResponse:
    return render(request, "reservations/standing_new.html", {"form": form, "request_key": new_id("key")})


@require_safe
@for_members
def standing_page(request: HttpRequest, order: str) -> HttpResponse:
    """How one order stands, its terms, its month, what is reserved for it and every decision."""
    row = mine(request, order)
    return render(request, "reservations/standing.html", _context(row))


def _context(row: StandingOrder) -> dict[str, Any]:
    rows = Reservation.objects.filter(standing_hours__order=row).distinct().with_terms().order_by("-pk")
    told = shown(row)
    initial = {"cap": to_major(told["limit_minor"], row.budget.asset)}
    return {
        "order": told,
        "terms": terms_of(row),
        "reservations": rows.select_related("offer__site__zone")[:MOST_RESERVATIONS],
        "decisions": [
            {
                "at": read_rfc3339(each["at"]),
                "text": decision_words(each, "UTC"),
                "on": each["facts"].get("reservation"),
            }
            for each in decisions_of(row)
        ],
        "cap": CapForm(currency=row.budget.asset, initial=initial),
    }


@require_POST
@for_members
def standing_move(request: HttpRequest, order: str) -> HttpResponse:
    """Pause, resume or cancel it, or change its cap."""
    row = mine(request, order)
    acts = {
        "pause": (standing.pause, _("Paused: nothing is bought until you resume it.")),
        "resume": (standing.resume, _("Resumed: missing hours are bought within a minute.")),
        "cancel": (standing.cancel_order, _("Cancelled: what is reserved stays yours.")),
    }
    do = request.POST.get("do", "")
    if do == "cap":
        _change_cap(request, row)
    elif do in acts:
        act, done = acts[do]
        attempt(request, lambda: act(order=row, now=utc_now()), done=done)
    return HttpResponseRedirect(reverse("standing", args=[row.public_id]))


def _change_cap(request: HttpRequest, row: StandingOrder) -> None:
    form, budget = CapForm(request.POST, currency=row.budget.asset), row.budget
    if not form.is_valid():
        messages.error(request, " ".join(str(each) for each in form.errors["cap"]))
        return
    attempt(
        request,
        lambda: change_limit(
            budget=budget, limit_minor=form.cleaned_data["cap"], version=budget.version, now=utc_now()
        ),
        done=_("The cap is changed."),
    )  # fmt: skip
