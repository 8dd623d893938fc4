"""Price arithmetic: integers, floor for the buyer, full use costs exactly the quote."""

from hypothesis import given
from hypothesis import strategies as st

from marketplace.booking.pricing import BASIS, Rates, part_of, price_lines, seconds_bought, shares_of, total_minor


def test_the_lines_of_the_specification_sum_to_the_total():
    """8 units x 6 h: compute 69.41, electricity 2.14, fee 4 % of 71.55, tax 6 % of 74.41 = 78.87."""
    rates = Rates(compute_mm=(144_605,) * 6, electricity_mm=4_460, fee_bp=400, tax_bp=600)

    lines = price_lines(rates, [3600] * 6, 8)

    assert [(line.code, line.amount_minor) for line in lines] == [
        ("compute", 6941), ("electricity", 214), ("platform_fee", 286), ("tax", 446),
    ]  # fmt: skip
    assert total_minor(lines) == 7887


@given(total=st.integers(0, 10**6), part=st.integers(0, 99), whole=st.integers(0, 99))
def test_a_part_of_a_price_is_rounded_for_the_buyer_and_the_whole_is_the_price(total, part, whole):
    charge = part_of(total, min(part, whole), whole)

    assert 0 <= charge <= total
    assert part_of(total, whole, whole) == (total if whole else 0)
    if whole:
        assert charge * whole <= total * min(part, whole) < (charge + 1) * whole


@given(charge=st.integers(0, 10**6), fee_bp=st.integers(0, 5000), fee_on_top=st.booleans())
def test_market_and_provider_share_a_charge_whole(charge, fee_bp, fee_on_top):
    fee, provider = shares_of(charge, fee_bp, fee_on_top=fee_on_top)

    assert fee + provider == charge
    weights = fee_bp + (BASIS if fee_on_top else BASIS - fee_bp)
    assert abs(fee * weights - charge * fee_bp) <= weights


def test_shares_of_the_specification():
    assert shares_of(1_827, 1_200, fee_on_top=False) == (219, 1_608)
    assert shares_of(7_068, 400, fee_on_top=True) == (272, 6_796)
    assert shares_of(1_967, 1_200, fee_on_top=False) == (236, 1_731)


def test_a_budget_buys_whole_seconds_and_never_more_than_were_promised():
    assert seconds_bought(1_000, 2_388, 10_800) == 4_522
    assert seconds_bought(2_388, 2_388, 10_800) == seconds_bought(9_999, 2_388, 10_800) == 10_800
    assert seconds_bought(0, 2_388, 10_800) == 0
    assert seconds_bought(0, 0, 10_800) == 10_800, "what costs nothing is not bought"
