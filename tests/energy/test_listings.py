"""The outlook of a listing: bands of its point's shares over 7 and 30 days, and what was settled there."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from marketplace.energy.listings import Listing, refresh_outlooks
from marketplace.energy.models import ShareOutlook
from marketplace.energy.pointhours import PointLoad
from tests.energy.evidence import make_point, make_use
from tests.energy.plants import SUN, make_served, publish_grid
from tests.market import MONDAY, NOON, make_zone, triggers_off

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def point():
    publish_grid(make_zone(), MONDAY, days=50, share=lambda n: 300_000 + n % 7 * 50_000)
    return make_point()


def refresh(point, *subjects, watts=1000, now=MONDAY):
    listings = [Listing(each, PointLoad(point.pk, point.zone, watts)) for each in subjects or ("ofr_a",)]
    return refresh_outlooks(listings=listings, now=now)


def outlook(subject="ofr_a", days=7):
    return ShareOutlook.objects.get(subject=subject, days=days)


def test_a_plant_that_never_errs_makes_a_band_of_one_value(point):
    make_served(point, MONDAY, days=50)

    refresh(point)

    expected = sum(SUN) * 1_000_000 // (24 * 1000)
    assert outlook().matched == [expected] * 3
    assert outlook().blended[0] > expected
    assert (outlook().paths, outlook().unproven, outlook().supplied) == (36, False, True)
    assert (outlook().origin, outlook().load_wh, outlook().history_days) == (MONDAY, 1000, 50)


def test_bands_are_in_order_and_matched_is_never_above_blended(point):
    make_served(point, MONDAY, days=50, wh=[n * 37 % 1400 for n in range(997)], technology="wind")

    refresh(point)

    for row in ShareOutlook.objects.all():
        assert row.matched == sorted(row.matched)
        assert all(matched <= blended for matched, blended in zip(row.matched, row.blended, strict=True))
    assert outlook().matched[0] < outlook().matched[2]


def test_a_listing_without_a_plant_matches_nothing_and_has_the_grid_s_share(point):
    refresh(point)

    assert outlook().matched == [0, 0, 0]
    assert outlook().blended == outlook().grid
    assert (outlook().supplied, outlook().unproven) == (False, False)


@pytest.mark.parametrize("days", [1, 13, 20])
def test_a_plant_that_is_known_too_briefly_is_unproven(point, days):
    make_served(point, MONDAY, days=days)

    refresh(point)

    assert (outlook().unproven, outlook().matched, outlook().blended) == (True, None, None)
    assert outlook().history_days == days


def test_a_month_asks_for_more_history_than_a_week(point):
    make_served(point, MONDAY, days=40)

    refresh(point)

    assert (outlook(days=7).unproven, outlook(days=30).unproven) == (False, True)
    assert outlook(days=30).grid is None  # fewer than ten months of errors are known of both


def test_all_listings_of_a_point_have_the_same_outlook(point):
    make_served(point, MONDAY, days=50)

    assert refresh(point, "ofr_a", "ofr_b") == 4

    assert outlook("ofr_a").matched == outlook("ofr_b").matched


def test_a_second_refresh_replaces_the_first_and_forgets_what_is_off_the_shelf(point):
    make_served(point, MONDAY, days=50)
    refresh(point, "ofr_a", "ofr_b")

    refresh(point, "ofr_b", watts=2000, now=MONDAY + DAY)

    assert {(row.subject, row.load_wh) for row in ShareOutlook.objects.all()} == {("ofr_b", 2000)}
    assert outlook("ofr_b").origin == MONDAY  # what is known ends there


def settle(point, subject, start, wh, matched):
    with triggers_off():
        make_use(point, subject, start, wh, matched_wh=matched, settled_at=NOON)


def test_the_settled_share_is_that_of_the_point_s_settled_uses_of_a_year(point):
    settle(point, "job_a", MONDAY - 3 * DAY, 600, 500)
    settle(point, "job_a", MONDAY - 2 * DAY, 200, 0)
    settle(point, "rsv_b", MONDAY - 300 * DAY, 200, 125)
    settle(point, "job_old", MONDAY - 366 * DAY, 900, 0)
    settle(make_point(zone=point.zone), "job_elsewhere", MONDAY - DAY, 900, 900)
    make_use(point, "job_open", MONDAY - DAY, 900)

    refresh(point)

    assert (outlook().settled_ppm, outlook().settled_wh, outlook().settled_uses) == (625_000, 1000, 2)


def test_where_nothing_is_settled_nothing_is_said(point):
    refresh(point)

    assert (outlook().settled_ppm, outlook().settled_wh, outlook().settled_uses) == (None, 0, 0)


def test_the_queries_are_as_many_for_many_listings_as_for_one(point, django_assert_num_queries):
    points = [make_point(zone=point.zone) for _ in range(10)]
    for each in points:
        make_served(each, MONDAY, days=15)
    listings = [Listing(f"ofr_{n}_{k}", PointLoad(each.pk, each.zone, 9)) for n, each in enumerate(points)
                for k in range(5)]  # fmt: skip

    with django_assert_num_queries(9):
        refresh_outlooks(listings=listings, now=MONDAY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"matched": [3, 2, 4]}, {"matched": [1, 2]}, {"blended": [0, 0, 1_000_001]}, {"grid": [-1, 0, 0]}, {"days": 8},
        {"unproven": True}, {"settled_ppm": 5}, {"origin": MONDAY + timedelta(minutes=5)},
    ],
)  # fmt: skip
def test_the_database_refuses_an_outlook_that_cannot_be(point, wrong):
    make_served(point, MONDAY, days=50)
    refresh(point)

    with pytest.raises(IntegrityError), transaction.atomic():
        ShareOutlook.objects.filter(subject="ofr_a", days=7).update(**wrong)
