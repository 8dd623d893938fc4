"""Decimals of currencies: every amount is told exactly."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joulemart.cli import figures

from marketplace.common.currencies import NONE, THREE, exponent_of, to_major, to_minor


@pytest.mark.parametrize(
    ("minor", "currency", "major"),
    [
        (1827, "USD", "18.27"), (5, "USD", "0.05"), (-5, "USD", "-0.05"), (0, "EUR", "0.00"), (1827, "JPY", "1827"),
        (1, "KWD", "0.001"), (-1827, "BHD", "-1.827"),
    ],
)  # fmt: skip
def test_minor_units_are_read_with_the_decimals_of_their_currency(minor, currency, major):
    assert to_major(minor, currency) == major


@given(st.integers(-(10**18), 10**18), st.sampled_from(["USD", "EUR", "CNY", *sorted(NONE), *sorted(THREE)]))
@example(-1, "USD")
@example(10**18, "KWD")
def test_no_amount_loses_a_unit_however_large(minor, currency):
    assert Decimal(to_major(minor, currency)).scaleb(exponent_of(currency)) == minor


@pytest.mark.parametrize("code", ["usd", "CU:h100", "USD\n", ""])
def test_what_is_no_currency_has_no_decimals(code):
    with pytest.raises(ValueError, match="no currency"):
        exponent_of(code)


def test_the_command_knows_the_same_decimals_as_the_books():
    assert (figures.WITHOUT_DECIMALS, figures.WITH_THREE) == (NONE, THREE)


def test_most_currencies_have_two_decimals():
    assert [exponent_of(each) for each in ("USD", "EUR", "CNY", "HUF", "JPY", "KRW", "TND")] == [2, 2, 2, 2, 0, 0, 3]


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("18.27", "USD", 1827), (" 5 ", "USD", 500), ("0.5", "USD", 50), ("1,234.50", "USD", 123_450),
        ("1827", "JPY", 1827), ("1827.00", "JPY", 1827), ("0.001", "KWD", 1), ("12.500000", "USD", 1250),
    ],
)  # fmt: skip
def test_an_amount_as_people_write_it_is_read_in_minor_units(text, currency, minor):
    assert to_minor(text, currency) == minor


@pytest.mark.parametrize("text", ["", ".", "5.", ".5", "1,23", "1.005", "-1", "1e3", "٣", "$5", "1 000", "9" * 13])
def test_what_is_no_amount_is_not_guessed_at(text):
    with pytest.raises(ValueError, match=r"USD|amount"):
        to_minor(text, "USD")


@given(st.integers(0, 10**12 - 1), st.sampled_from(["USD", "JPY", "KWD"]))
def test_what_is_written_is_read_again(minor, currency):
    assert to_minor(to_major(minor, currency), currency) == minor
