"""The provider's first page: what is unsold, what is on the shelf, what runs, who serves it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Organization
from accounts.tenancy import current_organization
from frontend.components.formats import grouped, percent_down, window
from frontend.components.stacks import Series, stacks
from frontend.components.svg import Chart
from frontend.console.hours import OfferHour, Window, best_window, hours_ahead
from frontend.console.work import attempts_of
from frontend.store.access import for_providers
from frontend.store.billwords import fine_rate
from marketplace.booking.hours import hour_of_week
from marketplace.catalog.models import Offer
from marketplace.common.clock import hour_floor, utc_now
from marketplace.common.units import PPM
from scheduler.leases import silent_since
from scheduler.models import Agent

SHOWN = 6


@require_safe
@for_providers
def overview(request: HttpRequest) -> HttpResponse:
    """Figures of the next 24 hours, offers, live jobs and agents of the organization."""
    now = utc_now()
    organization = current_organization(request)
    offers = offers_of(organization)
    ahead = hours_ahead([offer for offer in offers if offer.state == "live"], now)
    running = attempts_of(organization).open()
    agents = list(Agent.objects.of_providers([organization]))
    columns = _columns(ahead)
    zone = offers[0].site.zone.timezone if offers else "UTC"
    best = best_window([column["green_free"] for column in columns], hour_floor(now))
    context = {
        "kpis": _kpis(columns, running.count(), agents, now),
        "chart": _chart(columns, best, zone) if columns else None,
        "legend": legend(),
        "best": best,
        "best_text": window(best.start, best.end, zone) if best else "",
        "best_offer": _offer_of(best, offers, ahead),
        "zone": zone,
        "rows": offer_rows(offers[:SHOWN], ahead, now),
        "more": max(0, len(offers) - SHOWN),
        "has_offers": bool(offers),
        "jobs": list(running[:SHOWN]),
        "agents": agent_rows(agents[:SHOWN], now),
        "now": now,
    }
    return render(request, "console/overview.html", context)


def offers_of(organization: Organization) -> list[Offer]:
    """The organization's offers: live ones first, retired ones last."""
    order = {"live": 0, "paused": 1, "draft": 2, "retired": 3}
    rows = Offer.objects.of_providers([organization]).with_shelf()
    return sorted(rows, key=lambda offer: (order[offer.state], offer.title))


def _columns(ahead: Mapping[int, Sequence[OfferHour]]) -> list[dict[str, Any]]:
    """The hours of all offers added up."""
    return [
        {
            "start": hours[0].start,
            "on_green": sum(hour.on_green for hour in hours),
            "on_grid": sum(hour.promised - hour.on_green for hour in hours),
            "green_free": sum(hour.green_free for hour in hours),
            "total": sum(hour.total for hour in hours),
            "promised": sum(hour.promised for hour in hours),
            "weighted": sum(hour.total * hour.renewable_ppm for hour in hours),
        }
        for hours in zip(*ahead.values(), strict=True)
    ]


def _kpis(columns: Sequence[Mapping[str, Any]], live: int, agents: Sequence[Agent], now: datetime) -> list[Any]:
    total = sum(column["total"] for column in columns)
    connected = sum(agent.last_seen_at > silent_since(now) for agent in agents)
    sold = columns[0]["promised"] * PPM // columns[0]["total"] if columns and columns[0]["total"] else 0
    share = percent_down(sum(column["weighted"] for column in columns) // total) if total else "—"
    busy = {"promised": columns[0]["promised"], "total": columns[0]["total"]} if columns else None
    return [
        {
            "name": _("Unsold green hours, next 24 h"),
            "value": grouped(sum(column["green_free"] for column in columns)),
            "unit": _("unit-h"),
            "note": _("units that renewable power would run"),
            "hot": True,
        },
        {
            "name": _("Sold this hour"),
            "value": percent_down(sold),
            "note": _("%(promised)d of %(total)d units") % busy if busy else "",
        },
        {"name": _("Renewable, next 24 h"), "value": share, "note": _("by the hour, over all units")},
        {"name": _("Live jobs"), "value": grouped(live), "note": _("promised, starting or running")},
        {
            "name": _("Agents connected"),
            "value": f"{connected}/{len(agents)}",
            "note": _("all answer") if agents and connected == len(agents) else _("see Agents"),
            "tone": "good" if agents and connected == len(agents) else "",
        },
    ]


def _chart(columns: Sequence[Mapping[str, Any]], best: Window | None, zone: str) -> Chart:
    words = [item["name"] for item in legend()]
    names = ("on_green", "on_grid", "green_free")
    swatches = ("c2", "c7", "unsold")
    return stacks(
        [column["start"] for column in columns],
        [
            Series(word, swatch, tuple(column[name] for column in columns))
            for word, swatch, name in zip(words, swatches, names, strict=True)
        ],
        caption=_("Next 24 hours: units sold on green power, sold on grid power, and green units that are unsold."),
        hour_header=_("Hour"),
        zone=zone,
        window=(best.first, best.last) if best else None,
        top=max(column["total"] for column in columns),
        height=280,
    )


def legend() -> list[dict[str, str]]:
    """The layers of the chart."""
    return [
        {"name": _("Sold, on green power"), "swatch": "c2"},
        {"name": _("Sold, on grid power"), "swatch": "c7"},
        {"name": _("Green and unsold"), "swatch": "unsold"},
    ]


def _offer_of(best: Window | None, offers: Sequence[Offer], ahead: Mapping[int, Sequence[OfferHour]]) -> Offer | None:
    """The offer with the most unsold green units in the window."""
    if best is None:
        return None
    mine = [offer for offer in offers if offer.pk in ahead]
    return max(mine, key=lambda offer: sum(each.green_free for each in ahead[offer.pk][best.first : best.last]))


def offer_rows(
    offers: Sequence[Offer], ahead: Mapping[int, Sequence[OfferHour]], now: datetime
) -> list[dict[str, Any]]:
    """Offers with the price of this hour, free units, the sold share and the carbon of the next 24 hours."""
    rows = []
    for offer in offers:
        hours = ahead.get(offer.pk, [])
        total = sum(hour.total for hour in hours)
        sold = sum(hour.promised for hour in hours)
        rows.append(
            {
                "offer": offer,
                "price": fine_rate(offer.rate_mm[hour_of_week(now)], offer.currency),
                "varies": len(set(offer.rate_mm)) > 1,
                "free": hours[0].free if hours else None,
                "sold": sold / total if total else 0,
                "sold_text": f"{sold * 100 // total}%" if total else "—",
                "carbon": [hour.carbon_mg_per_kwh for hour in hours],
                "quality": hours[0].quality if hours else "",
            }
        )
    return rows


def agent_rows(agents: Sequence[Agent], now: datetime) -> list[dict[str, Any]]:
    """Agents with whether they answer and what they found."""
    return [
        {
            "agent": agent,
            "state": "connected" if agent.last_seen_at > silent_since(now) else "silent",
            "ago": max(0, int((now - agent.last_seen_at).total_seconds())),
            "devices": ", ".join(f"{each.get('count', 1)} × {each.get('model', '')}" for each in agent.devices),
        }
        for agent in agents
    ]
