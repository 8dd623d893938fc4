"""The controls of the shelf: the sentence's choices, filters with their counts, chips, and ways out of nothing."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from frontend.components.formats import moment, money, whole_hours
from frontend.store.limitwords import changes_of, relaxing
from frontend.store.question import Question, is_filter, place_name
from frontend.store.shelfwords import chip, energy_sources, evidence, kinds, named, resolutions, terms, tiers
from marketplace.catalog.filters import EVIDENCE
from marketplace.catalog.models import HardwareClass, Place
from marketplace.common.clock import HOUR, hour_ceil, rfc3339
from scheduler.core import ranking
from scheduler.search import Need, SearchResult, search

UNITS = (1, 2, 4, 8, 16, 32, 64)
HOURS = (1, 2, 4, 6, 8, 12, 24, 48, 72, 168)
DEADLINES = (12, 24, 36, 48, 72, 120)
PRICES = (100, 150, 200, 300, 500, 1000)
LATENCIES = (100, 50, 20, 5)
FINEST = "hour"
SHARES = ("0.4", "0.6", "0.8", "0.9")
TIMES = {"finish_by": "finish__lte", "start_after": "start__gte"}  # by their names in the address
PRESETS = {"cheap": (80, 10, 10), "near": (10, 80, 10), "green": (10, 10, 80), "even": (34, 33, 33)}
CONTROLS = frozenset({
    "units", "accelerator", "hours", "finish__lte", "near", "q", "w_price", "w_latency", "w_green", "sort", "view",
    "when", "renewable_share__gte", "latency_ms__lte", "kind", "tier", "term", "region", "residency", "evidence",
    "energy_source", "temporal_resolution", "price__lte", "page",
})  # fmt: skip

Choice = dict[str, Any]


def _choice(value: object, name: str, chosen: object, count: int | None = None) -> Choice:
    return {"value": str(value), "name": name, "chosen": str(value) == str(chosen), "count": count}


def sentence(question: Question, counts: dict[str, dict[str, int]], now: datetime) -> dict[str, list[Choice]]:
    """The choices of the sentence; a value that is none of the usual ones stands among them."""
    need = question.need
    return {
        "units": [_choice(n, str(n), need.units) for n in sorted({*UNITS, need.units})],
        "accelerators": _accelerators(question, counts.get("accelerator", {})),
        "hours": [_choice(n, whole_hours(n), need.hours) for n in sorted({*HOURS, need.hours})],
        "deadlines": _deadlines(question, now),
        "places": [
            *(_choice(each.slug, place_name(each), need.near) for each in Place.objects.all()),
            _choice("", _("anywhere"), need.near or ""),
        ],
    }


def _accelerators(question: Question, counts: dict[str, int]) -> list[Choice]:
    chosen = question.query.getlist("accelerator")
    rows = HardwareClass.objects.order_by("accelerator").values_list("accelerator", "family").distinct()
    found = [_choice("", _("any AI accelerator"), ",".join(chosen))]
    found += [_choice(name, name, ",".join(chosen), counts.get(name)) for name, family in rows if family != "cpu"]
    found += [_choice(name, _("processor (%(name)s)") % {"name": name}, ",".join(chosen))
              for name, family in rows if family == "cpu"]  # fmt: skip
    if len(chosen) > 1:
        found.append(_choice(",".join(chosen), _(" or ").join(chosen), ",".join(chosen)))
    return found


def _deadlines(question: Question, now: datetime) -> list[Choice]:
    asked = question.need.finish_by
    usual = {hour_ceil(now) + hours * HOUR for hours in DEADLINES if hours >= question.need.hours}
    every = sorted(usual | ({asked} if asked else set()))
    chosen = rfc3339(asked) if asked else ""
    words = _("by %(when)s")
    found = [_choice("", _("any time in 7 days"), chosen)]
    return found + [_choice(rfc3339(at), words % {"when": moment(at, question.zone)}, chosen) for at in every]


def filters(question: Question, result: SearchResult, counts: dict[str, dict[str, int]]) -> dict[str, Any]:
    """Every filter that has data here, with the offers that would fit at each choice."""
    query = question.query
    return {
        "q": question.need.text,
        "share": _share(question),
        "shares": [
            {
                "name": f"{float(share) * 100:.0f}%",
                "href": question.link(renewable_share__gte=share),
                "count": counts["renewable_share__gte"].get(share, 0),
            }
            for share in SHARES
        ],
        "latencies": _latencies(query.get("latency_ms__lte", ""), counts.get("latency_ms__lte")),
        "prices": _prices(query.get("price__lte", ""), result.currency),
        "evidence": _evidence(query.get("evidence", ""), counts["evidence"]),
        "sources": _ticks("energy_source", energy_sources(), question, counts),
        "resolutions": _resolutions(query.get("temporal_resolution", ""), counts["temporal_resolution"]),
        "kinds": _ticks("kind", kinds(), question, counts),
        "tiers": _ticks("tier", tiers(), question, counts),
        "terms": _ticks("term", terms(), question, counts),
        "regions": _options("region", query.get("region", ""), counts),
        "countries": _options("residency", query.get("residency", ""), counts),
        "kept": [(name, value) for name, values in query.lists() if name not in CONTROLS for value in values],
    }


def _share(question: Question) -> int:
    share = question.filters.form.cleaned_data.get("renewable_share__gte")
    return int(share * 100) if share else 0


def _latencies(chosen: str, counts: dict[str, int] | None) -> list[Choice]:
    if counts is None:
        return []
    usual = {str(ms) for ms in LATENCIES} | ({chosen} if chosen else set())
    every = sorted(usual, key=lambda text: -int(text))
    return [
        _choice("", pgettext("latency", "Any"), chosen),
        *(_choice(ms, f"≤ {ms} ms", chosen, counts.get(ms)) for ms in every),
    ]


def _prices(chosen: str, currency: str) -> list[Choice]:
    every = sorted({*PRICES, *([int(chosen)] if chosen else [])})
    return [
        _choice("", pgettext("price", "Any"), chosen),
        *(_choice(minor, _("up to %(amount)s") % {"amount": money(minor, currency)}, chosen) for minor in every),
    ]


def _evidence(chosen: str, counts: dict[str, int]) -> list[Choice]:
    """At least this level: each count takes in the stronger levels."""
    words = evidence()
    weakest, *middle, best = EVIDENCE
    names = {weakest: pgettext("evidence", "Any level"), best: words[best]}
    names |= {level: _("%(level)s or better") % {"level": words[level]} for level in middle}
    return [
        _choice(
            "" if level == weakest else level,
            names[level],
            "" if chosen == weakest else chosen,
            sum(counts.get(each, 0) for each in EVIDENCE[index:]),
        )
        for index, level in enumerate(EVIDENCE)
    ]


def _resolutions(chosen: str, counts: dict[str, int]) -> list[Choice]:
    """At least so fine: each count takes in what is finer; what admits no more than a finer choice is left out."""
    found, fitting = [_choice("", pgettext("resolution", "Any"), chosen)], 0
    for level, word in resolutions().items():
        here = counts.get(level, 0)
        fitting += here
        if here or level == chosen:
            words = word if level == FINEST else _("%(level)s or better") % {"level": word}
            found.append(_choice(level, words, chosen, fitting))
    return found if len(found) > 1 else []


def _ticks(
    name: str, words: dict[str, str], question: Question, counts: dict[str, dict[str, int]]
) -> list[dict[str, Any]]:
    """Boxes to tick: what has offers, and what is chosen."""
    chosen, found = question.query.getlist(name), counts[name]
    return [
        {"value": value, "name": word, "chosen": value in chosen, "count": found.get(value, 0)}
        for value, word in words.items()
        if value in found or value in chosen
    ]


def _options(name: str, chosen: str, counts: dict[str, dict[str, int]]) -> list[Choice]:
    values = sorted({*counts[name], *([chosen] if chosen else [])}, key=lambda value: named(name, value))
    return [
        _choice("", pgettext("place", "Any"), chosen),
        *(_choice(value, named(name, value), chosen, counts[name].get(value, 0)) for value in values),
    ]


def chips(question: Question, currency: str) -> list[dict[str, str]]:
    """The filters in force, each with the address that drops it alone."""
    return [
        {"text": chip(name, value, currency), "href": question.without(name, value)}
        for name, values in question.query.lists()
        if is_filter(name)
        for value in values
    ]


def presets(question: Question) -> list[dict[str, Any]]:
    """Four mixes of weights."""
    words = {
        "cheap": pgettext("weights", "Cheap"),
        "near": pgettext("weights", "Near"),
        "green": pgettext("weights", "Green"),
        "even": pgettext("weights", "Even"),
    }
    return [
        {
            "name": words[key],
            "href": question.link(w_price=price, w_latency=latency, w_green=green, when=None),
            "current": question.need.weights == (price, latency, green) and question.need.when == "balanced",
        }
        for key, (price, latency, green) in PRESETS.items()
    ]


def sorts(question: Question) -> list[Choice]:
    """The orders a shopper asks for; any other in the address stands among them."""
    names = {
        "fit": _("Best fit"),
        "total": _("Total price"),
        "price_per_pflop_hour": _("Price per PFLOP-hour"),
        "carbon": _("Carbon"),
        "-renewable_share": _("Renewable share"),
        "latency": _("Latency"),
        "-reliability": _("Reliability"),
        "start": _("Earliest start"),
    }
    if question.sort not in names:
        names[question.sort] = question.sort
    return [_choice(key, name, question.sort) for key, name in names.items()]


def ways_out(question: Question, result: SearchResult, now: datetime) -> list[dict[str, Any]]:
    """Each filter to drop and each limit to loosen, with the offers that return; the most first."""
    ways = [_drop(name, question, result, now) for name in dict.fromkeys(question.query) if is_filter(name)]
    ways += [_loosen(relax, question, result.currency, now) for relax in result.relax]
    seen: dict[str, dict[str, Any]] = {}
    for way in ways:
        if way["offers"]:
            seen.setdefault(way["href"], way)
    return sorted(seen.values(), key=lambda way: -way["offers"])


def _drop(name: str, question: Question, result: SearchResult, now: datetime) -> dict[str, Any]:
    values = [chip(name, value, result.currency) for value in question.query.getlist(name)]
    text = _("Drop: %(filter)s") % {"filter": ", ".join(values)}
    return {"href": question.link(**{name: None}), "sentence": text, "offers": _fitting(name, question, result, now)}


def _fitting(name: str, question: Question, result: SearchResult, now: datetime) -> int:
    """How many offers fit without this filter."""
    need = question.need
    if name in {"q", "accelerator"}:
        rest = {key: value for key, value in need.limits.items() if key != name}
        freed: Need = replace(need, text="" if name == "q" else need.text, limits=rest)
        return len(search(need=freed, now=now).rows)
    kept = {key: value for key, value in result.ask.limits.items() if key != name}
    return len(ranking.rank(result.snapshot, replace(result.ask, limits=kept), with_relax=False).ranked)


def _loosen(relax: Any, question: Question, currency: str, now: datetime) -> dict[str, Any]:
    """The smallest change that admits an offer, with how many it really admits."""
    changes = changes_of(relax)
    asked = {TIMES.get(name, name): value for name, value in changes.items()}
    offers = len(search(need=_loosened(question.need, changes), now=now).rows)
    return {"href": question.link(**asked), "sentence": relaxing(changes, currency), "offers": offers}


def _loosened(need: Need, changes: Mapping[str, Any]) -> Need:
    """The need with its limits, units or times changed; None drops one."""
    rest = {name: value for name, value in changes.items() if name not in TIMES and name != "units"}
    limits = {name: value for name, value in (dict(need.limits) | rest).items() if value is not None}
    need = replace(need, limits=limits, units=changes.get("units", need.units))
    if "finish_by" in changes:
        need = replace(need, finish_by=_moment(changes["finish_by"]))
    if "start_after" in changes:
        need = replace(need, start_after=_moment(changes["start_after"]))
    return need


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def command(question: Question, currency: str) -> str:
    """The same search as a line for the command."""
    words = ["joulemart", "search"]
    for name, value in _flags(question):
        words += [f"--{name}", shlex.quote(value)]
    return " ".join(words)


def _flags(question: Question) -> Iterable[tuple[str, str]]:
    skipped = {"view", "page", "when"}
    for name, values in question.query.lists():
        if name in skipped:
            continue
        flag = name.removesuffix("__gte").removesuffix("__lte").replace("_", "-")
        for value in values:
            yield flag, f"{int(value) / 100:.2f}" if name in {"price__lte", "price_pflop__lte", "total__lte"} else value
