"""Offers of a provider: the list, a new one, and one with its prices by the hour."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.tenancy import current_organization
from frontend.components.calendar import Calendar, CalendarHour, calendar
from frontend.components.formats import zone_of
from frontend.console.hours import OfferHour, hours_ahead
from frontend.console.offerforms import OfferForm, PriceForm, from_mm, to_mm
from frontend.console.overview import offer_rows, offers_of
from frontend.console.signals import signal_of
from frontend.store.access import attempt, for_providers
from frontend.store.billwords import fine_rate
from marketplace.booking.hours import hour_of_week
from marketplace.booking.services import ensure_capacity
from marketplace.booking.tasks import DAYS_AHEAD
from marketplace.catalog import services
from marketplace.catalog.models import HOURS_OF_WEEK, Offer
from marketplace.catalog.querysets import OfferQuerySet
from marketplace.catalog.states import OFFER
from marketplace.common.clock import HOUR, utc_now
from marketplace.common.errors import NotFound, ValidationFailed

ACTS: dict[str, tuple[str, Callable[..., Offer]]] = {
    "publish": ("live", services.publish_offer),
    "pause": ("paused", services.pause_offer),
    "retire": ("retired", services.retire_offer),
}


def mine(request: HttpRequest) -> OfferQuerySet:
    """The organization's offers."""
    return Offer.objects.of_providers([current_organization(request)]).with_shelf()


@require_safe
@for_providers
def offer_list(request: HttpRequest) -> HttpResponse:
    """Every offer with what it costs, what is left of it and what can be done."""
    now = utc_now()
    offers = offers_of(current_organization(request))
    ahead = hours_ahead([offer for offer in offers if offer.state in {"live", "paused"}], now)
    rows = [row | {"acts": _quick(acts_of(row["offer"]))} for row in offer_rows(offers, ahead, now)]
    return render(request, "console/offers.html", {"rows": rows})


def _quick(acts: list[dict[str, str]]) -> list[dict[str, str]]:
    """What a list may do with one click: nothing that is for good."""
    return [each for each in acts if each["act"] != "retire"]


def acts_of(offer: Offer) -> list[dict[str, str]]:
    """What can be done with the offer in its state, in words."""
    words = {"publish": _("Publish"), "pause": _("Pause"), "retire": _("Retire")}
    return [
        {"act": act, "name": words[act], "variant": "danger" if act == "retire" else "ghost"}
        for act, (to, _service) in ACTS.items()
        if to in OFFER.moves[offer.state]
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@for_providers
def offer_new(request: HttpRequest) -> HttpResponse:
    """A form for a draft; the draft is not on the shelf before it is published."""
    organization = current_organization(request)
    form = OfferForm(request.POST if request.method == "POST" else None, organization=organization)
    if request.method == "POST" and form.is_valid():
        try:
            offer = _open_draft(form, utc_now())
        except ValidationFailed as error:
            _show_in_form(form, error)
        else:
            messages.success(request, _("The draft is there. Look it over, then publish it."))
            return HttpResponseRedirect(_address(offer))
    context = {"form": form, "sites": offers_can_stand(form)}
    return render(request, "console/offer_new.html", context, status=422 if form.errors else 200)


def offers_can_stand(form: OfferForm) -> bool:
    """Whether the organization has a site at all."""
    return bool(form.fields["site"].queryset.exists())  # type: ignore[attr-defined]  # a ModelChoiceField


@transaction.atomic
def _open_draft(form: OfferForm, now: datetime) -> Offer:
    """The draft together with its hours of the next days."""
    offer = services.create_offer(now=now, **form.terms())
    ensure_capacity(offer=offer, first=now.date(), days=DAYS_AHEAD)
    return offer


def _show_in_form(form: OfferForm, error: ValidationFailed) -> None:
    fields = {"rate_mm": "price", "electricity_mm_per_kwh": "electricity", "notice_s": "notice_minutes"}
    for problem in error.problems:
        name = problem.pointer.strip("/")
        name = fields.get(name, name)
        form.add_error(name if name in form.fields else None, f"{problem.detail}. {problem.hint}".strip(" ."))


@require_http_methods(["GET", "HEAD", "POST"])
@for_providers
def offer_page(request: HttpRequest, offer: str) -> HttpResponse:
    """One offer with its next seven days; a POST changes the price of some hours."""
    row = mine(request).by_public_id(offer)
    now = utc_now()
    zone = row.site.zone.timezone
    form = PriceForm(request.POST) if request.method == "POST" else PriceForm(initial=_initial(request, row, zone, now))
    if request.method == "POST" and form.is_valid():
        _reprice(request, row, form, now)
        return HttpResponseRedirect(_address(row))
    return _show(request, row, form, now)


def _reprice(request: HttpRequest, offer: Offer, form: PriceForm, now: datetime) -> None:
    """Change the prices as the form says, and say how many hours that were."""
    hours = form.hours_of_week(offer.site.zone.timezone, now)
    rates = dict.fromkeys(hours, to_mm(form.cleaned_data["price"], offer.currency))
    done = ngettext(
        "The price of %(count)d hour a week has changed; contracts keep theirs.",
        "The price of %(count)d hours a week has changed; contracts keep theirs.",
        len(hours),
    )
    version = form.cleaned_data["version"]
    attempt(
        request,
        lambda: services.reprice_hours(offer=offer, rates_mm=rates, version=version, now=now),
        done=done % {"count": len(hours)},
    )


def _initial(request: HttpRequest, offer: Offer, zone: str, now: datetime) -> dict[str, Any]:
    """The form for the hours and the price that the address names (`start`, `end`, `price`), else for every day."""
    start, end = _hour(request.GET.get("start", "")), _hour(request.GET.get("end", ""))
    values: dict[str, Any] = {"version": offer.version}
    if start is None:
        return values | {"days": [str(day) for day in range(7)], "first": 0, "last": 24, "price": _price(offer, now)}
    here = start.astimezone(zone_of(zone))
    length = max(1, (end - start) // HOUR) if end else 1
    last = min(24, here.hour + length)
    price = request.GET.get("price") or _price(offer, start)
    return values | {"days": [str(here.weekday())], "first": here.hour, "last": last, "price": price}


def _price(offer: Offer, hour: datetime) -> Any:
    return from_mm(offer.rate_mm[hour_of_week(hour)], offer.currency)


def _hour(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(zone_of("UTC")) if moment.tzinfo else None


def _show(request: HttpRequest, offer: Offer, form: PriceForm, now: datetime) -> HttpResponse:
    zone = offer.site.zone.timezone
    hours = hours_ahead([offer], now, HOURS_OF_WEEK).get(offer.pk, [])
    layer = request.GET.get("layer", "price")
    week = _week(offer, hours, zone, now)
    context = {
        "offer": offer,
        "form": form,
        "zone": zone,
        "acts": acts_of(offer),
        "can_reprice": offer.state not in OFFER.final,
        "calendar": week,
        "ends": week.ends if week else {},
        "layer": layer if layer in {"price", "carbon", "renewable", "free"} else "price",
        "layers": _layers(layer),
        "price_now": fine_rate(offer.rate_mm[hour_of_week(now)], offer.currency),
        "price_low": fine_rate(min(offer.rate_mm), offer.currency),
        "price_high": fine_rate(max(offer.rate_mm), offer.currency),
        "electricity": fine_rate(offer.electricity_mm_per_kwh, offer.currency),
        "quality": hours[0].quality if hours else "",
        "promised": sum(hour.promised for hour in hours),
        "signal": signal_of(offer, now, zone),
    }
    return render(request, "console/offer.html", context, status=422 if form.errors else 200)


def _week(offer: Offer, hours: list[OfferHour], zone: str, now: datetime) -> Calendar | None:
    if not hours:
        return None
    return calendar(
        [
            CalendarHour(
                start=hour.start,
                rate_mm=offer.rate_mm[hour_of_week(hour.start)],
                carbon_mg_per_kwh=hour.carbon_mg_per_kwh,
                renewable_ppm=hour.renewable_ppm,
                free=hour.free,
                quality=hour.quality,
            )
            for hour in hours
        ],
        now=now,
        href=lambda at: f"?start={at:%Y-%m-%dT%H:00Z}#reprice",
        zone=zone,
        currency=offer.currency,
    )


def _layers(current: str) -> list[dict[str, Any]]:
    words = {"price": _("Price"), "carbon": _("Carbon"), "renewable": _("Renewable"), "free": _("Free")}
    chosen = current if current in words else "price"
    return [
        {"key": key, "name": name, "href": f"?layer={key}", "current": key == chosen} for key, name in words.items()
    ]


@require_POST
@for_providers
def act_on_offer(request: HttpRequest, offer: str, act: str) -> HttpResponse:
    """Publish, pause or retire, and come back to where the button was."""
    row = mine(request).by_public_id(offer)
    if act not in ACTS:
        raise NotFound(f"there is nothing like {act} to do with an offer")
    _to, service = ACTS[act]
    done = {
        "publish": _("It is on the shelf now."),
        "pause": _("It is off the shelf; what was promised stays."),
        "retire": _("It is retired for good; what was promised stays."),
    }
    attempt(request, lambda: service(offer=row, now=utc_now()), done=done[act])
    return HttpResponseRedirect(reverse("console-offers") if "list" in request.POST else _address(row))


def _address(offer: Offer) -> str:
    return reverse("console-offer", args=[offer.public_id])
