"""The page of one offer: its week, its energy, its hardware and terms, and the box that orders hours of it."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.tenancy import current_organization, organizations_of
from frontend.components.calendar import LAYERS, calendar
from frontend.components.formats import (
    carbon_mass,
    duration,
    percent_exact,
    power,
    weekday,
    whole_hours,
    zone_of,
)
from frontend.store.access import for_members
from frontend.store.acts import act_once
from frontend.store.billwords import bill_lines
from frontend.store.energyfacts import facts_of
from frontend.store.limitwords import refusal
from frontend.store.ordering import Order, Week, power_of, priced, read_order, three_like_it, week_of, why_not
from frontend.store.promisedmoney import cancelling_terms
from frontend.store.question import WHENS, in_chinese, locality_of, place_name
from frontend.store.refusals import refusal_told
from frontend.store.shelffilters import HOURS
from frontend.store.shelfview import offer_href, pills_of, starts_of, unit_of
from frontend.store.shelfwords import evidence, named
from marketplace.catalog.models import HardwareClass, Latency, Offer, Place
from marketplace.common.clock import HOUR, rfc3339, utc_now
from marketplace.common.errors import DomainError
from marketplace.common.ids import new_id
from scheduler.errors import NoOfferFits
from scheduler.quoting import make_quote
from scheduler.search import Row, SearchResult

DENSE = "dense "
Window = tuple[datetime, datetime]


def on_view(request: HttpRequest) -> QuerySet[Offer]:
    """What is or was on the shelf, and the reader's own offers in any state."""
    rows = Offer.objects.with_shelf()
    known = rows.exclude(state="draft")
    own = organizations_of(request)
    return known | rows.of_providers(own) if own else known


@require_http_methods(["GET", "HEAD", "POST"])
def offer_page(request: HttpRequest, offer: str) -> HttpResponse:
    """One offer; POST orders hours of it."""
    row = on_view(request).filter(public_id=offer).first()
    if row is None:
        raise Http404(f"there is no offer {offer} on the shelf")
    now = utc_now()
    if request.method == "POST":
        return _order(request, row, now)
    order = read_order(row, request.GET, now)
    response = render(request, "store/offer.html", _context(request, order, now))
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _order(request: HttpRequest, offer: Offer, now: datetime) -> HttpResponse:
    """Show the new price, or hold the hours and go to the checkout; a stranger signs in and comes back."""
    order = read_order(offer, request.POST, now)
    back = reverse("offer", args=[offer.public_id]) + order.query()
    if request.POST.get("do") != "reserve":
        return HttpResponseRedirect(f"{back}#order")
    if not request.user.is_authenticated:
        return HttpResponseRedirect(f"{reverse('account_login')}?{_next(back)}")
    answer: HttpResponse = _reserve(request, order=order, back=back, now=now)  # type: ignore[assignment]
    return answer


def _next(path: str) -> str:
    return urlencode({"next": path})


@for_members
def _reserve(request: HttpRequest, *, order: Order, back: str, now: datetime) -> HttpResponse:
    buyer = current_organization(request)
    content = f"{order.offer.public_id} {order.query()}"
    try:
        made = act_once(
            request,
            content,
            lambda: {"quote": make_quote(buyer=buyer, need=order.need(now), now=now, hold=True).public_id},
        )
    except NoOfferFits:
        why = refusal(why_not(order, priced(order, now)))
        messages.error(request, _("These hours cannot be held: %(why)s.") % {"why": why})
        return HttpResponseRedirect(back)
    except DomainError as error:
        messages.error(request, refusal_told(error, back))
        return HttpResponseRedirect(back)
    return HttpResponseRedirect(reverse("checkout", args=[made["quote"]]))


def _context(request: HttpRequest, order: Order, now: datetime) -> dict[str, Any]:
    offer, near = order.offer, Place.objects.filter(slug=order.near).first()
    week, known = week_of(offer, now), _latencies(offer, order.near)
    result = priced(order, now) if offer.state == "live" else None
    row = result.rows[0] if result and result.rows else None
    return {
        "offer": offer,
        "order": order,
        "cancelling": cancelling_terms(free_cancel_s=offer.free_cancel_s, idle_bp=offer.idle_bp),
        "zone": offer.site.zone.timezone,
        "near": place_name(near),
        "places": [{"slug": each.slug, "name": place_name(each)} for each in Place.objects.all()],
        "place": locality_of(offer.site),
        "pills": pills_of(offer),
        "unit": unit_of(offer.hardware.family),
        "hours": [{"value": each, "name": whole_hours(each)} for each in sorted({*HOURS, order.hours})],
        "starts": _starts(order, result) if result else [],
        "latency": next((each["ms"] for each in known if each["here"]), None),
        "latencies": known,
        "request_key": new_id("key"),
        "free_now": _free_now(week, now),
        "store_href": reverse("store") + order.query(start="", when=""),
        "compare_href": f"{reverse('compare')}{order.query(offer=offer.public_id)}",
        "standing_href": f"{reverse('standing-new')}{_standing_query(order)}",
        "job_href": f"{reverse('job-new')}{order.query(accelerator=offer.hardware.accelerator)}",
        "hardware": _hardware(offer),
        "terms": _terms(offer),
        "description": (offer.description_zh if in_chinese() else "") or offer.description,
        "command": _command(order, row),
        **_drawn(request.GET.get("layer", ""), order, week, (row.start, row.end) if row else None, now),
        **(_priced(order, row, result) if result and row else _sold(order, week, result, now)),
    }


def _drawn(layer: str, order: Order, week: Week, window: Window | None, now: datetime) -> dict[str, Any]:
    """The week in the layer asked for, and the power of the day of the window."""
    offer, zone = order.offer, order.offer.site.zone.timezone
    layer = layer if layer in LAYERS else "carbon"
    day = _local_day(window[0] if window else now, zone)
    table = calendar(
        week.hours(),
        now=now,
        href=lambda start: order.query(start=str(rfc3339(start)), when="") + "#order",
        units=order.units,
        window=window,
        zone=zone,
        currency=offer.currency,
    )
    return {
        "calendar": table,
        "layer": layer,
        "layers": _layers(order, layer),
        "keys": [{"layer": key, "low": table.ends[key][0], "high": table.ends[key][1]} for key in LAYERS],
        "power": power_of(week, day, window, zone),
        "own_power": any(week.green.matched_ppm),
        "day_name": weekday(day, zone),
    }


def _standing_query(order: Order) -> str:
    """What the form of a standing order takes over from here."""
    hardware, site = order.offer.hardware, order.offer.site
    return "?" + urlencode({"accelerator": hardware.accelerator, "units": order.units, "region": site.region})


def _local_day(at: datetime, zone: str) -> datetime:
    """Midnight of the local day of `at`, as UTC."""
    local = at.astimezone(zone_of(zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return at - timedelta(seconds=(local - midnight).total_seconds())


def _starts(order: Order, result: SearchResult) -> list[dict[str, Any]]:
    links = {when: order.query(start="", when=when) for when in WHENS}
    current, zone = "" if order.start else order.when, order.offer.site.zone.timezone
    return starts_of(result, current=current, links=links, zone=zone, one_offer=True)


def _layers(order: Order, current: str) -> list[dict[str, Any]]:
    names = {"carbon": _("Carbon"), "price": _("Price"), "renewable": _("Renewable"), "free": _("Free")}
    return [
        {"key": key, "name": name, "href": order.query(layer=key), "current": key == current}
        for key, name in names.items()
    ]


def _free_now(week: Week, now: datetime) -> int:
    return week.free[(now - week.first) // HOUR]


def _priced(order: Order, row: Row, result: SearchResult) -> dict[str, Any]:
    """The window with its frozen arithmetic: lines, total, energy."""
    base = result.starts.get("now")
    saved = 0
    if base and base.start_s != row.ranked.start_s:
        watt_hours = row.ranked.offer.watts * order.units * order.hours
        saved = watt_hours * (base.ci_mg - row.ranked.ci_mg) // 1_000_000
    return {
        "row": row,
        "bill": bill_lines([line.as_dict() for line in row.price_lines]),
        "now_rate": base.price_mm if base else None,
        "saved": carbon_mass(saved) if saved > 0 else "",
        "facts": facts_of(row, order.hours),
    }


def _sold(order: Order, week: Week, result: SearchResult | None, now: datetime) -> dict[str, Any]:
    """Nothing to price: why, the next free hour, and three like it. Without a result the offer is off the shelf."""
    free = week.next_free(order.units, now) if result else None
    rows = three_like_it(order, now)
    asked = {"units": str(order.units), "hours": str(order.hours)} | ({"near": order.near} if order.near else {})
    return {
        "row": None,
        "why_not": refusal(why_not(order, result)) if result else "",
        "next_free": free,
        "next_href": order.query(start=str(rfc3339(free)), when="") if free else "",
        "wait_href": f"{reverse('wait-new')}{order.query(offer=order.offer.public_id, near='', when='')}",
        "like_it": [{"row": each, "href": offer_href(each.offer.public_id, asked, each.start)} for each in rows],
    }


def _hardware(offer: Offer) -> list[dict[str, str]]:
    hardware = offer.hardware
    items = [
        (_("Model"), f"{hardware.vendor} {hardware.accelerator}"),
        (_("Units offered"), f"{offer.units:,}"),
        (_("Memory"), f"{hardware.memory_gb} GB" if hardware.memory_gb else ""),
        (_("Rated speed"), _speed(hardware) if hardware.memory_gb else ""),
        (_("Interconnect"), hardware.interconnect),
        (_("Host, per unit"), _("%(cpus)d vCPU, %(ram)d GB RAM") % {"cpus": hardware.vcpus, "ram": hardware.ram_gb}),
        (_("Power, per unit"), f"{power(hardware.idle_w)} – {power(hardware.max_w)}"),
    ]
    return [{"name": name, "value": value} for name, value in items if value]


def _speed(hardware: HardwareClass) -> str:
    speed, benchmark = f"{hardware.pf_milli / 1000:g}", hardware.benchmark
    if benchmark.startswith(DENSE):
        return _("%(speed)s PFLOPS, dense %(format)s") % {"speed": speed, "format": benchmark.removeprefix(DENSE)}
    return f"{speed} PFLOPS, {benchmark}"


def _terms(offer: Offer) -> list[dict[str, str]]:
    reliability = percent_exact(offer.reliability_ppm) if offer.reliability_ppm is not None else _("not yet known")
    items = [
        (_("Tier"), named("tier", offer.tier)),
        (_("How you buy"), named("term", offer.term)),
        (_("Notice"), duration(offer.notice_s)),
        (_("Start-up"), duration(offer.boot_s)),
        (_("Network"), _("jobs may use it") if offer.egress else _("none inside jobs")),
        (_("Reliability"), reliability),
        (_("Evidence"), evidence()[offer.evidence]),
        (_("Grid zone"), f"{offer.site.zone.code} · {named('residency', offer.site.country)}"),
    ]
    return [{"name": name, "value": value} for name, value in items]


def _latencies(offer: Offer, near: str) -> list[dict[str, Any]]:
    rows = Latency.objects.filter(site=offer.site).select_related("place").order_by("p95_ms", "pk")
    return [
        {"place": place_name(row.place), "ms": row.p95_ms, "measured": row.measured, "here": row.place.slug == near}
        for row in rows
    ]


def _command(order: Order, row: Row | None) -> list[str]:
    lines = [f"joulemart quote {order.offer.public_id} \\", f"  --units {order.units} --hours {order.hours}"]
    if row and order.start and order.start == row.start:
        lines[-1] += f" --start {rfc3339(row.start)}"
    return lines
