"""Energy and carbon of a use: the worked examples, and sums that never lose a watt-hour."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.use import (
    carbon_g,
    carbon_ug,
    carbon_ug_over,
    modelled_wh,
    renewable_ppm_over,
    shared_site_wh,
    site_wh,
)

WATT_HOURS = st.integers(0, 10**9)
INTENSITY = st.integers(0, 1_000_000)


def test_four_units_at_62_percent_for_an_hour_use_1873_watt_hours():
    assert modelled_wh(seconds=3600, units=4, idle_w=90, max_w=700, utilisation_ppm=620_000) == 1873


def test_an_unknown_utilisation_counts_as_full():
    assert modelled_wh(seconds=3600, units=4, idle_w=90, max_w=700) == 2800


def test_whoever_holds_the_whole_node_pays_for_its_idle_host():
    assert modelled_wh(seconds=1800, units=8, idle_w=100, max_w=100, host_idle_w=300) == 550


def test_a_single_second_is_never_free():
    assert modelled_wh(seconds=1, units=1, idle_w=1, max_w=1) == 1


def test_the_site_uses_more_than_the_machine_by_its_overhead_rounded_up():
    assert site_wh(1000, 1_140_000) == 1140
    assert site_wh(1, 1_000_001) == 2


def test_the_site_total_is_split_by_energy_and_idle_capacity_stays_with_the_provider():
    assert shared_site_wh(2280, [525, 438, 351, 686]) == [599, 499, 400, 782]


@given(WATT_HOURS, st.lists(WATT_HOURS, min_size=1, max_size=20))
def test_a_split_sums_exactly_and_is_fair_to_one_watt_hour(total, uses):
    parts = shared_site_wh(total, uses)

    assert sum(parts) == total
    if sum(uses):
        assert all(abs(part - Fraction(total * use, sum(uses))) < 1 for part, use in zip(parts, uses, strict=True))


def test_watt_hours_times_milligrams_per_kilowatt_hour_are_micrograms():
    assert carbon_ug(1000, 450_000) == 450_000_000
    assert carbon_g(450_000_000) == 450
    assert carbon_g(450_000_001) == 451
    assert carbon_g(0) == 0


@given(st.lists(st.tuples(WATT_HOURS, INTENSITY), min_size=1, max_size=48))
def test_carbon_is_summed_before_it_is_rounded_and_never_rounded_down(hours):
    energy, intensity = zip(*hours, strict=True)

    exact = sum(Fraction(wh * mg, 1_000_000) for wh, mg in hours)

    assert 0 <= carbon_g(carbon_ug_over(energy, intensity)) - exact < 1


@given(st.lists(st.tuples(WATT_HOURS, INTENSITY), min_size=1, max_size=48))
def test_a_renewable_share_is_weighted_by_energy_and_rounded_down(hours):
    energy, share = zip(*hours, strict=True)

    found = renewable_ppm_over(energy, share)

    if sum(energy):
        exact = Fraction(sum(wh * ppm for wh, ppm in hours), sum(energy))
        assert 0 <= exact - found < 1
    else:
        assert found == 0
