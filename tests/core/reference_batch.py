"""A batch again, slow and plain: greedy, prices in stages, a plan guided by them, two searches, and the bound."""

from typing import NamedTuple

from scheduler.core.types import HOUR_S, Placement, Plan, Snapshot
from tests.core.reference import Greedy, Units, place_all, take, waits
from tests.core.reference_columns import Column, Market
from tests.core.reference_prices import (
    Floats,
    Pace,
    Pool,
    Prices,
    look_at,
    paid_hours,
    pool_of,
    price_hours,
    proven_by,
    shelf_of,
    whole,
)
from tests.core.reference_refusals import refusals
from tests.core.reference_search import State, by_what_is_left, guide_of, search

STEPS_A_STAGE, WIDE_STEPS_A_STAGE, WIDE = 15, 25, 256


class Effort(NamedTuple):
    """How hard a batch tries: price steps, moves, and columns kept per ask and of all asks."""

    steps: int
    moves_per_ask: int
    most_moves: int
    warm_steps: int
    most_columns: int = 1024
    least_columns: int = 64
    columns: int = 256_000
    most_steps: int = 300
    looks: int = 45_000_000


BATCH, QUALITY = Effort(60, 200, 120_000, 20), Effort(200, 1000, 1_000_000, 200)


def decide(snapshot: Snapshot, effort: Effort) -> Plan:
    """The plan of a batch or quality round."""
    market = Market(snapshot)
    greedy = place_all(market)
    settled = {ask.id for ask in market.asks.values() if market.is_due(ask) or not market.is_whole(ask)}
    stays = settled | {ask.id for ask in market.asks.values() if ask.gang is not None}
    free, choices = free_after(market, greedy.columns, stays), choices_of(market, greedy, stays)
    pool, prices, steps = price_and_pool(market, greedy, free, choices, effort)

    moves = min(effort.moves_per_ask * len(market.asks), effort.most_moves)
    found = planned(market, free, pool, prices, moves)
    found |= {name: column for name, column in greedy.columns.items() if name in stays}
    better = utility_of(found) > utility_of(greedy.columns)
    sure = sum(column.utility for name, column in greedy.columns.items() if name in settled)
    others = [ask for ask in market.asks.values() if ask.id not in settled]
    bound = sure + proven_by(market, free_after(market, greedy.columns, settled), prices, others)
    chosen = found if better else greedy.columns
    placed = placements(market, greedy, chosen)
    waiting = refusals(market, chosen, free_after(market, chosen, set(chosen)))
    return Plan(placed, waiting, bound=bound, price_steps=steps, moves=moves, prices=without_zeros(prices))


def free_after(market: Market, columns: dict[str, Column], names: set[str]) -> Units:
    """What those named leave on their `columns`."""
    free = market.units("free")
    for name, column in columns.items():
        if name in names:
            take(free, column, market.asks[name].units)
    return free


def choices_of(market: Market, greedy: Greedy, stays: set[str]) -> Pool:
    """The columns that asks which may move may take at all: a short run waits rather than take a later hour, as in
    greedy, and one that wants the earliest start takes none later than greedy's."""
    choices: Pool = {}
    for ask in market.asks.values():
        had = greedy.columns.get(ask.id)
        latest = had.number if had is not None and ask.when == "now" else market.snapshot.hours
        found = [] if ask.id in stays else market.columns[ask.id]
        choices[ask.id] = [column for column in found if column.number <= latest and not waits(market, ask, column)]
    return choices


def price_and_pool(
    market: Market, greedy: Greedy, free: Units, choices: Pool, effort: Effort
) -> tuple[Pool, Prices, int]:
    """(the columns of the last stage, the best prices it found, price steps)."""
    paid, usual = paid_hours(market, greedy.columns, greedy.free, shelf_of(market))
    prices, warmed = begin_at(market, free, choices, paid, effort)
    count = max(1, len(market.asks))
    most = max(effort.least_columns, min(effort.most_columns, effort.columns // count))
    cold = max(effort.steps, min(effort.most_steps, effort.looks // max(1, most * len(market.asks))))
    steps = effort.warm_steps if warmed else cold
    stages = max(1, steps // (WIDE_STEPS_A_STAGE if most >= WIDE else STEPS_A_STAGE))
    past = steps if warmed else 0
    for stage in range(stages):
        width = most if stage == stages - 1 else max(effort.least_columns, most // 2)
        pool = pool_of(market, free, choices, width, whole(prices))
        done, beyond = steps * stage // stages, steps * (stage + 1) // stages
        best = price_hours(market, free, pool, usual, Pace(past + done, beyond - done, past + steps), prices)
    return pool, best, steps


def begin_at(market: Market, free: Units, choices: Pool, paid: Floats, effort: Effort) -> tuple[Floats, bool]:
    """The kept prices unless what greedy got proves more already, by the pool that the kept ones draw."""
    known = {offer: market.snapshot.warm.get(offer, ())[: market.snapshot.hours] for offer in paid}
    if not any(any(hours) for hours in known.values()):
        return paid, False
    kept = {
        offer: [float(max(0, price)) for price in hours] + [0.0] * (market.snapshot.hours - len(hours))
        for offer, hours in known.items()
    }
    mixed = {
        offer: [paid[offer][hour] if free[offer][hour] > 0 else price for hour, price in enumerate(hours)]
        for offer, hours in kept.items()
    }
    pool = pool_of(market, free, choices, effort.least_columns, whole(kept))
    by_kept, by_paid = (look_at(market, pool, whole(prices), free)[0] for prices in (kept, mixed))
    return (kept, True) if by_kept <= by_paid else (mixed, False)


def planned(market: Market, free: Units, pool: Pool, prices: Prices, moves: int) -> dict[str, Column]:
    """The plan that prices and search find for the asks that may move."""
    asks = list(market.asks.values())
    guide = guide_of(asks, pool, prices)
    state = State(guide, free)
    state.fill(by_what_is_left(guide))
    state = search(state, moves, market.snapshot.seed)
    state.fill(asks)
    return state.column


def utility_of(columns: dict[str, Column]) -> int:
    return sum(column.utility for column in columns.values())


def placements(market: Market, greedy: Greedy, columns: dict[str, Column]) -> tuple[Placement, ...]:
    """In the order in which greedy came to the asks."""
    first_s = market.snapshot.first_hour_s
    found = ((ask, columns[ask.id]) for ask in greedy.order if ask.id in columns)
    return tuple(
        Placement(
            ask=ask.id, offer=column.offer, start_s=column.start_s, end_s=column.start_s + column.run_s,
            units=ask.units, hours=tuple(first_s + HOUR_S * hour for hour in range(column.first, column.beyond)),
            run_cost=column.cost, z=column.z, u=column.utility,
        )
        for ask, column in found
    )  # fmt: skip


def without_zeros(prices: Prices) -> dict[str, tuple[int, ...]]:
    """As records keep them: no zeros at the end, no offers whose hours cost nothing."""
    last = {
        offer: max((hour for hour, price in enumerate(hours) if price), default=-1) for offer, hours in prices.items()
    }
    return {offer: tuple(prices[offer][: last[offer] + 1]) for offer in prices if last[offer] >= 0}
