"""Rooms that are kept between rounds: their bits are always those of a room opened anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.core import keptrooms
from scheduler.core.keptrooms import begun_room, empty_room, forget_rooms
from scheduler.core.room import open_room
from scheduler.core.tables import table_of
from tests.core.market import ask, offer, snapshot

HOURS = 2
UNITS = st.lists(st.lists(st.integers(0, 9), min_size=HOURS, max_size=HOURS), min_size=3, max_size=3)


@pytest.fixture(autouse=True)
def _as_in_a_new_process():
    forget_rooms()
    yield
    forget_rooms()


def shelf():
    offers = [offer("a", free=[1, 2]), offer("b", zone="Y", free=[4, 4]), offer("c", free=[0, 9])]
    return table_of(snapshot(offers, ask("one"))).shelf


def same(room, other):
    return all(np.array_equal(mine, theirs) for mine, theirs in zip(room, other, strict=True))


@settings(deadline=None)  # the first example loads machine code
@given(st.lists(UNITS, min_size=1, max_size=4))
def test_a_room_that_was_kept_has_the_bits_of_one_opened_anew(rounds):
    market = shelf()
    for units in rounds:
        now = market._replace(began=np.array(units))
        room = begun_room(now)

        assert same(room, open_room(now.began, market.begin))
        room.free[:] = -1  # a round takes of its own
        room.open[:] = 0


def test_what_a_round_takes_of_its_room_is_there_again_in_the_next():
    market = shelf()
    begun_room(market).free[:] = 0

    assert same(begun_room(market), open_room(market.began, market.begin))
    assert same(empty_room(market), open_room(market.total, market.begin))


def test_only_offers_whose_units_changed_are_noted_again(monkeypatch):
    market, noted = shelf(), []
    note = keptrooms.note_offers
    monkeypatch.setattr(
        keptrooms, "note_offers", lambda room, offers, group: noted.append(list(offers)) or note(room, offers, group)
    )
    begun_room(market)

    begun_room(market)
    units = market.began.copy()
    units[1, 1] += 1
    begun_room(market._replace(began=units))

    assert noted == [[1]]


def test_of_many_markets_the_last_few_are_kept():
    markets = [shelf()._replace(begin=shelf().begin.copy()) for _ in range(keptrooms.MARKETS + 1)]
    for market in markets:
        begun_room(market)

    assert len(keptrooms._begun._rooms) == keptrooms.MARKETS
    assert id(markets[0].begin) not in keptrooms._begun._rooms
