"""Pools of columns and hourly prices again, slow and plain: every column listed and sorted, every price a loop.

Floats are where the core has them (IEEE doubles, the same operations in the same order): what hours paid, prices from
step to step, the length of a step. What columns leave and what prices prove are whole numbers.
"""

from itertools import accumulate
from typing import NamedTuple

from scheduler.core.types import Ask
from tests.core.reference import Units, is_open
from tests.core.reference_columns import Column, Market

FIRST_STEP, LAST_STEP = 0.1, 0.004
MOST_EXCESS = 10
START = 0.6
MANY = 8  # units left, of which an hour is not scarce
Prices = dict[str, list[int]]  # by offer and hour, mm per unit-hour
Floats = dict[str, list[float]]
Pool = dict[str, list[Column]]  # by ask


class Pace(NamedTuple):
    """Which of `steps` price steps are made: from `done` on, `more` of them."""

    done: int
    more: int
    steps: int


def shelf_of(market: Market) -> list[str]:
    """Offers as they stand on the shelf, which breaks ties: alike ones beside each other, then by cheapest hour."""
    greens: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    for offer in market.offers.values():
        greens.setdefault((offer.share_ppm, offer.ci_mg), len(greens))
    by = {
        offer.id: (
            offer.zone, offer.hardware, offer.pf_milli, offer.watts, greens[offer.share_ppm, offer.ci_mg],
            min(offer.price), offer.id,
        )
        for offer in market.offers.values()
    }  # fmt: skip
    return sorted(by, key=by.__getitem__)


def running(prices: Prices) -> Prices:
    """What the hours before each cost together."""
    return {offer: [0, *accumulate(hours)] for offer, hours in prices.items()}


def whole(prices: Floats) -> Prices:
    """Rounded, halves to the even number."""
    return {offer: [round(price) for price in hours] for offer, hours in prices.items()}


def left_of(column: Column, units: int, sums: Prices) -> int:
    """What is left of its utility after the prices of its hours."""
    return column.utility - units * (sums[column.offer][column.beyond] - sums[column.offer][column.first])


def pool_of(market: Market, free: Units, choices: Pool, most: int, prices: Prices) -> Pool:
    """Of the `choices` of each ask the `most` open ones that leave most, some of one offer; by offer and start."""
    place, sums = {offer: number for number, offer in enumerate(shelf_of(market))}, running(prices)
    pool: Pool = {}
    for ask in market.asks.values():
        pool[ask.id] = []
        found = [column for column in choices[ask.id] if is_open(column, free, ask.units)]
        found.sort(key=lambda column: (-left_of(column, ask.units, sums), place[column.offer], column.number))
        taken = dict.fromkeys(place, 0)
        for column in found:
            if taken[column.offer] < of_one_offer(most) and len(pool[ask.id]) < most:
                taken[column.offer] += 1
                pool[ask.id].append(column)
        pool[ask.id].sort(key=lambda column: (place[column.offer], column.number))
    return pool


def of_one_offer(most: int) -> int:
    return max(2, most * most // 4096)


def paid_hours(market: Market, columns: dict[str, Column], left: Units, shelf: list[str]) -> tuple[Floats, float]:
    """What those who hold an hour get of it, 0 where many units are left; and what a unit-hour is worth usually.

    Sums go by ask, then by offer of the shelf and hour.
    """
    hours = range(market.snapshot.hours)
    worth, held = ({offer: [0.0 for _ in hours] for offer in shelf} for _ in range(2))
    for ask in market.asks.values():
        if ask.id in columns:
            column = columns[ask.id]
            for hour in range(column.first, column.beyond):
                worth[column.offer][hour] += column.utility / (column.beyond - column.first)
                held[column.offer][hour] += ask.units
    total, all_held = 0.0, 0.0
    for offer in shelf:
        for hour in hours:
            total += worth[offer][hour]
            all_held += held[offer][hour]
    paid = {
        offer: [
            START * worth[offer][hour] / max(held[offer][hour], 1.0) if left[offer][hour] < MANY else 0.0
            for hour in hours
        ]
        for offer in shelf
    }
    return paid, total / max(1.0, all_held)


def look_at(market: Market, pool: Pool, prices: Prices, free: Units) -> tuple[int, Units]:
    """(what the pool proves at `prices`, the units left when each ask takes the first of its best columns)."""
    sums, slack = running(prices), {offer: list(hours) for offer, hours in free.items()}
    bound = sum(price * units for offer in free for price, units in zip(prices[offer], free[offer], strict=True))
    for ask in market.asks.values():
        most, chosen = 0, None
        for column in pool[ask.id]:
            left = left_of(column, ask.units, sums)
            if left > most:
                most, chosen = left, column
        bound += most
        for hour in range(chosen.first, chosen.beyond) if chosen else ():
            slack[chosen.offer][hour] -= ask.units
    return bound, slack


def price_hours(market: Market, free: Units, pool: Pool, usual: float, pace: Pace, prices: Floats) -> Prices:
    """The prices of the lowest bound of these steps; `prices` move on."""
    best, lowest = None, None
    for step in range(pace.done, pace.done + pace.more):
        now = whole(prices)
        bound, slack = look_at(market, pool, now, free)
        if lowest is None or bound < lowest:
            best, lowest = now, bound
        length = usual * FIRST_STEP * (LAST_STEP / FIRST_STEP) ** (step / pace.steps)
        for offer, hours in prices.items():
            for hour in range(len(hours)):
                if free[offer][hour] > 0:
                    excess = max(-1.0, min(float(MOST_EXCESS), -slack[offer][hour] / free[offer][hour]))
                    hours[hour] = max(0.0, hours[hour] + length * excess)
    return best


def proven_by(market: Market, free: Units, prices: Prices, asks: list[Ask]) -> int:
    """No plan of `asks` on `free` has more utility: Lagrange's dual over all their open columns."""
    sums = running(prices)
    best = (
        max((left_of(c, ask.units, sums) for c in market.columns[ask.id] if is_open(c, free, ask.units)), default=0)
        for ask in asks
    )
    sold = sum(price * units for offer in free for price, units in zip(prices[offer], free[offer], strict=True))
    return sold + sum(max(0, each) for each in best)
