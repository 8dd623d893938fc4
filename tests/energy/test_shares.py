"""The three shares of a use: exact, in order, and worth what each hour is worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.common.units import PPM, share_percent_down
from marketplace.energy.shares import MOST, bands_of, flat_bands, shares_of

energies = st.integers(0, 9)
hours = st.tuples(energies, energies, st.integers(0, PPM))
days = st.lists(hours, min_size=1, max_size=24).filter(lambda day: sum(use for use, _, _ in day) > 0)


def columns(day) -> list[np.ndarray]:
    return [np.array(column, dtype=np.int64) for column in zip(*day, strict=True)]


def test_the_example_of_the_specification_comes_out_to_the_digit():
    shares = shares_of(np.array([1000, 1000]), np.array([1200, 250]), np.array([300_000, 200_000]))

    assert [int(share) for share in shares] == [625_000, 700_000, 250_000]
    assert share_percent_down(int(shares.matched)) == 62


@given(days)
def test_matched_is_at_most_blended_and_both_are_shares(day):
    shares = shares_of(*columns(day))

    assert 0 <= shares.matched <= shares.blended <= PPM
    assert 0 <= shares.grid <= shares.blended


@given(days)
def test_matched_is_what_each_hour_alone_can_have_rounded_down(day):
    use = sum(each for each, _, _ in day)

    shares = shares_of(*columns(day))

    assert shares.matched == sum(min(need, supply) for need, supply, _ in day) * PPM // use
    blended = sum(min(e, a) * PPM + (e - min(e, a)) * g for e, a, g in day)
    assert shares.blended == blended // use
    assert shares.grid == sum(e * g for e, _, g in day) // use


@given(days, st.integers(1, 1000), st.data())
def test_a_surplus_in_one_hour_is_worth_nothing_in_another(day, more, data):
    full = [n for n, (need, supply, _) in enumerate(day) if supply >= need]
    if not full:
        return
    use, supply, grid = columns(day)
    before = shares_of(use, supply, grid)
    supply[data.draw(st.sampled_from(full))] += more

    assert shares_of(use, supply, grid) == before


@given(days, st.integers(1, 1000), st.data())
def test_more_supply_never_makes_a_share_smaller(day, more, data):
    use, supply, grid = columns(day)
    before = shares_of(use, supply, grid)
    supply[data.draw(st.integers(0, len(day) - 1))] += more

    after = shares_of(use, supply, grid)

    assert after.matched >= before.matched
    assert after.blended >= before.blended
    assert after.grid == before.grid


@given(st.integers(0, 2**32 - 1), st.integers(10, 60), st.integers(1, 50), st.integers(1, MOST // 50))
def test_many_flat_loads_at_once_get_what_each_would_get_alone(seed, paths, count, most):
    chance = np.random.default_rng(seed)
    loads = chance.integers(1, most, 5, endpoint=True)
    supply = chance.integers(0, most, (paths, count), endpoint=True) * chance.integers(0, 2, (paths, count))
    grid = chance.integers(0, PPM, (paths, count), endpoint=True)

    together = flat_bands(loads, supply, grid)

    for n, load in enumerate(loads):
        alone = bands_of(np.full(count, load), supply, grid)
        assert [share[:, n].tolist() for share in together[:3]] == [share.tolist() for share in alone[:3]]


def test_p10_is_the_sixth_smallest_of_sixty_paths():
    supply = np.random.default_rng(3).permutation(np.arange(1, 61))[:, None]

    bands = bands_of(np.array([100]), supply, np.zeros((60, 1), dtype=np.int64))

    assert bands.matched.tolist() == [60_000, 300_000, 550_000]
    assert bands.paths == 60


@pytest.mark.parametrize("paths", [10, 11, 59])
def test_fewer_paths_are_read_more_carefully(paths):
    """One in ten is rounded up towards the careful side: of 11 paths P10 is the second smallest."""
    supply = np.arange(1, paths + 1)[:, None]

    low, _, high = bands_of(np.array([100]), supply, np.zeros((paths, 1), dtype=np.int64)).matched // 10_000

    assert low == -(-paths // 10)
    assert high == paths + 1 - low


def test_no_band_rests_on_fewer_than_ten_paths():
    nine = np.zeros((9, 1), dtype=np.int64)

    with pytest.raises(ValueError, match="need 10 paths, got 9"):
        bands_of(np.array([1]), nine, nine)
    with pytest.raises(ValueError, match="need 10 paths, got 9"):
        flat_bands(np.array([1]), nine, nine)


@pytest.mark.parametrize("use", [[0, 0], [-1, 2], [MOST, 1]])
def test_a_use_that_has_no_share_is_refused(use):
    none = np.zeros((10, 2), dtype=np.int64)

    with pytest.raises(ValueError, match=r"energy is never|a share is of"):
        shares_of(np.array(use), none, none)


@pytest.mark.parametrize("load", [0, -1, MOST])
def test_a_flat_load_that_has_no_share_is_refused(load):
    none = np.zeros((10, 2), dtype=np.int64)

    with pytest.raises(ValueError, match=r"energy is never|a share is of"):
        flat_bands(np.array([5, load]), none, none)
