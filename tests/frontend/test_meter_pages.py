"""The console's page of meters: points and plants are made there, files are taken whole, and drawings claim nothing."""

import csv
import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Role
from marketplace.common.clock import HOUR, hour_floor, utc_now
from marketplace.energy.metering import Reading, record_readings
from marketplace.energy.models import EnergySource, ImportFile, MeterPoint, PointHour, SourceShare
from tests.energy.evidence import make_generation, make_lot, make_point, make_share, make_source, make_use
from tests.energy.files import Provider, points
from tests.frontend.stage import signed_in, text_of
from tests.market import make_member, make_organization, make_site

pytestmark = pytest.mark.django_db
PAGE = "/console/meters/"
POINT = {"code": "hall 5", "zone": "CN-NX", "pue": "1.14", "water": "1.8", "hub_node": "on"}
PLANT = {
    "name": "East roof", "device_id": "roof 9", "kind": "onsite", "technology": "solar", "capacity": "12.5",
    "zone": "CN-NX", "commissioned_on": "2024-05-01",
}  # fmt: skip


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def console(provider):
    return signed_in(provider.organization, Role.PROVIDER)


def share_of(provider, **changes):
    form = {"source": provider.roof.public_id, "point": "hall 1", "lower": "0", "upper": "50", "start": "2026-11-01"}
    return form | changes


def send(console, data: bytes):
    return console.post(f"{PAGE}readings/", {"file": SimpleUploadedFile("readings.csv", data)})


def metered(point, start, *wh: tuple[int, int]):
    record_readings(point=point, readings=[Reading(start + n * HOUR, *each) for n, each in enumerate(wh)])


def test_only_providers_see_and_change_meters():
    buyer = signed_in(make_organization(), Role.BUYER)

    assert Client().get(PAGE)["Location"].startswith("/accounts/login/")
    assert buyer.get(PAGE).status_code == 403
    for path in ("points", "plants", "shares", "readings"):
        assert buyer.post(f"{PAGE}{path}/", POINT | PLANT).status_code == 403
    assert (MeterPoint.objects.count(), EnergySource.objects.count()) == (0, 0)


def test_without_any_meter_the_page_says_what_to_connect_and_how():
    page = text_of(signed_in(make_organization("New"), Role.PROVIDER).get(PAGE))

    assert "No meter is connected yet" in page
    assert "joulemart provider meters push readings.csv" in page
    assert "Use against generation" not in page


def test_a_metering_point_is_added_with_exact_figures(console, provider):
    answer = console.post(f"{PAGE}points/", POINT, follow=True)

    point = MeterPoint.objects.get(code="hall 5")
    assert (point.pue_design_ppm, point.water_ml_per_kwh, point.hub_node) == (1_140_000, 1_800, True)
    assert (point.organization, point.zone.code) == (provider.organization, "CN-NX")
    assert "hall 5 hub node" in text_of(answer)


def test_a_plant_is_added_as_declared_and_nobody_has_verified_it(console, provider):
    answer = console.post(f"{PAGE}plants/", PLANT, follow=True)

    plant = EnergySource.objects.get(device_id="roof 9")
    assert (plant.capacity_w, plant.evidence, plant.organization) == (12_500, "declared", provider.organization)
    assert "declared nobody has verified it yet" in text_of(answer)


def test_a_store_has_its_efficiency_to_the_millionth(console):
    store = PLANT | {"kind": "storage", "technology": "storage", "efficiency": "88.1234"}
    console.post(f"{PAGE}plants/", store)

    assert EnergySource.objects.get(device_id="roof 9").efficiency_ppm == 881_234


def test_a_slice_of_a_plant_serves_a_point(console, provider):
    answer = console.post(f"{PAGE}shares/", share_of(provider, lower="12.5", upper="62.5"), follow=True)

    share = SourceShare.objects.get()
    assert (share.slice.lower, share.slice.upper, share.valid.upper) == (125_000, 625_000, None)
    assert "12.5–62.5% hall 1, 2026-11-01 – …" in text_of(answer)


@pytest.mark.parametrize(
    ("path", "changes", "field"),
    [
        ("points", POINT | {"code": "hall 1"}, "point-code"),
        ("points", POINT | {"code": "hall/1"}, "point-code"),
        ("points", POINT | {"pue": "0.99"}, "point-pue"),
        ("points", POINT | {"zone": "CN-XX"}, "point-zone"),
        ("plants", PLANT | {"device_id": "roof 1"}, "plant-device_id"),
        ("plants", PLANT | {"kind": "storage"}, "plant-technology"),
        ("plants", PLANT | {"efficiency": "88"}, "plant-efficiency"),
        ("plants", PLANT | {"capacity": "0"}, "plant-capacity"),
        ("shares", {"upper": "0"}, "share-upper"),
        ("shares", {"upper": "101"}, "share-upper"),
        ("shares", {"end": "2026-10-01"}, "share-end"),
        ("shares", {"lower": "90", "upper": "100"}, "share-lower"),
    ],
)
def test_a_wrong_field_is_named_the_form_stays_open_and_nothing_is_stored(console, provider, path, changes, field):
    make_share(provider.roof, provider.point, 900_000, 1_000_000)

    answer = console.post(f"{PAGE}{path}/", share_of(provider, **changes) if path == "shares" else changes)

    html = answer.content.decode()
    assert answer.status_code == 422
    assert f'id="{field}-error"' in html
    assert f'<a href="#add-{path.removesuffix("s")}">Go to the form</a>' in html
    assert re.search(rf'<details class="card sec fold" id="add-{path.removesuffix("s")}" open>', html)
    assert (MeterPoint.objects.count(), EnergySource.objects.count(), SourceShare.objects.count()) == (1, 1, 1)


def test_a_slice_of_anothers_plant_or_for_anothers_point_is_refused(console, provider):
    rival = Provider("Another", "2")

    for changes in ({"source": rival.roof.public_id}, {"point": "hall 2"}):
        assert console.post(f"{PAGE}shares/", share_of(provider, **changes)).status_code == 422
    assert SourceShare.objects.count() == 0


def test_readings_are_imported_once(console):
    first = console.post(f"{PAGE}readings/", {"file": SimpleUploadedFile("r.csv", points())}, follow=True)
    again = console.post(f"{PAGE}readings/", {"file": SimpleUploadedFile("r.csv", points())}, follow=True)

    assert "r.csv: 1 hour imported." in text_of(first)
    assert "r.csv was imported before; nothing has changed." in text_of(again)
    assert PointHour.objects.get().total_wh == 1140


def test_hours_that_lack_a_quarter_are_told(console):
    quarters = [{"minutes": 15, "start_utc": f"2026-11-23T00:{minute:02d}Z"} for minute in (0, 15, 30)]

    answer = console.post(f"{PAGE}readings/", {"file": SimpleUploadedFile("r.csv", points(*quarters))}, follow=True)

    assert "1 hour lacks a quarter and was left out; nothing is filled in." in text_of(answer)


def test_a_file_with_a_fault_is_refused_by_line_and_heading_and_imports_nothing(console):
    answer = send(console, points({}, {"start_utc": "2026-11-23T01:00Z", "it_wh": 2000}, {"point": "hall 9"}))

    told = text_of(answer)
    assert answer.status_code == 422
    assert "readings.csv: nothing was imported 2 faults." in told
    assert re.search(r"3 it_wh a part above its whole .* it_exceeds_total", told)
    assert re.search(r"4 point not one of yours .* did you mean hall 1\?", told)
    assert PointHour.objects.count() == 0


def test_of_many_faults_the_first_hundred_are_listed_and_all_are_counted(console):
    answer = send(console, points(*({"it_wh": "many"} for _ in range(103))))

    told = text_of(answer)
    assert "103 faults" in told
    assert answer.content.decode().count("bad_number") == 100
    assert "The first 100 are listed; 3 more faults follow." in told


@pytest.mark.parametrize(("data", "said"), [(b"\xff\xfe\x00", "is not UTF-8"), (b"", "The file is empty.")])
def test_what_is_no_table_is_refused_with_the_reason(console, data, said):
    answer = send(console, data)

    assert answer.status_code == 422
    assert said in text_of(answer)
    assert ImportFile.objects.count() == 0


def test_a_point_shows_its_measured_pue_rounded_up_and_whose_word_its_hours_are(console, provider):
    make_site(provider.organization, name="Wuhu", zone=provider.point.zone, point=provider.point)
    start = hour_floor(utc_now()) - 10 * HOUR
    metered(provider.point, start, (1000, 1201), (1000, 1200))
    make_use(provider.point, "rsv_1", start, 500)
    make_use(provider.point, "rsv_1", start + 5 * HOUR, 500)
    make_use(provider.point, "rsv_2", start + 5 * HOUR, 500)
    metered(provider.point, start - timedelta(days=40), (1000, 3000))

    told = text_of(console.get(PAGE))

    assert re.search(r"hall 1 Wuhu CN-NX 1\.14 1\.21 2 metered 1 modelled", told)


def test_a_plant_shows_its_level_and_the_organization_that_verified_it(console, provider):
    auditor = make_member(make_organization("Audit House"), Role.AUDITOR)
    EnergySource.objects.filter(pk=provider.roof.pk).update(
        evidence="metered", verified_by=auditor, verified_at=utc_now()
    )

    told = text_of(console.get(PAGE))

    assert f"metered by Audit House, {utc_now():%Y-%m-%d}" in told
    assert auditor.email not in told


def hours_of(console, point: str = "") -> list[list[str]]:
    """(used, made, used while made, method) of the hours of the chart."""
    rows = csv.reader(console.get(f"{PAGE}hours.csv", {"point": point}).content.decode().splitlines())
    return [row[1:] for row in rows][1:]


def test_the_chart_sets_use_beside_what_the_points_slice_of_a_plant_made(console, provider):
    start = hour_floor(utc_now()) - 3 * HOUR
    make_share(provider.roof, provider.point, 0, 500_000)
    make_generation(provider.roof, start, 600, 4000, 800)
    metered(provider.point, start, (900, 1000), (900, 1000))
    make_use(provider.point, "rsv_1", start + 2 * HOUR, 700)

    page = console.get(PAGE)

    metered_hours = [["1000", "300", "300", "metered"], ["1000", "2000", "1000", "metered"]]
    assert hours_of(console)[-3:] == [*metered_hours, ["700", "400", "400", "modelled"]]
    sums = re.findall(r"<td>([\d.]+)</td>", page.content.decode().split('class="data-table"')[1])
    assert [sum(map(float, sums[place::3])) for place in range(3)] == [1.7, 1.0, 1.0]
    assert "In 1 of 3 hours no meter spoke: there the modelled use of your buyers stands." in text_of(page)


def test_what_a_plant_makes_whose_certificates_are_sold_serves_nobody_here(console, provider):
    start = hour_floor(utc_now()) - HOUR
    sold = make_source(provider.organization, zone=provider.point.zone, certificates_sold=True)
    make_share(sold, provider.point)
    make_generation(sold, start, 5000)
    metered(provider.point, start, (900, 1000))

    assert hours_of(console)[-1] == ["1000", "0", "0", "metered"]


def test_two_points_are_drawn_apart_or_together_and_no_surplus_goes_from_one_to_the_other(console, provider):
    start = hour_floor(utc_now()) - HOUR
    other = make_point(provider.organization, zone=provider.point.zone)
    make_share(provider.roof, other)
    make_generation(provider.roof, start, 500)
    metered(provider.point, start, (900, 1000))
    metered(other, start, (90, 100))

    assert hours_of(console)[-1] == ["1100", "500", "100", "metered"]
    assert hours_of(console, "hall 1")[-1] == ["1000", "0", "0", "metered"]
    assert hours_of(console, other.code)[-1] == ["100", "500", "100", "metered"]


def test_the_calendar_shows_settled_hours_alone_and_volume_apart(console, provider):
    from marketplace.energy.models import MatchLine

    start = hour_floor(utc_now()) - 100 * HOUR
    use = make_use(provider.point, "rsv_1", start, 1000, settled_at=utc_now())
    make_use(provider.point, "rsv_1", start + HOUR, 1000)
    lot = make_lot(1000, holder=provider.organization)
    for low, high, volume in ((0, 600, False), (600, 700, True)):
        MatchLine.objects.create(use_hour=use, lot=lot, wh_range=(low, high), volume=volume)

    told = text_of(console.get(PAGE))

    assert "1 settled hour: 0.60 kWh of 1.00 kWh matched." in told
    assert "Apart from that 0.10 kWh are volume-matched." in told
    assert told.count("60% matched by the hour") == 1


def test_another_organizations_meters_are_not_there(console):
    Provider("Another", "2")

    told = text_of(console.get(PAGE))

    assert "hall 2" not in told
    assert "roof 2" not in told


def test_a_page_of_many_points_asks_no_more_than_one_of_few(console, provider, django_assert_max_num_queries):
    for _ in range(6):
        point = make_point(provider.organization, zone=provider.point.zone)
        make_share(make_source(provider.organization, zone=point.zone), point)

    with django_assert_max_num_queries(40):
        console.get(PAGE)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_carries_no_inline_style_or_script_and_each_id_once(console, provider, language):
    make_share(provider.roof, provider.point)
    for answer in (
        console.get(PAGE, headers={"accept-language": language}),
        console.post(f"{PAGE}points/", {}, headers={"accept-language": language}),
    ):
        html = answer.content.decode()
        ids = re.findall(r'\sid="([^"]+)"', html)
        assert len(ids) == len(set(ids))
        assert len(re.findall(r"<h1[ >]", html)) == 1
        assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|<c-", html)
