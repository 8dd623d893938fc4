"""The checkout of a quote: hours that are held while a person decides, or the same request quoted anew."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.tenancy import current_organization, organizations_of
from frontend.components.formats import carbon_mass, change, duration, grams_up, percent_down
from frontend.components.formats import window as window_text
from frontend.store.access import for_members
from frontend.store.acts import act_once
from frontend.store.billwords import bill_lines
from frontend.store.greenorder import promise_asked, promise_on_order
from frontend.store.limitwords import refusal
from frontend.store.promisedmoney import cancelling_words
from frontend.store.refusals import refusal_told, shortfall
from frontend.store.shelfview import unit_of
from frontend.store.shelfwords import named
from marketplace.booking import services
from marketplace.booking.contracts import terms_of
from marketplace.booking.greenpromises import promise_for, promise_of
from marketplace.booking.models import Quote, Reservation
from marketplace.catalog.models import Offer
from marketplace.common.clock import utc_now
from marketplace.common.errors import DomainError
from marketplace.common.ids import new_id
from marketplace.ledger.wallets import wallet_of
from scheduler.quoting import make_quote, need_again, option_as_json
from scheduler.search import SearchResult, search

Option = Mapping[str, Any]


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def checkout_page(request: HttpRequest, quote: str) -> HttpResponse:
    """A held reservation to confirm or cancel; once its time is over, the same request at today's price."""
    row = Quote.objects.of(organizations_of(request)).by_public_id(quote)
    held = Reservation.objects.filter(quote=row).with_terms().order_by("pk").last()
    if request.method == "POST":
        return _act(request, row, held)
    if held is not None and held.state not in {"held", "expired", "cancelled"}:
        return HttpResponseRedirect(reverse("reservation", args=[held.public_id]))
    return render(request, "store/checkout.html", _context(row, held, utc_now()))


def _act(request: HttpRequest, quote: Quote, held: Reservation | None) -> HttpResponse:
    """Confirm, cancel or ask again; a form sent twice acts once."""
    acts = {"confirm": _confirm, "cancel": _cancel, "hold": _hold, "again": _again}
    act = acts.get(request.POST.get("do", ""))
    here = reverse("checkout", args=[quote.public_id])
    if act is None:
        return HttpResponseRedirect(here)
    try:
        answer = act_once(request, request.POST["do"], lambda: act(request, quote, held))
    except DomainError as error:
        messages.error(request, refusal_told(error, here))
        return HttpResponseRedirect(here)
    if said := answer.get("said"):
        messages.success(request, said)
    return HttpResponseRedirect(answer["to"])


def _confirm(request: HttpRequest, quote: Quote, held: Reservation | None) -> dict[str, Any]:
    asked = promise_asked(request.POST)
    row = held or services.hold_option(quote=quote, option=1, now=utc_now())
    if asked is not None and promise_of(row) is None:
        promise_for(reservation=row, asked_percent=asked, least_percent=asked, now=utc_now())
    if row.state != "confirmed":
        services.confirm(reservation=row, now=utc_now())
    said = _("Confirmed: the hours are yours at this price.")
    return {"to": reverse("reservation", args=[row.public_id]), "said": said}


def _cancel(_request: HttpRequest, quote: Quote, held: Reservation | None) -> dict[str, Any]:
    if held is not None and held.state == "held":
        services.cancel(reservation=held, now=utc_now())
    offer = quote.options[0]["offer"]["id"]
    return {"to": reverse("offer", args=[offer]), "said": _("Let go: the hours are back on the shelf.")}


def _hold(_request: HttpRequest, quote: Quote, held: Reservation | None) -> dict[str, Any]:
    if held is None:
        services.hold_option(quote=quote, option=1, now=utc_now())
    return {"to": reverse("checkout", args=[quote.public_id])}


def _again(request: HttpRequest, quote: Quote, _held: Reservation | None) -> dict[str, Any]:
    now = utc_now()
    need = need_again(quote.request, now)
    fresh = make_quote(buyer=current_organization(request), need=need, now=now, hold=True)
    return {"to": reverse("checkout", args=[fresh.public_id])}


def _context(quote: Quote, held: Reservation | None, now: datetime) -> dict[str, Any]:
    option = quote.options[0]
    offer = Offer.objects.with_shelf().get(public_id=option["offer"]["id"])
    over = quote.expires_at <= now or (held is not None and held.state != "held")
    left = max(0, int((quote.expires_at - now).total_seconds()))
    return {
        "quote": quote,
        "offer": offer,
        "option": _shown(option, offer),
        "bill": bill_lines(option["price_lines"]),
        "terms": _terms(offer),
        "zone": offer.site.zone.timezone,
        "held": held,
        "is_held": held is not None and not over,
        "over": over,
        "cancelled": held is not None and held.state == "cancelled",
        "expires_at": quote.expires_at,
        "left": f"{left // 60}:{left % 60:02d}",
        "request_key": new_id("key"),
        "offer_href": reverse("offer", args=[offer.public_id]),
        **promise_on_order(option, held),
        **_paying(quote, offer, held, now),
        **(_anew(quote, option, now) if over else {}),
    }


def _paying(quote: Quote, offer: Offer, held: Reservation | None, now: datetime) -> dict[str, Any]:
    """What the wallet has for it, what it lacks, and what cancelling will cost."""
    option = quote.options[0]
    currency, total = quote.request["currency"], option["total_minor"]
    there = wallet_of(organization=quote.buyer, asset=currency, livemode=settings.LIVEMODE).available
    terms = held.contract.terms if held else terms_of(offer)
    free_until = datetime.fromisoformat(option["start"]) - timedelta(seconds=terms.get("free_cancel_s", 0))
    back = reverse("checkout", args=[quote.public_id])
    return {
        "available": there,
        "short": shortfall(needed=total, there=there, currency=currency, back=back) if there < total else None,
        "cancelling": cancelling_words(
            free_until=free_until, idle_bp=terms.get("idle_bp", 0), zone=offer.site.zone.timezone, now=now
        ),
    }


def _shown(option: Option, offer: Offer) -> dict[str, Any]:
    start, end = datetime.fromisoformat(option["start"]), datetime.fromisoformat(option["end"])
    return dict(option) | {
        "start": start,
        "end": end,
        "length": duration((end - start).total_seconds()),
        "carbon": carbon_mass(option["carbon_g"]),
        "unit": unit_of(offer.hardware.family),
    }


def _terms(offer: Offer) -> list[dict[str, str]]:
    """What the contract freezes beside the price."""
    terms = terms_of(offer)
    items = [
        (_("Provider"), offer.site.provider.name),
        (_("Site"), offer.site.name),
        (_("Tier"), named("tier", terms["tier"])),
        (_("Notice"), duration(terms["notice_s"])),
        (_("Start-up"), duration(terms["boot_s"])),
        (_("Network"), _("jobs may use it") if terms["egress"] else _("none inside jobs")),
    ]
    return [{"name": name, "value": value} for name, value in items]


def _anew(quote: Quote, before: Option, now: datetime) -> dict[str, Any]:
    """The same request today, with what changed; or why nothing fits any more."""
    result = search(need=need_again(quote.request, now), now=now)
    if not result.rows:
        return {"fresh": None, "why_not": refusal(_why_not(before, result))}
    fresh = option_as_json(result, result.rows[0])
    offer = result.rows[0].offer
    return {
        "fresh": _shown(fresh, offer),
        "fresh_bill": bill_lines(fresh["price_lines"]),
        "changes": changes_between(before, fresh, offer.site.zone.timezone),
    }


def _why_not(before: Option, result: SearchResult) -> list[str]:
    """What keeps the quoted offer away now; one that has left the shelf has no free units."""
    offer = before["offer"]["id"]
    return next((sorted(codes) for facts, codes in result.refused if facts.id == offer), ["capacity"])


def changes_between(before: Option, after: Option, zone: str) -> list[dict[str, Any]]:
    """Each figure a buyer decides by, then and now; `changed` where they differ."""

    def window_of(option: Option) -> str:
        start, end = (datetime.fromisoformat(option[edge]) for edge in ("start", "end"))
        return window_text(start, end, zone)

    rows = [
        (_("Offer"), before["offer"]["title"], after["offer"]["title"], ""),
        (_("Window"), window_of(before), window_of(after), ""),
        (_("Renewable"), percent_down(before["renewable_share_ppm"]), percent_down(after["renewable_share_ppm"]), ""),
        (
            _("Carbon intensity"),
            f"{grams_up(before['carbon_mg_per_kwh'])} g/kWh",
            f"{grams_up(after['carbon_mg_per_kwh'])} g/kWh",
            change(after["carbon_mg_per_kwh"], before["carbon_mg_per_kwh"]),
        ),
    ]
    return [
        {"name": name, "before": then, "after": today, "changed": then != today, "by": by if then != today else ""}
        for name, then, today, by in rows
    ]
