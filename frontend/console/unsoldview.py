"""Unsold green hours as the overview shows them: figures, a chart, a row for each site, and what can be done.

Where plants serve a site it is their expected output that counts; only a provider without any sees the renewable share
of the grid. The two are never added up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from frontend.components.formats import energy, grouped, money, percent_down, window
from frontend.components.stacks import Series, stacks
from frontend.components.svg import Chart
from frontend.console.hours import OfferHour, Window, best_window
from frontend.console.proposals import proposals_of
from frontend.console.unsold import GreenSite, green_sites
from marketplace.booking.greenhours import load_watts
from marketplace.catalog.models import Offer
from marketplace.common.units import PPM

WEEK = 168
NAMES, SWATCHES = ("on_green", "on_grid", "green_free"), ("c2", "c7", "unsold")
Machines = Mapping[int, Sequence[OfferHour]]
Columns = Sequence[Mapping[str, Any]]


def unsold_of(offers: Sequence[Offer], machines: Machines, span: int, zone: str) -> dict[str, Any]:
    """What the page shows of the next `span` hours of live `offers`."""
    sites = green_sites(offers=offers, machines=machines, watts=load_watts())
    supplied = [site for site in sites if site.supplied]
    columns = _own_columns(supplied) if supplied else _grid_columns(machines)
    best = best_window([column["green_free"] for column in columns], columns[0]["start"]) if columns else None
    return {
        "own": bool(supplied),
        "unsold_kpis": _kpis(columns, supplied, machines, span),
        "chart": _chart(columns, best, zone, own=bool(supplied)) if columns else None,
        "legend": legend(own=bool(supplied)),
        "best": best,
        "best_text": window(best.start, best.end, zone) if best else "",
        "best_offer": _offer_of(best, offers, machines) if best and not supplied else None,
        "sites": [_row(site, zone) for site in supplied],
        "without": len(sites) - len(supplied),
        "proposals": proposals_of(supplied[0], zone) if supplied else None,
        "quality": next((hours[-1].quality for hours in machines.values() if hours), ""),
    }


def _own_columns(sites: Sequence[GreenSite]) -> list[dict[str, Any]]:
    """The hours of all sites that plants serve, added up."""
    return [
        {
            "start": hours[0].start,
            "on_green": sum(hour.on_green for hour in hours),
            "on_grid": sum(hour.sold - hour.on_green for hour in hours),
            "green_free": sum(hour.unsold for hour in hours),
            "total": sum(hour.total for hour in hours),
        }
        for hours in zip(*(site.hours for site in sites), strict=True)
    ]


def _grid_columns(machines: Machines) -> list[dict[str, Any]]:
    """The hours of all offers added up, by the renewable share of their places."""
    return [
        {
            "start": hours[0].start,
            "on_green": sum(hour.on_green for hour in hours),
            "on_grid": sum(hour.promised - hour.on_green for hour in hours),
            "green_free": sum(hour.green_free for hour in hours),
            "total": sum(hour.total for hour in hours),
        }
        for hours in zip(*machines.values(), strict=True)
    ]


def _kpis(columns: Columns, sites: Sequence[GreenSite], machines: Machines, span: int) -> list[dict[str, Any]]:
    now = [hours[0] for hours in machines.values()]
    total, promised = sum(hour.total for hour in now), sum(hour.promised for hour in now)
    every = [hour for hours in machines.values() for hour in hours]
    units = sum(hour.total for hour in every)
    share = sum(hour.total * hour.renewable_ppm for hour in every) // units if units else None
    busy = _("%(promised)d of %(total)d units") % {"promised": promised, "total": total}
    return [
        {
            "name": _("Unsold green hours, next 7 days") if span == WEEK else _("Unsold green hours, next 48 h"),
            "value": grouped(sum(column["green_free"] for column in columns)),
            "unit": _("unit-h"),
            "note": _worth(sites) if sites else _("units that renewable power would run"),
            "hot": True,
        },
        {
            "name": _("Sold this hour"),
            "value": percent_down(promised * PPM // total if total else 0),
            "note": busy if machines else "",
        },
        {
            "name": _("Renewable, next 7 days") if span == WEEK else _("Renewable, next 48 h"),
            "value": "—" if share is None else percent_down(share),
            "note": _("by the hour, over all units"),
        },
    ]


def _worth(sites: Sequence[GreenSite]) -> str:
    """What it is worth, and that it is a forecast."""
    value = sum(site.value_minor for site in sites)
    currency = next(iter(sites[0].offers.values())).currency
    return _("forecast, worth %(money)s at present prices") % {"money": money(value, currency)}


def _chart(columns: Columns, best: Window | None, zone: str, *, own: bool) -> Chart:
    words = [item["name"] for item in legend(own=own)]
    told = (
        _("The next hours: units sold on own green power, sold beyond it, and free units that it would run unsold.")
        if own
        else _("The next hours: units sold on green power, sold on grid power, and green units that are unsold.")
    )
    return stacks(
        [column["start"] for column in columns],
        [
            Series(word, swatch, tuple(column[name] for column in columns))
            for word, swatch, name in zip(words, SWATCHES, NAMES, strict=True)
        ],
        caption=told,
        hour_header=_("Hour"),
        zone=zone,
        window=(best.first, best.last) if best else None,
        top=max(1, *(column["total"] for column in columns)),
        height=280,
    )


def legend(*, own: bool) -> list[dict[str, str]]:
    """The layers of the chart."""
    if own:
        words = (_("Sold, on own green power"), _("Sold beyond it"), _("Own green power, unsold"))
    else:
        words = (_("Sold, on green power"), _("Sold, on grid power"), _("Green and unsold"))
    return [{"name": word, "swatch": swatch} for word, swatch in zip(words, SWATCHES, strict=True)]


def _offer_of(best: Window, offers: Sequence[Offer], machines: Machines) -> Offer:
    """The offer with the most unsold green units in the window."""
    mine = [offer for offer in offers if offer.pk in machines]
    return max(mine, key=lambda offer: sum(each.green_free for each in machines[offer.pk][best.first : best.last]))


def _row(site: GreenSite, zone: str) -> dict[str, Any]:
    best = site.best()
    offer = site.best_offer(best) if best else None
    hours = sum(hour.unsold > 0 for hour in site.hours)
    return {
        "name": site.name,
        "free": grouped(site.free),
        "hours": ngettext("in %(count)d hour", "in %(count)d hours", hours) % {"count": hours},
        "unsold": grouped(site.unsold),
        "energy": energy(site.wh),
        "value": money(site.value_minor, next(iter(site.offers.values())).currency),
        "best": best,
        "when": window(best.start, best.end, zone) if best else "",
        "offer": offer,
    }
