"""The roundings of the market. Each number that a person is shown or pays is rounded in one of these, by name."""

from collections.abc import Sequence

PPM = 1_000_000
MILLI = 1_000


def floor_div(amount: int, divisor: int) -> int:
    """`amount / divisor` rounded down (towards minus infinity); `divisor` > 0."""
    return amount // divisor


def ceil_div(amount: int, divisor: int) -> int:
    """`amount / divisor` rounded up; `divisor` > 0."""
    return -(-amount // divisor)


def nearest_div(amount: int, divisor: int) -> int:
    """`amount / divisor` to the nearest whole number, a half upwards; `divisor` > 0. For prices that are only shown."""
    return (2 * amount + divisor) // (2 * divisor)


def decimal_text(scaled: int, places: int) -> str:
    """`scaled` / 10^places as a plain decimal without closing zeros: (1990, 3) is 1.99, (-5, 3) is -0.005."""
    whole, part = divmod(abs(scaled), 10**places)
    fraction = f".{part:0{places}d}".rstrip("0").rstrip(".") if part else ""
    return f"{'-' if scaled < 0 else ''}{whole}{fraction}"


def share_percent_down(share_ppm: int) -> int:
    """A share as whole percent, rounded down: 999,999 ppm is 99 %, so nothing is called full that is not."""
    return share_ppm * 100 // PPM


def grams_up(milligrams: int) -> int:
    """Milligrams as whole grams, rounded up: an emission is never made smaller."""
    return ceil_div(milligrams, MILLI)


def part_ppm(amount: int, share_ppm: int) -> int:
    """`share_ppm` parts per million of `amount`, rounded down."""
    return amount * share_ppm // PPM


def largest_remainder(amount: int, weights: Sequence[int]) -> list[int]:
    """Split `amount` >= 0 in proportion to `weights`; the parts sum to `amount`, ties go to the earlier part.

    All weights 0: the first part takes everything. Hamilton's method.
    """
    whole = sum(weights)
    if not weights or min(weights) < 0 or amount < 0:
        raise ValueError("an amount >= 0 is split by at least one weight, none negative")
    if whole == 0:
        return [amount] + [0] * (len(weights) - 1)
    parts = [amount * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % whole), i))
    for index in by_remainder[: amount - sum(parts)]:
        parts[index] += 1
    return parts
