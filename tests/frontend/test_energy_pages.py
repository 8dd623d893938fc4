"""How carbon is measured, the market by zone, and the energy-facts label of an offer."""

from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from marketplace.booking.greenhours import refresh_listings
from marketplace.common.clock import hour_floor, utc_now
from marketplace.energy.models import ForecastScore, GridZone
from marketplace.energy.supply import take
from tests.energy.evidence import make_issuance, make_lot, make_point
from tests.energy.plants import make_served, publish_grid
from tests.energy.test_listings import settle
from tests.frontend.stage import text_of
from tests.market import make_offer, make_site, make_zone

pytestmark = pytest.mark.django_db
LOAD = 8 * 980 * 12 // 10


@pytest.fixture
def offer():
    now = hour_floor(utc_now())
    publish_grid(make_zone(), now, days=60)
    offer = make_offer(make_site(zone=make_zone()), now=now)
    make_served(offer.site.point, now, days=60, wh=[LOAD // 2], technology="wind", sample=True)
    return offer


def page(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_draws_a_labelled_week_and_states_the_real_figures(client):
    text = page(client, "/energy/")

    assert "100% solar by the year is about 43% by the hour" in text
    assert 'class="pill sample"' in text
    assert all(figure in text for figure in ("44.2%", "43.3%", "41.5%", "62%", "70%", "25%"))


def test_forecast_scores_stand_with_their_sample_size(client, offer):
    zone = GridZone.objects.get()
    assert "Not judged yet" in page(client, "/energy/")
    ForecastScore.objects.create(
        zone=zone, signal="lifecycle", day=utc_now().date() - timedelta(days=2), method="blend", mae=20_100,
        naive_mae=30_000, inside_ppm=810_000, hours=24,
    )  # fmt: skip

    text = page(client, "/energy/")

    assert all(each in text for each in ("21 g/kWh", "0.67", "81.0%", "1 day, 24 hours"))


def test_the_zones_tell_their_shelf_and_what_was_settled(client, offer):
    settle(make_point(zone=offer.site.zone), "job_a", hour_floor(utc_now()) - timedelta(days=5), 1000, 625)

    text = page(client, "/energy/zones/")

    assert all(each in text for each in ("400 g/kWh", "50% · 50%", "60% · 60%", "<b>62%</b>", "1.00 kWh, 1 use"))


def test_the_zones_tell_three_shares_of_settled_work_side_by_side_and_what_was_retired(client, offer):
    now = hour_floor(utc_now())
    point = make_point(zone=offer.site.zone)
    settle(point, "job_a", now - timedelta(days=5), 1000, 625)
    settle(point, "job_b", now - timedelta(days=50), 1000, 0)
    for scheme, wh in (("METER", 700), ("GC", 300)):
        lot = make_lot(wh, issuance=make_issuance(now - timedelta(days=5), scheme=scheme), point=point)
        for old, new in (("available", "reserved"), ("reserved", "cancelled")):
            take(lots=[lot.pk], wh=wh, old=old, new=new, subject="job_a", now=now)

    text = text_of(client.get("/energy/zones/"))

    assert "30 days 1 62% 81% 50% 1.00 kWh, 1 use" in text
    assert "12 months 2 31% 65% 50% 2.00 kWh, 2 uses" in text
    assert "GC certificates: 0.30 kWh On-site meter record: 0.70 kWh" in text
    assert "test 1" in text  # the source and vintage of the intensity


def test_a_zone_without_settled_work_says_so(client, offer):
    assert "no use settled in 12 months" in page(client, "/energy/zones/")


def test_the_label_tells_bands_with_their_words_and_links_to_how(client, offer):
    refresh_listings(now=utc_now())

    text = page(client, f"/offers/{offer.public_id}/")

    assert "50 – 50 – 50%" in text
    assert "Next 7 days" in text
    assert "no use settled yet" in text
    assert 'href="/energy/"' in text


def test_an_unproven_plant_is_called_so(client):
    now = hour_floor(utc_now())
    publish_grid(make_zone(), now, days=60)
    offer = make_offer(make_site(zone=make_zone()), now=now)
    make_served(offer.site.point, now, days=6)
    refresh_listings(now=utc_now())

    assert "unproven: 6 of 14 days of meter hours are known" in page(client, f"/offers/{offer.public_id}/")


def test_the_api_tells_the_outlook_of_one_offer(offer):
    refresh_listings(now=utc_now())

    answer = APIClient().get(f"/api/v1/offers/{offer.public_id}").json()

    assert [each["days"] for each in answer["outlook"]] == [7, 30]
    assert answer["outlook"][0]["matched_share_ppm"] == {"p10": 500_000, "p50": 500_000, "p90": 500_000}
    assert answer["outlook"][0]["quality"] == "sample"
    assert answer["settled"] == {"matched_share_ppm": None, "energy_wh": 0, "uses": 0, "months": 12}
