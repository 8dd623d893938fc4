"""Offers in a zone of which years are known and no hours: ranked, and never shown as if their hours were known."""

import pytest
from django.test import Client

from marketplace.common.clock import utc_now
from marketplace.energy.models import GridYear
from tests.frontend.stage import text_of
from tests.market import make_hardware, make_offer, make_site, make_zone

pytestmark = pytest.mark.django_db
NEED = "units=2&hours=3"


@pytest.fixture
def offer():
    """An offer in a province; of its country the year is known."""
    now = utc_now()
    GridYear.objects.create(
        zone=make_zone("CN"), year=2025, direct_mg_per_kwh=485_000, lifecycle_mg_per_kwh=485_000, renewable_ppm=370_000,
        carbon_free_ppm=420_000, source="test", vintage="1", published_at=now,
    )  # fmt: skip
    return make_offer(make_site(zone=make_zone("CN-NX"), country="CN"), hardware=make_hardware(), now=now)


def test_it_is_found_at_its_years_average_and_says_so(offer):
    [row] = Client().get(f"/api/v1/offers?{NEED}").json()["data"]

    assert row["id"] == offer.public_id
    assert (row["match"]["renewable_share_ppm"], row["match"]["carbon_mg_per_kwh"]) == (370_000, 485_000)
    assert row["match"]["quality"] == "yearly"


def test_the_shelf_and_the_offers_page_call_it_a_yearly_average(offer):
    assert "Yearly average" in text_of(Client().get(f"/?{NEED}"))
    assert "Yearly average" in text_of(Client().get(f"/offers/{offer.public_id}/?{NEED}"))
