"""Figures of energy as people read them, on pages and on paper: shares round down, carbon rounds up."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

MINUS = "\N{MINUS SIGN}"
Figure = int | float | Decimal


def grouped(value: Figure, places: int = 0) -> str:
    """`1,234.50` with a true minus sign; both languages group by three."""
    text = f"{Decimal(str(value)):,.{places}f}"
    return text.replace("-", MINUS)


def percent_down(ppm: int) -> str:
    """A share of a million as whole per cent, rounded down: 919,999 is `91%`."""
    return f"{ppm // 10_000}%"


def parts_down(shares_ppm: Sequence[int]) -> list[int]:
    """Shares of a million as whole per cent that add up to their sum rounded down (largest remainders get the rest)."""
    whole = [share // 10_000 for share in shares_ppm]
    missing = sum(shares_ppm) // 10_000 - sum(whole)
    by_rest = sorted(range(len(whole)), key=lambda index: -(shares_ppm[index] % 10_000))
    for index in by_rest[:missing]:
        whole[index] += 1
    return whole


def grams_up(mg_per_kwh: int) -> int:
    """Whole grams, rounded up: 64,001 mg is 65 g."""
    return -(-mg_per_kwh // 1000)


def intensity(mg_per_kwh: int) -> str:
    """`65 g/kWh`, rounded up."""
    return f"{grouped(grams_up(mg_per_kwh))} g/kWh"


def carbon_mass(grams: Figure) -> str:
    """`< 1 g`, `3 g`, `2.2 kg`, `17 kg`: rounded up, one decimal under 10 kg, grams under 100 g."""
    amount = Decimal(str(grams))
    if 0 < amount < 1:
        return "< 1 g"
    if amount < 100:
        return f"{amount.quantize(Decimal(1), ROUND_CEILING)} g"
    kg = amount / 1000
    small = kg.quantize(Decimal("0.1"), ROUND_CEILING)
    return f"{grouped(small, 1)} kg" if small < 10 else f"{grouped(kg.quantize(Decimal(1), ROUND_CEILING))} kg"


def energy(wh: Figure) -> str:
    """`0.72 kWh`; under 100 Wh `4.2 Wh`, so that a short job does not read as nothing; `4 Wh` where it is whole."""
    amount = Decimal(str(wh))
    if amount < 100:
        return f"{grouped(amount, 0 if amount == int(amount) else 1)} Wh"
    return f"{grouped(amount / 1000, 2 if amount < 100_000 else 1)} kWh"
