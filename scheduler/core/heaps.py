"""Two heaps (Williams 1964): the columns that leave most, the least on top; and offers, the most hopeful on top."""

from typing import NamedTuple

import numpy as np

from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Ints

FIELDS = 6
OFFER, NUMBER, FIRST, BEYOND, UTILITY, RUN_COST = range(FIELDS)  # of a row that write_row writes; NUMBER: of the start


class Kept(NamedTuple):
    """The columns that leave most so far. Of those that leave as much the lower offer goes first, then the start."""

    rows: Ints  # [most + 1, FIELDS], the last one for a column under consideration
    left: Ints  # [most] the heap, mm
    row: Ints  # [most] the row that belongs to each place of the heap


class Heap(NamedTuple):
    """Offers by what they can leave at most."""

    hope: Ints  # in 3600ths of a mm
    offer: Ints
    slot: Ints  # number of the group among those of the ask


@compiled
def new_kept(most: int) -> Kept:
    """Room for `most` columns."""
    return Kept(np.zeros((most + 1, FIELDS), np.int64), np.zeros(most, np.int64), np.zeros(most, np.int64))


@compiled
def new_heap(offers: int) -> Heap:
    """Room for so many offers."""
    return Heap(np.zeros(offers, np.int64), np.zeros(offers, np.int64), np.zeros(offers, np.int64))


@lean
def least_kept(kept: Kept, count: int, floor: int) -> int:
    """What a column must leave to be kept: more than `floor`, and no less than the last of those kept."""
    return kept.left[0] if count == kept.left.size else floor + 1


@lean
def write_row(row: Ints, offer: int, number: int, first: int, beyond: int, utility: int, run_cost: int) -> None:
    """Set the fields of `row`."""
    row[OFFER], row[NUMBER], row[FIRST], row[BEYOND] = offer, number, first, beyond
    row[UTILITY], row[RUN_COST] = utility, run_cost


@lean
def copy_row(row: Ints, to: Ints) -> None:
    """Write the fields of `row` to another one."""
    for field in range(FIELDS):
        to[field] = row[field]


@lean
def behind(left: int, row: Ints, other_left: int, other: Ints) -> bool:
    """Whether the column `row` goes behind `other`."""
    if left != other_left:
        return bool(left < other_left)
    return bool(row[OFFER] > other[OFFER] or (row[OFFER] == other[OFFER] and row[NUMBER] > other[NUMBER]))


@lean
def keep_row(kept: Kept, count: int, left: int, row: Ints) -> int:
    """Keep a copy of the column `row` unless `kept` is full of better ones; their number."""
    if count < kept.left.size:
        rise(kept, count, left, row)
        return count + 1
    if behind(kept.left[0], kept.rows[kept.row[0]], left, row):
        settle(kept, left, row)
    return count


@lean
def rise(kept: Kept, place: int, left: int, row: Ints) -> None:
    """Add a column at the end of the heap and let it rise to its place."""
    heap, of = kept.left, kept.row
    mine = place
    while place > 0:
        above = (place - 1) // 2
        if behind(heap[above], kept.rows[of[above]], left, row):
            break
        heap[place], of[place] = heap[above], of[above]
        place = above
    heap[place], of[place] = left, mine
    copy_row(row, kept.rows[mine])


@lean
def settle(kept: Kept, left: int, row: Ints) -> None:
    """Replace the column on top and let the new one sink to its place."""
    heap, of, rows = kept.left, kept.row, kept.rows
    mine, place, child = of[0], 0, 1
    while child < heap.size:
        if child + 1 < heap.size and behind(heap[child + 1], rows[of[child + 1]], heap[child], rows[of[child]]):
            child += 1
        if not behind(heap[child], rows[of[child]], left, row):
            break
        heap[place], of[place] = heap[child], of[child]
        place, child = child, 2 * child + 1
    heap[place], of[place] = left, mine
    copy_row(row, rows[mine])


@lean
def order_heap(heap: Heap, size: int) -> None:
    """Make a heap of the first `size` offers."""
    for place in range(size // 2 - 1, -1, -1):
        sink(heap, place, size)


@lean
def drop_top(heap: Heap, size: int) -> int:
    """Take the offer on top away; how many are left."""
    last = size - 1
    heap.hope[0], heap.offer[0], heap.slot[0] = heap.hope[last], heap.offer[last], heap.slot[last]
    sink(heap, 0, last)
    return last


@lean
def sink(heap: Heap, place: int, size: int) -> None:
    """Let the offer at `place` sink below those of more hope."""
    hope, offer, slot = heap.hope[place], heap.offer[place], heap.slot[place]
    child = 2 * place + 1
    while child < size:
        if child + 1 < size and heap.hope[child + 1] > heap.hope[child]:
            child += 1
        if heap.hope[child] <= hope:
            break
        heap.hope[place], heap.offer[place], heap.slot[place] = heap.hope[child], heap.offer[child], heap.slot[child]
        place, child = child, 2 * child + 1
    heap.hope[place], heap.offer[place], heap.slot[place] = hope, offer, slot
