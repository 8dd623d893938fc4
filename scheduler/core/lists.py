"""Per kind of ask, the offers it may take, in groups and cheapest first, with bounds that let a scan stop early.

All offers of a group lie in one grid zone and have one hardware class and power, so in every hour they differ by their
own price and latency alone. What a run costs at least is the least an offer asks for itself plus what the group's hours
cost in the window of the ask. To stop at such a bound is exact: the threshold algorithm (Fagin, Lotem, Naor 2003).
"""

from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Bools, Ints
from scheduler.core.tables import CARBON, PF_MILLI, PRICE, SHARE, WATTS, Shelf, Table, Tastes
from scheduler.core.types import HOUR_S

PPM = 10**6
MG_PER_KG_KW = 10**9


class Lists(NamedTuple):
    """Kind `k` has entries [begin[k], begin[k+1]), a group each; entry `e` has offers [first[e], beyond[e])."""

    begin: Ints
    first: Ints
    beyond: Ints
    offer: Ints  # within an entry by `own`
    own: Ints  # least mm per unit-hour that an offer asks for itself: price and latency
    shared: Ints  # [entries, hours + 1] running sum of what the hours cost at least: green and carbon, mm per unit-hour
    share: Ints  # [entries, hours + 1] running sum of the highest share, ppm
    least: Ints  # [entries] the cheapest offer in the cheapest hour, mm per unit-hour
    pf_milli: Ints  # [entries]


class Envelope(NamedTuple):
    """Per group and hour the highest share and the lowest intensity of its offers; they differ only by evidence."""

    share: Ints  # [groups, hours]
    intensity: Ints


def lists_of(table: Table) -> Lists:
    """The lists of every kind of `table`."""
    shelf, tastes = table.shelf, table.tastes
    cheapest = shelf.values[PRICE, :, :-1].min(axis=1)
    counts = table.masks.sum(axis=1)[tastes.mask]
    kinds, first, beyond, offers, own = _entries(shelf, tastes, table.masks, cheapest, table.free_ms, int(counts.sum()))
    heads = offers[first]
    pf_milli, watts = shelf.facts[PF_MILLI, heads], shelf.facts[WATTS, heads]
    envelope = envelope_of(shelf)
    shared = _shared(envelope, tastes, kinds, shelf.group[heads], pf_milli, watts)
    least = own[first] + np.diff(shared, axis=1).min(axis=1, initial=1 << 40)
    order = np.lexsort((least * 1000 // pf_milli, kinds))
    begin = np.searchsorted(kinds, np.arange(tastes.mask.size + 1))
    share = np.zeros_like(shared)
    np.cumsum(envelope.share[shelf.group[heads]], axis=1, out=share[:, 1:])
    entries = (first, beyond), (shared, share, least, pf_milli)
    (first, beyond), rest = (tuple(each[order] for each in part) for part in entries)
    return Lists(begin, first, beyond, offers, own, *rest)


@compiled
def _entries(
    shelf: Shelf, tastes: Tastes, masks: Bools, cheapest: Ints, free_ms: int, total: int
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """(kind, first, beyond) of every entry, (offer, what it asks for itself) of every candidate, `total` in all."""
    kinds, first, beyond = [0 for _ in range(0)], [0 for _ in range(0)], [0 for _ in range(0)]
    offers, own = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    filled = 0
    for kind in range(tastes.mask.size):
        group = -1
        for offer in range(cheapest.size):
            if not masks[tastes.mask[kind], offer]:
                continue
            if shelf.group[offer] != group:
                group = shelf.group[offer]
                kinds.append(kind)
                first.append(filled)
                beyond.append(filled)
            cost = cheapest[offer] + latency_cost(shelf, tastes, kind, offer, free_ms)
            place = filled
            while place > first[-1] and own[place - 1] > cost:  # insertion: offers come nearly sorted
                offers[place], own[place] = offers[place - 1], own[place - 1]
                place -= 1
            offers[place], own[place] = offer, cost
            filled += 1
            beyond[-1] = filled
    return np.array(kinds), np.array(first), np.array(beyond), offers, own


@lean
def latency_cost(shelf: Shelf, tastes: Tastes, kind: int, offer: int, free_ms: int) -> int:
    """mm per unit-hour for the way to `offer`."""
    measured = shelf.latency[tastes.place[kind], offer]
    charged = tastes.charged_ms[kind] if measured < 0 else max(0, measured - free_ms)
    return tastes.latency_value[kind] * shelf.facts[PF_MILLI, offer] // 1000 * charged


def envelope_of(shelf: Shelf) -> Envelope:
    """The best hours of each group."""
    groups, hours = int(shelf.group.max(initial=-1)) + 1, shelf.began.shape[1]
    envelope = Envelope(np.zeros((groups, hours), dtype=np.int64), np.full((groups, hours), 1 << 40, dtype=np.int64))
    np.maximum.at(envelope.share, shelf.group, shelf.values[SHARE, :, :-1])
    np.minimum.at(envelope.intensity, shelf.group, shelf.values[CARBON, :, :-1])
    return envelope


def _shared(envelope: Envelope, tastes: Tastes, kinds: Ints, groups: Ints, pf_milli: Ints, watts: Ints) -> Ints:
    """[entries, hours + 1] running sums of the least hourly cost of green and carbon."""
    green = (tastes.green_value[kinds] * pf_milli // 1000)[:, None] * (PPM - envelope.share[groups]) // PPM
    carbon = (tastes.carbon_price[kinds] * watts)[:, None] * envelope.intensity[groups] // MG_PER_KG_KW
    sums = np.zeros((kinds.size, envelope.share.shape[1] + 1), dtype=np.int64)
    np.cumsum(green + carbon, axis=1, out=sums[:, 1:])
    return sums


@lean
def hour_costs(
    values: Ints, offer: int, latency: int, green: int, carbon: int, first: int, beyond: int, scratch: Ints
) -> None:
    """Fill row 0 of `scratch` with the cost of a unit-hour of `offer` in [first, beyond), row 1 with its running sum.

    hour_cost of matching.md, section 1: `latency`, `green` and `carbon` are what an ask pays an offer of this speed and
    power for its way, for a wholly grey hour, and for 10^9 mg/kWh.
    """
    scratch[1, first] = 0
    for hour in range(first, beyond):
        cost = values[PRICE, offer, hour] + latency + green * (PPM - values[SHARE, offer, hour]) // PPM
        if carbon:
            cost += carbon * values[CARBON, offer, hour] // MG_PER_KG_KW
        scratch[0, hour] = cost
        scratch[1, hour + 1] = scratch[1, hour] + cost * HOUR_S
    scratch[0, beyond] = 0
