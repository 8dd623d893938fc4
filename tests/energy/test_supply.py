"""The supply ledger: each Wh is in exactly one state, every move leaves an entry, and nothing is retired twice."""

from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from marketplace.common.errors import IllegalState
from marketplace.energy.models import CertificateLot, CertificateSpan, MatchLine, SupplyEntry
from marketplace.energy.states import OWNED, SUPPLY
from marketplace.energy.supply import Move, Piece, cut, move_wh, release_subject, take, without
from tests.energy.evidence import make_issuance, make_lot, make_point, make_use
from tests.market import MONDAY, NOON

pytestmark = pytest.mark.django_db
COUNTERS = [f"{state}_wh" for state in SUPPLY]


def spans(lot: CertificateLot) -> list[tuple[int, int, str, str]]:
    rows = CertificateSpan.objects.filter(lot=lot).order_by("wh_range")
    return [(row.wh_range.lower, row.wh_range.upper, row.state, row.subject) for row in rows]


def counters(lot: CertificateLot) -> dict[str, int]:
    row = CertificateLot.objects.values(*COUNTERS).get(pk=lot.pk)
    return {name.removesuffix("_wh"): wh for name, wh in row.items() if wh}


def assert_whole(lot: CertificateLot) -> None:
    """Spans tile the lot, counters are theirs, and issued = the sum over all states."""
    found = spans(lot)
    edges = [lot.wh_range.lower, *(upper for _, upper, _, _ in found)]
    assert [lower for lower, _, _, _ in found] == edges[:-1]
    assert edges[-1] == lot.wh_range.upper
    by_state = dict.fromkeys(SUPPLY, 0)
    for lower, upper, state, _ in found:
        by_state[state] += upper - lower
    assert counters(lot) == {state: wh for state, wh in by_state.items() if wh}
    assert sum(by_state.values()) == lot.wh_range.upper - lot.wh_range.lower


@contextmanager
def refused(*lots: CertificateLot, by: str):
    """The block fails on the constraint `by` and leaves the lots as they were."""
    before = [(spans(lot), counters(lot)) for lot in lots]
    with pytest.raises(DatabaseError, match=by), transaction.atomic():
        yield
    assert [(spans(lot), counters(lot)) for lot in lots] == before


def test_a_new_lot_is_available_from_its_first_to_its_last_wh():
    lot = make_lot(1000, low=500)

    assert spans(lot) == [(500, 1500, "available", "")]
    assert counters(lot) == {"available": 1000}


def test_the_lowest_wh_are_taken_first_and_the_rest_stays_where_it_was():
    lot = make_lot(1000)

    pieces = take(lots=[lot.pk], wh=300, old="available", new="reserved", subject="job_a", now=NOON)
    take(lots=[lot.pk], wh=100, old="available", new="reserved", subject="job_b", now=NOON)
    take(lots=[lot.pk], wh=120, old="reserved", new="cancelled", subject="job_a", now=NOON, purpose="use")

    assert pieces == [Piece(lot.pk, 0, 300)]
    assert spans(lot) == [
        (0, 120, "cancelled", "job_a"), (120, 300, "reserved", "job_a"), (300, 400, "reserved", "job_b"),
        (400, 1000, "available", ""),
    ]  # fmt: skip
    assert_whole(lot)


def test_energy_that_is_given_back_joins_what_is_available_beside_it():
    lot = make_lot(1000)
    take(lots=[lot.pk], wh=300, old="available", new="reserved", subject="job_a", now=NOON)
    take(lots=[lot.pk], wh=200, old="available", new="reserved", subject="job_b", now=NOON)

    assert release_subject(subject="job_a", now=NOON) == 300
    assert spans(lot) == [(0, 300, "available", ""), (300, 500, "reserved", "job_b"), (500, 1000, "available", "")]
    assert release_subject(subject="job_b", now=NOON) == 200
    assert spans(lot) == [(0, 1000, "available", "")]


def test_several_lots_serve_in_the_order_of_their_keys():
    first, second = make_lot(100), make_lot(100)

    pieces = take(lots=[second.pk, first.pk], wh=150, old="available", new="reserved", subject="job_a", now=NOON)

    assert pieces == [Piece(first.pk, 0, 100), Piece(second.pk, 0, 50)]


def test_more_than_there_is_is_refused_whole():
    first, second = make_lot(100), make_lot(100)

    with pytest.raises(IllegalState, match="only 200 Wh are available, 201 Wh were asked for"):
        take(lots=[first.pk, second.pk], wh=201, old="available", new="reserved", subject="job_a", now=NOON)

    assert SupplyEntry.objects.count() == 0
    assert counters(first) == counters(second) == {"available": 100}


@pytest.mark.parametrize(("old", "new"), [(old, new) for old in SUPPLY for new in SUPPLY if new not in SUPPLY[old]])
def test_a_move_that_is_not_legal_is_refused_by_services_and_by_the_database(old, new):
    lot = make_lot(10)

    with pytest.raises(IllegalState):
        move_wh(moves=[Move([Piece(lot.pk, 0, 10)], old, new, "job_a")], now=NOON)
    with refused(lot, by="supply_entry_moves_legally"):
        SupplyEntry.objects.create(
            lot=lot, wh_range=(0, 10), from_state=old, to_state=new, subject="job_a", at=NOON
        )  # fmt: skip


def test_the_same_request_moves_once():
    lot = make_lot(1000)
    moves = [Move([Piece(lot.pk, 0, 10)], "available", "reserved", "job_a")]

    assert move_wh(moves=moves, now=NOON, request_key="settle 1") == 1
    assert move_wh(moves=moves, now=NOON, request_key="settle 1") == 0
    assert counters(lot) == {"available": 990, "reserved": 10}


def test_a_wh_that_left_its_state_meanwhile_is_refused_with_all_that_came_with_it():
    lot, other = make_lot(100), make_lot(100)
    take(lots=[lot.pk], wh=10, old="available", new="reserved", subject="job_a", now=NOON)
    moves = [
        Move([Piece(other.pk, 0, 50)], "available", "reserved", "job_b"),
        Move([Piece(lot.pk, 5, 20)], "available", "reserved", "job_b"),
    ]

    with pytest.raises(IllegalState, match="not in that state any more"):
        move_wh(moves=moves, now=NOON)

    assert counters(other) == {"available": 100}
    assert counters(lot) == {"available": 90, "reserved": 10}


def test_nobody_moves_what_is_reserved_for_another():
    lot = make_lot(100)
    take(lots=[lot.pk], wh=10, old="available", new="reserved", subject="job_a", now=NOON)

    with pytest.raises(IllegalState):
        move_wh(moves=[Move([Piece(lot.pk, 0, 10)], "reserved", "cancelled", "job_b")], now=NOON)


@pytest.mark.parametrize("state", ["pending", "refused", "closed"])
def test_energy_of_a_lot_that_is_not_active_does_not_move(state):
    lot = make_lot(100, state=state)

    with pytest.raises(IllegalState):
        move_wh(moves=[Move([Piece(lot.pk, 0, 10)], "available", "reserved", "job_a")], now=NOON)

    assert counters(lot) == {"available": 100}


def test_two_entries_of_one_statement_never_share_a_wh():
    lot = make_lot(100)

    with refused(lot, by="not in that state any more"):
        SupplyEntry.objects.bulk_create(
            SupplyEntry(lot=lot, wh_range=span, from_state="available", to_state="reserved", subject="job_a", at=NOON)
            for span in ((0, 10), (9, 20))
        )


@pytest.mark.parametrize(
    ("statement", "by"),
    [
        ("UPDATE energy_certificatespan SET state = 'withdrawn'", "certificate_span_by_entries"),
        ("DELETE FROM energy_certificatespan", "certificate_span_by_entries"),
        ("UPDATE energy_certificatelot SET available_wh = 99, cancelled_wh = 1", "certificate_lot_by_entries"),
        ("UPDATE energy_certificatelot SET wh_range = '[0,101)'", "Cannot update rows from energy_certificatelot"),
        ("DELETE FROM energy_certificatelot", "Cannot delete or update of .id. rows from energy_certificatelot"),
        ("UPDATE energy_supplyentry SET wh_range = '[0,5)'", "Cannot update or delete rows from energy_supplyentry"),
        ("DELETE FROM energy_supplyentry", "Cannot update or delete rows from energy_supplyentry"),
    ],
)
def test_nothing_but_an_entry_moves_energy(statement, by):
    lot = make_lot(100)
    take(lots=[lot.pk], wh=10, old="available", new="reserved", subject="job_a", now=NOON)

    with refused(lot, by=by), connection.cursor() as cursor:
        cursor.execute(statement)


def test_no_two_lots_hold_the_same_wh_of_an_issuance():
    issuance = make_issuance()
    lot = make_lot(100, issuance=issuance)

    with refused(lot, by="certificate_lot_of_its_own_wh"):
        make_lot(10, issuance=issuance, low=99)
    make_lot(10, issuance=issuance, low=100)


def test_a_wh_matches_one_use_while_the_match_is_live():
    lot, point = make_lot(100), make_point()
    one, other = make_use(point, "job_a", MONDAY, 60), make_use(point, "job_b", MONDAY, 60)
    line = MatchLine.objects.create(use_hour=one, lot=lot, wh_range=(0, 50))

    with refused(lot, by="certificate_wh_matches_one_use"):
        MatchLine.objects.create(use_hour=other, lot=lot, wh_range=(49, 60))
    with refused(make_lot(61), by="use_hour_matched_within_use"):
        MatchLine.objects.create(use_hour=other, lot=CertificateLot.objects.latest("pk"), wh_range=(0, 61))
    MatchLine.objects.filter(pk=line.pk).update(live=False)
    MatchLine.objects.create(use_hour=other, lot=lot, wh_range=(0, 50))

    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.matched_wh, other.matched_wh) == (0, 50)


def test_a_released_part_leaves_the_line_its_rest():
    lot, point = make_lot(100), make_point()
    use = make_use(point, "job_a", MONDAY, 100)
    take(lots=[lot.pk], wh=80, old="available", new="reserved", subject="job_a", now=NOON)
    take(lots=[lot.pk], wh=30, old="reserved", new="cancelled", subject="job_a", now=NOON)
    MatchLine.objects.create(use_hour=use, lot=lot, wh_range=(0, 80))

    assert release_subject(subject="job_a", now=NOON) == 50

    use.refresh_from_db()
    assert use.matched_wh == 30
    assert [(line.wh_range.lower, line.wh_range.upper) for line in MatchLine.objects.live_of(["job_a"])] == [(0, 30)]
    assert_whole(lot)


@given(st.lists(st.integers(1, 9), max_size=5), st.data())
def test_cutting_takes_exactly_what_was_asked_from_the_front(lengths, data):
    whole = [Piece(number, 7, 7 + length) for number, length in enumerate(lengths)]
    wh = data.draw(st.integers(0, sum(lengths)))

    taken, left = cut(whole, wh)

    assert sum(piece.wh for piece in taken) == wh
    assert [n for piece in taken + left for n in range(piece.lower, piece.upper)] == [
        n for piece in whole for n in range(piece.lower, piece.upper)
    ]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 9)), max_size=4))
def test_what_is_taken_out_of_a_piece_leaves_the_other_wh(holes):
    gone = [Piece(1, low, low + length) for low, length in holes]

    rest = without(Piece(1, 3, 17), gone)

    left = [n for piece in rest for n in range(piece.lower, piece.upper)]
    assert left == [n for n in range(3, 17) if not any(low <= n < low + length for low, length in holes)]


class AnySequenceOfMoves(TestCase):
    """issued = available + reserved + cancelled + stored + expired + withdrawn + exported, whatever happens."""

    @settings(max_examples=60)
    @given(
        sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3),
        steps=st.lists(
            st.tuples(
                st.sampled_from([(old, new) for old in SUPPLY for new in SUPPLY[old]]),
                st.integers(1, 9), st.sampled_from(["job_a", "job_b"]),
            ),
            max_size=12,
        ),
    )  # fmt: skip
    def test_keeps_every_wh_in_one_state(self, sizes, steps):
        lots = [make_lot(size, low=number) for number, size in enumerate(sizes)]
        model = [["available", ""] for size in sizes for _ in range(size)]
        for (old, new), wh, subject in steps:
            there = [cell for cell in model if cell == [old, subject if old in OWNED else ""]]
            if len(there) < wh:
                with pytest.raises(IllegalState):
                    take(lots=[lot.pk for lot in lots], wh=wh, old=old, new=new, subject=subject, now=NOON)
                continue
            take(lots=[lot.pk for lot in lots], wh=wh, old=old, new=new, subject=subject, now=NOON)
            for cell in there[:wh]:
                cell[:] = [new, subject if new in OWNED else ""]

        for lot in lots:
            assert_whole(lot)
        found = [[state, subject] for lot in lots for low, up, state, subject in spans(lot) for _ in range(low, up)]
        assert found == model


def test_the_database_names_a_lot_that_is_not_there():
    with pytest.raises(DatabaseError, match="only energy of an active lot moves"):
        SupplyEntry.objects.create(
            lot_id=0, wh_range=(0, 1), from_state="available", to_state="expired", at=NOON
        )  # fmt: skip
