"""Sharing an hour's green energy: the specification's figures, and what holds for any hour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.matching import Need, allot, settle_hour, share_out
from marketplace.energy.supply import Piece
from marketplace.energy.use import shared_site_wh


def pool_of(*sizes: int) -> list[Piece]:
    return [Piece(lot, 0, wh) for lot, wh in enumerate(sizes, start=1)]


def wh_of(pieces) -> int:
    return sum(piece.wh for piece in pieces)


def cells(pieces) -> list[tuple[int, int]]:
    return [(piece.lot, wh) for piece in pieces for wh in range(piece.lower, piece.upper)]


needs = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 100), st.integers(0, 9)), min_size=1, max_size=5
).map(
    lambda rows: [
        Need(wh, percent, (Piece(100 + number, 3, 3 + own),) if own else ())
        for number, (wh, percent, own) in enumerate(rows)
    ]
)  # fmt: skip
pools = st.lists(st.integers(1, 9), max_size=4).map(lambda sizes: pool_of(*sizes))


def test_promises_come_first_and_the_rest_goes_pro_rata_to_the_need_that_is_left():
    needs = [Need(600, 80), Need(500, 50), Need(400)]

    settled = settle_hour(needs, pool_of(1000))

    assert [settled.wh(number) for number in range(3)] == [522, 338, 140]


def test_what_was_set_aside_serves_its_own_promise_and_the_excess_serves_all():
    own = (Piece(9, 0, 700),)

    settled = settle_hour([Need(600, 80, own), Need(500)], [])

    assert settled.own == [[Piece(9, 0, 480)], []]
    assert settled.released == [[Piece(9, 480, 700)], []]
    assert [wh_of(pieces) for pieces in settled.pool] == [43, 177]


def test_a_pool_too_small_for_the_promises_is_shared_by_what_each_lacks():
    assert allot([Need(600, 80), Need(500, 50), Need(400)], [0, 0, 0], 365) == [240, 125, 0]


def test_every_use_gets_the_same_mix_of_sources():
    shares = share_out([300, 100], pool_of(100, 200, 400))

    assert [[piece.wh for piece in pieces] for pieces in shares] == [[75, 150, 75], [25, 50, 25]]


def test_the_sites_total_is_split_as_the_specification_says():
    assert shared_site_wh(2280, [525, 438, 351, 686]) == [599, 499, 400, 782]


@given(needs, pools)
def test_no_wh_is_lost_invented_or_given_twice(needs, pool):
    settled = settle_hour(needs, pool)

    given_out = [
        cell for number in range(len(needs)) for cell in cells(settled.own[number]) + cells(settled.pool[number])
    ]
    there = cells(pool) + [cell for need in needs for cell in cells(need.own)]
    assert len(set(given_out)) == len(given_out)
    assert set(given_out) <= set(there)
    used_up = [settled.wh(number) for number in range(len(needs))]
    assert all(got <= need.wh for got, need in zip(used_up, needs, strict=True))
    assert sum(used_up) == min(len(there), sum(need.wh for need in needs))


@given(needs, pools)
def test_nobody_without_a_promise_gets_a_wh_while_a_promise_is_unmet(needs, pool):
    settled = settle_hour(needs, pool)

    unmet = [
        number
        for number, need in enumerate(needs)
        if settled.wh(number) < -(-need.wh * need.promised_percent // 100)
    ]  # fmt: skip
    if unmet:
        for number, need in enumerate(needs):
            assert settled.wh(number) <= -(-need.wh * need.promised_percent // 100)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.lists(st.integers(1, 9), max_size=5), st.data())
def test_shares_of_the_pool_sum_to_the_allotments_in_order_of_use(allotted, sizes, data):
    if sum(sizes) < sum(allotted):
        with pytest.raises(ValueError, match="the pool lacks"):
            share_out(allotted, pool_of(*sizes))
        return

    shares = share_out(allotted, pool_of(*sizes))

    assert [wh_of(pieces) for pieces in shares] == allotted
    assert sorted(cell for pieces in shares for cell in cells(pieces)) == cells(pool_of(*sizes))[: sum(allotted)]
