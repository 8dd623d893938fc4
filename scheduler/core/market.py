"""The snapshot as arrays: hours down, offers across (by id), and the windows in which one ask could run."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from scheduler.core.types import DUE_HORIZON_S, HOUR_S, Ask, OfferFacts, Reference, Snapshot

Ints = npt.NDArray[np.int64]
Halves = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]
UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Series:
    """Hourly values of all offers with their running sum over seconds, so that any window sums in one subtraction."""

    values: Ints  # [hours + 1, offers], the last row 0
    until: Ints  # [hours + 1, offers], value x seconds before each hour

    @staticmethod
    def of(values: Ints) -> "Series":
        """`values` is [hours, offers]."""
        edge = np.zeros((1, values.shape[1]), dtype=np.int64)
        return Series(np.vstack((values, edge)), np.vstack((edge, np.cumsum(values * HOUR_S, axis=0))))


class Market:
    """What all asks of one snapshot share. Offers are ordered by id, so that a lower index wins a tie, or by a key."""

    def __init__(self, snapshot: Snapshot, by: Callable[[OfferFacts], Any] = attrgetter("id")) -> None:
        self.snapshot = snapshot
        self.reference: Reference = snapshot.reference
        self.offers: tuple[OfferFacts, ...] = tuple(sorted(snapshot.offers, key=by))
        self.index = {offer.id: number for number, offer in enumerate(self.offers)}
        self.free = self._hourly("free")
        self.units_total = self._hourly("units_total")
        self.pf_milli = self.column("pf_milli")
        self._series: dict[str, Series] = {}

    def _hourly(self, name: str) -> Ints:
        rows = [getattr(offer, name) or (UNKNOWN,) * self.snapshot.hours for offer in self.offers]
        return np.array(rows, dtype=np.int64).reshape(len(self.offers), self.snapshot.hours).T.copy()

    def column(self, name: str) -> Ints:
        """One integer fact per offer; None is UNKNOWN."""
        facts = [getattr(offer, name) for offer in self.offers]
        return np.array([UNKNOWN if fact is None else int(fact) for fact in facts], dtype=np.int64)

    def series(self, name: str) -> Series:
        """An hourly fact (`price`, `share_ppm`, …) of every offer."""
        if name not in self._series:
            self._series[name] = Series.of(self._hourly(name))
        return self._series[name]

    def latency(self, near: str | None) -> Ints:
        """p95 ms from `near` to every offer, UNKNOWN where nobody measured it."""
        if near is None:
            return np.full(len(self.offers), UNKNOWN, dtype=np.int64)
        return np.array([offer.latency_ms.get(near, UNKNOWN) for offer in self.offers], dtype=np.int64)

    def starts(self, ask: Ask) -> Ints:
        """Unix seconds at which `ask` may start: now and every whole hour, or its pinned start."""
        snapshot = self.snapshot
        if ask.start_s is not None:
            return np.array([ask.start_s] if ask.start_s >= snapshot.now_s else [], dtype=np.int64)
        hours = snapshot.first_hour_s + HOUR_S * np.arange(snapshot.hours, dtype=np.int64)
        hours[0] = snapshot.now_s
        return hours

    def horizon_end(self, ask: Ask) -> int:
        """The second by which `ask` must have ended."""
        return self.snapshot.horizon_end(due=ask.is_due(self.snapshot.now_s))

    def run_seconds(self, ask: Ask) -> Ints:
        """How long `ask` runs on every offer; longer than any horizon counts as just that."""
        stated = np.full(len(self.offers), ask.run_s, dtype=np.int64)
        if ask.reference_pf_milli is not None:
            stated = -(-ask.run_s * ask.reference_pf_milli // self.pf_milli)
        for index, offer in enumerate(self.offers if ask.time_limit_by_class else ()):
            stated[index] = ask.time_limit_by_class.get(offer.hardware, stated[index])
        return np.minimum(stated, 2 * DUE_HORIZON_S)


@dataclass(frozen=True, slots=True)
class Windows:
    """Every column (start, offer) of one ask: [starts, offers]. `exists` tells those that end inside the horizon."""

    picks: Ints  # index of each offer in the market
    starts: Ints
    first: Ints  # hour in which each start lies
    run: Ints  # seconds per offer
    ends: Ints  # [starts, offers] unix seconds
    stop: Ints  # hour in which each column ends, or next begins
    rest: Ints  # seconds run in that hour
    exists: Bools
    uniform: bool  # every offer runs equally long: whole rows may be read at once

    @property
    def last(self) -> Ints:
        """The last hour each column touches."""
        last: Ints = self.stop - (self.rest == 0)
        return last

    def total(self, series: Series) -> Ints:
        """Sum of value x seconds over every column's run."""
        values, until = series.values, series.until
        if self.picks.size < values.shape[1]:
            values, until = values[:, self.picks], until[:, self.picks]
        if self.uniform:
            rows, rest = self.stop[:, 0], self.rest[:, :1]
            summed: Ints = until[rows]
            if rest.any():
                summed += values[rows] * rest
        else:
            summed = np.take_along_axis(until, self.stop, 0) + np.take_along_axis(values, self.stop, 0) * self.rest
        summed -= until[self.first]
        inside = np.flatnonzero(self._skipped())  # only a start within an hour skips a part of it
        summed[inside] -= values[self.first[inside]] * self._skipped()[inside, None]
        return summed

    def total_at(self, series: Series, start: Ints, offer: Ints) -> Ints:
        """The same sum for the columns (start[i], offer[i]) alone."""
        pick, stop, first = self.picks[offer], self.stop[start, offer], self.first[start]
        ended: Ints = series.until[stop, pick] + series.values[stop, pick] * self.rest[start, offer]
        begun: Ints = series.until[first, pick] + series.values[first, pick] * self._skipped()[start]
        return ended - begun

    def _skipped(self) -> Ints:
        """Seconds of the first hour gone by at each start."""
        return self.starts % HOUR_S

    def least(self, hourly: Ints) -> Ints:
        """The smallest value of `hourly` [hours, offers of the market] in the hours each column touches."""
        if not self.starts.size or not self.picks.size:
            return np.zeros(self.ends.shape, dtype=np.int64)
        table = [hourly[:, self.picks]]
        if self.uniform:
            return self._least_by_rows(table[0])
        counts = np.maximum(self.last - self.first[:, None] + 1, 1)
        level = np.frexp(counts.astype(np.float64))[1].astype(np.int64) - 1
        for power in range(int(level.max())):
            shorter = table[-1]
            longer = shorter.copy()
            np.minimum(shorter[: -(1 << power)], shorter[1 << power :], out=longer[: -(1 << power)])
            table.append(longer)
        stack, offers = np.stack(table), np.arange(self.picks.size)
        tail = self.first[:, None] + counts - (np.int64(1) << level)
        least: Ints = np.minimum(stack[level, self.first[:, None], offers], stack[level, tail, offers])
        return least

    def _least_by_rows(self, hourly: Ints) -> Ints:
        """`least` when every offer runs equally long: whole rows, doubling the span while it fits."""
        counts = np.maximum(self.last[:, 0] - self.first + 1, 1)
        least = np.empty(self.ends.shape, dtype=np.int64)
        for count in np.unique(counts):  # a start within an hour may touch one more than the others
            span, minima = 1, hourly
            while 2 * span <= count:
                minima = np.minimum(minima[:-span], minima[span:])
                span *= 2
            rows = np.flatnonzero(counts == count)
            least[rows] = np.minimum(minima[self.first[rows]], minima[self.first[rows] + count - span])
        return least


def windows(market: Market, ask: Ask, picks: Ints | None = None) -> Windows:
    """The columns of `ask` on the offers `picks` (all when not given)."""
    chosen = np.arange(len(market.offers)) if picks is None else picks
    run = market.run_seconds(ask)[chosen]
    limit = market.horizon_end(ask)
    starts = market.starts(ask)
    starts = starts[starts + (int(run.min()) if run.size else 1) <= limit]
    uniform = bool(run.size and (run == run[0]).all())
    ends = starts[:, None] + (run[:1] if uniform else run)  # one column stands for all
    exists = ends <= limit
    offsets = np.where(exists, ends, limit) - market.snapshot.first_hour_s
    first = (starts - market.snapshot.first_hour_s) // HOUR_S
    stop = offsets // HOUR_S
    shape = (starts.size, run.size)
    ends, stop, rest = (np.broadcast_to(each, shape) for each in (ends, stop, offsets - stop * HOUR_S))
    return Windows(chosen, starts, first, run, ends, stop, rest, np.broadcast_to(exists, shape), uniform)
