"""What a provider could ask for an hour: from what the hour is worth to buyers who went without it. No Django.

The dual price of a sold hour is what one more unit of it would have added to the market's value, after all buyers paid
what is asked now. So asked + dual is the price at which as many want the hour as can have it (Gale 1960; Shapley and
Shubik 1971), and no suggestion goes above what the buyer who would come next can pay.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from scheduler.core.feasibility import BIT, CAPACITY
from scheduler.core.survey import Round
from scheduler.core.types import HOUR_S, Ask, Snapshot

Code = Literal["scarce", "unsold", "enough", "sold"]
MM_PER_MINOR = 1000
ONLY_UNITS = int(BIT[CAPACITY])
PRICES = ("price__lte", "price_pflop__lte", "total__lte")
ONLY_PRICE = sum(int(BIT[name]) for name in PRICES)


@dataclass(frozen=True, slots=True)
class Refused:
    """The best refused buyers of one hour of one offer, mm per unit-hour all-in, None where there is none.

    `for_units` is the most that a buyer would pay whom only units keep away, `for_price` the same of one whom only the
    price does.
    """

    for_units: int | None = None
    for_price: int | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A price for an hour, mm per unit-hour all-in, and why; None where the price asked now is the one to keep."""

    code: Code
    price: int | None = None


def one_more(*, kept: int, asked: int, free: int, refused: Refused) -> int:
    """What one more unit of an hour is worth, mm per unit-hour: its price `kept` from the rounds.

    Jobs that were placed at once sold their hours unpriced. There it is what the best buyer who went without would have
    left of its means after paying what is asked.
    """
    if kept or free or refused.for_units is None:
        return kept
    return max(0, refused.for_units - asked)


def suggest(*, asked: int, shadow: int, free: int, refused: Refused) -> Suggestion:
    """What to ask for an hour with `free` units unsold at the price `asked` and the dual price `shadow`.

    Scarce: somebody who is able to pay more went without, so asked + shadow, at most what that buyer can pay. Unsold:
    the price at which the best buyer whom it kept away would have fitted. Else another price has nothing to gain.
    """
    if refused.for_units is not None:
        price = min(asked + shadow, refused.for_units)
        if price > asked:
            return Suggestion("scarce", price)
    if free and refused.for_price is not None and refused.for_price < asked:
        return Suggestion("unsold", max(0, refused.for_price))
    return Suggestion("enough" if free else "sold")


def refused_buyers(snapshot: Snapshot, asks: Iterable[Ask]) -> list[Refused]:
    """For each hour of the snapshot's only offer the best buyers among `asks`, which were refused.

    Raises ValueError when the snapshot has another number of offers.
    """
    [offer] = snapshot.offers
    round_ = Round(snapshot)
    units: list[int | None] = [None] * snapshot.hours
    price: list[int | None] = [None] * snapshot.hours
    for ask in asks:
        refusal = round_.refusal(ask)
        spans, run_s = refusal.spans, int(refusal.spans.run[0])
        able = most_paid(ask, run_s=run_s, pf_milli=offer.pf_milli, p_mid=snapshot.reference.p_mid)
        for row, failed in enumerate(refusal.failed[:, 0].tolist()):
            best = units if failed == ONLY_UNITS else price if failed and not failed & ~ONLY_PRICE else None
            if best is not None and spans.exists[row, 0]:
                _raise(best, range(int(spans.first[row]), int(spans.last[row, 0]) + 1), able)
    return [Refused(*pair) for pair in zip(units, price, strict=True)]


def _raise(best: list[int | None], hours: Sequence[int], to: int) -> None:
    for hour in hours:
        known = best[hour]
        best[hour] = to if known is None else max(known, to)


def most_paid(ask: Ask, *, run_s: int, pf_milli: int, p_mid: int) -> int:
    """The most that `ask` can pay on the mean for a unit-hour, all-in mm: its limits, and twice the usual price."""
    limits = {name: limit for name in PRICES if isinstance(limit := ask.limits.get(name), int)}
    able = 2 * p_mid * pf_milli // 1000
    if "price__lte" in limits:
        able = min(able, limits["price__lte"] * MM_PER_MINOR)
    if "price_pflop__lte" in limits:
        able = min(able, limits["price_pflop__lte"] * MM_PER_MINOR * pf_milli // 1000)
    if "total__lte" in limits:
        able = min(able, limits["total__lte"] * MM_PER_MINOR * HOUR_S // (ask.units * run_s))
    return able
