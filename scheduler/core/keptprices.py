"""Hourly prices from one round to the next: by offer, as records keep them, and as the array that rounds work on.

A price says what one more unit of an hour would have been worth (matching.md, section 6): mm per unit-hour.
"""

from collections.abc import Mapping

import numpy as np

from scheduler.core.columns import BEYOND, FIRST, OFFER
from scheduler.core.greedy import Decided
from scheduler.core.market import Ints
from scheduler.core.prices import running
from scheduler.core.tables import Table

Kept = Mapping[str, tuple[int, ...]]


def by_offer(table: Table, prices: Ints) -> dict[str, tuple[int, ...]]:
    """`prices` [offers, hours] by public id, without the zeros at the end; offers whose hours cost nothing left out."""
    kept = {}
    for row in np.flatnonzero(prices.any(axis=1)).tolist():
        beyond = int(np.flatnonzero(prices[row])[-1]) + 1
        kept[table.offer_ids[row]] = tuple(prices[row, :beyond].tolist())
    return kept


def as_array(table: Table, kept: Kept) -> Ints | None:
    """`kept` as [offers, hours] in the order of the table; None when there is no price for any of its offers."""
    prices: Ints = np.zeros(table.shelf.began.shape, dtype=np.int64)
    for row, offer in enumerate(table.offer_ids):
        known = kept.get(offer, ())[: prices.shape[1]]
        prices[row, : len(known)] = known
    return prices if prices.any() else None


def only_worth_their_hours(decided: Decided, units: Ints, prices: Ints | None) -> Decided:
    """`decided` without the placements whose utility is below what their hours are worth at `prices` [offers, hours].

    Somebody who waits, or comes soon, may be worth more there: a batch decides about both together.
    """
    if prices is None:
        return decided
    columns, sums = decided.columns.copy(), running(prices)
    offer, first, beyond = columns[:, OFFER], columns[:, FIRST], columns[:, BEYOND]
    worth = units * (sums[offer, beyond] - sums[offer, first])
    refused = (offer >= 0) & (decided.utility < worth)
    columns[refused] = -1
    return decided._replace(columns=columns, utility=np.where(refused, 0, decided.utility))
