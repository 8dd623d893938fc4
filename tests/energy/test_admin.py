"""The operators' view of the grid: everything to look at, the record not to change."""

import pytest
from django.apps import apps
from django.test import Client

from accounts.models import User
from marketplace.energy.imports.grid import import_grid
from marketplace.energy.models import GridHour, GridZone, SignalFeed
from marketplace.energy.services import refresh_forecasts
from tests.energy.conftest import NOW
from tests.invariants.green_scene import energy_that_was_matched


@pytest.fixture
def operator(db, settings) -> Client:
    """A browser of an operator, in a market that waives the second factor."""
    settings.REQUIRE_OPERATOR_MFA = False
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    client = Client()
    client.force_login(User.objects.create_superuser("operator@example.test", "a long password"))
    return client


PAGES = [
    "gridzone",
    "gridhour",
    "gridforecast",
    "forecastscore",
    "importfile",
    "marginalhour",
    "signalfeed",
    "meterpoint",
]


@pytest.mark.parametrize("page", PAGES)
def test_an_operator_sees_every_page_of_the_grid(operator, zones, page):
    refresh_forecasts(zones=zones[:1], now=NOW)
    import_grid(data=b"nothing of use\n", kind="grid_hourly", now=NOW)

    assert operator.get(f"/admin/energy/{page}/").status_code == 200


def test_a_feed_is_looked_at_and_neither_made_nor_changed_by_hand(operator, zones):
    feed = SignalFeed.objects.create(zone=zones[0], provider="entsoe", region="10Y", since=NOW, next_try_at=NOW)

    assert operator.get("/admin/energy/signalfeed/add/").status_code == 403
    page = f"/admin/energy/signalfeed/{feed.pk}/change/"
    assert operator.get(page).status_code == 200
    assert operator.post(page, {"failures": 3}).status_code == 403
    feed.refresh_from_db()
    assert feed.failures == 0


def test_hours_can_be_neither_added_nor_changed(operator, zones):
    hour = GridHour.objects.earliest("pk")

    assert operator.get("/admin/energy/gridhour/add/").status_code == 403
    page = f"/admin/energy/gridhour/{hour.pk}/change/"
    assert operator.get(page).status_code == 200
    assert operator.post(page, {"renewable_ppm": 1}).status_code == 403
    assert operator.post(f"/admin/energy/gridhour/{hour.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_operator_adds_a_zone_that_no_list_knows(operator):
    answer = operator.post(
        "/admin/energy/gridzone/add/",
        {"code": "XX-1", "name": "A new zone", "country": "XX", "timezone": "UTC", "latitude": "1", "longitude": "2"},
    )

    assert answer.status_code == 302
    assert GridZone.objects.get(code="XX-1").latitude == 1


EVIDENCE = [
    "meterpoint", "pointhour", "usehour", "energysource", "sourceshare", "sharehour", "generationhour", "issuance",
    "certificatelot", "certificatespan", "supplyentry", "storagedraw", "matchline", "greenpromise", "promisehour",
    "importfile",
]  # fmt: skip


def test_an_operator_sees_every_page_of_evidence_and_changes_none(operator):
    energy_that_was_matched()

    for page in EVIDENCE:
        shown = operator.get(f"/admin/energy/{page}/")
        assert (page, shown.status_code) == (page, 200)
        row = apps.get_model("energy", page).objects.first()
        assert str(row)
        assert operator.get(f"/admin/energy/{page}/{row.pk}/change/").status_code == 200
        assert operator.get(f"/admin/energy/{page}/add/").status_code == 403
        assert operator.post(f"/admin/energy/{page}/{row.pk}/change/", {}).status_code == 403
        assert operator.post(f"/admin/energy/{page}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
