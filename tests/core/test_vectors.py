"""The worked examples of the specification."""

from fractions import Fraction

import pytest

from scheduler.core import ranking, takeovers
from scheduler.core.matching import match
from scheduler.core.scoring import rates_of, whole_weights
from scheduler.core.types import Rates
from tests.core.market import HOUR, NOON, REFERENCE, ask, offer, snapshot, vector_offers

WEIGHTS = {
    "default": (40, 20, 40),
    "cheap": (80, 10, 10),
    "near": (10, 80, 10),
    "green": (10, 10, 80),
    "even": (34, 33, 33),
}


def ranked(weights=(40, 20, 40), extra=()):
    wish = ask(weights=weights, waiting_value=0, start_s=NOON)
    return ranking.rank(snapshot([*vector_offers(), *extra], wish), wish)


def test_the_rates_of_the_default_weights():
    assert rates_of(ask(), REFERENCE) == Rates(1_250, 250_000, 2_300, 0)


def test_vector_1_costs_and_ranks():
    rows = [(row.offer.id, row.run_cost, row.z) for row in ranked().ranked]

    assert rows == [
        ("B", 288_499, 291_707), ("C", 102_400, 320_000), ("A", 342_091, 345_895),
        ("E", 277_775, 367_427), ("D", 451_657, 456_680),
    ]  # fmt: skip


def test_vector_1_fits():
    fits = {row.offer.id: (row.fit.total, row.fit.price, row.fit.latency, row.fit.green) for row in ranked().ranked}

    assert fits["B"] == (773, 245, 156, 372)
    assert {name: fit[0] for name, fit in fits.items()} == {"A": 687, "B": 773, "C": 728, "D": 509, "E": 652}


@pytest.mark.parametrize(
    ("preset", "order"),
    [("default", "BCAED"), ("cheap", "ACBED"), ("near", "DEBCA"), ("green", "BCAED"), ("even", "BCEAD")],
)
def test_vector_1_orders(preset, order):
    assert "".join(row.offer.id for row in ranked(WEIGHTS[preset]).ranked) == order


def test_a_sixth_offer_at_another_price_changes_no_score():
    before = {row.offer.id: row.z for row in ranked().ranked}
    after = {row.offer.id: row.z for row in ranked(extra=[offer("F", price=900_000)]).ranked}

    assert {name: after[name] for name in before} == before


def test_vector_1_takeovers():
    rows = ranked().ranked

    found = takeovers.takeovers([row.point for row in rows], (40, 20, 40))

    shown = [(each.axis, each.direction, round(float(each.weight), 4), rows[each.winner].offer.id) for each in found]
    assert shown == [("price", "up", 0.6055, "C"), ("latency", "up", 0.5574, "E"), ("green", "down", 0.2124, "C")]


def test_vector_1_winner_map():
    rows = ranked().ranked
    fields = takeovers.winner_map([row.point for row in rows])
    whole = sum(field.area for field in fields)

    parts = {rows[field.winner].offer.id: round(float(field.area / whole) * 100, 2) for field in fields}

    assert parts == {"A": 10.16, "B": 57.69, "C": 10.44, "D": 5.43, "E": 16.29}
    [a] = [field for field in fields if rows[field.winner].offer.id == "A"]
    corners = {tuple(round(float(weight), 4) for weight in vertex) for vertex in a.vertices}
    assert corners == {(1, 0, 0), (0.6107, 0.3893, 0), (0.562, 0.3773, 0.0607), (0.8197, 0, 0.1803)}


def test_the_centroid_of_each_field_ranks_its_offer_first():
    rows = ranked().ranked
    points = [row.point for row in rows]

    for field in takeovers.winner_map(points):
        count = len(field.vertices)
        centre = [sum(vertex[axis] for vertex in field.vertices) / count for axis in range(3)]
        costs = [point.at(centre) for point in points]
        assert costs.index(min(costs)) == field.winner


def test_vector_2_now_takes_two_hours_and_a_whole_hour_takes_one():
    """At 10:40, 3,600 s, prices 200,000 and 240,000."""
    ten = NOON - 2 * HOUR
    now = ten + 2400
    wish = ask(near=None, when="now", weights=(100, 0, 0), waiting_value=0)
    market = snapshot([offer("X", hours=3, price=[200_000, 240_000, 240_000])], wish, now=now)

    [placed] = match(market).placed
    assert (placed.run_cost, placed.hours) == (226_666, (ten, ten + HOUR))
    later = ask(near=None, start_s=ten + HOUR, weights=(100, 0, 0), waiting_value=3_000)
    [row] = ranking.rank(snapshot(list(market.offers), later, now=now), later).ranked
    assert row.terms.price == 240_000
    assert row.terms.waiting == 3_000 * 989 // 1000 * 1200 // 3600


def test_vector_3_rejections_and_what_would_help():
    wish = ask(
        limits={"price_pflop__lte": 250, "latency_ms__lte": 25, "renewable_share__gte": 600_000}, start_s=NOON,
    )  # fmt: skip
    answer = ranking.rank(snapshot(vector_offers(), wish), wish)

    assert answer.ranked == ()
    assert answer.rejected == {"price": 1, "latency": 3, "renewable": 2}
    helped = {each.limits[0]: (each.offers, each.to, each.offer) for each in answer.relax}
    assert helped == {"latency": (3, 27, "B"), "renewable": (1, 560_000, "E")}


def test_weights_become_whole_per_cents_with_price_at_least_five():
    assert whole_weights(1, 1, 1) == (34, 33, 33)
    assert whole_weights(0, 0, 1) == (5, 0, 95)
    assert whole_weights(Fraction(2), 1, 2) == (40, 20, 40)
    with pytest.raises(ValueError, match="negative"):
        whole_weights(-1, 1, 1)
    with pytest.raises(ValueError, match="all 0"):
        whole_weights(0, 0, 0)
