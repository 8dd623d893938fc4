"""A million generated cases of splitting, rounding and writing amounts; small ones and edges mostly."""

from random import Random

from marketplace.booking.pricing import BASIS, part_of, shares_of
from marketplace.common.currencies import NONE, THREE, exponent_of, to_major
from marketplace.common.units import largest_remainder

MILLION = 1_000_000
EDGES = (0, 1, 2, 3, 9, 10, 99, 100, 101, 999, 1_000, 9_999, 10_000, 10**9, 2**63 - 1)
CURRENCIES = ("USD", "EUR", *sorted(NONE)[:4], *sorted(THREE))


def amounts(dice, count):
    """Amounts of which most are tiny or at an edge."""
    draw = dice.random
    return [EDGES[int(draw() * len(EDGES))] if draw() < 0.3 else int(draw() * (10 if draw() < 0.5 else 10**6))
            for _ in range(count)]  # fmt: skip


def test_a_million_splits_are_whole_fair_and_the_same_again():
    dice, cases = Random(1), 0
    while cases < MILLION:
        size = dice.choice((1, 2, 2, 3, 4))
        for amount in amounts(dice, 1_000):
            weights = [dice.randrange(4) * dice.choice((1, 1, 1_200, 8_800)) for _ in range(size)]
            parts, whole = largest_remainder(amount, weights), sum(weights)
            assert sum(parts) == amount
            if whole:
                for part, weight in zip(parts, weights, strict=True):
                    assert -whole < part * whole - amount * weight < whole
            cases += 1


def test_a_million_charges_round_once_for_the_buyer_and_never_fall():
    dice, cases = Random(2), 0
    while cases < MILLION:
        total, whole = dice.choice(EDGES[:12]), 1 + dice.choice(EDGES[:10])
        before = fees = 0
        for part in sorted(min(each, whole) for each in amounts(dice, 20)):
            charge = part_of(total, part, whole)
            assert before <= charge <= total
            assert charge * whole <= total * part < (charge + 1) * whole
            fee, provider = shares_of(charge - before, 400, fee_on_top=True)
            assert fee + provider == charge - before
            assert min(fee, provider) >= 0
            before, fees, cases = charge, fees + fee, cases + 1
        assert part_of(total, whole, whole) == total
        assert abs(fees * (BASIS + 400) - before * 400) <= 20 * (BASIS + 400)


def test_a_million_amounts_are_written_in_their_currency_and_read_back():
    dice, cases = Random(3), 0
    while cases < MILLION:
        currency = dice.choice(CURRENCIES)
        places = exponent_of(currency)
        for amount in amounts(dice, 1_000):
            minor = -amount if dice.random() < 0.2 else amount
            text = to_major(minor, currency)
            whole, _, part = text.lstrip("-").partition(".")
            assert len(part) == places
            assert int(whole + part) == abs(minor)
            assert text.startswith("-") == (minor < 0)
            cases += 1
