"""Prices in integers: rates in mm (thousandths of a minor unit per hour), lines and totals in minor units.

The only rounding is floor, always for the buyer (money.md, section 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from marketplace.common.units import largest_remainder

MM_PER_MINOR = 1000
SECONDS_PER_HOUR = 3600
BASIS = 10_000
LINES = ("compute", "electricity", "platform_fee", "tax")
Rate = TypeVar("Rate", int, npt.NDArray[np.int64])
Amount = TypeVar("Amount", int, npt.NDArray[np.object_])


@dataclass(frozen=True, slots=True)
class Rates:
    """What an hour of one unit costs before fee and tax: compute per hour touched, electricity, and their terms."""

    compute_mm: tuple[int, ...]
    electricity_mm: int
    fee_bp: int
    tax_bp: int


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a quote or contract."""

    code: str
    amount_minor: int

    def as_dict(self) -> dict[str, object]:
        return {"code": self.code, "amount_minor": self.amount_minor}


def electricity_rate_mm(price_mm_per_kwh: int, watts: int) -> int:
    """mm per unit-hour of a unit that draws `watts`, overhead included."""
    return price_mm_per_kwh * watts // 1000


def all_in_rate_mm(compute_mm: Rate, electricity_mm: Rate, fee_bp: int, tax_bp: int) -> Rate:
    """What the buyer pays for a unit-hour, fee and tax included, in mm; of whole arrays of int64 at once too."""
    return (compute_mm + electricity_mm) * (BASIS + fee_bp) // BASIS * (BASIS + tax_bp) // BASIS


def compute_rate_mm(all_in_mm: int, electricity_mm: int, fee_bp: int, tax_bp: int) -> int | None:
    """The highest compute rate with which a unit-hour costs at most `all_in_mm`; None: electricity alone is more."""
    low, high = -1, all_in_mm + 1  # all_in_rate_mm rises with the rate and is never below it
    while high - low > 1:
        rate = (low + high) // 2
        if all_in_rate_mm(rate, electricity_mm, fee_bp, tax_bp) <= all_in_mm:
            low = rate
        else:
            high = rate
    return None if low < 0 else low


def price_lines(rates: Rates, seconds: Sequence[int], units: int) -> list[PriceLine]:
    """The lines of `units` running `seconds[h]` in each hour touched; they sum to the total."""
    compute = sum(rate * used for rate, used in zip(rates.compute_mm, seconds, strict=True)) * units
    electricity = rates.electricity_mm * sum(seconds) * units
    amounts = amounts_minor(compute, electricity, rates.fee_bp, rates.tax_bp)
    lines = zip(LINES, amounts, strict=True)
    return [PriceLine(code, amount) for code, amount in lines if amount or code == "compute"]


def amounts_minor(compute: Amount, electricity: Amount, fee_bp: int, tax_bp: int) -> tuple[Amount, ...]:
    """The amounts of LINES in minor units, of the mm x seconds that compute and electricity come to.

    Of whole arrays of Python's integers at once too: mm x seconds x units may be more than 64 bits hold.
    """
    per = MM_PER_MINOR * SECONDS_PER_HOUR
    compute, electricity = compute // per, electricity // per
    fee = (compute + electricity) * fee_bp // BASIS
    tax = (compute + electricity + fee) * tax_bp // BASIS
    return compute, electricity, fee, tax


def total_minor(lines: Sequence[PriceLine]) -> int:
    """What the buyer pays in all, in minor units."""
    return sum(line.amount_minor for line in lines)


def shares_of(charge: int, fee_bp: int, *, fee_on_top: bool) -> tuple[int, int]:
    """(fee, provider's part) of a charge before tax, by largest remainder, the fee first where remainders are equal."""
    fee, provider = largest_remainder(charge, [fee_bp, BASIS if fee_on_top else BASIS - fee_bp])
    return fee, provider


def part_of(total: int, part: int, whole: int) -> int:
    """floor(total × part / whole), the one rounding of a charge; nothing of nothing."""
    return total * part // whole if whole else 0


def seconds_bought(budget: int, total: int, promised_s: int) -> int:
    """How many of `promised_s` seconds that cost `total` a budget pays for, all of them at most."""
    return min(promised_s, part_of(promised_s, budget, total)) if total else promised_s
