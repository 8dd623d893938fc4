"""A snapshot as the arrays that the compiled rounds read: offers with their hours, asks with their bounds."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from scheduler.core.asks import NEVER, AskColumns, columns_of
from scheduler.core.feasibility import FILTERS, LARGEST
from scheduler.core.market import Bools, Halves, Ints
from scheduler.core.scoring import rates_of
from scheduler.core.standing import BOUNDS, Standing, standing_of
from scheduler.core.types import DUE_HORIZON_S, INSTANT, Ask, OfferFacts, Rates, Reference, Snapshot

PRICE, SHARE, MATCHED, CARBON_FREE, CARBON = range(5)
PF_MILLI, WATTS, MEMORY_GB, NOTICE_S, BOOT_S, RELIABILITY_PPM = range(6)
(MEMORY, NOTICE, BOOT, RELIABILITY, LATENCY, FREE, MEAN_PRICE, PFLOP_PRICE, TOTAL, RENEWABLE, MATCHED_SHARE,
 CARBON_FREE_SHARE, INTENSITY, CARBON_CAP) = range(len(BOUNDS))  # fmt: skip
COLUMN = {name: column for column, name in enumerate(BOUNDS)}
NONE = -(1 << 63)  # no bound
FAR = 1 << 62
BALANCED, NOW = 0, 1
ALONE, INCOMPLETE = -1, -2  # in place of the number of a gang: of none, and of one that is not all there
WAITING_HOURS = 24
T = TypeVar("T", bound=Hashable)


class Shelf(NamedTuple):
    """Offers by group and cheapest hour, so that neighbours in a list are neighbours in memory.

    Hourly arrays have a row per offer and a closing hour of zeros; `until` sums value x seconds.
    """

    values: Ints  # [series, offers, hours + 1]
    until: Ints  # [series, offers, hours + 1]
    mean: Halves  # [rows, offers] the least that a run asks for an hour in the mean, mm per unit-hour
    length: Ints  # [hours + 1] the row of `mean` that holds for so many whole hours and a part
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
    gang: Ints  # its number, ALONE or INCOMPLETE
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
    standing = standing_of(snapshot)
    asks = columns_of(snapshot.asks).by_id()
    kinds: Numbering[Hashable] = Numbering()
    firsts: list[Ask] = []
    kind = []  # of each form
    for form in asks.forms:
        kind.append(kinds.number(kind_of(form)))
        if kind[-1] == len(firsts):
            firsts.append(form)
    places: Numbering[str | None] = Numbering([None, *(ask.near for ask in firsts)])
    choices: Numbering[Hashable] = Numbering(choices_of(ask) for ask in firsts)
    return Table(
        now_s=snapshot.now_s,
        first_hour_s=snapshot.first_hour_s,
        free_ms=snapshot.reference.free_ms,
        shelf=shelf_of(standing, places),
        tastes=tastes_of(snapshot.reference, standing.market.offers, firsts, places, choices),
        asks=_asks(snapshot, asks, _ints(kind), firsts),
        masks=masks_of(standing, firsts, choices),
        ask_ids=asks.ids,
        offer_ids=standing.ids,
    )


def shelf_of(standing: Standing, places: Iterable[str | None]) -> Shelf:
    """The offers, with their latency from each of `places`."""
    return Shelf(
        values=standing.values, until=standing.until, mean=standing.mean, length=standing.length,
        total=standing.total, began=standing.free, facts=standing.facts,
        latency=np.array([standing.way(place) for place in places]), group=standing.group, begin=standing.begin,
        rank=standing.rank,
    )  # fmt: skip


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


def tastes_of(
    reference: Reference,
    offers: Sequence[OfferFacts],
    kinds: Sequence[Ask],
    places: Numbering[str | None],
    choices: Numbering[Hashable],
) -> Tastes:
    """How each kind weighs offers; `kinds` holds one ask of each."""
    rates = [rates_of(ask, reference) for ask in kinds]
    overrides: Numbering[tuple[tuple[str, int], ...]] = Numbering([()])
    rows = [overrides.number(tuple(sorted(ask.time_limit_by_class.items()))) for ask in kinds]
    stated = [[dict(row).get(offer.hardware, 0) for offer in offers] if row else [0] * len(offers)
              for row in overrides]  # fmt: skip
    return Tastes(
        mask=_ints(choices.number(choices_of(ask)) for ask in kinds),
        place=_ints(places.number(ask.near) for ask in kinds),
        charged_ms=_ints(reference.s_l if ask.near is not None else 0 for ask in kinds),
        latency_value=_ints(each.latency_value for each in rates),
        green_value=_ints(each.green_value for each in rates),
        waiting_value=_ints(each.waiting_value for each in rates),
        carbon_price=_ints(each.carbon_price for each in rates),
        override=_ints(rows),
        overrides=np.minimum(np.array(stated, dtype=np.int64), 2 * DUE_HORIZON_S),
    )


def masks_of(standing: Standing, kinds: Sequence[Ask], choices: Numbering[Hashable]) -> Bools:
    """[masks, offers] what each set of choices admits."""
    masks = np.zeros((len(choices), len(standing.ids)), dtype=np.bool_)
    for ask in kinds:
        masks[choices.number(choices_of(ask))] = standing.admitted(choices_of(ask), ask)
    return masks


def _asks(snapshot: Snapshot, asks: AskColumns, kind: Ints, firsts: Sequence[Ask]) -> Asks:
    """`kind` is that of each form, and `firsts` has one ask of each kind."""
    reference, forms, form, own = snapshot.reference, asks.forms, asks.form, asks.own
    bounds = _bounds(forms)
    soft = _ints(soft_value(reference, rates_of(ask, reference)) for ask in firsts)
    worth = _ints(bid_of(reference, ask) for ask in forms) + soft[kind]
    start_after = np.maximum(own["start_after_s"], 0)
    finish_by = np.where(own["finish_by_s"] == NEVER, FAR, own["finish_by_s"])
    gang = _gangs(snapshot, own)
    due = in_gangs(gang, np.where(own["due_s"] == NEVER, FAR, own["due_s"]), np.maximum)  # when all its members are
    is_due = due <= snapshot.now_s
    ends = np.array([snapshot.horizon_end(due=False), snapshot.horizon_end(due=True)])
    return Asks(
        kind=kind[form],
        alike=_alike(form, np.maximum(start_after, snapshot.now_s), finish_by, is_due),
        units=_ints(ask.units for ask in forms)[form],
        run_s=_ints(ask.run_s for ask in forms)[form],
        reference_pf=_ints(ask.reference_pf_milli or 0 for ask in forms)[form],
        start_after=start_after,
        finish_by=finish_by,
        pinned=_ints(-1 if ask.start_s is None else ask.start_s for ask in forms)[form],
        horizon=ends[is_due.astype(np.int64)],
        due=np.where(is_due, due, FAR),
        when=_ints(NOW if ask.when == "now" else BALANCED for ask in forms)[form],
        gang=gang,
        value=worth[form] + own["age_mm"] + own["share_mm"],
        bound=((bounds[:, :FREE] != NONE).any(axis=1) + 2 * (bounds[:, FREE:] != NONE).any(axis=1))[form],
        bounds=bounds[form],
    )


def _bounds(asks: Sequence[Ask]) -> Ints:
    bounds = np.full((len(asks), len(BOUNDS)), NONE)
    for index, ask in enumerate(asks):
        for name, wanted in ask.limits.items():
            if name in COLUMN:
                bounds[index, COLUMN[name]] = bound_of(name, wanted)
    return bounds


def _gangs(snapshot: Snapshot, own: Mapping[str, Ints]) -> Ints:
    """The number of each ask's gang. An instant round places none: it does not see who else waits."""
    names, number, there = np.unique(own["gang"], return_inverse=True, return_counts=True)
    gang = np.where(names == NEVER, ALONE, np.cumsum(names != NEVER) - 1)[number]
    whole = (own["gang_size"] == there[number]) & (snapshot.mode != INSTANT)
    return np.where((gang == ALONE) | whole, gang, INCOMPLETE)


def in_gangs(gang: Ints, values: npt.NDArray[Any], joined: np.ufunc) -> npt.NDArray[Any]:
    """`values` of each ask, for members of a gang those of all its members `joined`."""
    inside = np.flatnonzero(gang >= 0)
    if not inside.size:
        return values
    order = inside[np.argsort(gang[inside], kind="stable")]
    numbers, begin = np.unique(gang[order], return_index=True)
    shared = values.copy()
    shared[order] = joined.reduceat(values[order], begin)[np.searchsorted(numbers, gang[order])]
    return shared


def _alike(*columns: Ints | Bools) -> Ints:
    """A number for each ask, the same for those with the same in all `columns`; `likeness_of` calls them alike."""
    alike = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        values, numbers = np.unique(column, return_inverse=True)
        alike = np.unique(alike * values.size + numbers, return_inverse=True)[1]
    return alike


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
