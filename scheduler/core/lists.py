"""Per kind of ask, the offers it may take, cheapest possible hour first: a scan can stop early and still be exact.

The list is a sorted index of bounds in the sense of Fagin's threshold algorithm (Fagin, Lotem, Naor 2003): once the
best column found is below the least that the next offer could cost in any hour, no later offer can be better.
"""

from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled
from scheduler.core.market import Ints
from scheduler.core.tables import CARBON, PF_MILLI, PRICE, SHARE, WATTS, Shelf, Table, Tastes

PPM = 10**6


class Lists(NamedTuple):
    """Candidates of kind `k` are [begin[k], begin[k+1]) of `offer`, by `key`: least mm per PFLOP-hour, rounded down."""

    begin: Ints
    offer: Ints
    key: Ints
    least: Ints  # least mm per unit-hour of each candidate
    pf_least: Ints  # per kind, the slowest and the fastest candidate
    pf_most: Ints


def lists_of(table: Table) -> Lists:
    """The lists of every kind of `table`."""
    pf_milli = table.shelf.facts[PF_MILLI]
    costs: dict[tuple[int, ...], Ints] = {}
    offers, keys, leasts, slowest, fastest = [], [], [], [], []
    for kind, allowed in enumerate(table.allowed):
        taste = _taste(table.tastes, kind)
        if taste not in costs:
            costs[taste] = least_costs(table.shelf, table.tastes, kind, table.free_ms)
        chosen = np.flatnonzero(allowed)
        least = costs[taste][chosen]
        key = least * 1000 // pf_milli[chosen]
        order = np.argsort(key, kind="stable")
        offers.append(chosen[order])
        keys.append(key[order])
        leasts.append(least[order])
        slowest.append(int(pf_milli[chosen].min(initial=1 << 40)))
        fastest.append(int(pf_milli[chosen].max(initial=1)))
    lengths = [0, *(len(each) for each in offers)]
    empty = np.empty(0, dtype=np.int64)
    return Lists(
        begin=np.cumsum(np.array(lengths, dtype=np.int64)),
        offer=np.concatenate([empty, *offers]),
        key=np.concatenate([empty, *keys]),
        least=np.concatenate([empty, *leasts]),
        pf_least=np.array(slowest, dtype=np.int64),
        pf_most=np.array(fastest, dtype=np.int64),
    )


def _taste(tastes: Tastes, kind: int) -> tuple[int, ...]:
    place, latency, green = tastes.place[kind], tastes.latency_value[kind], tastes.green_value[kind]
    return int(place), int(latency), int(green), int(tastes.carbon_price[kind]), int(tastes.charged_ms[kind])


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
            costs[hour] += carbon * intensity[hour] // 10**9


@compiled
def least_costs(shelf: Shelf, tastes: Tastes, kind: int, free_ms: int) -> Ints:
    """[offers] the least that a unit-hour of each offer costs `kind` in any hour, mm."""
    offers, hours = shelf.began.shape
    costs = np.zeros(hours, dtype=np.int64)
    least = np.zeros(offers, dtype=np.int64)
    for offer in range(offers):
        hour_costs(shelf, tastes, kind, offer, free_ms, 0, hours, costs)
        least[offer] = costs.min()
    return least
