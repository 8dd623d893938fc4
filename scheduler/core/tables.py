"""A snapshot as the arrays that the compiled rounds read: offers with their hours, asks with their bounds."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from scheduler.core.feasibility import FILTERS, LARGEST, claims_met
from scheduler.core.market import Bools, Ints, Market
from scheduler.core.scoring import rates_of
from scheduler.core.types import DUE_HORIZON_S, Ask, OfferFacts, Rates, Reference, Snapshot

PRICE, SHARE, MATCHED, CARBON_FREE, CARBON = range(5)
SERIES = ("price", "share_ppm", "matched_ppm", "carbon_free_ppm", "ci_mg")
PF_MILLI, WATTS, MEMORY_GB, NOTICE_S, BOOT_S, RELIABILITY_PPM = range(6)
FACTS = ("pf_milli", "watts", "memory_gb", "notice_s", "boot_s", "reliability_ppm")
BOUNDS = (  # the order of the columns of Asks.bounds
    "memory_gb__gte", "notice_s__gte", "boot_s__lte", "reliability__gte", "latency_ms__lte", "free__gte", "price__lte",
    "price_pflop__lte", "total__lte", "renewable_share__gte", "matched_share__gte", "carbon_free_share__gte",
    "carbon_g_per_kwh__lte", "carbon_cap_g",
)  # fmt: skip
(MEMORY, NOTICE, BOOT, RELIABILITY, LATENCY, FREE, MEAN_PRICE, PFLOP_PRICE, TOTAL, RENEWABLE, MATCHED_SHARE,
 CARBON_FREE_SHARE, INTENSITY, CARBON_CAP) = range(len(BOUNDS))  # fmt: skip
COLUMN = {name: column for column, name in enumerate(BOUNDS)}
NONE = -(1 << 63)  # no bound
FAR = 1 << 62
BALANCED, NOW = 0, 1
WAITING_HOURS = 24
T = TypeVar("T", bound=Hashable)
Green = tuple[tuple[int, ...], tuple[int, ...]]  # hourly share, ppm, and intensity, mg/kWh


class Shelf(NamedTuple):
    """Offers by group and cheapest hour, so that neighbours in a list are neighbours in memory.

    Hourly arrays have a row per offer and a closing hour of zeros; `until` sums value x seconds.
    """

    values: Ints  # [series, offers, hours + 1]
    until: Ints  # [series, offers, hours + 1]
    total: Ints  # [offers, hours] units if nothing were promised
    began: Ints  # [offers, hours] units free as the round began
    facts: Ints  # [fact, offers]
    latency: Ints  # [places, offers] ms; UNKNOWN where nobody measured it, and in row 0, which is no place
    group: Ints  # [offers] offers of one zone, hardware class, power and greenness
    begin: Ints  # [groups + 1] the first offer of each group
    rank: Ints  # [offers] place by id, which breaks ties


class Tastes(NamedTuple):
    """What a kind of ask weighs offers by, a number each."""

    mask: Ints  # row of Table.masks: the offers that its claims and choices admit
    place: Ints
    charged_ms: Ints  # [kinds] what an unknown latency counts as
    latency_value: Ints
    green_value: Ints
    waiting_value: Ints
    carbon_price: Ints
    override: Ints  # row of `overrides` that states run times per offer; 0 states none
    overrides: Ints  # [rows, offers] seconds; 0 where none is stated


class Asks(NamedTuple):
    """Asks in the order of their ids, a number each; times in unix seconds."""

    kind: Ints
    alike: Ints  # asks of one number have the same columns and the same limits
    units: Ints
    run_s: Ints
    reference_pf: Ints  # 0: `run_s` holds on every offer
    start_after: Ints  # 0: at once
    finish_by: Ints  # FAR: no end
    pinned: Ints  # -1: any start
    horizon: Ints  # the second by which it must have ended
    due: Ints  # FAR: not due
    when: Ints  # BALANCED or NOW
    value: Ints  # mm per PFLOP-hour
    bound: Ints  # 1 where some bound rests on facts, 2 where one rests on the hours, 3 where both do, else 0
    bounds: Ints  # [asks, bounds], NONE where there is none


@dataclass(frozen=True)
class Table:
    """Everything a compiled round reads. `ids` names asks and offers by their index."""

    now_s: int
    first_hour_s: int
    free_ms: int
    shelf: Shelf
    tastes: Tastes
    asks: Asks
    masks: Bools  # [masks, offers]
    ask_ids: tuple[str, ...]
    offer_ids: tuple[str, ...]


class Numbering(Generic[T]):
    """Distinct things in the order in which they were first seen, from 0."""

    def __init__(self, known: Iterable[T] = ()) -> None:
        self._numbers: dict[T, int] = {}
        for thing in known:
            self.number(thing)

    def number(self, thing: T) -> int:
        """The number of `thing`, a new one if need be."""
        return self._numbers.setdefault(thing, len(self._numbers))

    def __iter__(self) -> Iterator[T]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def table_of(snapshot: Snapshot) -> Table:
    """The arrays of `snapshot`. Raises ValueError for an unknown limit."""
    greens = greens_of(snapshot)
    market = Market(snapshot, by=lambda offer: (*group_of(offer, greens), min(offer.price), offer.id))
    asks = sorted(snapshot.asks, key=lambda ask: ask.id)
    kinds: Numbering[Hashable] = Numbering()
    firsts: list[Ask] = []
    kind = []
    for ask in asks:
        kind.append(kinds.number(kind_of(ask)))
        if kind[-1] == len(firsts):
            firsts.append(ask)
    places: Numbering[str | None] = Numbering([None, *(ask.near for ask in firsts)])
    choices: Numbering[Hashable] = Numbering(choices_of(ask) for ask in firsts)
    return Table(
        now_s=snapshot.now_s,
        first_hour_s=snapshot.first_hour_s,
        free_ms=snapshot.reference.free_ms,
        shelf=shelf_of(market, places, greens),
        tastes=tastes_of(market, firsts, places, choices),
        asks=_asks(market, asks, firsts, kind),
        masks=masks_of(market, firsts, choices),
        ask_ids=tuple(ask.id for ask in asks),
        offer_ids=tuple(offer.id for offer in market.offers),
    )


def kind_of(ask: Ask) -> Hashable:
    """What asks must share to look through one list of offers: all that decides but the bounds and the run."""
    runs = tuple(sorted(ask.time_limit_by_class.items()))
    return ask.near, ask.rates or ask.weights, ask.when, ask.waiting_value, ask.carbon_price, choices_of(ask), runs


def choices_of(ask: Ask) -> Hashable:
    """The limits that admit an offer or not, whatever the hour and the run."""
    choices = tuple((name, wanted) for name, wanted in sorted(ask.limits.items()) if name not in COLUMN)
    return choices, ask.excluded_sites


def likeness_of(ask: Ask, now_s: int) -> Hashable:
    """What two asks share that have the same columns and fail the same limits."""
    return (
        kind_of(ask), tuple(sorted(ask.limits.items())), ask.units, ask.run_s, ask.start_after_s, ask.finish_by_s,
        ask.start_s, ask.reference_pf_milli, ask.is_due(now_s),
    )  # fmt: skip


def shelf_of(market: Market, places: Iterable[str | None], greens: Mapping[Green, int]) -> Shelf:
    """The offers of `market`, with their latency from each of `places`."""
    series = [market.series(name) for name in SERIES]
    groups: Numbering[Hashable] = Numbering()
    group = _ints(groups.number(group_of(offer, greens)) for offer in market.offers)
    rank = np.empty(len(market.offers), dtype=np.int64)
    rank[sorted(range(rank.size), key=lambda number: market.offers[number].id)] = np.arange(rank.size)
    return Shelf(
        values=np.array([each.values.T for each in series]),
        until=np.array([each.until.T for each in series]),
        total=market.units_total.T.copy(),
        began=market.free.T.copy(),
        facts=np.array([market.column(name) for name in FACTS]),
        latency=np.array([market.latency(place) for place in places]),
        group=group,
        begin=np.searchsorted(group, np.arange(len(groups) + 1)),
        rank=rank,
    )


def greens_of(snapshot: Snapshot) -> dict[Green, int]:
    """A number for each course of share and intensity, by the first offer, in the order of ids, that has it."""
    offers = sorted(snapshot.offers, key=lambda offer: offer.id)
    numbers: Numbering[Green] = Numbering((offer.share_ppm, offer.ci_mg) for offer in offers)
    return {green: number for number, green in enumerate(numbers)}


def group_of(offer: OfferFacts, greens: Mapping[Green, int]) -> tuple[str, str, int, int, int]:
    """What offers share that differ in no hour but by their own price and way."""
    return offer.zone, offer.hardware, offer.pf_milli, offer.watts, greens[offer.share_ppm, offer.ci_mg]


def tastes_of(
    market: Market, kinds: Sequence[Ask], places: Numbering[str | None], choices: Numbering[Hashable]
) -> Tastes:
    """How each kind weighs offers; `kinds` holds one ask of each."""
    rates = [rates_of(ask, market.reference) for ask in kinds]
    overrides: Numbering[tuple[tuple[str, int], ...]] = Numbering([()])
    rows = [overrides.number(tuple(sorted(ask.time_limit_by_class.items()))) for ask in kinds]
    stated = [[dict(row).get(offer.hardware, 0) for offer in market.offers] for row in overrides]
    return Tastes(
        mask=_ints(choices.number(choices_of(ask)) for ask in kinds),
        place=_ints(places.number(ask.near) for ask in kinds),
        charged_ms=_ints(market.reference.s_l if ask.near is not None else 0 for ask in kinds),
        latency_value=_ints(each.latency_value for each in rates),
        green_value=_ints(each.green_value for each in rates),
        waiting_value=_ints(each.waiting_value for each in rates),
        carbon_price=_ints(each.carbon_price for each in rates),
        override=_ints(rows),
        overrides=np.minimum(np.array(stated, dtype=np.int64), 2 * DUE_HORIZON_S),
    )


def masks_of(market: Market, kinds: Sequence[Ask], choices: Numbering[Hashable]) -> Bools:
    """[masks, offers] what each set of choices admits."""
    masks = np.zeros((len(choices), len(market.offers)), dtype=np.bool_)
    known: set[int] = set()
    for ask in kinds:
        number = choices.number(choices_of(ask))
        if number not in known:
            masks[number] = allowed_by(market, ask)
            known.add(number)
    return masks


def allowed_by(market: Market, ask: Ask) -> Bools:
    """The offers that pass every choice and claim of `ask`, and lie at no excluded site."""
    admitted = np.ones(len(market.offers), dtype=np.bool_)
    for name, wanted in ask.limits.items():
        if name not in FILTERS:
            raise ValueError(f"{name} is not a limit")
        if name not in BOUNDS:
            admitted &= claims_met(market.offers, name, wanted)
    if ask.excluded_sites:
        admitted &= np.array([offer.site not in ask.excluded_sites for offer in market.offers], dtype=np.bool_)
    return admitted


def _asks(market: Market, asks: Sequence[Ask], firsts: Sequence[Ask], kind: Sequence[int]) -> Asks:
    now_s = market.snapshot.now_s
    soft = [soft_value(market.reference, rates_of(ask, market.reference)) for ask in firsts]
    bounds = np.full((len(asks), len(BOUNDS)), NONE)
    for index, ask in enumerate(asks):
        for name, wanted in ask.limits.items():
            if name in COLUMN:
                bounds[index, COLUMN[name]] = bound_of(name, wanted)
    return Asks(
        kind=_ints(kind),
        alike=_alike(asks, kind, now_s),
        units=_ints(ask.units for ask in asks),
        run_s=_ints(ask.run_s for ask in asks),
        reference_pf=_ints(ask.reference_pf_milli or 0 for ask in asks),
        start_after=_ints(ask.start_after_s or 0 for ask in asks),
        finish_by=_ints(FAR if ask.finish_by_s is None else ask.finish_by_s for ask in asks),
        pinned=_ints(-1 if ask.start_s is None else ask.start_s for ask in asks),
        horizon=_ints(market.horizon_end(ask) for ask in asks),
        due=_ints(ask.due_s if ask.due_s is not None and ask.is_due(now_s) else FAR for ask in asks),
        when=_ints(NOW if ask.when == "now" else BALANCED for ask in asks),
        value=_ints(bid_of(market.reference, ask) + soft[k] + ask.age_mm + ask.share_mm
                    for ask, k in zip(asks, kind, strict=True)),
        bound=(bounds[:, :FREE] != NONE).any(axis=1) + 2 * (bounds[:, FREE:] != NONE).any(axis=1),
        bounds=bounds,
    )  # fmt: skip


def _alike(asks: Sequence[Ask], kind: Sequence[int], now_s: int) -> Ints:
    """A number for each ask, the same for those that `likeness_of` would call alike; cheaper, since kinds are known."""
    numbers: Numbering[Hashable] = Numbering()
    return _ints(
        numbers.number((
            k, ask.units, ask.run_s, max(ask.start_after_s or 0, now_s), ask.finish_by_s, ask.start_s,
            ask.reference_pf_milli, ask.is_due(now_s), *ask.limits.items(),
        ))
        for ask, k in zip(asks, kind, strict=True)
    )  # fmt: skip


def bound_of(name: str, wanted: object) -> int:
    """A numeric limit in the unit of what it is compared with, clipped so that it compares like the largest number."""
    if isinstance(wanted, bool) or not isinstance(wanted, int):
        raise ValueError(f"{name} needs a whole number, not {wanted!r}")
    return max(-LARGEST, min(LARGEST, wanted * FILTERS[name].scale))


def bid_of(reference: Reference, ask: Ask) -> int:
    """What `ask` offers, mm per PFLOP-hour; a fantastic limit buys nothing."""
    limit = ask.limits.get("price_pflop__lte")
    stated = ask.bid_mm if ask.bid_mm is not None else 1000 * limit if isinstance(limit, int) else 2 * reference.p_mid
    return min(stated, 2 * reference.p_mid)


def soft_value(reference: Reference, rates: Rates) -> int:
    """What the preferences of an ask are worth to it at most, mm per PFLOP-hour."""
    return rates.latency_value * reference.s_l + rates.green_value + WAITING_HOURS * rates.waiting_value


def _ints(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, dtype=np.int64)
