"""What a scan reads of a market and of one ask, and the arrays that it works in."""

from typing import NamedTuple

import numpy as np

from scheduler.core.columns import FIELDS
from scheduler.core.compiled import compiled, inlined
from scheduler.core.lists import Lists
from scheduler.core.market import Ints
from scheduler.core.room import Bits, new_bits
from scheduler.core.tables import NOW, RENEWABLE, Asks, Shelf, Tastes


class Clock(NamedTuple):
    """When the round decides: unix seconds now, of its first whole hour, and the latency that costs nothing."""

    now_s: int
    first_s: int
    free_ms: int


class Facts(NamedTuple):
    """Everything a scan reads and nothing changes."""

    clock: Clock
    shelf: Shelf
    tastes: Tastes
    lists: Lists
    asks: Asks


class Scratch(NamedTuple):
    """Of one ask on one group, by start: what all offers of the group cost alike, and which are open."""

    costs: Ints  # [starts] green and carbon, mm x seconds per unit-hour; FAR where too little is renewable
    waits: Ints  # [starts] at least what waiting costs, likewise
    shares: Ints  # [starts] ppm x seconds
    spent: Ints  # [starts] what the starts at whole hours cost on the offer last looked at, without the way there
    bits: Bits
    one: Ints  # [1, fields] for the best column alone


class Wish(NamedTuple):
    """What an ask wants of every offer alike."""

    ask: int
    units: int
    by_start: bool
    bound: int
    least_share: int  # ppm; 0 or less where none is asked
    ready_s: int  # from when waiting counts
    place: int
    charged_ms: int
    latency_value: int
    green_value: int
    waiting_value: int
    carbon_price: int
    free_ms: int
    first_s: int


@compiled
def new_scratch(facts: Facts) -> Scratch:
    """Room for every start on one group."""
    starts = facts.shelf.values.shape[2] + 1
    return Scratch(
        np.zeros(starts, np.int64), np.zeros(starts, np.int64), np.zeros(starts, np.int64), np.zeros(starts, np.int64),
        new_bits(facts.shelf.begin, starts), np.zeros((1, FIELDS), np.int64),
    )  # fmt: skip


@inlined
def wish_of(facts: Facts, ask: int) -> Wish:
    """The wish of `ask`."""
    asks, tastes, kind = facts.asks, facts.tastes, facts.asks.kind[ask]
    return Wish(
        ask, asks.units[ask], asks.when[ask] == NOW, asks.bound[ask], asks.bounds[ask, RENEWABLE],
        max(facts.clock.now_s, asks.start_after[ask]),
        tastes.place[kind], tastes.charged_ms[kind], tastes.latency_value[kind], tastes.green_value[kind],
        tastes.waiting_value[kind], tastes.carbon_price[kind], facts.clock.free_ms, facts.clock.first_s,
    )  # fmt: skip
