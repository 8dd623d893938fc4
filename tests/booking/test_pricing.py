"""Price arithmetic: integers, floor for the buyer, full use charges exactly the quote."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace.booking.pricing import Rates, charge_to_date, price_lines, total_minor

small = st.integers(min_value=1, max_value=9)


def test_the_lines_of_the_specification_sum_to_the_total():
    """8 units x 6 h: compute 69.41, electricity 2.14, fee 4 % of 71.55, tax 6 % of 74.41 = 78.87."""
    rates = Rates(compute_mm=(144_605,) * 6, electricity_mm=4_460, fee_bp=400, tax_bp=600)

    lines = price_lines(rates, [3600] * 6, 8)

    assert [(line.code, line.amount_minor) for line in lines] == [
        ("compute", 6941), ("electricity", 214), ("platform_fee", 286), ("tax", 446),
    ]  # fmt: skip
    assert total_minor(lines) == 7887


@given(
    total=st.integers(min_value=0, max_value=10**6),
    hours=st.lists(st.tuples(small, small, small), min_size=1, max_size=6),
)
def test_full_use_charges_the_total_and_part_use_never_more(total, hours):
    weights = [weight for weight, _, _ in hours]
    promised = [seconds for _, seconds, _ in hours]
    used = [min(part, seconds) for _, seconds, part in hours]

    assert charge_to_date(total, weights, promised, promised) == total
    assert 0 <= charge_to_date(total, weights, used, promised) <= total


@given(total=st.integers(min_value=0, max_value=999), cuts=st.lists(small, min_size=1, max_size=9))
def test_cutting_use_into_records_never_changes_the_bill(total, cuts):
    promised = [sum(cuts) + 3]
    so_far, charged = 0, 0
    for cut in cuts:
        so_far += cut
        line = charge_to_date(total, [7], [so_far], promised) - charged
        assert line >= 0
        charged += line

    assert charged == charge_to_date(total, [7], [sum(cuts)], promised)


def test_use_beyond_the_promise_is_not_billed():
    assert charge_to_date(100, [5, 5], [9999, 3600], [3600, 3600]) == 100
