"""Stores over HTTP: what goes in, what comes out, and what is refused."""

import pytest

from accounts.models import Role
from marketplace.common.clock import rfc3339
from marketplace.energy.models import CertificateLot
from tests.energy.test_storage import Plant
from tests.market import MONDAY, at, make_organization
from tests.search.test_offers_api import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant():
    plant = Plant()
    plant.lot(0, 1_000)
    return plant


def asks(plant, what, *, hour, wh, by=None, query="", **changes):
    body = {"point": plant.point.code, "start": rfc3339(at(MONDAY, hour)), "wh": wh} | changes
    client = signed_in(by or plant.organization, Role.PROVIDER)
    return client.post(f"/api/v1/energy_sources/{plant.store.public_id}/{what}{query}", body, format="json")


def test_certified_energy_goes_in_and_less_of_it_comes_out_as_a_lot(plant):
    charged = asks(plant, "charges", hour=0, wh=1_500)
    discharged = asks(plant, "discharges", hour=1, wh=880)

    assert (charged.status_code, charged.json()["wh"]) == (201, 1_000)
    assert (discharged.status_code, discharged.json()["state"]) == (201, "active")
    assert CertificateLot.objects.get(public_id=discharged.json()["id"]).available_wh == 880


def test_a_rehearsal_moves_nothing(plant):
    asks(plant, "charges", hour=0, wh=1_000, query="?dry_run=true")

    assert CertificateLot.objects.get().stored_wh == 0


def test_more_than_went_in_is_refused_and_the_most_is_told(plant):
    asks(plant, "charges", hour=0, wh=1_000)

    answer = asks(plant, "discharges", hour=1, wh=881)

    assert (answer.status_code, answer.json()["code"]) == (422, "storage_exceeds_input")
    assert answer.json()["facts"]["most_wh"] == 880


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"start": "2026-01-05T00:30:00Z"}, "/start", "not_on_grid"),
        ({"start": "2199-01-05T00:00:00Z"}, "/start", "bad_value"),
        ({"wh": 0}, "/wh", "min_value"),
    ],
)
def test_a_wrong_field_is_named(plant, changes, pointer, code):
    answer = asks(plant, "charges", **({"hour": 0, "wh": 100} | changes))

    [problem] = answer.json()["errors"]
    assert (answer.status_code, problem["pointer"], problem["code"]) == (422, pointer, code)


def test_anothers_store_is_not_found(plant):
    assert asks(plant, "charges", hour=0, wh=100, by=make_organization(funds=0)).status_code == 404
