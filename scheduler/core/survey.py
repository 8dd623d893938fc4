"""Every column of one ask, scored and tested at once: what search, quotes and explanations show.

Rounds decide with the compiled scan instead; both use the one cost and the same limits, and a test holds them equal.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from scheduler.core import relaxing
from scheduler.core.feasibility import Feasibility, judge, total_minor
from scheduler.core.market import Ints, Market, Windows, windows
from scheduler.core.scoring import NEVER, Columns, Pricing, columns, rates_of
from scheduler.core.tables import likeness_of
from scheduler.core.types import HOUR_S, Ask, Placement, Rates, Snapshot

SURVEYS = 16  # kept whole: a thousand would fill gigabytes
PRICINGS = 64
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Survey:
    """The columns of one ask and the limits each fails."""

    market: Market
    columns: Columns
    limits: Feasibility

    @property
    def spans(self) -> Windows:
        return self.columns.windows

    @cached_property
    def least_total(self) -> Ints:
        """Fewest units that exist in any hour of each column."""
        return self.spans.least(self.market.units_total)

    @cached_property
    def key_when_empty(self) -> Ints:
        """The key of every column that would do if nothing were promised, NEVER for the rest."""
        open_ = self.least_total >= self.columns.ask.units
        return open_key(self, np.where(open_, self.limits.failed, 1))

    @property
    def dearest(self) -> int:
        """The highest total, in minor units, of a column that would do if nothing were promised; 0 for none."""
        totals = total_minor(self.market, self.spans, self.columns.ask)
        return int(np.where(self.key_when_empty < NEVER, totals, 0).max())

    @property
    def fits_empty(self) -> bool:
        """Whether some column would do if nothing were promised."""
        return bool((self.key_when_empty < NEVER).any())

    @property
    def start_when_empty(self) -> int:
        """When the best of those starts, unix seconds. Raises ValueError where there is none."""
        row, _ = np.unravel_index(self.key_when_empty.argmin(), self.key_when_empty.shape)
        return int(self.spans.starts[row])


class Round:
    """One market on which asks are looked at in turn; `market.free` is what is left."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.market = Market(snapshot)
        self._surveys: OrderedDict[Hashable, Survey] = OrderedDict()
        self._pricing: OrderedDict[tuple[str | None, Rates], Pricing] = OrderedDict()

    def survey(self, ask: Ask) -> Survey:
        """All columns of `ask`; what is free is not part of it."""
        key = self.likeness(ask)
        if key not in self._surveys:
            self._surveys[key] = self._make(ask)
        return _kept(self._surveys, key, SURVEYS)

    def likeness(self, ask: Ask) -> Hashable:
        """Equal for asks that have the same columns and fail the same limits."""
        return likeness_of(ask, self.market.snapshot.now_s)

    def pricing(self, ask: Ask) -> Pricing:
        """What the hours of every offer cost `ask`."""
        rates = rates_of(ask, self.market.reference)
        taste = (ask.near, rates)
        if taste not in self._pricing:
            self._pricing[taste] = Pricing(self.market, ask.near, rates)
        return _kept(self._pricing, taste, PRICINGS)

    def _make(self, ask: Ask) -> Survey:
        spans = windows(self.market, ask)
        scored = columns(self.market, self.pricing(ask), ask, spans)
        return Survey(self.market, scored, judge(self.market, ask, spans))

    def refusal(self, ask: Ask) -> relaxing.Refusal:
        """`ask` on the market as it stands, with every column's failures."""
        survey = self.survey(ask)
        least = survey.spans.least(self.market.free)
        failed = survey.limits.with_capacity(least, ask.units)
        return relaxing.Refusal(self.market, ask, survey.columns, failed, dict(survey.limits.metrics), least)

    def refusal_when_empty(self, ask: Ask) -> relaxing.Refusal:
        """The same if nothing were promised."""
        survey = self.survey(ask)
        failed = survey.limits.with_capacity(survey.least_total, ask.units)
        return replace(self.refusal(ask), failed=failed, least_free=survey.least_total)

    def take_hours(self, placement: Placement) -> None:
        """Take the hours of a placement, so that the next is looked at on what it left."""
        pick = self.market.index[placement.offer]
        hours = [(second - self.market.snapshot.first_hour_s) // HOUR_S for second in placement.hours]
        self.market.free[hours, pick] -= placement.units


def _kept(cache: OrderedDict[K, V], key: K, most: int) -> V:
    """The entry, which becomes the last to be forgotten."""
    cache.move_to_end(key)
    if len(cache) > most:
        cache.popitem(last=False)
    return cache[key]


def open_key(survey: Survey, failed: Ints) -> Ints:
    """The key of every column that fails nothing, NEVER for the rest."""
    key: Ints = np.where(failed == 0, survey.columns.key, NEVER)
    return key
