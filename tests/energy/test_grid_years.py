"""Yearly averages: imported whole, standing in where no hours are known, and never passed off as hours."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from joulemart import receipts

from marketplace.energy.errors import NoHistory
from marketplace.energy.imports.gridyears import import_grid_years
from marketplace.energy.metering import UsePart, record_use
from marketplace.energy.models import GreenReceipt, GridHour, GridYear, GridZone, ReceiptStep
from marketplace.energy.receipts.document import file_of
from marketplace.energy.receipts.gathering import gather
from marketplace.energy.receipts.issuing import issue_provisional
from marketplace.energy.services import hours_of
from tests.energy.conftest import NOW
from tests.energy.evidence import make_point
from tests.energy.receipt_papers import work_of
from tests.market import make_organization

pytestmark = pytest.mark.django_db
HEAD = (
    "zone,year,direct_intensity_gco2e_per_kwh,carbon_intensity_gco2e_per_kwh,renewable_share,carbon_free_share,"
    "residual_intensity_gco2e_per_kwh,residual_renewable_share,source"
)
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)


def sent(*rows: str, head: str = HEAD):
    return import_grid_years(data="\n".join([head, *rows]).encode(), now=NOW)


def taken(*rows: str) -> None:
    assert sent(*rows).state == "imported"


@pytest.fixture
def ningxia(db) -> GridZone:
    """A province of which no hours are known."""
    return GridZone.objects.create(code="CN-NX", name="Ningxia", country="CN")


def test_a_zone_without_hours_has_the_average_of_its_countrys_year_for_every_hour(ningxia):
    taken("CN,2025,,485,0.37,0.42,,,Ember")

    window = hours_of(zones=[ningxia], start=TEN, hours=2, now=TEN).zone(ningxia)

    assert window.lifecycle_mg == window.direct_mg == (485_000, 485_000)
    assert (window.renewable_ppm, window.carbon_free_ppm) == ((370_000,) * 2, (420_000,) * 2)
    assert [window.quality(n) for n in range(2)] == ["yearly", "yearly"]


def test_its_own_years_come_before_its_countrys_and_the_last_known_before_a_later_one(ningxia):
    taken("CN,2025,,485,0.37,,,,Ember", "CN-NX,2024,,600,0.30,,,,Ember")
    turn = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(hours=1)

    window = hours_of(zones=[ningxia], start=turn, hours=2, now=TEN).zone(ningxia)

    assert window.lifecycle_mg == (600_000, 600_000)


def test_each_hour_has_the_year_that_it_lies_in(ningxia):
    taken("CN,2025,,485,0.37,,,,Ember", "CN,2026,,470,0.39,,,,Ember")

    window = hours_of(zones=[ningxia], start=datetime(2025, 12, 31, 23, tzinfo=UTC), hours=2, now=TEN).zone(ningxia)

    assert window.lifecycle_mg == (485_000, 470_000)


def test_a_later_vintage_of_a_year_takes_the_earlier_ones_place(ningxia):
    taken("CN,2025,,485,0.37,,,,Ember")
    assert hours_of(zones=[ningxia], start=TEN, hours=1, now=TEN).zone(ningxia).lifecycle_mg == (485_000,)

    taken("CN,2025,,480,0.38,,,,Ember")

    assert hours_of(zones=[ningxia], start=TEN, hours=1, now=TEN).zone(ningxia).lifecycle_mg == (480_000,)
    assert GridYear.objects.count() == 2


def test_without_years_and_hours_a_zone_is_not_known(ningxia):
    with pytest.raises(NoHistory):
        hours_of(zones=[ningxia], start=TEN, hours=1, now=TEN).zone(ningxia)


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        ("CN,1889,,485,0.37,,,,Ember", "year", "bad_number"),
        ("CN,2025,,,0.37,,,,Ember", "carbon_intensity_gco2e_per_kwh", "bad_number"),
        ("CN,2025,,485,1.37,,,,Ember", "renewable_share", "share_out_of_range"),
        ("CN,2025,,485,0.37,0.30,,,Ember", "carbon_free_share", "share_out_of_range"),
        ("CN,2025,,485,0.37,,500,,Ember", "residual_renewable_share", "bad_number"),
        ("CN,2025,,485,0.37,,,0.2,Ember", "residual_intensity_gco2e_per_kwh", "bad_number"),
        ("CN,2025,-1,485,0.37,,,,Ember", "direct_intensity_gco2e_per_kwh", "negative"),
        ("ZZ,2025,,485,0.37,,,,Ember", "zone", "wrong_zone"),
        ("CN,2025,,485,0.37,,,,", "source", "bad_value"),
        ("DE,2025,,350,0.5,,,,Ember", "year", "duplicate_hour"),
    ],
)
def test_a_fault_is_named_by_line_and_column_and_imports_nothing(row, column, code):
    result = sent("DE,2025,,350,0.5,,,,Ember", row)

    assert [(each["line"], each["column"], each["code"]) for each in result.errors] == [(3, column, code)]
    assert (result.state, GridYear.objects.count()) == ("refused", 0)


def used_at(zone: GridZone, wh: int = 1_000):
    point = make_point(zone=zone)
    record_use(subject="job_a", point=point, parts=[UsePart(TEN, wh, 3_600)], method="metered_node")
    return point


def test_a_receipt_of_such_a_zone_says_that_it_rests_on_a_yearly_average_and_verifies(ningxia):
    taken("CN,2025,,485,0.37,,,,Ember")
    point = used_at(ningxia)
    ReceiptStep.objects.filter(subject="job_a").update(due_at=TEN)

    receipt = issue_provisional(work=work_of("job_a", point, make_organization(funds=0), TEN), now=TEN)

    [hour] = receipt.payload["hours"]
    assert (hour["flags"], hour["direct_mg_per_kwh"], hour["renewable_ppm"]) == (["annual_factor"], 485_000, 370_000)
    [factor] = receipt.payload["factors"]
    assert (factor["source"], factor["vintage"][:8]) == ("Ember", "CN 2025 ")
    document = json.dumps(file_of(list(GreenReceipt.objects.all()))).encode()
    assert receipts.verify(document, keys=None).code == "key_untrusted"


def test_the_residual_mix_of_the_year_stands_for_what_is_not_matched(ningxia):
    taken("CN-NX,2026,,485,0.37,,700,0.10,AIB")
    point = used_at(ningxia)
    GridHour.objects.create(
        zone=ningxia, start=TEN, direct_mg_per_kwh=400_000, lifecycle_mg_per_kwh=450_000, renewable_ppm=300_000,
        carbon_free_ppm=300_000, source="electricity_maps", vintage="a", published_at=TEN,
    )  # fmt: skip

    facts = gather(places={"job_a": {point.pk: 0}}, now=TEN)["job_a"]

    [hour] = facts["hours"]
    assert (hour["direct_mg_per_kwh"], hour["renewable_ppm"], hour["flags"]) == (400_000, 300_000, [])
    assert (hour["residual_mg_per_kwh"], hour["residual_renewable_ppm"]) == (700_000, 100_000)
    assert [each["source"] for each in facts["factors"]] == ["electricity_maps", "AIB"]
