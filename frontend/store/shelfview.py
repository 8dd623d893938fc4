"""The shelf as the pages draw it: offer rows, winner map, ribbon, starts and the price × carbon view."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from frontend.components import price_carbon, ribbon, winner_map
from frontend.components.formats import (
    carbon_mass,
    change,
    intensity,
    moment,
    percent_down,
    percent_exact,
    quality_name,
    rate,
)
from frontend.components.svg import Chart
from frontend.store.question import Question, locality_of
from frontend.store.shelfwords import Reasons, evidence, named
from marketplace.catalog.models import Offer
from marketplace.common.clock import HOUR, hour_floor, rfc3339
from scheduler.asks import moment as moment_of
from scheduler.core.ranking import Ranked
from scheduler.core.types import OfferFacts
from scheduler.search import LETTERS, RIBBON_HOURS, Row, SearchResult
from scheduler.searchview import row_as_json

TINTS = 12
DAY_HOURS = 24
MANY_TIMES = 3
LEAD_HOURS = 8  # shown before a window that lies far ahead
STRIP_NOW_HOURS = 16  # a window that starts sooner is shown from now on


def unit_of(family: str) -> str:
    """What one hour of one unit is called."""
    return _("/vCPU-h") if family == "cpu" else _("/GPU-h")


def tint(rank: int) -> int:
    """The colour of the offer of this rank, on the map as on its row."""
    return (rank - 1) % TINTS + 1


def carbon_per_pflop_hour(ranked: Ranked) -> int:
    """mgCO₂e of a PFLOP-hour: intensity × power, rounded up."""
    return -(-ranked.ci_mg * ranked.offer.watts // ranked.offer.pf_milli)


def pflop_price(ranked: Ranked) -> int:
    """mm of a PFLOP-hour."""
    return ranked.price_mm * 1000 // ranked.offer.pf_milli


def offer_href(offer: str, asked: dict[str, str], start: datetime | None = None) -> str:
    """The page of an offer for the need, with its start chosen."""
    query = asked | ({"start": str(rfc3339(hour_floor(start)))} if start else {})
    return f"{reverse('offer', args=[offer])}?{urlencode(query, safe=':')}" if query else reverse("offer", args=[offer])


def rows_of(result: SearchResult, rows: Sequence[Row], question: Question, now: datetime) -> list[dict[str, Any]]:
    """`rows` as the offer rows show them."""
    reasons = Reasons(sorted(result.rows, key=lambda row: row.rank))
    return [_row(row, result, question, reasons, now) for row in rows]


def _row(row: Row, result: SearchResult, question: Question, reasons: Reasons, now: datetime) -> dict[str, Any]:
    shown = row_as_json(row, result.need.units, now)
    shown["match"] |= {"start": row.start, "end": row.end, "sentence": reasons.of(row)}
    return shown | {
        "tint": tint(row.rank),
        "matched": "" if row.shares.matched is None else percent_down(row.shares.matched),
        "unproven": row.shares.matched is None,
        "place": locality_of(row.offer.site),
        "pills": pills_of(row.offer) + _yearly(row),
        "strip": _strip(row, question.zone, now),
        "href": offer_href(row.offer.public_id, question.asked, row.start),
        "unit": unit_of(row.offer.hardware.family),
        "best": row.rank == 1,
    }


def pills_of(offer: Offer) -> list[dict[str, str]]:
    """What a shopper weighs at a glance: evidence, tier and term, memory, reliability."""
    strength = {"audited": "good", "declared": "warn"}
    sign = "✓ " if offer.evidence == "audited" else ""
    pills = [{"text": f"{sign}{evidence()[offer.evidence]}", "tone": strength.get(offer.evidence, "")}]
    if offer.tier == "interruptible":
        pills.append({"text": named("tier", offer.tier), "tone": ""})
    pills.append({"text": named("term", offer.term), "tone": ""})
    if offer.hardware.memory_gb:
        pills.append({"text": f"{offer.hardware.memory_gb} GB", "tone": ""})
    if offer.reliability_ppm is not None:
        pills.append({"text": _("%(share)s up") % {"share": percent_exact(offer.reliability_ppm)}, "tone": ""})
    return pills


def _yearly(row: Row) -> list[dict[str, str]]:
    """That the figures are a year's average and not of these hours."""
    return [{"text": quality_name("yearly"), "tone": "yearly"}] if row.shares.quality == "yearly" else []


def _strip(row: Row, zone: str, now: datetime) -> dict[str, Any]:
    carbon = row.ranked.offer.ci_mg
    first = hour_floor(now)
    ahead = (row.start - first) // HOUR
    skip = max(0, min(len(carbon) - DAY_HOURS, ahead - LEAD_HOURS if ahead > STRIP_NOW_HOURS else 0))
    start = first + skip * HOUR
    return {
        "start": start,
        "carbon": carbon[skip : skip + DAY_HOURS],
        "title": _("24 h from %(when)s") % {"when": moment(start, zone)},
    }


def map_of(result: SearchResult) -> Chart:
    """The triangle of weights with the offers that win somewhere in it."""
    ranked = result.ranking.ranked
    winners = [
        winner_map.Winner(
            LETTERS[field.winner],
            tint(field.winner + 1),
            ranked[field.winner].offer.title,
            tuple((float(price), float(latency), float(green)) for price, latency, green in field.vertices),
        )
        for field in result.fields
    ]
    price, latency, green = result.ranking.weights
    return winner_map.winner_map(winners, (price / 100, latency / 100, green / 100))


def ribbon_of(result: SearchResult, question: Question, now: datetime) -> Chart | None:
    """The next 48 hours of the offers listed, priced per PFLOP-hour so that models compare; None without any."""
    offers = [row.ranked.offer for row in result.rows] or list(result.snapshot.offers)
    if not offers:
        return None
    first = hour_floor(now)
    hours = [_mean_hour(offers, hour, first) for hour in range(min(RIBBON_HOURS, result.snapshot.hours))]
    chosen = result.starts.get(question.need.when)
    window = (moment_of(chosen.start_s), moment_of(chosen.end_s)) if chosen else None
    if window and window[0] >= first + RIBBON_HOURS * HOUR:
        window = None
    return ribbon.ribbon(
        hours,
        zone=question.zone,
        window=window,
        finish_by=question.need.finish_by,
        currency=result.currency,
        unit=_("/PFLOP-h"),
    )


def _mean_hour(offers: Sequence[OfferFacts], hour: int, first: datetime) -> ribbon.RibbonHour:
    count = len(offers)
    return ribbon.RibbonHour(
        start=first + hour * HOUR,
        rate_mm=sum(offer.price[hour] * 1000 // offer.pf_milli for offer in offers) // count,
        carbon_mg_per_kwh=-(-sum(offer.ci_mg[hour] for offer in offers) // count),
        renewable_ppm=sum(offer.share_ppm[hour] for offer in offers) // count,
    )


def starts_of(
    result: SearchResult, *, current: str, links: dict[str, str], zone: str, one_offer: bool = False
) -> list[dict[str, Any]]:
    """The four proposals that exist, each with its change from starting now; of one offer or of the whole shelf."""
    names = {"now": _("Start now"), "balanced": _("Balanced"), "cheapest": _("Cheapest"), "greenest": _("Greenest")}
    now = result.starts.get("now")
    shown = []
    for key, name in names.items():
        chosen = result.starts.get(key)
        if chosen is None:
            continue
        proposal = {
            "key": key,
            "name": name,
            "href": links[key],
            "current": key == current,
            "at": chosen.offer.site_title,
        }
        shown.append(proposal | _proposal(chosen, now, result.currency, zone, one_offer))
    return shown


def _proposal(chosen: Ranked, now: Ranked | None, currency: str, zone: str, one_offer: bool) -> dict[str, Any]:
    """When, and either the figures themselves or their change from now; per PFLOP-hour, so that models compare."""
    price, carbon = pflop_price(chosen), carbon_per_pflop_hour(chosen)
    start = moment_of(chosen.start_s)
    if now is None or chosen is now or (chosen.start_s, chosen.offer.id) == (now.start_s, now.offer.id):
        figures = f"{rate(price, currency)} · {carbon_mass(-(-carbon // 1000))} CO₂e"
        if one_offer:
            figures = f"{rate(chosen.price_mm, currency)} · {intensity(chosen.ci_mg)}"
        return {"start": start, "base": figures, "zone": zone}
    base_price, base_carbon = pflop_price(now), carbon_per_pflop_hour(now)
    return {
        "start": start,
        "zone": zone,
        "price": against(price, base_price),
        "price_up": price > base_price,
        "carbon": against(carbon, base_carbon),
        "carbon_up": carbon > base_carbon,
    }


def against(new: int, old: int) -> str:
    """`−13%`, `+40%`; from three times up `6.6×`, since thousands of per cent say nothing."""
    return f"{new / old:.1f}×" if old and new >= MANY_TIMES * old else change(new, old)


def scatter_of(result: SearchResult) -> Chart:
    """Every offer by price and carbon per PFLOP-hour; names stand under the drawing, where none lies on another."""
    points = [
        price_carbon.Point(
            row.letter,
            tint(row.rank),
            row.offer.title,
            row.pflop_hour_mm,
            carbon_per_pflop_hour(row.ranked),
            row.ranked.free,
        )
        for row in result.rows
    ]
    table = price_carbon.price_carbon(points, currency=result.currency)
    best = price_carbon.efficient(points)
    drawn = [replace(point, title="" if point in best else point.title) for point in points]
    return replace(price_carbon.price_carbon(drawn, currency=result.currency), rows=table.rows)


def unbeaten_of(result: SearchResult, question: Question) -> list[dict[str, Any]]:
    """Links to the offers that no other beats on both price and carbon, the cheapest first."""
    best, lowest = [], None
    for row in sorted(result.rows, key=lambda row: (row.pflop_hour_mm, carbon_per_pflop_hour(row.ranked))):
        carbon = carbon_per_pflop_hour(row.ranked)
        if lowest is None or carbon < lowest:
            lowest = carbon
            href = offer_href(row.offer.public_id, question.asked, row.start)
            best.append({"letter": row.letter, "tint": tint(row.rank), "title": row.offer.title, "href": href})
    return best


def local_midnight(now: datetime, offset: timedelta) -> datetime:
    """The whole UTC hour in which the local day of `now` began, for a zone `offset` from UTC."""
    local = now + offset
    return hour_floor(local.replace(hour=0, minute=0, second=0, microsecond=0) - offset)
