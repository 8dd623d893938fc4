"""The cheapest hours of work that may run in pieces: exact dynamic programming over whole hours (matching.md, 4).

Work of `run_s` seconds in n pieces takes `run_s + (n-1)*restart_s`: every piece after the first begins by loading what
the one before saved, and those seconds cost what their hours cost. The first piece begins at the earliest start or on a
whole hour, every other on a whole hour; all end on a whole hour but the last, which ends when the work is done, so that
the only hours used in part are that of the earliest start and the last one. Of two and more each takes two hours at
least, and an hour at least lies between them. One piece is the contiguous run, however short.

The cost is the sum of cost x seconds over the hours used, and what waiting costs: `idle` for every hour from the
earliest start to the end in which nothing runs. Of equal costs the fewest pieces are taken, then the earliest hours (at
the first hour in which two choices differ, the one that uses it).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scheduler.core.market import Bools, Ints
from scheduler.core.types import HOUR_S, MOST_PIECES

LEAST_PIECE_HOURS = 2
NEVER = np.int64(1) << 60  # the cost of what cannot be; two of them still fit


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done: `run_s` seconds in at most `max_pieces` pieces, each after the first `restart_s` longer."""

    run_s: int
    max_pieces: int = 1
    restart_s: int = 0

    def __post_init__(self) -> None:
        if self.run_s < 1 or self.restart_s < 0 or not 1 <= self.max_pieces <= MOST_PIECES:
            raise ValueError(f"work takes a second at least, in 1 to {MOST_PIECES} pieces")

    def seconds(self, pieces: int) -> int:
        """How long it takes in so many pieces."""
        return self.run_s + (pieces - 1) * self.restart_s

    def counts(self) -> Iterator[int]:
        """How many pieces there may be: none of several is shorter than two hours."""
        least = LEAST_PIECE_HOURS * HOUR_S
        return (n for n in range(1, self.max_pieces + 1) if n == 1 or self.seconds(n) >= n * least)


class Hours(NamedTuple):
    """The hours that many choices have alike, each row one choice: [rows, hours].

    `costs` are per hour, not negative; `free` tells the hours that may be used; `idle` [rows] is what an hour of
    waiting costs, in cost x seconds. The earliest start lies `skipped_s` into the first hour, and all must have ended
    `latest_s` after that hour began.
    """

    costs: Ints
    free: Bools
    idle: Ints
    latest_s: int
    skipped_s: int = 0


class Chosen(NamedTuple):
    """For each row its cheapest choice: seconds used of each hour [rows, hours], and the cost x seconds it comes to.

    NEVER where there is none; then nothing is used.
    """

    seconds: Ints
    cost: Ints


class Part(NamedTuple):
    """What is left behind a beginning: `slots` hours to choose from the hour `first` on, the last one for `rest_s`."""

    first: int
    slots: int
    rest_s: int


class Tables(NamedTuple):
    """By hour, pieces to come and hours left: whether to begin a piece, and whether to go on with one."""

    begin: Bools  # [hours, rows, pieces + 1, slots + 1]
    go_on: Bools


def cheapest(hours: Hours, work: Work) -> Chosen:
    """The cheapest way to do `work` in each row of `hours`."""
    best = Chosen(np.zeros_like(hours.costs), np.full(len(hours.costs), NEVER))
    for pieces in work.counts():
        ways = _whole(hours, work.seconds(pieces)) if pieces == 1 else _in_pieces(hours, work.seconds(pieces), pieces)
        for way in ways:
            better = way.cost < best.cost
            best = Chosen(np.where(better[:, None], way.seconds, best.seconds), np.where(better, way.cost, best.cost))
    return best


def spans(seconds: Ints, skipped_s: int = 0) -> list[tuple[int, int]]:
    """The pieces of one row of `seconds` as [begin, end) in seconds after the first hour began.

    `skipped_s` is that of the hours it was chosen from.
    """
    found: list[tuple[int, int]] = []
    for hour in np.flatnonzero(seconds).tolist():
        begin = hour * HOUR_S + (skipped_s if hour == 0 else 0)
        end = begin + int(seconds[hour])
        if found and found[-1][1] == begin:
            found[-1] = found[-1][0], end
        else:
            found.append((begin, end))
    return found


def _whole(hours: Hours, work_s: int) -> Iterator[Chosen]:
    """The contiguous run from the earliest start, then the best one from a whole hour."""
    first = int(hours.skipped_s > 0)
    if first:
        yield _one_run(hours, work_s, [0])
    yield _one_run(hours, work_s, range(first, hours.costs.shape[1]))


def _one_run(hours: Hours, work_s: int, starts: "range | list[int]") -> Chosen:
    """The cheapest of the contiguous runs that begin in `starts`, the earliest of equal ones."""
    best = Chosen(np.zeros_like(hours.costs), np.full(len(hours.costs), NEVER))
    waited = np.zeros_like(hours.idle)
    for start in range(starts[-1] + 1 if len(starts) else 0):
        used = _run_from(hours, work_s, start)
        if used is None:
            break
        if start in starts:
            closed = (~hours.free[:, used > 0]).any(axis=1)
            cost = np.where(closed, NEVER, waited + (hours.costs * used).sum(axis=1))
            better = cost < best.cost
            best = Chosen(np.where(better[:, None], used, best.seconds), np.where(better, cost, best.cost))
        waited = waited + _idle(hours, start)
    return best


def _run_from(hours: Hours, work_s: int, start: int) -> Ints | None:
    """Seconds of each hour that a run from the hour `start` uses; None when it would end too late."""
    begin = start * HOUR_S + (hours.skipped_s if start == 0 else 0)
    end = begin + work_s
    if end > min(hours.latest_s, hours.costs.shape[1] * HOUR_S):
        return None
    edges = HOUR_S * np.arange(hours.costs.shape[1] + 1, dtype=np.int64)
    used: Ints = np.clip(end, edges[:-1], edges[1:]) - np.clip(begin, edges[:-1], edges[1:])
    return used


def _idle(hours: Hours, hour: int) -> Ints:
    """What it costs each row that nothing runs in an hour; of the first the part that has gone by costs nothing."""
    waited: Ints = hours.idle * (HOUR_S - hours.skipped_s) // HOUR_S if hour == 0 else hours.idle
    return waited


def _in_pieces(hours: Hours, work_s: int, pieces: int) -> Iterator[Chosen]:
    """The best ways in exactly so many pieces: from the earliest start within an hour, if it is, and from whole hours.

    A piece that begins within an hour goes on for two whole ones: with one it would be too short.
    """
    if not hours.skipped_s:
        part = _part(work_s, 0)
        yield _from_table(hours, part, pieces, _tables(hours, part, pieces))
        return
    begun_s = HOUR_S - hours.skipped_s
    opening, part = LEAST_PIECE_HOURS + 1, _part(work_s - begun_s - LEAST_PIECE_HOURS * HOUR_S, LEAST_PIECE_HOURS + 1)
    if part.slots > 0 and hours.costs.shape[1] >= opening:
        yield _opened(hours, part, pieces, begun_s)
    part = _part(work_s, 1)
    first = _from_table(hours, part, pieces, _tables(hours, part, pieces))
    yield first._replace(cost=np.minimum(NEVER, first.cost + _idle(hours, 0)))


def _part(work_s: int, first: int) -> Part:
    slots = -(-work_s // HOUR_S)
    return Part(first, slots, work_s - HOUR_S * (slots - 1))


def _opened(hours: Hours, part: Part, pieces: int, begun_s: int) -> Chosen:
    """The best way whose first piece begins within the first hour."""
    opening = np.array([begun_s, *[HOUR_S] * (part.first - 1)], dtype=np.int64)
    open_ = hours.free[:, : part.first].all(axis=1)
    spent = (hours.costs[:, : part.first] * opening).sum(axis=1)
    rest = _from_table(hours, part, pieces - 1, _tables(hours, part, pieces - 1), running=True)
    cost = np.where(open_ & (rest.cost < NEVER), spent + rest.cost, NEVER)
    rest.seconds[:, : part.first] = opening
    return Chosen(np.where((cost < NEVER)[:, None], rest.seconds, 0), cost)


class _Step(NamedTuple):
    """What is left to pay, by row, pieces to come and hours left, from one hour on."""

    idle: Ints  # nothing runs
    running: Ints  # a piece of two hours at least runs


def _tables(hours: Hours, part: Part, pieces: int) -> "tuple[_Step, Tables]":
    """From the last hour back to the first: what the rest costs, and what is best done."""
    rows, count = len(hours.costs), hours.costs.shape[1]
    shape = rows, pieces + 1, part.slots + 1
    done = np.full(shape, NEVER)
    done[:, 0, 0] = 0
    none = np.full(shape, NEVER)
    later, latest = _Step(none, done), _Step(none, done)  # one hour on, two hours on
    tables = Tables(np.zeros((count, *shape), dtype=np.bool_), np.zeros((count, *shape), dtype=np.bool_))
    for hour in range(count - 1, part.first - 1, -1):
        waiting = np.minimum(NEVER, later.idle + _idle(hours, hour)[:, None, None])
        going = _going_on(hours, part, hour, later)
        begin = _beginning(hours, part, hour, latest)
        tables.begin[hour] = (begin <= waiting) & (begin < NEVER)
        tables.go_on[hour] = (going <= waiting) & (going < NEVER)
        step = _Step(np.minimum(begin, waiting), np.minimum(going, waiting))
        step.running[:, :, 0] = done[:, :, 0]
        step.idle[:, 0] = NEVER  # no piece is left to begin
        later, latest = step, later
    return later, tables


def _used(hours: Hours, part: Part, hour: int, last: bool) -> Ints:
    """What using an hour costs each row: whole, or as the `last` one."""
    seconds = part.rest_s if last else HOUR_S
    if hour >= hours.costs.shape[1] or hour * HOUR_S + seconds > hours.latest_s:
        return np.full(len(hours.costs), NEVER)
    return np.where(hours.free[:, hour], hours.costs[:, hour] * seconds, NEVER)


def _going_on(hours: Hours, part: Part, hour: int, later: _Step) -> Ints:
    """What the rest costs when the piece that runs uses this hour too."""
    going = np.full_like(later.running, NEVER)
    going[:, :, 2:] = later.running[:, :, 1:-1] + _used(hours, part, hour, last=False)[:, None, None]
    if part.slots:
        going[:, :, 1] = later.running[:, :, 0] + _used(hours, part, hour, last=True)[:, None]
    capped: Ints = np.minimum(NEVER, going)
    return capped


def _beginning(hours: Hours, part: Part, hour: int, latest: _Step) -> Ints:
    """What the rest costs when a piece begins, which uses this hour and the next."""
    begin = np.full_like(latest.running, NEVER)
    two = np.minimum(NEVER, _used(hours, part, hour, last=False) + _used(hours, part, hour + 1, last=False))
    if part.slots > LEAST_PIECE_HOURS:
        begin[:, 1:, 3:] = latest.running[:, :-1, 1:-2] + two[:, None, None]
    if part.slots >= LEAST_PIECE_HOURS and part.rest_s == HOUR_S:  # else such a last piece is too short
        begin[:, 1:, 2] = latest.running[:, :-1, 0] + two[:, None]
    capped: Ints = np.minimum(NEVER, begin)
    return capped


def _from_table(
    hours: Hours, part: Part, pieces: int, made: "tuple[_Step, Tables]", *, running: bool = False
) -> Chosen:
    """Walk the tables from the hour `part.first` on; with `running` a piece runs already."""
    step, tables = made
    rows, count = hours.costs.shape
    state = step.running if running else step.idle
    cost = state[:, pieces, part.slots].copy()
    every, left, to_come = np.arange(rows), np.full(rows, part.slots), np.full(rows, pieces)
    left[cost >= NEVER] = 0
    runs, owed, seconds = np.full(rows, running), np.zeros(rows, dtype=np.int64), np.zeros_like(hours.costs)
    for hour in range(part.first, count):
        begins = ~runs & (left > 0) & tables.begin[hour, every, to_come, left]
        uses = begins | (owed > 0) | (runs & (left > 0) & tables.go_on[hour, every, to_come, left])
        owed = np.where(begins, LEAST_PIECE_HOURS - 1, np.maximum(owed - 1, 0))
        seconds[:, hour] = np.where(uses, np.where(left == 1, part.rest_s, HOUR_S), 0)
        to_come, left, runs = to_come - begins, left - uses, uses
    return Chosen(seconds, cost)
