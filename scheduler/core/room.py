"""What is left of the offers while a round takes it, with the hours in which each is open as bits."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scheduler.core.compiled import compiled, lean
from scheduler.core.market import Ints
from scheduler.core.types import HOUR_S

Words = npt.NDArray[np.uint64]
Shorts = npt.NDArray[np.int16]
SIZES = 8  # openings are kept per number of units up to here; a larger ask needs at least as much
BITS = 64
ONE, FULL = np.uint64(1), np.uint64(2**64 - 1)


class Room(NamedTuple):
    """Units free per hour, and for each number of units up to SIZES the hours in which an offer is open."""

    free: Ints  # [offers, hours]
    open: Words  # [SIZES, offers, words] a bit per hour, and one word more
    longest: Shorts  # [SIZES, offers] most open hours in a row


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


class Need(NamedTuple):
    """Hours in a row with units free, from one of some starts on."""

    size: int  # row of the openings
    touched: int  # hours in a row
    word: int  # where the first start lies
    shift: np.uint64
    among: np.uint64  # a bit per start
    one_word: bool  # whether all hours that count fit a word; else only the longest opening is looked at


@lean
def only(starts: Starts, number: int) -> Starts:
    """`starts` with one of them left."""
    return Starts(
        number, number, starts.run_s, starts.whole, starts.part, starts.odd, starts.odd_s, starts.odd_first,
        starts.odd_skipped, starts.odd_stop, starts.odd_rest,
    )  # fmt: skip


@lean
def span_of(starts: Starts, number: int) -> tuple[int, int, int, int]:
    """(first hour, seconds of it gone by, hour in which the run ends, seconds run in that hour) of a start."""
    if number == starts.odd:
        return starts.odd_first, starts.odd_skipped, starts.odd_stop, starts.odd_rest
    return number, 0, number + starts.whole, starts.part


@lean
def start_of(starts: Starts, number: int, first_s: int) -> int:
    """Unix seconds of a start, where `first_s` is the round's first whole hour."""
    return starts.odd_s if number == starts.odd else first_s + HOUR_S * number


@compiled
def open_room(free: Ints) -> Room:
    """`free` with its openings."""
    offers, hours = free.shape
    words = hours // BITS + 2
    room = Room(free, np.zeros((SIZES, offers, words), np.uint64), np.zeros((SIZES, offers), np.int16))
    for offer in range(offers):
        note_openings(room, offer)
    return room


@lean
def note_openings(room: Room, offer: int) -> None:
    """Find the openings of `offer` anew."""
    hours = room.free.shape[1]
    for size in range(SIZES):
        longest, stay, word = 0, 0, np.uint64(0)
        for hour in range(hours):
            if room.free[offer, hour] > size:
                stay += 1
                word |= ONE << np.uint64(hour % BITS)
                longest = max(longest, stay)
            else:
                stay = 0
            if hour % BITS == BITS - 1 or hour == hours - 1:
                room.open[size, offer, hour // BITS] = word
                word = np.uint64(0)
        room.longest[size, offer] = longest


@lean
def need_of(units: int, starts: Starts) -> Need:
    """What `starts` needs of an offer, as far as a word of hours can tell."""
    touched = starts.whole + (starts.part > 0)  # an odd start touches no fewer
    count = starts.high - starts.low + 1
    one_word = touched + count - 1 <= BITS
    hour = span_of(starts, starts.low)[0]
    among = FULL >> np.uint64(BITS - count) if one_word else FULL
    return Need(min(units, SIZES) - 1, touched, hour // BITS, np.uint64(hour % BITS), among, one_word)


@lean
def may_hold(room: Room, need: Need, offer: int) -> bool:
    """Whether `offer` may stay open long enough from some start on; False is sure."""
    if room.longest[need.size, offer] < need.touched:
        return False
    if not need.one_word:
        return True
    bits = room.open[need.size, offer, need.word] >> need.shift
    if need.shift:
        bits |= room.open[need.size, offer, need.word + 1] << (np.uint64(BITS) - need.shift)
    done = 1
    while done < need.touched:  # the bits at which that many set bits in a row begin, by doubling
        step = min(done, need.touched - done)
        bits &= bits >> np.uint64(step)
        done += step
    return (bits & need.among) != 0
