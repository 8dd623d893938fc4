"""Per kind of ask, the offers it may take, in groups and cheapest first, with bounds that let a scan stop early.

All offers of a group lie in one grid zone and have one hardware class and power, so in every hour they differ by their
own price and latency alone. What a run costs at least is the least an offer asks for itself plus what the group's hours
cost in the window of the ask. To stop at such a bound is exact: the threshold algorithm (Fagin, Lotem, Naor 2003).
"""

from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled
from scheduler.core.market import Bools, Ints
from scheduler.core.tables import CARBON, PF_MILLI, PRICE, SHARE, WATTS, Shelf, Table, Tastes

PPM = 10**6
MG_PER_KG_KW = 10**9


class Lists(NamedTuple):
    """Kind `k` has entries [begin[k], begin[k+1]), a group each; entry `e` has offers [first[e], beyond[e])."""

    begin: Ints
    first: Ints
    beyond: Ints
    offer: Ints  # within an entry by `own`, then by id
    own: Ints  # least mm per unit-hour that an offer asks for itself: price and latency
    shared: Ints  # [entries, hours + 1] running sum of what the hours cost at least: green and carbon, mm per unit-hour
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
    envelope = envelope_of(shelf)
    begin, parts = [0], []
    for kind, allowed in enumerate(table.allowed):
        parts.append(_entries(shelf, tastes, kind, allowed, cheapest, table.free_ms))
        begin.append(begin[-1] + parts[-1][0].size)
    lengths, offers, own = (
        np.concatenate([np.empty(0, dtype=np.int64), *(part[n] for part in parts)]) for n in range(3)
    )
    ends = np.cumsum(lengths)
    heads = offers[ends - lengths]
    pf_milli, watts = shelf.facts[PF_MILLI, heads], shelf.facts[WATTS, heads]
    kinds = np.repeat(np.arange(len(parts)), np.diff(begin))
    shared = _shared(envelope, tastes, kinds, shelf.group[heads], pf_milli, watts)
    least = own[ends - lengths] + np.diff(shared, axis=1).min(axis=1, initial=1 << 40)
    order = np.lexsort((least * 1000 // pf_milli, kinds))
    return Lists(
        np.array(begin), (ends - lengths)[order], ends[order], offers, own, shared[order], least[order], pf_milli[order]
    )


def _entries(
    shelf: Shelf, tastes: Tastes, kind: int, allowed: Bools, cheapest: Ints, free_ms: int
) -> tuple[Ints, Ints, Ints]:
    """(offers per group, offers, what each asks for itself) of one kind."""
    chosen = np.flatnonzero(allowed)
    own = cheapest[chosen] + latency_costs(shelf, tastes, kind, chosen, free_ms)
    order = np.lexsort((own, shelf.group[chosen]))
    groups = shelf.group[chosen[order]]
    heads = np.flatnonzero(np.diff(groups, prepend=-1))
    return np.diff(heads, append=groups.size), chosen[order], own[order]


def latency_costs(shelf: Shelf, tastes: Tastes, kind: int, offers: Ints, free_ms: int) -> Ints:
    """[offers] mm per unit-hour for the way to each."""
    measured = shelf.latency[tastes.place[kind], offers]
    charged = np.where(measured < 0, tastes.charged_ms[kind], np.maximum(0, measured - free_ms))
    costs: Ints = tastes.latency_value[kind] * shelf.facts[PF_MILLI, offers] // 1000 * charged
    return costs


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


@compiled
def hour_costs(
    shelf: Shelf, tastes: Tastes, kind: int, offer: int, free_ms: int, first: int, beyond: int, costs: Ints
) -> None:
    """Fill `costs` with what a unit-hour of `offer` costs `kind` in [first, beyond): hour_cost of matching.md."""
    pf_milli = shelf.facts[PF_MILLI, offer]
    milliseconds = shelf.latency[tastes.place[kind], offer]
    charged = tastes.charged_ms[kind] if milliseconds < 0 else max(0, milliseconds - free_ms)
    latency = tastes.latency_value[kind] * pf_milli // 1000 * charged
    green = tastes.green_value[kind] * pf_milli // 1000
    carbon = tastes.carbon_price[kind] * shelf.facts[WATTS, offer]
    price, share = shelf.values[PRICE, offer], shelf.values[SHARE, offer]
    for hour in range(first, beyond):
        costs[hour] = price[hour] + latency + green * (PPM - share[hour]) // PPM
    if carbon:
        intensity = shelf.values[CARBON, offer]
        for hour in range(first, beyond):
            costs[hour] += carbon * intensity[hour] // MG_PER_KG_KW
