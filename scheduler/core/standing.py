"""What stays of a market from one round to the next: the arrays of its offers, all but the units that are free.

A round changes nothing of its offers but units, and the next one decides on offers that are equal in all else. Their
arrays are kept under the ids and used again only where every other fact is equal, so that a snapshot gives the same
table whatever was decided before it.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import fields
from itertools import compress
from operator import attrgetter, is_not
from typing import Any

import numpy as np

from scheduler.core.feasibility import FILTERS, claims_met
from scheduler.core.market import Bools, Halves, Ints, Market
from scheduler.core.types import HOUR_S, Ask, OfferFacts, Snapshot

SERIES = ("price", "share_ppm", "matched_ppm", "carbon_free_ppm", "ci_mg")
FACTS = ("pf_milli", "watts", "memory_gb", "notice_s", "boot_s", "reliability_ppm")
UNITS = ("free", "units_total")
MARKETS = 4  # kept by a process, the last used
LENGTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)  # hours, from which a row of `mean` holds
ANSWERS = 1000  # of one market kept: what a choice admits, the way from a place
Green = tuple[tuple[int, ...], tuple[int, ...]]  # hourly share, ppm, and intensity, mg/kWh
lasting = attrgetter(*(field.name for field in fields(OfferFacts) if field.name not in UNITS))
BOUNDS = (  # limits on a number: they are tested in the scan, all others admit an offer or not
    "memory_gb__gte", "notice_s__gte", "boot_s__lte", "reliability__gte", "latency_ms__lte", "free__gte", "price__lte",
    "price_pflop__lte", "total__lte", "renewable_share__gte", "matched_share__gte", "carbon_free_share__gte",
    "carbon_g_per_kwh__lte", "carbon_cap_g",
)  # fmt: skip


class Standing:
    """The arrays of one market and what was asked of them. Offers are by group and cheapest hour."""

    def __init__(self, snapshot: Snapshot) -> None:
        greens = greens_of(snapshot)
        groups = {offer.id: group_of(offer, greens) for offer in snapshot.offers}
        self.market = market = Market(snapshot, by=lambda offer: (*groups[offer.id], min(offer.price), offer.id))
        self.ids = tuple(offer.id for offer in market.offers)
        series = [market.series(name) for name in SERIES]
        self.values = np.array([each.values.T for each in series])
        self.until = np.array([each.until.T for each in series])
        self.mean, self.length = least_means(series[0].until.T // HOUR_S)
        self.facts = np.array([market.column(name) for name in FACTS])
        self.group, self.begin = _numbered(groups[offer.id] for offer in market.offers)
        self.rank = np.argsort(np.argsort(np.array(self.ids)))
        self.free, self.total = market.free.T.copy(), market.units_total.T.copy()
        self._offers, self._row = snapshot.offers, [market.index[offer.id] for offer in snapshot.offers]
        self._ways: dict[str | None, Ints] = {}
        self._masks: dict[Hashable, Bools] = {}

    def follow(self, snapshot: Snapshot) -> bool:
        """Take over the units of a snapshot of the same ids; False when it differs in more than units."""
        if snapshot.hours != self.free.shape[1]:
            return False
        moved = list(map(is_not, self._offers, snapshot.offers))
        before, now = list(compress(self._offers, moved)), list(compress(snapshot.offers, moved))
        if list(map(lasting, before)) != list(map(lasting, now)):
            return False
        if now:
            rows = list(compress(self._row, moved))
            self.free = self.free.copy()  # a table may still hold those of before
            self.free[rows] = [offer.free for offer in now]
            if any(old.units_total != new.units_total for old, new in zip(before, now, strict=True)):
                self.total = self.total.copy()
                self.total[rows] = [offer.units_total for offer in now]
            self._offers = snapshot.offers
        return True

    def way(self, place: str | None) -> Ints:
        """[offers] ms from `place`."""
        if place not in self._ways:
            _make_room(self._ways)
            self._ways[place] = self.market.latency(place)
        return self._ways[place]

    def admitted(self, choices: Hashable, ask: Ask) -> Bools:
        """The offers that pass `choices`, which are those of `ask`."""
        if choices not in self._masks:
            _make_room(self._masks)
            self._masks[choices] = allowed_by(self.market, ask)
        return self._masks[choices]


_known: OrderedDict[tuple[str, ...], Standing] = OrderedDict()


def standing_of(snapshot: Snapshot) -> Standing:
    """The arrays of the snapshot's offers, new or kept."""
    key = tuple(offer.id for offer in snapshot.offers)
    standing = _known.pop(key, None)
    if standing is None or not standing.follow(snapshot):
        standing = Standing(snapshot)
    _known[key] = standing
    if len(_known) > MARKETS:
        _known.popitem(last=False)
    return standing


def least_means(until: Ints) -> tuple[Halves, Ints]:
    """What an hour of a run costs in the mean at least: ([rows, offers] mm per unit-hour, row of so many whole hours).

    `until` [offers, hours + 1] is the running sum of the prices. A run of some whole hours and part of another costs no
    less than what is the least of both numbers of hours: its sum is that of a longer and a shorter one, weighed.
    """
    hours = until.shape[1] - 1
    of_length = np.array([(until[:, length:] - until[:, : hours + 1 - length]).min(axis=1) // length
                          for length in range(1, hours + 1)])  # fmt: skip
    lengths = np.arange(hours + 2).clip(1, hours)
    row = np.searchsorted(LENGTHS, lengths, side="right") - 1
    means = [of_length[lengths[row == each].min() - 1 : lengths[row == each].max() + 1].min(axis=0)
             for each in range(row.max() + 1)]  # fmt: skip
    return np.minimum(np.array(means), np.iinfo(np.int32).max).astype(np.int32), row[:-1]


def greens_of(snapshot: Snapshot) -> dict[Green, int]:
    """A number for each course of share and intensity, by the first offer, in the order of ids, that has it."""
    numbers: dict[Green, int] = {}
    for offer in sorted(snapshot.offers, key=attrgetter("id")):
        numbers.setdefault((offer.share_ppm, offer.ci_mg), len(numbers))
    return numbers


def group_of(offer: OfferFacts, greens: Mapping[Green, int]) -> tuple[str, str, int, int, int]:
    """What offers share that differ in no hour but by their own price and way."""
    return offer.zone, offer.hardware, offer.pf_milli, offer.watts, greens[offer.share_ppm, offer.ci_mg]


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


def _numbered(groups: Iterable[Hashable]) -> tuple[Ints, Ints]:
    """A number for the group of each offer, and the first offer of each group and one more; equals are neighbours."""
    numbers: dict[Hashable, int] = {}
    group = np.array([numbers.setdefault(each, len(numbers)) for each in groups], dtype=np.int64)
    return group, np.searchsorted(group, np.arange(len(numbers) + 1))


def _make_room(answers: dict[Any, Any]) -> None:
    if len(answers) >= ANSWERS:
        answers.clear()
