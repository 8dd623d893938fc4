"""Why nothing fits, and the smallest change that would help (matching.md, section 2).

`rejected` counts for each limit the offers none of whose columns passes it. `relax` names for each limit the offers
that fail nothing else, and the value that surely admits the best of them.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from scheduler.core.feasibility import BIT, CAPACITY, EXCLUDED, FACT, FILTERS, MASKS, NAMES, WINDOW, code_of
from scheduler.core.market import UNKNOWN, Bools, Ints, Market, Windows
from scheduler.core.scoring import Columns
from scheduler.core.types import HOUR_S, MAX_RUN_S, START_MARGIN_S, Ask, LimitValue, Relax

SHARES = {"renewable_share__gte", "matched_share__gte", "carbon_free_share__gte", "reliability__gte"}
PERCENT = 10_000  # ppm
MG_PER_G = 1000
MM_PER_MINOR = 1000


@dataclass(frozen=True)
class Refusal:
    """One ask on a market: its columns, and the bits of the limits each of them fails."""

    market: Market
    ask: Ask
    columns: Columns
    failed: Ints
    metrics: dict[str, Ints]
    least_free: Ints

    @property
    def spans(self) -> Windows:
        return self.columns.windows

    @cached_property
    def fitting(self) -> Bools:
        """The offers with a column that passes everything."""
        fitting: Bools = (self.failed == 0).any(axis=0)
        return fitting


def rejected(failed: Ints) -> dict[str, int]:
    """{code: offers none of whose columns passes it}, codes that reject nothing left out."""
    seen = int(np.bitwise_or.reduce(failed, axis=None))
    masks = {code: mask for code, mask in MASKS.items() if seen & mask}
    counts = {code: int(((failed & mask) != 0).all(axis=0).sum()) for code, mask in masks.items()}
    return {code: count for code, count in counts.items() if count}


def relax(refusal: Refusal) -> tuple[Relax, ...]:
    """For each limit that alone keeps offers away, the change that brings the best of them back.

    When nothing fits and no single limit helps, the best pair. Offers that fit already do not count.
    """
    seen = int(np.bitwise_or.reduce(refusal.failed, axis=None))
    names = [name for name in NAMES if seen & int(BIT[name])]
    singles = [found for name in names if (found := _relax(refusal, (name,))) is not None]
    if singles or refusal.fitting.any():
        return tuple(sorted(singles, key=lambda each: (-each.offers, each.z, each.limits)))
    pairs = [found for pair in combinations(names, 2) if (found := _relax(refusal, pair)) is not None]
    return tuple(sorted(pairs, key=lambda each: (each.z, each.limits))[:1])


def _relax(refusal: Refusal, names: tuple[str, ...]) -> Relax | None:
    mask = int(sum(int(BIT[name]) for name in names))
    only = (refusal.failed == mask) & refusal.spans.exists & ~refusal.fitting
    if not only.any():
        return None
    start, offer = _best(refusal, only, names)
    if CAPACITY in names and not refusal.least_free[start, offer]:
        return None
    facts = refusal.market.offers[refusal.spans.picks[offer]]
    changes = tuple(change for name in names for change in _changes(refusal, name, start, offer))
    return Relax(
        limits=tuple(code_of(name) for name in names),
        offers=int(only.any(axis=0).sum()),
        offer=facts.id,
        z=int(refusal.columns.z[start, offer]),
        to=_shown(changes[0][1]),
        changes=changes,
    )


def _shown(value: LimitValue | None) -> int | bool | str | None:
    return ", ".join(value) if isinstance(value, tuple) else value


def _best(refusal: Refusal, only: Any, names: tuple[str, ...]) -> tuple[int, int]:
    """The column whose limit is nearest to what was asked; for a limit that is no number, the one of lowest z."""
    distance = refusal.columns.z
    if len(names) == 1 and names[0] in refusal.metrics:
        value = refusal.metrics[names[0]]
        distance = np.where(
            value == UNKNOWN, np.iinfo(np.int64).max // 2, -value if names[0].endswith("__gte") else value
        )
    elif names == (CAPACITY,):
        distance = -refusal.least_free
    elif names == (WINDOW,):
        early = refusal.spans.starts < (refusal.ask.start_after_s or 0)
        distance = refusal.spans.ends + np.where(early, MAX_RUN_S, 0)[:, None]
    hidden = np.where(only, distance, np.iinfo(np.int64).max)
    flat = int(hidden.argmin())
    return flat // hidden.shape[1], flat % hidden.shape[1]


def _changes(refusal: Refusal, name: str, start: int, offer: int) -> list[tuple[str, LimitValue | None]]:
    """[(filter, new value)] that surely admit the column; a window may have to move at both ends."""
    if name == WINDOW:
        return _window(refusal.ask, int(refusal.spans.starts[start]), int(refusal.spans.ends[start, offer]))
    return [_change(refusal, name, start, offer)]


def _change(refusal: Refusal, name: str, start: int, offer: int) -> tuple[str, LimitValue | None]:
    spans, ask = refusal.spans, refusal.ask
    if name == CAPACITY:
        return "units", int(refusal.least_free[start, offer])
    if name == EXCLUDED:
        return name, None
    if name in refusal.metrics:
        value = int(refusal.metrics[name][start, offer])
        return name, None if value == UNKNOWN else rounded(name, value)
    if FILTERS[name].many:
        fact = getattr(refusal.market.offers[spans.picks[offer]], FACT.get(name, name))
        wanted = ask.limits[name]
        return name, (*(wanted if isinstance(wanted, tuple) else (str(wanted),)), fact)
    return name, None


def _window(ask: Ask, start: int, end: int) -> list[tuple[str, LimitValue | None]]:
    changes: list[tuple[str, LimitValue | None]] = []
    if ask.finish_by_s is not None and end > ask.finish_by_s - START_MARGIN_S:
        changes.append(("finish_by", -(-(end + START_MARGIN_S) // HOUR_S) * HOUR_S))
    if ask.start_after_s is not None and start < ask.start_after_s:
        changes.append(("start_after", start))
    return changes


def rounded(name: str, value: int) -> int:
    """`value` in the limit's unit, rounded so that it admits: shares down to 1 %, intensity up to 1 g, prices up."""
    if name in SHARES:
        return value // PERCENT * PERCENT
    if name == "carbon_g_per_kwh__lte":
        return -(-value // MG_PER_G) * MG_PER_G
    if name in {"price__lte", "price_pflop__lte"}:
        return -(-value // MM_PER_MINOR)
    return value
