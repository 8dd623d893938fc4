"""Hard limits (matching.md, section 2): every limit is tested on every column, one bit each.

Values are compared in core units: prices as stated in minor units, shares and reliability in ppm, intensity in mg/kWh,
`carbon_cap_g` in g, choices as tuples of text. An unknown fact passes no limit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from scheduler.core.market import UNKNOWN, Bools, Ints, Market, Windows
from scheduler.core.types import HOUR_S, START_MARGIN_S, Ask, LimitValue, OfferFacts

Measure = Callable[[Market, Windows, Ask], Ints]

CAPACITY, WINDOW, EXCLUDED = "units", "window", "excluded_sites"
EVIDENCE = ("declared", "documents", "metered", "audited")
RESOLUTIONS = ("hour", "day", "month", "year")
FACT = {
    "residency": "country",
    "offer": "id",
    "energy_source": "energy_sources",
}  # where the offer calls a limit's fact by another name
MM_PER_MINOR = 1000
UG_PER_G = 10**6
LARGEST = 1 << 62  # a fantastic limit compares like the largest number


@dataclass(frozen=True, slots=True)
class Filter:
    """How one limit is tested: against a list of choices (`many`), a number (`measure`), or else a claim or level.

    `scale` turns the limit into the unit of the measure.
    """

    code: str
    many: bool = False
    measure: Measure | None = None
    scale: int = 1


def _fact(name: str, market: Market, spans: Windows, _: Ask) -> Ints:
    return market.column(name)[spans.picks]


def _latency(market: Market, spans: Windows, ask: Ask) -> Ints:
    return market.latency(ask.near)[spans.picks]


def _free(market: Market, spans: Windows, _: Ask) -> Ints:
    return spans.least(market.series("free").values[:-1])  # as the round began


def _price(market: Market, spans: Windows, _: Ask) -> Ints:
    return _ceil(spans.total(market.series("price")), spans.run)


def _pflop_price(market: Market, spans: Windows, _: Ask) -> Ints:
    return _ceil(spans.total(market.series("price")) * 1000, spans.run * market.pf_milli[spans.picks])


def total_minor(market: Market, spans: Windows, ask: Ask) -> Ints:
    """What each column costs in all, in minor units, rounded down."""
    return ask.units * spans.total(market.series("price")) // (MM_PER_MINOR * HOUR_S)


def _mean_share(name: str, market: Market, spans: Windows, _: Ask) -> Ints:
    return spans.total(market.series(name)) // spans.run  # a mean of unknown hours stays UNKNOWN


def _intensity(market: Market, spans: Windows, _: Ask) -> Ints:
    return _ceil(spans.total(market.series("ci_mg")), spans.run)


def _carbon(market: Market, spans: Windows, ask: Ask) -> Ints:
    """Grams of the whole run, rounded up; first to a whole mg/kWh x hour, which keeps int64 wide enough."""
    hours = _ceil(spans.total(market.series("ci_mg")), HOUR_S)
    return _ceil(hours * market.column("watts")[spans.picks] * ask.units, UG_PER_G)


def _ceil(number: Ints, divisor: Ints | int) -> Ints:
    rounded: Ints = -(-number // divisor)
    return rounded


FILTERS: dict[str, Filter] = {
    "accelerator": Filter("hardware", many=True),
    "hardware": Filter("hardware", many=True),
    "family": Filter("hardware", many=True),
    "memory_gb__gte": Filter("memory_gb", measure=partial(_fact, "memory_gb")),
    "interconnect": Filter("interconnect", many=True),
    "tier": Filter("tier", many=True),
    "term": Filter("term", many=True),
    "currency": Filter("currency", many=True),
    "residency": Filter("residency", many=True),
    "region": Filter("region", many=True),
    "site": Filter("region", many=True),
    "offer": Filter("offer", many=True),
    "provider": Filter("provider", many=True),
    "kind": Filter("kind", many=True),
    "latency_ms__lte": Filter("latency", measure=_latency),
    "price__lte": Filter("price", measure=_price, scale=MM_PER_MINOR),
    "price_pflop__lte": Filter("price", measure=_pflop_price, scale=MM_PER_MINOR),
    "total__lte": Filter("total", measure=total_minor),
    "renewable_share__gte": Filter("renewable", measure=partial(_mean_share, "share_ppm")),
    "matched_share__gte": Filter("matched", measure=partial(_mean_share, "matched_ppm")),
    "carbon_free_share__gte": Filter("carbon_free", measure=partial(_mean_share, "carbon_free_ppm")),
    "carbon_g_per_kwh__lte": Filter("carbon", measure=_intensity),
    "carbon_cap_g": Filter("carbon_cap", measure=_carbon),
    "notice_s__gte": Filter("notice_s", measure=partial(_fact, "notice_s")),
    "boot_s__lte": Filter("boot_s", measure=partial(_fact, "boot_s")),
    "reliability__gte": Filter("reliability", measure=partial(_fact, "reliability_ppm")),
    "energy_source": Filter("energy_source"),
    "temporal_resolution": Filter("temporal_resolution"),
    "evidence": Filter("evidence"),
    "free__gte": Filter("free", measure=_free),
    "egress": Filter("network"),
    "served": Filter("served"),
}
NAMES = (*FILTERS, EXCLUDED, WINDOW, CAPACITY)
BIT = {name: np.int64(1) << index for index, name in enumerate(NAMES)}


def code_of(name: str) -> str:
    """The code under which a limit is reported."""
    return FILTERS[name].code if name in FILTERS else {EXCLUDED: "region", CAPACITY: "capacity"}.get(name, name)


MASKS: dict[str, int] = {}  # {code: the bits reported under it}
for _name in NAMES:
    MASKS[code_of(_name)] = MASKS.get(code_of(_name), 0) | int(BIT[_name])


@dataclass(frozen=True, slots=True)
class Feasibility:
    """All limits but capacity on every column [starts, offers]: the bits failed, and what was measured.

    A column that would end beyond the horizon fails its window.
    """

    failed: Ints
    metrics: dict[str, Ints]

    def with_capacity(self, least: Ints, units: int) -> Ints:
        """`failed` with the capacity bit where `least`, the fewest units free in any hour of a column, is too small."""
        bits: Ints = self.failed | np.where(least < units, BIT[CAPACITY], 0)
        return bits


def judge(market: Market, ask: Ask, spans: Windows) -> Feasibility:
    """Test the window and every limit of `ask` on every column of `spans`. Raises ValueError for an unknown limit."""
    failed = np.where(spans.exists & _inside(ask, spans), 0, BIT[WINDOW])
    ever = np.zeros(spans.picks.size, dtype=np.int64)  # what an offer fails at every start
    metrics: dict[str, Ints] = {}
    for name, limit in ask.limits.items():
        rule = FILTERS.get(name)
        if rule is None:
            raise ValueError(f"{name} is not a limit")
        if rule.measure is None:
            ok = claims_met([market.offers[pick] for pick in spans.picks], name, limit)
        else:
            value = rule.measure(market, spans, ask)
            metrics[name] = np.broadcast_to(value, spans.exists.shape)
            ok = _met(name, value, _bound(name, limit) * rule.scale)
        if ok.ndim == 1:
            ever |= np.where(ok, 0, BIT[name])
        else:
            failed |= np.where(ok, 0, BIT[name])
    if ask.excluded_sites:
        excluded = np.array([market.offers[pick].site in ask.excluded_sites for pick in spans.picks], dtype=np.bool_)
        ever |= np.where(excluded, BIT[EXCLUDED], 0)
    failed |= ever
    return Feasibility(failed, metrics)


def _inside(ask: Ask, spans: Windows) -> Bools:
    """Whether each run lies between start_after and finish_by, with the margin a start needs."""
    inside = np.ones(spans.exists.shape, dtype=np.bool_)
    if ask.start_after_s is not None:
        inside &= (spans.starts >= ask.start_after_s)[:, None]
    if ask.finish_by_s is not None:
        inside &= spans.ends + START_MARGIN_S <= ask.finish_by_s
    return inside


def _met(name: str, value: Ints, bound: int) -> Bools:
    bound = max(-LARGEST, min(LARGEST, bound))
    met: Bools = (value >= bound if name.endswith("__gte") else value <= bound) & (value != UNKNOWN)
    return met


def _bound(name: str, limit: LimitValue | str) -> int:
    if isinstance(limit, (bool, str, tuple)):
        raise ValueError(f"{name} needs a whole number, not {limit!r}")
    return limit


def claims_met(offers: Sequence[OfferFacts], name: str, limit: LimitValue | str) -> Bools:
    """Whether each offer passes a limit on what it says of itself: a choice, a level or a claim."""
    facts = [getattr(offer, FACT.get(name, name)) for offer in offers]
    if name == "evidence":
        levels = limit if isinstance(limit, tuple) else (str(limit),)
        least = min(EVIDENCE.index(level) for level in levels)
        return np.array([EVIDENCE.index(fact) >= least for fact in facts], dtype=np.bool_)
    if name == "temporal_resolution":
        enough = RESOLUTIONS[: RESOLUTIONS.index(str(limit)) + 1]
        return np.array([fact in enough for fact in facts], dtype=np.bool_)
    choices = limit if isinstance(limit, tuple) else (limit,)
    if name == "energy_source":
        return np.array([any(each in choices for each in fact) for fact in facts], dtype=np.bool_)
    if FILTERS[name].many:
        return np.array([fact in choices for fact in facts], dtype=np.bool_)
    return np.array([bool(fact) or not limit for fact in facts], dtype=np.bool_)
