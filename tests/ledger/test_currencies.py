"""Decimals of currencies: exact both ways, and refused where they cannot be."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joulemart.cli import figures

from marketplace.ledger.currencies import NONE, THREE, exponent_of, to_major, to_minor

CURRENCIES = st.sampled_from(["USD", "EUR", "CNY", *sorted(NONE), *sorted(THREE)])


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [
        (1827, "USD", "18.27"), (5, "USD", "0.05"), (-5, "USD", "-0.05"), (0, "EUR", "0.00"), (1827, "JPY", "1827"),
        (1, "KWD", "0.001"), (-1827, "BHD", "-1.827"),
    ],
)  # fmt: skip
def test_minor_units_are_read_with_the_decimals_of_their_currency(minor, currency, major):
    assert to_major(minor, currency) == major
    assert to_minor(major, currency) == minor


@given(st.integers(-(10**18), 10**18), CURRENCIES)
@example(-1, "USD")
@example(10**18, "KWD")
def test_there_and_back_is_the_same_amount(minor, currency):
    assert to_minor(to_major(minor, currency), currency) == minor


@pytest.mark.parametrize(
    ("major", "currency", "why"),
    [
        ("1.005", "USD", "3 decimals, and USD has 2"), ("1.5", "JPY", "1 decimals, and JPY has 0"),
        ("1e3", "USD", "no amount"), ("", "USD", "no amount"), ("1.", "USD", "no amount"),
        ("1,000", "USD", "no amount"), ("1", "usd", "no currency"), ("1", "CU:h100", "no currency"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_exactly_is_refused(major, currency, why):
    with pytest.raises(ValueError, match=why):
        to_minor(major, currency)


def test_the_command_knows_the_same_decimals_as_the_books():
    assert (figures.WITHOUT_DECIMALS, figures.WITH_THREE) == (NONE, THREE)


def test_most_currencies_have_two_decimals():
    assert [exponent_of(each) for each in ("USD", "EUR", "CNY", "HUF", "JPY", "KRW", "TND")] == [2, 2, 2, 2, 0, 0, 3]
