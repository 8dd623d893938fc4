"""Promises of green energy take fractions of future output, never more than there is, as far as the P10 goes."""

from datetime import timedelta
from functools import partial

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.errors import PromiseTooLow
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.models import CertificateLot, GreenPromise, MeterPoint, PromiseHour, ShareHour
from marketplace.energy.promised import fractions, green_credit
from marketplace.energy.promising import (
    Possible,
    best_promise,
    least_that_serves,
    promise_green,
    release_unused,
    withdraw_promise,
)
from marketplace.energy.settling import settle_due
from marketplace.energy.supply import release_unmatched
from tests.energy.evidence import make_point, make_use
from tests.energy.plants import SUN, make_served
from tests.energy.test_supply import assert_whole, counters
from tests.market import MONDAY, at
from tests.racing import REFUSED, race

NOW = MONDAY
TEN = at(MONDAY, 10)  # when the sun makes 900 Wh, then 1000 and 1000


@pytest.fixture
def point(db) -> MeterPoint:
    point = make_point()
    make_served(point, NOW, days=80)
    return point


def promised_ppm(start) -> int:
    return sum(ShareHour.objects.filter(start=start).values_list("promised_ppm", flat=True))


@pytest.mark.parametrize(
    ("charge", "promised", "matched", "used", "credit"),
    [(1827, 85, 784, 1000, 121), (1827, 85, 850, 1000, 0), (1827, 85, 0, 1000, 548), (1, 85, 849, 1000, 0),
     (100, 50, 0, 0, 0), (1000, 100, 999, 1000, 1)],
)  # fmt: skip
def test_a_missed_promise_gives_back_the_exact_gap_up_to_the_cap(charge, promised, matched, used, credit):
    given_back = green_credit(
        charge_minor=charge, promised_percent=promised, matched_wh=matched, used_wh=used, credit_rate_ppm=1_000_000,
        cap_ppm=300_000,
    )  # fmt: skip

    assert given_back == credit


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3, st.integers(0, 1_000_000)), min_size=1, max_size=5),
       st.integers(1, 100))  # fmt: skip
def test_no_fraction_exceeds_what_is_free_and_no_more_is_taken_than_serves(rows, asked):
    load, low, other, free = (np.array(column) for column in zip(*rows, strict=True))

    first, second = fractions(load, asked, [low, other], [free, free])

    lacking = -(-load * asked // 100)
    assert (first <= free).all()
    assert (second <= free).all()
    assert (first[load == 0] == 0).all()
    one_less = np.maximum(first - 1, 0) * low // 1_000_000
    assert (one_less[(low > 0) & (first > 0)] <= lacking[(low > 0) & (first > 0)]).all()


def test_what_the_sun_surely_gives_is_promised_and_set_aside_hour_by_hour(point):
    promise = promise_green(
        subject="rsv_a", point=point, start=TEN, load_wh=[500, 500], asked_percent=80, now=NOW
    )  # fmt: skip

    assert promise.promised_percent == 80
    assert (promise.start, promise.end) == (TEN, at(MONDAY, 12))
    assert promised_ppm(TEN) == -(-400 * 1_000_000 // 900)
    assert promised_ppm(at(MONDAY, 11)) == 400_000


@pytest.mark.parametrize(("asked", "promised", "aside"), [(50, 50, 60), (90, 90, 100), (95, 90, 100), (10, 10, 20)])
def test_a_little_more_is_set_aside_where_what_was_asked_for_would_not_serve(asked, promised, aside):
    """Ten per cent less can be promised than is set aside."""
    tried = []

    def aside_for(percent):
        tried.append(percent)
        return Possible(min(asked, percent - 10), [percent], [])

    found = least_that_serves(aside_for, asked)

    assert (found.percent, list(found.shares)) == (promised, [aside])
    assert len(tried) <= 9


def test_what_a_quote_says_can_be_promised_can_be_asked_for(db):
    point = make_point()
    uneven = [wh * (3 if day % 3 else 1) for day in range(80) for wh in SUN]
    make_served(point, NOW, days=80, wh=uneven)
    load = [500] * 8
    most = best_promise(point=point, start=TEN, load_wh=load, asked_percent=100, now=NOW).percent

    for asked in range(1, most + 1, 7):
        assert best_promise(point=point, start=TEN, load_wh=load, asked_percent=asked, now=NOW).percent == asked
    promise = promise_green(
        subject="rsv_a", point=point, start=TEN, load_wh=load, asked_percent=most, least_percent=most, now=NOW
    )  # fmt: skip
    assert 0 < promise.promised_percent == most < 100


def test_at_night_nothing_is_promised_and_nothing_is_held(point):
    with pytest.raises(PromiseTooLow) as refusal:
        promise_green(
            subject="rsv_a", point=point, start=at(MONDAY, 20), load_wh=[500, 500], asked_percent=80, now=NOW
        )  # fmt: skip

    assert refusal.value.facts == {"best_percent": 0, "asked_percent": 80}
    assert GreenPromise.objects.count() == ShareHour.objects.filter(promised_ppm__gt=0).count() == 0


def test_below_the_buyers_floor_the_best_value_is_named_and_nothing_is_held(point):
    with pytest.raises(PromiseTooLow, match="at most 62 % can be promised"):
        promise_green(
            subject="rsv_a", point=point, start=TEN, load_wh=[1600, 1600, 1440], asked_percent=90, least_percent=63,
            now=NOW,
        )  # fmt: skip

    assert PromiseHour.objects.count() == 0
    best = best_promise(point=point, start=TEN, load_wh=[1600, 1600, 1440], asked_percent=90, now=NOW)
    assert best.percent == 62


def test_a_second_promise_gets_only_what_the_first_left(point):
    promise_green(subject="rsv_a", point=point, start=TEN, load_wh=[600], asked_percent=100, now=NOW)

    second = promise_green(subject="rsv_b", point=point, start=TEN, load_wh=[600], asked_percent=100, now=NOW)

    assert second.promised_percent == 49  # of 900 Wh, 600 are taken and the rest is rounded down
    assert promised_ppm(TEN) == 1_000_000


def test_a_point_without_plants_or_with_too_short_a_history_promises_nothing(db):
    bare, young = make_point(), make_point()
    make_served(young, NOW, days=13)

    for point in (bare, young):
        assert best_promise(point=point, start=TEN, load_wh=[100], asked_percent=50, now=NOW).percent == 0


def test_what_is_withdrawn_is_free_again_but_for_hours_that_have_begun(point):
    promise_green(subject="rsv_a", point=point, start=TEN, load_wh=[500, 500], asked_percent=80, now=NOW)

    assert withdraw_promise(subject="rsv_a", now=at(MONDAY, 10, 30)) == 1

    assert promised_ppm(TEN) > 0
    assert promised_ppm(at(MONDAY, 11)) == 0
    assert GreenPromise.objects.count() == 1


def test_once_metered_the_promised_fraction_of_the_hour_is_set_aside_for_the_promise(point):
    promise_green(subject="rsv_a", point=point, start=at(MONDAY, 11), load_wh=[500], asked_percent=80, now=NOW)
    source = point.shares.get().source

    record_generation(source=source, made=[Made(at(MONDAY, 11), 701)], now=at(MONDAY, 13))

    assert counters(CertificateLot.objects.latest("pk")) == {"reserved": 280, "available": 421}


def test_what_was_set_aside_for_hours_that_nobody_used_is_given_back(point):
    promise_green(subject="rsv_a", point=point, start=at(MONDAY, 11), load_wh=[500], asked_percent=80, now=NOW)
    source = point.shares.get().source
    record_generation(source=source, made=[Made(at(MONDAY, 11), 701)], now=at(MONDAY, 13))
    later = at(MONDAY, 12) + timedelta(days=6)

    assert release_unused(now=later - timedelta(seconds=1), after=timedelta(days=6)) == 0
    assert release_unused(now=later, after=timedelta(days=6)) == 280
    assert counters(CertificateLot.objects.latest("pk")) == {"available": 701}


def test_what_was_set_aside_and_matched_nothing_is_given_back_when_the_receipt_is_settled(point):
    promise_green(subject="rsv_a", point=point, start=TEN, load_wh=[500, 500], asked_percent=80, now=NOW)
    source = point.shares.get().source
    record_generation(source=source, made=[Made(TEN, 900), Made(at(MONDAY, 11), 1000)], now=at(MONDAY, 13))
    make_use(point, "rsv_a", TEN, 100)
    settle_due(now=TEN + timedelta(days=4))

    assert release_unmatched(subjects=["rsv_a"], now=TEN + timedelta(days=4)) == 400

    [first, second] = CertificateLot.objects.order_by("-pk")[:2][::-1]
    assert counters(first) == {"reserved": 114, "available": 786}
    assert counters(second) == {"available": 1000}
    assert_whole(first)


@pytest.mark.parametrize(
    "statement", ["UPDATE energy_sharehour SET promised_ppm = 1", "UPDATE energy_promisehour SET ppm = 1",
                  "UPDATE energy_greenpromise SET promised_percent = 1"],
)  # fmt: skip
def test_the_database_lets_nobody_change_a_promise_or_its_sum(point, statement):
    promise_green(subject="rsv_a", point=point, start=TEN, load_wh=[500], asked_percent=80, now=NOW)

    with pytest.raises(Exception, match=r"promise|Cannot update"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)

    assert promised_ppm(TEN) == PromiseHour.objects.get().ppm


def test_no_hour_of_a_share_is_promised_beyond_its_output_whoever_writes(point):
    promise_green(subject="rsv_a", point=point, start=TEN, load_wh=[800], asked_percent=100, now=NOW)
    first = PromiseHour.objects.get()
    other = GreenPromise.objects.create(
        subject="rsv_b", point=point, start=TEN, end=at(MONDAY, 11), promised_percent=5, created_at=NOW
    )

    with pytest.raises(IntegrityError, match="share_hour_never_oversold"), transaction.atomic():
        PromiseHour.objects.create(promise=other, share_hour=first.share_hour, ppm=1_000_001 - first.ppm)
    PromiseHour.objects.create(promise=other, share_hour=first.share_hour, ppm=1_000_000 - first.ppm)


def _promise(point: int, subject: str) -> int:
    row = MeterPoint.objects.get(pk=point)
    return promise_green(
        subject=subject, point=row, start=TEN, load_wh=[900], asked_percent=60, least_percent=60, now=NOW
    ).promised_percent


@pytest.mark.django_db(transaction=True)
def test_of_two_who_race_for_the_last_fraction_one_wins():
    point = make_point()
    make_served(point, NOW, days=80)

    results = race([partial(_promise, point.pk, f"rsv_{n}") for n in range(2)], refusals=(PromiseTooLow,))

    assert sorted(map(str, results)) == ["60", REFUSED]
    assert GreenPromise.objects.count() == 1
    assert promised_ppm(TEN) == 600_000
