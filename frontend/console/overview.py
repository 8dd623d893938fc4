"""The provider's first page: what is unsold and what to do about it, what is on the shelf, what runs, who serves it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Organization
from accounts.tenancy import current_organization
from frontend.components.formats import grouped
from frontend.console.certificateview import dues_of
from frontend.console.hours import HOURS_OF_DAY, OfferHour, hours_ahead, machines_of
from frontend.console.unsoldview import unsold_of
from frontend.console.work import attempts_of
from frontend.store.access import for_providers
from frontend.store.billwords import fine_rate
from marketplace.booking.hours import hour_of_week
from marketplace.catalog.models import Offer
from marketplace.common.clock import utc_now
from scheduler.leases import silent_since
from scheduler.models import Agent

SHOWN = 6
TWO_DAYS, WEEK = 48, 168  # hours


@require_safe
@for_providers
def overview(request: HttpRequest) -> HttpResponse:
    """Figures of the next two or seven days, what can be done about them, offers, live jobs and agents."""
    now = utc_now()
    organization = current_organization(request)
    offers = offers_of(organization)
    live = [offer for offer in offers if offer.state == "live"]
    span = WEEK if request.GET.get("hours") == str(WEEK) else TWO_DAYS
    ahead = hours_ahead(live, now, span)
    running = attempts_of(organization).open()
    agents = list(Agent.objects.of_providers([organization]))
    zone = offers[0].site.zone.timezone if offers else "UTC"
    context = {
        **unsold_of(live, machines_of(live, ahead), span, zone),
        "zone": zone,
        "span": span,
        "spans": _spans(span),
        "rows": offer_rows(offers[:SHOWN], {key: hours[:HOURS_OF_DAY] for key, hours in ahead.items()}, now),
        "more": max(0, len(offers) - SHOWN),
        "has_offers": bool(offers),
        "due": sum(each.by is not None for each in dues_of(organization)),
        "jobs": list(running[:SHOWN]),
        "agents": agent_rows(agents[:SHOWN], now),
        "now": now,
    }
    context["kpis"] = [*context["unsold_kpis"], *_kpis(running.count(), agents, now)]
    return render(request, "console/overview.html", context)


def _spans(span: int) -> list[dict[str, Any]]:
    words = {TWO_DAYS: _("48 h"), WEEK: _("7 days")}
    return [{"name": word, "href": f"?hours={hours}", "current": hours == span} for hours, word in words.items()]


def offers_of(organization: Organization) -> list[Offer]:
    """The organization's offers: live ones first, retired ones last."""
    order = {"live": 0, "paused": 1, "draft": 2, "retired": 3}
    rows = Offer.objects.of_providers([organization]).with_shelf()
    return sorted(rows, key=lambda offer: (order[offer.state], offer.title))


def _kpis(live: int, agents: Sequence[Agent], now: datetime) -> list[Any]:
    connected = sum(agent.last_seen_at > silent_since(now) for agent in agents)
    return [
        {"name": _("Live jobs"), "value": grouped(live), "note": _("promised, starting or running")},
        {
            "name": _("Agents connected"),
            "value": f"{connected}/{len(agents)}",
            "note": _("all answer") if agents and connected == len(agents) else _("see Agents"),
            "tone": "good" if agents and connected == len(agents) else "",
        },
    ]


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
