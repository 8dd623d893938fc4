"""How carbon is measured, and what is known of every grid zone: for everybody."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from frontend.components import stacks
from frontend.components.formats import duration, energy, grouped, intensity, percent_down, percent_exact
from frontend.components.svg import Chart
from frontend.store.question import in_chinese
from frontend.store.zonefacts import ZoneFacts, zone_facts
from marketplace.common.clock import HOUR, utc_now
from marketplace.common.units import decimal_text
from marketplace.energy.models import ForecastSignal, GridZone, Scheme
from marketplace.energy.receipts.words import share
from marketplace.energy.sampleyear import WEEK, ZONE, SolarYear, solar_year
from marketplace.energy.zones import BY_CODE
from marketplace.energy.zonestats import Score, SettledShares, scores_of

# Four hours in 24 moved to the cleanest forecast, per cent saved on the hours of 2024 (benchmarks/results/README.md).
SAVED = {
    "US-CAL-CISO": "41.1", "CL-SEN": "40.4", "AU-NSW": "36.6", "CA-ON": "31.6", "AU-VIC": "22.0", "DE": "21.5",
    "GB": "19.9", "US-TEX-ERCO": "15.1", "BR-CS": "7.1", "KR": "6.5", "US-NY-NYIS": "4.7", "SG": "4.1", "ZA": "4.1",
    "US-MIDA-PJM": "3.0",
}  # fmt: skip
LOAD = 100  # per cent


@require_safe
def measured(request: HttpRequest) -> HttpResponse:
    """The three shares, the worked example, a drawn week, what is never claimed, and how good the forecasts are."""
    now, year = utc_now(), solar_year()
    zones = list(GridZone.objects.order_by("code"))
    scores = scores_of(zones=zones, now=now)
    zone = BY_CODE[ZONE]
    return render(
        request,
        "store/energy.html",
        {
            "now": now,
            "week": week_chart(year, zone.timezone),
            "week_zone": zone.name_zh if in_chinese() else zone.name,
            "periods": [part_text(share) for share in year.matching],
            "hourly": part_text(year.matching.hour),
            "scores": [row for each in zones for row in _scores(each, scores.get(each.pk, {}))],
            "unjudged": [name_of(each) for each in zones if not scores.get(each.pk)],
            "saved": [{"name": name_of(BY_CODE[code]), "code": code, "saved": f"{float(part) // 1:.0f}%"}
                      for code, part in SAVED.items()],
        },
    )  # fmt: skip


@require_safe
def zones(request: HttpRequest) -> HttpResponse:
    """The market zone by zone."""
    now = utc_now()
    rows = [_zone_row(each, now) for each in zone_facts(now)]
    return render(request, "store/zones.html", {"rows": rows, "now": now})


def name_of(zone: Any) -> str:
    """The zone in the reader's language."""
    return (zone.name_zh if in_chinese() else "") or zone.name


def part_text(part: float) -> str:
    """A share of 1 as whole per cent, rounded down but for the last bit of a sum."""
    return f"{int(part * 100 + 1e-9)}%"


def week_chart(year: SolarYear, zone: str) -> Chart:
    """A flat load and what the sun gives it, hour by hour, in per cent of the load."""
    supply = [int(part * LOAD) for part in year.week]
    matched = [min(LOAD, value) for value in supply]
    return stacks.stacks(
        [year.week_start + n * HOUR for n in range(WEEK)],
        [
            stacks.Series(_("Matched"), "solar", tuple(matched)),
            stacks.Series(_("From the grid"), "grid", tuple(LOAD - value for value in matched)),
            stacks.Series(_("Surplus"), "unsold", tuple(max(0, value - LOAD) for value in supply)),
        ],
        caption=_("A week of sample hours: a flat load of 100, and panels that make as much in the year as it uses."),
        hour_header=_("Hour"), zone=zone, top=4 * LOAD, height=320,
    )  # fmt: skip


def _scores(zone: GridZone, scores: Mapping[str, Score]) -> list[dict[str, Any]]:
    names = {ForecastSignal.LIFECYCLE: _("Carbon intensity"), ForecastSignal.RENEWABLE: _("Renewable share")}
    return [
        {
            "zone": name_of(zone), "sample": zone.sample, "signal": name, "mae": _error(scores[signal]),
            "mase": mase_text(scores[signal]), "inside": percent_exact(scores[signal].inside_ppm, 1),
            "judged": judged_text(scores[signal]),
        }
        for signal, name in names.items() if signal in scores
    ]  # fmt: skip


def _error(score: Score) -> str:
    if score.signal == ForecastSignal.LIFECYCLE:
        return intensity(score.mae)
    return _("%(points)s points") % {"points": decimal_text(-(-score.mae // 1000), 1)}


def mase_text(score: Score) -> str:
    """The error over that of "as yesterday", rounded up to two decimals."""
    return "—" if score.mase_ppm is None else f"{-(-score.mase_ppm // 10_000) / 100:.2f}"


def judged_text(score: Score) -> str:
    """How much was judged."""
    days = ngettext("%(days)d day", "%(days)d days", score.days) % {"days": score.days}
    return _("%(days)s, %(hours)s hours") % {"days": days, "hours": grouped(score.hours)}


def _zone_row(facts: ZoneFacts, now: datetime) -> dict[str, Any]:
    zone, score = facts.zone, facts.score
    return {
        "name": name_of(zone), "code": zone.code, "sample": zone.sample, "offers": facts.offers,
        "now": _signals(facts.now), "day": _signals(facts.day),
        "fresh": _freshness(facts, now),
        "stale": facts.stale_since is not None,
        "accuracy": _("MASE %(mase)s, %(inside)s in range") % {
            "mase": mase_text(score), "inside": percent_down(score.inside_ppm),
        } if score else "",
        "judged": judged_text(score) if score else _("not judged yet"),
        "points": facts.points,
        "told": facts.told,
        "settled": [_settled(_("30 days"), facts.month), _settled(_("12 months"), facts.year)] if facts.year else [],
        "retired": [{"scheme": retired_name(scheme), "wh": energy(wh)} for scheme, wh in facts.retired.items()],
    }  # fmt: skip


def _signals(values: Sequence[int] | None) -> dict[str, str] | None:
    """Intensity, renewable and carbon-free share as they are printed."""
    if values is None:
        return None
    lifecycle, renewable, free = values
    return {"carbon": intensity(lifecycle), "renewable": percent_down(renewable), "free": percent_down(free)}


def _freshness(facts: ZoneFacts, now: datetime) -> str:
    if facts.stale_since:
        return _("later hours missing for %(time)s") % {"time": duration((now - facts.stale_since).total_seconds())}
    return _("up to date") if facts.now else _("no hours")


def _settled(period: str, found: SettledShares | None) -> dict[str, str]:
    """The three shares of what was settled in a period, side by side and never added, and of how much."""
    if found is None:
        return {"period": period, "size": _("no use settled")}
    uses = ngettext("%(count)d use", "%(count)d uses", found.uses) % {"count": found.uses}
    return {
        "period": period, "matched": share(found.matched),
        "blended": share(found.blended) if found.blended is not None else "—",
        "grid": share(found.grid) if found.grid is not None else "—",
        "hours": grouped(found.hours), "size": f"{energy(found.wh)}, {uses}",
        "unknown": energy(found.wh - found.known_wh) if found.known_wh < found.wh else "",
    }  # fmt: skip


def retired_name(scheme: str) -> str:
    """What was retired: a record of a meter on site is no certificate."""
    return _("On-site meter record") if scheme == Scheme.METER else _("%(schemes)s certificates") % {"schemes": scheme}
