"""Per kind of ask, the groups of offers that it may take, cheapest first, with bounds that let a scan stop early.

All offers of a group lie in one grid zone and have one hardware class, power and greenness, so in every hour they
differ by their own price and latency alone. What a run costs at least is the least an offer asks for itself plus what
the group's hours cost in the window of the ask. To stop at such a bound is exact: the threshold algorithm (Fagin,
Lotem, Naor 2003).
"""

from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled, lean, side_by_side
from scheduler.core.market import Bools, Ints
from scheduler.core.room import BITS, ONE, Words
from scheduler.core.tables import CARBON, FAR, PF_MILLI, PRICE, SHARE, WATTS, Shelf, Table, Tastes

PPM = 10**6
MG_PER_KG_KW = 10**9
DEAR = 1 << 40  # more than an hour can cost
MANY = 50  # kinds that are worth a second thread


class Lists(NamedTuple):
    """Kind `k` has entries [begin[k], begin[k+1]), a group each with an offer or more that its choices admit."""

    begin: Ints
    group: Ints  # [entries]
    head: Ints  # [entries] one of its offers
    size: Ints  # [entries] how many it has
    way: Ints  # [entries] the least mm per unit-hour for the way to an offer
    own: Ints  # [entries] the least that an offer asks for itself: price and way
    least: Ints  # [entries] the same in the cheapest hour of the group
    row: Ints  # [entries] of `shared` and `share`: one for all kinds that weigh the hours of a group alike
    shared: Ints  # [rows, hours + 1] running sum of what the hours cost for green and carbon, mm per unit-hour
    share: Ints  # [rows, hours + 1] running sum of the share, ppm
    pf_milli: Ints  # [entries]
    cheapest: Ints  # [offers] the least price of an hour; it rises within a group
    admitted: Words  # [masks, words] a bit per offer, the words of each group one behind the other
    word: Ints  # [groups + 1] the first of each group


def lists_of(table: Table) -> Lists:
    """The lists of every kind of `table`."""
    shelf, tastes, masks = table.shelf, table.tastes, table.masks
    cheapest = shelf.values[PRICE, :, :-1].min(axis=1)
    parts = side_by_side(
        lambda low, high: _entries(shelf, tastes, masks, cheapest, table.free_ms, low, high),
        tastes.mask.size,
        worth=MANY,
    )
    kinds, group, head, size, way, own = np.concatenate(parts, axis=1)
    row, entry = _rows(shelf, tastes, kinds, head)
    shared, share, cheap = _sums(shelf, tastes, kinds[entry], head[entry])
    least = own + cheap[row]
    pf_milli = shelf.facts[PF_MILLI, head]
    order = np.lexsort((least * 1000 // pf_milli, kinds))
    word = np.append(0, np.cumsum(-(-np.diff(shelf.begin) // BITS)))
    return Lists(
        begin=np.searchsorted(kinds, np.arange(tastes.mask.size + 1)), group=group[order], head=head[order],
        size=size[order], way=way[order], own=own[order], least=least[order], row=row[order], shared=shared,
        share=share, pf_milli=pf_milli[order], cheapest=cheapest, admitted=_words(masks, shelf.begin, word), word=word,
    )  # fmt: skip


@compiled
def _entries(shelf: Shelf, tastes: Tastes, masks: Bools, cheapest: Ints, free_ms: int, low: int, high: int) -> Ints:
    """[6, entries] kind, group, head, size, way and own of every entry of the kinds in [low, high)."""
    groups = shelf.begin.size - 1
    entries, filled = np.empty((6, (high - low) * groups), dtype=np.int64), 0
    for kind in range(low, high):
        mask = masks[tastes.mask[kind]]
        for group in range(groups):
            size, head, way, own = 0, 0, FAR, FAR
            for offer in range(shelf.begin[group], shelf.begin[group + 1]):
                if mask[offer]:
                    cost = latency_cost(shelf, tastes, kind, offer, free_ms)
                    size, head, way, own = size + 1, offer, min(way, cost), min(own, cheapest[offer] + cost)
            if size:
                for field, value in enumerate((kind, group, head, size, way, own)):
                    entries[field, filled] = value
                filled += 1
    return entries[:, :filled]


@compiled
def _words(masks: Bools, begin: Ints, word: Ints) -> Words:
    """[masks, words] a bit for each offer that a mask admits; `word` says where the words of a group begin."""
    words = np.zeros((masks.shape[0], word[-1]), dtype=np.uint64)
    for mask in range(masks.shape[0]):
        for group in range(begin.size - 1):
            for place in range(begin[group + 1] - begin[group]):
                if masks[mask, begin[group] + place]:
                    words[mask, word[group] + place // BITS] |= ONE << np.uint64(place % BITS)
    return words


@lean
def latency_cost(shelf: Shelf, tastes: Tastes, kind: int, offer: int, free_ms: int) -> int:
    """mm per unit-hour for the way to `offer`."""
    measured = shelf.latency[tastes.place[kind], offer]
    charged = tastes.charged_ms[kind] if measured < 0 else max(0, measured - free_ms)
    return tastes.latency_value[kind] * shelf.facts[PF_MILLI, offer] // 1000 * charged


def _rows(shelf: Shelf, tastes: Tastes, kinds: Ints, heads: Ints) -> tuple[Ints, Ints]:
    """(row of each entry, an entry of each row); `heads` is an offer of each entry.

    Entries of one group and of kinds that weigh green and carbon alike share a row.
    """
    pairs = list(zip(tastes.green_value.tolist(), tastes.carbon_price.tolist(), strict=True))
    numbers = {pair: number for number, pair in enumerate(pairs)}
    weights = np.array([numbers[pair] for pair in pairs], dtype=np.int64)
    key = weights[kinds] * shelf.begin.size + shelf.group[heads]
    number = np.full(tastes.mask.size * shelf.begin.size, -1)
    number[key] = 0
    number[number == 0] = np.arange((number == 0).sum())
    row = number[key]
    entry = np.empty(int(row.max(initial=-1)) + 1, dtype=np.int64)  # one of each row
    entry[row] = np.arange(row.size)
    return row, entry


@compiled
def _sums(shelf: Shelf, tastes: Tastes, kinds: Ints, heads: Ints) -> tuple[Ints, Ints, Ints]:
    """Of each row, of which a kind and an offer are given: [rows, hours + 1] running sums of the hourly cost of green
    and carbon, those of the share, and [rows] the least hourly cost.
    """
    hours = shelf.values.shape[2] - 1
    shared, share = np.zeros((kinds.size, hours + 1), dtype=np.int64), np.zeros((kinds.size, hours + 1), dtype=np.int64)
    least = np.full(kinds.size, DEAR)
    for row in range(kinds.size):
        kind, head = kinds[row], heads[row]
        green = tastes.green_value[kind] * shelf.facts[PF_MILLI, head] // 1000
        carbon = tastes.carbon_price[kind] * shelf.facts[WATTS, head]
        for hour in range(hours):
            part = shelf.values[SHARE, head, hour]
            cost = green * (PPM - part) // PPM + carbon * shelf.values[CARBON, head, hour] // MG_PER_KG_KW
            shared[row, hour + 1] = shared[row, hour] + cost
            share[row, hour + 1] = share[row, hour] + part
            least[row] = min(least[row], cost)
    return shared, share, least
