"""What is left of the offers while a round takes it, with a bit per offer and hour that tells where units are free."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Ints
from scheduler.core.types import HOUR_S

Words = npt.NDArray[np.uint64]
SIZES = 8  # bits are kept per number of units up to here; a larger ask needs at least as much
BITS, SHIFT = 64, 6
ONE, NONE, FULL = np.uint64(1), np.uint64(0), np.uint64(2**64 - 1)


class Room(NamedTuple):
    """Units free per hour, and which offers of a group have them: sixty-four offers are looked at in one step.

    The bits of a group are a block [SIZES, words, hours], offer `begin[group] + n` being bit n of its words.
    """

    free: Ints  # [offers, hours]
    open: Words
    block: Ints  # [groups + 1] where the block of a group begins in `open`
    begin: Ints  # [groups + 1] the first offer of each group


class Bits(NamedTuple):
    """Which offers of a group are open to an ask."""

    open: Words  # [words, starts] through each start
    some: Words  # [words] through one start at least
    spare: Words  # [hours]


class Starts(NamedTuple):
    """When one ask may start on one hardware class, and what each start touches.

    Starts are numbered `low` to `high`: whole hours since the round's first, but for `odd`, which is now or pinned.
    """

    low: int
    high: int
    run_s: int
    whole: int  # hours of the run, and the seconds left over
    part: int
    odd: int  # -1 when no start is odd
    odd_s: int  # its unix seconds
    odd_first: int  # the hour it lies in
    odd_skipped: int  # seconds of that hour gone by
    odd_stop: int  # the hour in which its run ends
    odd_rest: int  # seconds run in that hour


@lean
def between(starts: Starts, low: int, high: int) -> Starts:
    """`starts` with those from `low` to `high` left; none where `high` is the lower."""
    return Starts(
        low, high, starts.run_s, starts.whole, starts.part, starts.odd, starts.odd_s, starts.odd_first,
        starts.odd_skipped, starts.odd_stop, starts.odd_rest,
    )  # fmt: skip


@lean
def span_of(starts: Starts, number: int) -> tuple[int, int, int, int]:
    """(first hour, seconds of it gone by, hour in which the run ends, seconds run in that hour) of a start."""
    if number == starts.odd:
        return starts.odd_first, starts.odd_skipped, starts.odd_stop, starts.odd_rest
    return number, 0, number + starts.whole, starts.part


@lean
def rows_of(starts: Starts) -> int:
    """How many starts there are."""
    return max(0, starts.high - starts.low + 1)


@lean
def start_of(starts: Starts, number: int, first_s: int) -> int:
    """Unix seconds of a start, where `first_s` is the round's first whole hour."""
    return starts.odd_s if number == starts.odd else first_s + HOUR_S * number


@lean
def words_of(room: Room, group: int) -> int:
    """How many words hold a bit for each offer of `group`."""
    return (room.begin[group + 1] - room.begin[group] + BITS - 1) // BITS


@compiled
def new_bits(begin: Ints, starts: int) -> Bits:
    """Room for `starts` starts on any group."""
    words = 1 + (begin[1:] - begin[:-1]).max() // BITS if begin.size > 1 else 1
    return Bits(np.zeros(words * starts, np.uint64), np.zeros(words, np.uint64), np.zeros(starts, np.uint64))


@compiled
def open_room(free: Ints, begin: Ints) -> Room:
    """`free` with its bits; `begin` says where the offers of each group begin."""
    groups, hours = begin.size - 1, free.shape[1]
    block = np.zeros(groups + 1, dtype=np.int64)
    for group in range(groups):
        block[group + 1] = block[group] + SIZES * hours * ((begin[group + 1] - begin[group] + BITS - 1) // BITS)
    room = Room(free, np.zeros(block[groups], dtype=np.uint64), block, begin)
    for group in range(groups):
        for offer in range(begin[group], begin[group + 1]):
            note_hours(room, group, offer, 0, hours)
    return room


@lean
def note_hours(room: Room, group: int, offer: int, first: int, beyond: int) -> None:
    """Set the bits of `offer` in [first, beyond) as its free units say."""
    words, hours, place = words_of(room, group), room.free.shape[1], offer - room.begin[group]
    bit, at = ONE << np.uint64(place % BITS), room.block[group] + (place // BITS) * hours
    for size in range(SIZES):
        for hour in range(first, beyond):
            row = at + size * words * hours + hour
            room.open[row] = room.open[row] | bit if room.free[offer, hour] > size else room.open[row] & ~bit


@lean
def find_open(room: Room, group: int, units: int, starts: Starts, admitted: Words, bits: Bits) -> bool:
    """Whether an offer of `group` that is `admitted` stays open through any start, and which do: `bits` is filled.

    Beyond SIZES units a bit says only that SIZES are free. `open` of the bits tells of all, `some` of those admitted.
    """
    words, hours, rows = words_of(room, group), room.free.shape[1], rows_of(starts)
    at, total = room.block[group] + (min(units, SIZES) - 1) * words * hours, NONE
    for word in range(words):
        found = bits.open[word * rows :]
        follow_starts(room.open[at + word * hours : at + (word + 1) * hours], starts, found, bits.spare)
        some = NONE
        for row in range(rows):
            some |= found[row]
        bits.some[word] = some & admitted[word]
        total |= bits.some[word]
    return total != NONE


@lean
def follow_starts(open_in: Words, starts: Starts, found: Words, spare: Words) -> None:
    """Fill `found` [starts] with the offers open through each, of `open_in` [hours]."""
    number, row = starts.low, 0
    if number == starts.odd:
        found[0] = FULL
        for hour in range(starts.odd_first, starts.odd_stop + (starts.odd_rest > 0)):
            found[0] &= open_in[hour]
        number, row = number + 1, 1
    if number <= starts.high:
        touched = starts.whole + (starts.part > 0)
        follow(open_in[number : starts.high + touched], touched, found[row:], spare)


@lean
def follow(open_in: Words, touched: int, found: Words, spare: Words) -> None:
    """Fill `found` [starts] with the offers open for `touched` hours in a row, of `open_in` [hours].

    Hours in a row are joined by doubling. The two buffers take turns, which lets the compiler join many words at once.
    """
    span = open_in.size
    join(open_in, open_in, found)
    done, turned = 1, False
    while done < touched:
        step = min(done, touched - done)
        size = span - (done + step - 1)
        if turned:
            join(spare[:size], spare[step:], found)
        else:
            join(found[:size], found[step:], spare)
        done, turned = done + step, not turned
    if turned:
        join(spare[: span - touched + 1], spare, found)


@lean
def join(some: Words, others: Words, into: Words) -> None:
    """Write what is set in both, as far as `some` goes."""
    for place in range(some.size):
        into[place] = some[place] & others[place]


@lean
def is_open(bits: Bits, starts: Starts, row: int, place: int) -> bool:
    """Whether the offer of number `place` in its group is open through the start of number `row` among `starts`."""
    return (bits.open[(place >> SHIFT) * rows_of(starts) + row] >> np.uint64(place & (BITS - 1))) & ONE != NONE


@lean
def has(some: Words, place: int) -> bool:
    """Whether bit `place` is set."""
    return (some[place >> SHIFT] >> np.uint64(place & (BITS - 1))) & ONE != NONE


@lean
def lowest(bits: np.uint64) -> np.uint64:
    """The lowest bit that is set in `bits`, which are not NONE."""
    return bits & ~(bits - ONE)


@lean
def number_of(bit: np.uint64) -> int:
    """The number of the only bit that is set: it is a power of two, which a float holds exactly."""
    return math.frexp(float(bit))[1] - 1


@lean
def has_units(free: Ints, offer: int, first: int, beyond: int, units: int) -> bool:
    """Whether every hour in [first, beyond) has the units."""
    for hour in range(first, beyond):  # noqa: SIM110 - the compiler knows no generators in all()
        if free[offer, hour] < units:
            return False
    return True
