"""The shelf ranked for one need: the same cost, limits and columns that match rounds use."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from typing import Any

from django.conf import settings

from marketplace.booking.contracts import price_of, watts_with_overhead
from marketplace.booking.pricing import PriceLine
from marketplace.catalog.filters import OfferFilter
from marketplace.catalog.models import Offer
from marketplace.common.clock import HOUR, hour_floor
from marketplace.common.errors import FieldProblem, InvalidParameter
from marketplace.energy.pointhours import PointHours, RunShares, run_shares
from marketplace.energy.use import UG_PER_G, carbon_ug
from scheduler.asks import frozen_limits, moment, seconds
from scheduler.core import explain, ranking
from scheduler.core.ranking import Ranked, Ranking
from scheduler.core.scoring import whole_weights
from scheduler.core.takeovers import Field, winner_map
from scheduler.core.types import Ask, Snapshot
from scheduler.explaining import ways_out
from scheduler.limits import limits_to_core
from scheduler.references import as_core, reference_of
from scheduler.requests import segment_of
from scheduler.snapshot import Shelf, read_shelf, take_snapshot

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RIBBON_HOURS = 48
DEFAULT_FAMILY = "accelerator"
# What a list may be ordered by; None is unknown and stands last, whichever way the order runs.
SORTS: Mapping[str, Callable[["Row"], int | None]] = {
    "fit": lambda row: row.ranked.z,
    "total": lambda row: row.total_minor,
    "unit_price": lambda row: row.ranked.price_mm,
    "price_per_pflop_hour": lambda row: row.pflop_hour_mm,
    "carbon": lambda row: row.ranked.ci_mg,
    "renewable_share": lambda row: row.ranked.share_ppm,
    "latency": lambda row: row.ranked.latency_ms,
    "reliability": lambda row: row.offer.reliability_ppm,
    "start": lambda row: row.ranked.start_s,
}


@dataclass(frozen=True, slots=True)
class Need:
    """What is looked for: units for hours, when, near which place, and how much price, latency and green matter."""

    units: int = 1
    hours: int = 1
    start_after: datetime | None = None
    finish_by: datetime | None = None
    near: str | None = None
    weights: tuple[int, int, int] = (40, 20, 40)
    when: str = "balanced"
    limits: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    start: datetime | None = None
    max_pieces: int = 1
    restart_s: int = 0

    @property
    def run_s(self) -> int:
        return self.hours * 3600


@dataclass(frozen=True, slots=True)
class Row:
    """One offer that fits, with its best start. Totals in minor units for the whole need, rates in mm."""

    offer: Offer
    ranked: Ranked
    rank: int
    letter: str
    total_minor: int
    price_lines: Sequence[PriceLine]
    pflop_hour_mm: int
    carbon_g: int
    sentence: str
    point: PointHours
    first: datetime  # of the hours of `point`

    @property
    def shares(self) -> RunShares:
        """How renewable the run is expected to be, and what of that is matched."""
        return run_shares(self.point, self.first, self.start, self.end)

    @property
    def start(self) -> datetime:
        return moment(self.ranked.start_s)

    @property
    def end(self) -> datetime:
        return moment(self.ranked.end_s)


@dataclass(frozen=True, slots=True)
class RibbonHour:
    """Means over the offers listed in one hour from now: rate in mm per unit-hour, shares and intensity."""

    start: datetime
    rate_mm: int
    carbon_mg_per_kwh: int
    renewable_ppm: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one need.

    `rows` in the order asked for (their `rank` and `letter` are those by cost). `rejected` counts, by limit code, the
    offers none of whose starts passes it; `relax` are ways out, each {limit, to, changes, offers, offer, sentence}.
    `refused` is [(offer facts, codes)]. `starts` has the four proposals by name (None when nothing fits), `fields` the
    winner map (`winner` counts rows by rank from 0), `ribbon` 48 hourly means. `considered` offers were looked at.
    """

    need: Need
    rows: Sequence[Row]
    rejected: Mapping[str, int]
    relax: Sequence[Mapping[str, Any]]
    refused: Sequence[Any]
    starts: Mapping[str, Ranked | None]
    fields: Sequence[Field]
    ribbon: Sequence[RibbonHour]
    considered: int
    currency: str
    as_of: datetime
    snapshot: Snapshot
    ask: Ask
    ranking: Ranking
    shelf: Shelf


def need_of(query: OfferFilter, *, when: str = "balanced") -> Need:
    """The need that a query states; what it leaves out has the defaults of `Need`."""
    clean = query.form.cleaned_data
    wishes = [clean.get(f"w_{axis}") for axis in ("price", "latency", "green")]
    weights = (40, 20, 40)
    if any(wish is not None for wish in wishes):
        try:
            weights = whole_weights(*(Fraction(wish or 0) for wish in wishes))
        except ValueError as error:
            raise InvalidParameter([FieldProblem("w_price", "invalid_parameter", str(error), "40")]) from error
    limits = query.limits()
    return Need(
        units=clean.get("units") or 1, hours=clean.get("hours") or 1, start_after=clean.get("start__gte"),
        finish_by=clean.get("finish__lte"), near=query.place, weights=weights, when=when,
        text=limits.pop("q", ""), limits=limits,
    )  # fmt: skip


def search(*, need: Need, now: datetime, sort: str = "fit") -> SearchResult:
    """Rank the live offers for `need`. A constant number of queries whatever the number of offers.

    Raises InvalidParameter for an unknown sort.
    """
    shelf = _shelf(need, now)
    reference = as_core(reference_of(family_of(need.limits), now))
    ask = ask_of_need(need)
    snapshot = take_snapshot(shelf=shelf, asks=[ask], reference=reference, now=now, mode="greedy")
    answer = ranking.rank(snapshot, ask)
    rows = [_row(need, shelf, answer, number, now) for number in range(len(answer.ranked))]
    return SearchResult(
        need=need,
        rows=_sorted(rows, sort),
        rejected=answer.rejected,
        relax=ways_out([explain.relax_as_json(each) for each in answer.relax]),
        refused=answer.refused,
        starts=ranking.starts(snapshot, replace(ask, start_s=None)),
        fields=winner_map([each.point for each in answer.ranked[: len(LETTERS)]]) if rows else [],
        ribbon=_ribbon(snapshot, [row.ranked for row in rows], now),
        considered=answer.considered,
        currency=settings.CURRENCY,
        as_of=now,
        snapshot=snapshot,
        ask=ask,
        ranking=answer,
        shelf=shelf,
    )


def ask_of_need(need: Need) -> Ask:
    """The need in the core's words."""
    return Ask(
        id="need", units=need.units, run_s=need.run_s, near=need.near, weights=need.weights, when=need.when,  # type: ignore[arg-type]
        limits=frozen_limits(limits_to_core(need.limits)),
        start_after_s=seconds(need.start_after) if need.start_after else None,
        finish_by_s=seconds(need.finish_by) if need.finish_by else None,
        start_s=seconds(need.start) if need.start else None, max_pieces=need.max_pieces, restart_s=need.restart_s,
    )  # fmt: skip


def facets(result: SearchResult) -> dict[str, dict[str, int]]:
    """For each facet its values with the number of offers that would fit, its own filter left out."""
    found: dict[str, dict[str, int]] = {}
    facts = {"accelerator": "accelerator", "kind": "kind", "tier": "tier", "term": "term", "region": "region",
             "residency": "country", "evidence": "evidence"}  # fmt: skip
    for name, fact in facts.items():
        counts: dict[str, int] = {}
        for each in _without(result, name):
            value = getattr(each.offer, fact)
            counts[value] = counts.get(value, 0) + 1
        found[name] = dict(sorted(counts.items()))
    found["energy_source"] = _counted(each.offer.energy_sources for each in _without(result, "energy_source"))
    finest = ([each.offer.temporal_resolution] for each in _without(result, "temporal_resolution"))
    found["temporal_resolution"] = _counted([word for word in words if word] for words in finest)
    shares = _without(result, "renewable_share__gte")
    found["renewable_share__gte"] = {
        f"0.{tenth}": sum(each.share_ppm >= tenth * 100_000 for each in shares) for tenth in (4, 6, 8, 9)
    }
    if result.need.near:
        near = _without(result, "latency_ms__lte")
        found["latency_ms__lte"] = {
            str(ms): sum(each.latency_ms is not None and each.latency_ms <= ms for each in near)
            for ms in (5, 20, 50, 100)
        }
    return found


def _counted(words: Iterable[Iterable[str]]) -> dict[str, int]:
    """How many have each word."""
    return dict(sorted(Counter(word for each in words for word in each).items()))


def _without(result: SearchResult, name: str) -> Sequence[Ranked]:
    """What fits when the filter `name` is dropped."""
    if name not in result.ask.limits:
        return [row.ranked for row in result.rows]
    kept = {each: value for each, value in result.ask.limits.items() if each != name}
    return ranking.rank(result.snapshot, replace(result.ask, limits=kept), with_relax=False).ranked


def family_of(limits: Mapping[str, Any]) -> str:
    """The family of hardware that these limits look at."""
    named = Offer.objects.filter(public_id__in=limits.get("offer", ()))
    if pinned := named.values_list("hardware__family", flat=True).first():
        return pinned
    names, families = limits.get("accelerator"), limits.get("family")
    return segment_of(names) if names else families[0] if families else DEFAULT_FAMILY


def _shelf(need: Need, now: datetime) -> Shelf:
    """The family looked for; words of the text search narrow the rows before anything is ranked."""
    shelf = read_shelf(now=now, families=[family_of(need.limits)])
    if not need.text:
        return shelf
    words = OfferFilter({"q": need.text}, queryset=Offer.objects.live())
    named = set(words.qs.values_list("pk", flat=True))
    pairs = [pair for pair in zip(shelf.offers, shelf.facts, strict=True) if pair[0].pk in named]
    return Shelf([offer for offer, _ in pairs], tuple(facts for _, facts in pairs), shelf.points)


def _row(need: Need, shelf: Shelf, answer: Ranking, number: int, now: datetime) -> Row:
    ranked = answer.ranked[number]
    offer = shelf.offer(ranked.offer.id)
    start, end = moment(ranked.start_s), moment(ranked.end_s)
    lines, total = price_of(offer, need.units, start, end)
    watt_hours = watts_with_overhead(offer) * need.units * (ranked.end_s - ranked.start_s) // 3600
    behind = answer.ranked[number + 1] if number + 1 < len(answer.ranked) else None
    return Row(
        offer=offer,
        ranked=ranked,
        rank=number + 1,
        letter=LETTERS[number] if number < len(LETTERS) else "",
        total_minor=total,
        price_lines=lines,
        pflop_hour_mm=ranked.price_mm * 1000 // ranked.offer.pf_milli,
        carbon_g=-(-carbon_ug(watt_hours, ranked.ci_mg) // UG_PER_G),
        sentence=explain.sentence(ranked, behind, len(answer.ranked), answer.considered, number + 1),
        point=shelf.points[offer.site.point_id],
        first=hour_floor(now),
    )


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    name = sort.removeprefix("-")
    if name not in SORTS:
        raise InvalidParameter([FieldProblem("sort", "invalid_parameter", f"no order {sort}", ", ".join(SORTS))])
    if sort == "fit":
        return rows
    sign = -1 if sort.startswith("-") else 1

    def place(row: Row) -> tuple[bool, int, str]:
        value = SORTS[name](row)
        return value is None, sign * (value or 0), row.offer.public_id

    return sorted(rows, key=place)


def _ribbon(snapshot: Snapshot, listed: Sequence[Ranked], now: datetime) -> list[RibbonHour]:
    offers = [each.offer for each in listed] or list(snapshot.offers)
    first, count = hour_floor(now), max(1, len(offers))
    return [
        RibbonHour(
            start=first + hour * HOUR,
            rate_mm=sum(offer.price[hour] for offer in offers) // count,
            carbon_mg_per_kwh=-(-sum(offer.ci_mg[hour] for offer in offers) // count),
            renewable_ppm=sum(offer.share_ppm[hour] for offer in offers) // count,
        )
        for hour in range(min(RIBBON_HOURS, snapshot.hours))
    ]
