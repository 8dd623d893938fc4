"""What a place may give: the forecast and sixty days of its errors, supply by supply and share by share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.common.units import PPM
from marketplace.energy.forecast import NEEDED, blend, blends, usuals
from marketplace.energy.outlook import Place, flat_outlook, outlook, paths_at
from marketplace.energy.paths import Supply, grid_paths, hours_needed, paths_known, possible, supply_paths

WEEK, MONTH = 168, 720


def noisy(seed: int, hours: int, middle: float = 400) -> np.ndarray:
    """A daily wave with noise that never repeats."""
    day = np.sin(np.arange(hours) * 2 * np.pi / 24)
    return middle * (1 + day / 2 + np.random.default_rng(seed).normal(0, 0.2, hours))


def a_place(hours: int, *, seed: int = 1) -> Place:
    sun, wind = noisy(seed, hours, 3000), noisy(seed + 1, hours, 2000)
    return Place((Supply(sun, solar=True), Supply(wind, solar=False)), noisy(seed + 2, hours, 300_000))


@pytest.mark.parametrize("hours", [1, 24, 25, 48])
def test_a_path_adds_the_error_of_a_forecast_made_a_whole_number_of_days_ago(hours):
    series = noisy(5, hours_needed(hours) + 7)
    size, first = len(series), 24 * -(-hours // 24)

    found = possible(series, hours, blends)

    assert found.shape == (60, hours)
    for row in (0, 1, 59):
        then = size - first - 24 * row
        error = series[then : then + hours] - blend(series[:then], hours)
        assert found[row] == pytest.approx(blend(series, hours) + error)


def test_the_usual_day_of_the_sun_is_the_mean_of_the_last_seven():
    series = noisy(6, NEEDED)

    ahead = usuals(series, np.array([NEEDED]), 48)[0]

    assert ahead[30] == pytest.approx(np.mean(series[NEEDED - 24 + 6 :: -24][:7]))
    assert ahead[:24].tolist() == ahead[24:].tolist()


@given(st.integers(0, 4000), st.integers(1, MONTH))
def test_the_paths_that_are_known_are_those_a_history_suffices_for(size, hours):
    known = paths_known(size, hours)

    assert 0 <= known <= 60
    assert known == 0 or hours_needed(hours, known) <= size
    assert known == 60 or size < hours_needed(hours, known + 1)


def test_what_has_not_happened_yet_is_not_read():
    """The latest path ends with the last known hour."""
    need = hours_needed(WEEK, 10)

    assert len(possible(noisy(1, need), WEEK, blends, 10)) == 10
    with pytest.raises(ValueError, match=f"10 paths need {need} hours of history, got {need - 1}"):
        possible(noisy(1, need - 1), WEEK, blends, 10)


def test_output_is_never_below_nothing_and_a_share_never_beyond_all():
    history = np.maximum(noisy(2, hours_needed(WEEK)) - 350, 0)

    supply = supply_paths([Supply(history, solar=False)], WEEK)
    grid = grid_paths(history * PPM / 350, WEEK)

    assert supply.min() == grid.min() == 0
    assert grid.max() == PPM


def test_supplies_that_share_their_luck_are_added_day_by_day():
    history = (500 + noisy(3, hours_needed(24)) / 10).round()
    opposite = Supply(1000 - history, solar=True)

    both = supply_paths([Supply(history, solar=True), opposite], 24)

    assert 999 <= both.min() <= both.max() <= 1000


@pytest.mark.parametrize("hours", [24, WEEK, MONTH])
def test_a_flat_load_is_a_load_that_is_the_same_in_every_hour(hours):
    place = a_place(hours_needed(hours))
    loads = np.array([500, 4000, 9000])

    many = flat_outlook(place, loads, hours)

    for n, load in enumerate(loads):
        one = outlook(place, np.full(hours, load))
        assert [share[:, n].tolist() for share in many[:3]] == [share.tolist() for share in one[:3]]
    assert (np.diff(many.matched, axis=0) >= 0).all()
    assert (np.diff(many.matched, axis=1) <= 0).all()  # the same plant serves less of a larger load
    assert (many.matched <= many.blended).all()


def test_a_use_that_begins_later_is_judged_by_its_own_hours():
    place = a_place(hours_needed(48))

    later = outlook(place, np.full(24, 5000), lead=24)
    padded = outlook(place, np.repeat([0, 5000], 24))

    assert [share.tolist() for share in later[:3]] == [share.tolist() for share in padded[:3]]
    assert flat_outlook(place, np.array([5000]), 24, lead=24).matched[:, 0].tolist() == later.matched.tolist()


def test_a_place_without_a_supply_has_the_grid_alone():
    bands = flat_outlook(a_place(hours_needed(24))._replace(supplies=()), np.array([1000]), 24)

    assert bands.matched.tolist() == [[0]] * 3
    assert bands.blended.tolist() == bands.grid.tolist()


def test_a_place_is_as_proven_as_its_youngest_supply():
    place = a_place(hours_needed(24))
    young = Supply(noisy(9, 14 * 24), solar=True)

    assert paths_at(place, 24) == 60
    with_young = place._replace(supplies=(*place.supplies, young))
    assert paths_at(with_young, 24) == 6
    with pytest.raises(ValueError, match="10 paths of 24 hours make a band, 6 are known"):
        flat_outlook(with_young, np.array([1]), 24)
    with pytest.raises(ValueError, match="10 paths of 24 hours make a band, 6 are known"):
        outlook(with_young, np.ones(24, dtype=np.int64))
