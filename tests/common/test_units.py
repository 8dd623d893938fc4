"""Roundings: nothing is lost, and no number is made to look better."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.common.units import (
    ceil_div,
    decimal_text,
    floor_div,
    grams_up,
    largest_remainder,
    nearest_div,
    part_ppm,
    share_percent_down,
)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_a_split_sums_to_the_amount_and_no_part_is_off_by_one_or_more(amount, weights):
    parts = largest_remainder(amount, weights)

    assert sum(parts) == amount
    assert min(parts) >= 0
    if sum(weights):
        exact = [Fraction(amount * weight, sum(weights)) for weight in weights]
        assert all(abs(part - share) < 1 for part, share in zip(parts, exact, strict=True))


def test_the_rest_goes_to_the_largest_remainders_and_ties_to_the_earlier():
    assert largest_remainder(100, [1, 1, 1]) == [34, 33, 33]
    assert largest_remainder(10, [33, 33, 34]) == [3, 3, 4]
    assert largest_remainder(7, [0, 0]) == [7, 0]


@pytest.mark.parametrize(("amount", "weights"), [(1, []), (-1, [1]), (1, [2, -1])])
def test_a_split_that_means_nothing_is_refused(amount, weights):
    with pytest.raises(ValueError, match="an amount >= 0"):
        largest_remainder(amount, weights)


def test_a_share_is_never_called_full_and_an_emission_never_made_smaller():
    assert [share_percent_down(ppm) for ppm in (0, 9_999, 999_999, 1_000_000)] == [0, 0, 99, 100]
    assert [grams_up(milligrams) for milligrams in (0, 1, 1000, 1001)] == [0, 1, 1, 2]


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_down_and_up_enclose_the_quotient(amount, divisor):
    exact = Fraction(amount, divisor)

    assert floor_div(amount, divisor) <= exact <= ceil_div(amount, divisor)
    assert ceil_div(amount, divisor) - floor_div(amount, divisor) == (0 if exact.denominator == 1 else 1)


def test_the_fee_of_the_worked_example_is_rounded_down():
    assert part_ppm(7155, 40_000) == 286


@pytest.mark.parametrize(
    ("amount", "divisor", "nearest"), [(5, 2, 3), (4, 3, 1), (-5, 2, -2), (0, 7, 0), (33_052, 3_600, 9)]
)
def test_the_nearest_whole_number_goes_up_from_a_half(amount, divisor, nearest):
    assert nearest_div(amount, divisor) == nearest


@pytest.mark.parametrize(
    ("scaled", "places", "text"),
    [(1_990, 3, "1.99"), (-5, 3, "-0.005"), (2_000, 3, "2"), (0, 9, "0"), (7, 0, "7"), (10**9 + 1, 9, "1.000000001")],
)
def test_a_decimal_has_no_closing_zeros(scaled, places, text):
    assert decimal_text(scaled, places) == text
