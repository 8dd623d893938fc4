"""The one cost of the market (matching.md, section 1): hour_cost, run_cost, z, weights, rates and the parts of the fit.

All integers with floor division. `run_cost` is mm per unit for the whole run, `z` mm per PFLOP-hour: the lowest ranks
first, ties go to the earlier start, then to the lower offer id.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from scheduler.core.market import UNKNOWN, Ints, Market, Series, Windows
from scheduler.core.types import HOUR_S, Ask, Rates, Reference

MIN_PRICE_WEIGHT = 5
PRESETS = {"default": (40, 20, 40), "cheap": (80, 10, 10), "near": (10, 80, 10), "green": (10, 10, 80)}
PRESETS["even"] = (34, 33, 33)
NEVER = np.int64(1) << 62  # the key of a column that does not exist
START_SHIFT = 50  # "now" sorts by start, then z, in one number
MM_PER_MINOR = 1000
PFLOP_HOUR = 1000 * HOUR_S  # milli-PFLOPS x seconds


def whole_weights(price: Fraction | int, latency: Fraction | int, green: Fraction | int) -> tuple[int, int, int]:
    """Three wishes as whole per cents summing to 100, by largest remainder, price at least 5.

    Raises ValueError when one is negative or all are 0.
    """
    wishes = (Fraction(price), Fraction(latency), Fraction(green))
    if min(wishes) < 0 or not any(wishes):
        raise ValueError("weights must not be negative, nor all 0")
    shares = largest_remainder(100, wishes)
    if shares[0] < MIN_PRICE_WEIGHT:
        shares = [MIN_PRICE_WEIGHT, *largest_remainder(100 - MIN_PRICE_WEIGHT, wishes[1:])]
    return shares[0], shares[1], shares[2]


def largest_remainder(whole: int, parts: Sequence[Fraction]) -> list[int]:
    """`whole` split in proportion to `parts`; what rounding leaves goes to the largest remainders, first on a tie."""
    total = sum(parts)
    exact = [whole * part / total for part in parts]
    floors = [int(share) for share in exact]
    by_rest = sorted(range(len(parts)), key=lambda index: (floors[index] - exact[index], index))
    for index in by_rest[: whole - sum(floors)]:
        floors[index] += 1
    return floors


def effective_weights(ask: Ask, reference: Reference) -> tuple[int, int, int]:
    """The weights that decide: those of `when`, those stated, or those that stated rates amount to."""
    if ask.when == "cheapest":
        return 100, 0, 0
    if ask.when == "greenest":
        return 5, 0, 95
    if ask.rates is None:
        return ask.weights
    rates = ask.rates
    return whole_weights(reference.s_p, rates.latency_value * reference.s_l, rates.green_value)


def rates_of(ask: Ask, reference: Reference) -> Rates:
    """What `ask` pays per ms, share, hour of waiting and kg of carbon."""
    if ask.rates is not None and ask.when in ("balanced", "now"):
        return ask.rates
    price, latency, green = effective_weights(ask, reference)
    waiting = reference.p_mid // 100 if ask.waiting_value is None else ask.waiting_value
    if ask.when in ("cheapest", "greenest"):
        waiting = 0
    carbon = ask.carbon_price if ask.rates is None else ask.rates.carbon_price
    latency_value = reference.s_p * latency // (reference.s_l * price)
    return Rates(latency_value, reference.s_p * green // price, waiting, carbon)


def total_minor(price_mm_per_hour: Sequence[int], seconds: Sequence[int], units: int) -> int:
    """What a buyer is quoted for `seconds[h]` in each hour at `price_mm_per_hour[h]`, in minor units, floored once.

    `total__lte` is tested against this. The lines of a booking (compute, fee, tax) are computed by
    `marketplace.booking`, which rounds each line.
    """
    spent = sum(price * run for price, run in zip(price_mm_per_hour, seconds, strict=True))
    return units * spent // (MM_PER_MINOR * HOUR_S)


@dataclass(frozen=True, slots=True)
class Terms:
    """The parts of a cost, in the unit of the cost; they add up to it."""

    price: int
    latency: int
    green: int
    carbon: int
    waiting: int

    @property
    def paid(self) -> int:
        """What is paid rather than valued: price, carbon and waiting."""
        return self.price + self.carbon + self.waiting

    def minus(self, other: "Terms") -> "Terms":
        """Term by term; positive where this one is dearer."""
        return Terms(*(mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def scaled(self, factor: int, divisor: int) -> "Terms":
        """Every term times factor/divisor, floored so that the terms still add up to the floored whole."""
        sums = [0]
        for term in astuple(self):
            sums.append(sums[-1] + term)
        return Terms(*(b * factor // divisor - a * factor // divisor for a, b in pairwise(sums)))


class Pricing:
    """The hourly costs of one buyer's taste (place and rates) on every offer of a market."""

    def __init__(self, market: Market, near: str | None, rates: Rates) -> None:
        reference = market.reference
        known = market.latency(near)
        ms = np.where(known == UNKNOWN, reference.free_ms + (0 if near is None else reference.s_l), known)
        self.milliseconds = np.maximum(0, ms - reference.free_ms)
        self.latency = rates.latency_value * market.pf_milli // 1000 * self.milliseconds
        self.waiting = rates.waiting_value * market.pf_milli // 1000
        green_value = rates.green_value * market.pf_milli // 1000
        self.price = market.series("price")
        self.green = Series.of(green_value * (10**6 - market.series("share_ppm").values[:-1]) // 10**6)
        watts = market.column("watts")
        self.carbon = Series.of(rates.carbon_price * watts * market.series("ci_mg").values[:-1] // 10**9)
        hourly = self.price.values + self.latency + self.green.values + self.carbon.values
        self.hourly = Series.of(hourly[:-1])


@dataclass(frozen=True, slots=True)
class Columns:
    """The cost of every column of one ask: mm per unit, mm per PFLOP-hour, and the key the ask prefers by."""

    ask: Ask
    pricing: Pricing
    windows: Windows
    now_s: int
    pf_milli: Ints
    run_cost: Ints
    z: Ints
    key: Ints

    def terms_at(self, start: Ints, offer: Ints) -> list[Terms]:
        """The terms of `run_cost` for the columns (start[i], offer[i])."""
        spans, pricing = self.windows, self.pricing
        pick, run = spans.picks[offer], spans.run[offer]
        parts = [
            spans.total_at(pricing.price, start, offer),
            pricing.latency[pick] * run,
            spans.total_at(pricing.green, start, offer),
            spans.total_at(pricing.carbon, start, offer),
        ]
        below, terms = np.zeros_like(run), []
        for part in parts:  # floor the running sum, so that the terms add up to the floored whole
            terms.append((below + part) // HOUR_S - below // HOUR_S)
            below = below + part
        waited = np.maximum(0, spans.starts[start] - ready_at(self.ask, self.now_s))
        terms.append(pricing.waiting[pick] * waited * run // HOUR_S**2)
        return [Terms(*map(int, row)) for row in zip(*terms, strict=True)]


def ready_at(ask: Ask, now_s: int) -> int:
    """The second from which waiting counts."""
    return max(now_s, ask.start_after_s or now_s)


def columns(market: Market, pricing: Pricing, ask: Ask, spans: Windows) -> Columns:
    """Score every column of `spans` for `ask`."""
    pf_milli, now_s = market.pf_milli[spans.picks], market.snapshot.now_s
    waited = np.maximum(0, spans.starts - ready_at(ask, now_s))[:, None]
    run_cost = spans.total(pricing.hourly) // HOUR_S
    run_cost += pricing.waiting[spans.picks] * spans.run * waited // HOUR_S**2
    z = run_cost * PFLOP_HOUR // (spans.run * pf_milli)
    rank = np.arange(spans.starts.size, dtype=np.int64)[:, None] << START_SHIFT if ask.when == "now" else 0
    key = np.where(spans.exists, z + rank, NEVER)
    return Columns(ask, pricing, spans, now_s, pf_milli, run_cost, z, key)


@dataclass(frozen=True, slots=True)
class Fit:
    """Points out of 100, in tenths; `total` is clipped for display, the three parts are not."""

    total: int
    price: int
    latency: int
    green: int


@dataclass(frozen=True, slots=True)
class Point:
    """Where a column lies on the three axes: 0 is ideal (cheap as p_lo, no latency, all renewable), exact."""

    price: Fraction
    latency: Fraction
    green: Fraction

    def at(self, weights: Sequence[Fraction | int]) -> Fraction:
        """The cost at `weights`."""
        return self.price * weights[0] + self.latency * weights[1] + self.green * weights[2]


def fit_of(point: Point, z: int, weights: tuple[int, int, int], reference: Reference) -> Fit:
    """The fit and its parts `w*(1-x)`, in tenths that add up (before the total is clipped)."""
    total = _tenths(100 - Fraction(weights[0] * (z - reference.p_lo), reference.s_p))
    axes = (point.price, point.latency, point.green)
    exact = [10 * weight * (1 - x) for weight, x in zip(weights, axes, strict=True)]
    floors = [part.__floor__() for part in exact]
    each, rest = divmod(total - sum(floors), len(floors))
    by_rest = sorted(range(len(floors)), key=lambda index: (floors[index] - exact[index], index))
    parts = [floor + each + (by_rest.index(index) < rest) for index, floor in enumerate(floors)]
    return Fit(min(1000, max(0, total)), *parts)


def _tenths(points: Fraction) -> int:
    return (points * 10 + Fraction(1, 2)).__floor__()


def point_of(
    terms: Terms, run_s: int, pf_milli: int, charged_ms: int, share_seconds: int, reference: Reference
) -> Point:
    """Where a column lies: paid (mm per unit for the run), charged latency, and the sum of share (ppm) x seconds."""
    paid = Fraction(terms.paid * PFLOP_HOUR, run_s * pf_milli)
    return Point(
        price=(paid - reference.p_lo) / reference.s_p,
        latency=Fraction(charged_ms, reference.s_l),
        green=1 - Fraction(share_seconds, 10**6 * run_s),
    )
