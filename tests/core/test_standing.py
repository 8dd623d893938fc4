"""What is kept of a market between rounds never shows: a table is that of its own snapshot."""

from dataclasses import fields, replace
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core import standing
from scheduler.core.standing import least_means
from scheduler.core.tables import table_of
from scheduler.core.types import HOUR_S
from tests.core.market import ask, offer, snapshot

OFFERS = [offer("a", price=300_000), offer("b", zone="Y", free=[3, 4], latency_ms={}), offer("c", price=[1, 900_000])]
ASKS = [ask("one", near="shanghai"), ask("two", limits={"accelerator": ("H100",)}, excluded_sites=("site-c",))]


def arrays(market):
    """Everything in the table of `market`, as plain lists."""
    table = table_of(market)
    parts = [part for part in (getattr(table, field.name) for field in fields(table))]
    flat = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
    return [each.tolist() if isinstance(each, np.ndarray) else each for each in flat]


def afresh(market):
    """The same without anything kept."""
    standing._known.clear()
    return arrays(market)


CHANGES = {
    "units": {"free": (1, 0), "units_total": (9, 9)},
    "a price": {"price": (7, 8)},
    "a share": {"share_ppm": (1, 2)},
    "a way": {"latency_ms": {"shanghai": 3}},
    "a claim": {"accelerator": "A100"},
    "a speed": {"pf_milli": 5},
    "service": {"served": False},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_table_after_a_change_is_the_one_made_afresh(change):
    before = snapshot(OFFERS, *ASKS)
    after = replace(before, offers=(OFFERS[0], replace(OFFERS[1], **change), OFFERS[2]))
    expected, first = afresh(after), afresh(before)

    assert arrays(after) == expected
    assert arrays(before) == first


def test_offers_in_another_order_or_number_and_other_hours_give_their_own_table():
    markets = [
        snapshot(OFFERS, *ASKS), snapshot(OFFERS[::-1], *ASKS), snapshot(OFFERS[:2], *ASKS),
        snapshot([replace(each, **dict.fromkeys(HOURLY, (5, 5, 5))) for each in OFFERS], *ASKS),
    ]  # fmt: skip
    expected = [afresh(market) for market in markets]
    standing._known.clear()

    assert [arrays(market) for market in (*markets, *markets)] == expected * 2


HOURLY = ("price", "share_ppm", "matched_ppm", "ci_mg", "free", "units_total")


def test_a_table_in_use_does_not_change_when_the_next_snapshot_has_other_units():
    before = snapshot(OFFERS, *ASKS)
    table = table_of(before)
    held = table.shelf.began.tolist()

    table_of(replace(before, offers=tuple(replace(each, free=(0, 0)) for each in OFFERS)))

    assert table.shelf.began.tolist() == held


def test_asks_are_alike_by_what_they_say_whether_or_not_they_share_it():
    shared = {"accelerator": ("H100",)}
    one = snapshot(OFFERS, ask("x", limits=shared), ask("y", limits=shared), ask("z", units=2, limits=shared))
    own = replace(one, asks=tuple(replace(each, limits=dict(shared)) for each in one.asks))

    assert table_of(own).asks.alike.tolist() == table_of(one).asks.alike.tolist() == [0, 0, 1]
    assert arrays(own) == arrays(one)


def test_facts_out_of_range_are_refused_when_they_are_made():
    for wrong in ({"price": (-1, 0)}, {"price": (1, 10**9 + 1)}, {"share_ppm": (0, 10**6 + 1)}, {"pf_milli": 0}):
        with pytest.raises(ValueError, match="offer a"):
            replace(OFFERS[0], **wrong)
    with pytest.raises(ValueError, match="needs 2 numbers"):
        snapshot([OFFERS[0], replace(OFFERS[1], free=(1, 2, 3))])


@given(prices=st.lists(st.integers(0, 9) | st.just(3 * 10**9), min_size=1, max_size=8))
def test_no_run_costs_less_in_the_mean_than_the_least_of_its_length(prices):
    """Wherever in an hour it begins and ends: at its edges, a second inside them, half way."""
    mean, length = least_means(np.array([[0, *accumulate(prices)]]))
    instants = [hour * HOUR_S + second for hour in range(len(prices)) for second in (0, 1, 1800, HOUR_S - 1)]
    until = [sum(prices[: at // HOUR_S]) * HOUR_S + prices[at // HOUR_S] * (at % HOUR_S) for at in instants]

    for begin, before in zip(instants, until, strict=True):
        for end, spent in zip(instants, until, strict=True):
            if begin < end:
                assert int(mean[length[(end - begin) // HOUR_S], 0]) * (end - begin) <= spent - before
