"""Asks as columns are the very asks that they stand for."""

from dataclasses import replace

import pytest

from scheduler.core.asks import columns_of
from scheduler.core.types import Ask

SHARED = {"price__lte": 5, "region": ("de", "fr")}
ASKS = (
    Ask(id="b", units=1, run_s=600, limits=SHARED, submitted_s=7, due_s=8, age_mm=3),
    Ask(id="a", units=1, run_s=600, limits=dict(SHARED), start_after_s=0, finish_by_s=9, share_mm=-4),
    Ask(id="c", units=1, run_s=600, limits=SHARED | {"served": True}),
    Ask(id="d", units=1, run_s=600, limits=SHARED | {"served": 1}),
    Ask(id="e", units=2, run_s=600, limits=SHARED, excluded_sites=("s",), time_limit_by_class={"h": 60}),
)


def test_columns_give_back_every_ask_by_place_and_as_a_whole():
    columns = columns_of(ASKS)

    assert tuple(columns) == ASKS
    assert columns[-1] == ASKS[-1]
    assert columns[1:3] == ASKS[1:3]
    assert [type(ask.limits.get("served")) for ask in columns[2:4]] == [bool, int]


def test_what_many_state_alike_is_kept_once_whoever_states_it():
    assert columns_of(ASKS).form.tolist() == [0, 0, 1, 2, 3]
    assert all(form.id == "" for form in columns_of(ASKS).forms)


def test_columns_in_the_order_of_ids_are_the_same_asks():
    assert tuple(columns_of(ASKS).by_id()) == tuple(sorted(ASKS, key=lambda ask: ask.id))


def test_an_id_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="unique"):
        columns_of((ASKS[0], replace(ASKS[1], id="b")))
