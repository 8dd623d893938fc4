"""Files of meters: four quarters make an hour, nothing is filled in, and a fault anywhere imports nothing."""

from datetime import timedelta

import pytest

from marketplace.energy.errors import WrongImport
from marketplace.energy.metering import Reading, record_readings
from marketplace.energy.models import CertificateLot, GenerationHour, ImportFile, PointHour, UseHour
from marketplace.energy.settling import settle_due
from tests.energy.evidence import make_share, make_use
from tests.energy.files import POINT, Provider, file_of, plants, points, refused, rows_of
from tests.market import MONDAY, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider() -> Provider:
    return Provider()


def quarters(*minutes: int, **cells: object) -> list[dict[str, object]]:
    return [{"start_utc": f"2026-11-23T00:{each:02d}Z", "minutes": 15, **cells} for each in minutes]


@pytest.mark.parametrize(
    "data",
    [
        points(),
        b"\xef\xbb\xbf" + points(),
        file_of(rows_of(POINT, {}), ";"),
        points().replace(b"\n", b"\r\n"),
        points(*quarters(0, 15, 30, 45, it_wh=250, total_wh=285)),
    ],
    ids=["hour", "byte order mark", "semicolons", "windows line ends", "quarters"],
)
def test_an_hour_of_a_point_is_read_exactly(provider, data):
    result = provider.send(data, "meter")

    assert (result.state, result.rows, result.incomplete) == ("imported", 1, 0)
    assert result.organization == provider.organization
    assert PointHour.objects.values_list("start", "it_wh", "total_wh", "method").get() == (
        MONDAY,
        1000,
        1140,
        "metered",
    )


def test_three_quarters_make_no_hour_and_nothing_is_filled_in(provider):
    rows = [*quarters(0, 15, 30, it_wh=250, total_wh=285), {"start_utc": "2026-11-23T01:00Z"}]

    result = provider.send(points(*rows), "meter")

    assert (result.rows, result.incomplete) == (1, 1)
    assert PointHour.objects.get().start == at(MONDAY, 1)


def test_an_hour_that_lacked_a_quarter_may_come_whole_later(provider):
    provider.send(points(*quarters(0, 15, 30)), "meter")

    assert provider.send(points(*quarters(0, 15, 30, 45)), "meter").rows == 1


def test_hours_of_a_plant_become_lots_that_wait_for_a_reviewer(provider):
    make_share(provider.roof, provider.point)

    result = provider.send(plants({}, {"start_utc": "2026-11-23T01:00Z", "wh": 0}), "meter")

    assert result.rows == 2
    assert list(GenerationHour.objects.order_by("start").values_list("wh", "claimed_wh")) == [(900, 900), (0, 0)]
    lot = CertificateLot.objects.get()
    assert (lot.state, lot.point, lot.evidence_sha256) == ("pending", provider.point, result.sha256)


FAULTS = [
    (points({"point": "hall 9"}), "point", "not_found"),
    (points({"it_wh": "1e3"}), "it_wh", "bad_number"),
    (points({"it_wh": ""}), "it_wh", "bad_number"),
    (points({"total_wh": "1,140".replace(",", ".")}), "total_wh", "bad_number"),
    (points({"it_wh": "-1"}), "it_wh", "negative"),
    (points({"it_wh": 1141}), "it_wh", "it_exceeds_total"),
    (points({"start_utc": "2026-11-23T00:00"}), "start_utc", "not_utc"),
    (points({"start_utc": "2026-11-23T08:00+08:00"}), "start_utc", "not_utc"),
    (points({"start_utc": "2026-11-23T00:15Z"}), "start_utc", "not_on_grid"),
    (points({"start_utc": "2026-11-23T00:10Z", "minutes": 15}), "start_utc", "not_on_grid"),
    (points({"start_utc": "2026-11-23T00:00:01Z"}), "start_utc", "not_on_grid"),
    (points({"minutes": 30}), "minutes", "not_on_grid"),
    (points({"minutes": 1440}), "minutes", "interval_too_long"),
    (points({"start_utc": "2026-12-01T00:00Z"}), "start_utc", "bad_value"),
    (plants({"device_id": "roof 9"}), "device_id", "not_found"),
    (plants({"wh": 1001}), "wh", "exceeds_capacity"),
    (plants({"wh": 251, "minutes": 15}), "wh", "exceeds_capacity"),
]


@pytest.mark.parametrize(("data", "column", "code"), FAULTS)
def test_a_fault_is_named_by_line_column_and_code_and_nothing_is_written(provider, data, column, code):
    assert refused(provider, data, "meter") == [(2, column, code)]


def test_a_missing_heading_names_the_nearest_one(provider):
    result = provider.send(points().replace(b"total_wh", b"totals_wh"), "meter")

    [fault] = result.errors
    assert (fault["line"], fault["column"], fault["code"]) == (1, "total_wh", "missing_column")
    assert "'totals_wh'" in fault["hint"]


@pytest.mark.parametrize(
    "rows",
    [
        [{}, {}],
        [{}, *quarters(30)],
        [*quarters(30), {}],
        [*quarters(15, 15)],
    ],
)
def test_no_minute_is_told_twice(provider, rows):
    assert refused(provider, points(*rows), "meter") == [(3, "start_utc", "duplicate_hour")]


def test_an_hour_that_is_on_record_is_not_told_again(provider):
    record_readings(point=provider.point, readings=[Reading(MONDAY, 1, 1)])
    provider.send(plants(), "meter")

    assert refused(provider, points(), "meter") == [(2, "start_utc", "duplicate_hour")]
    assert refused(provider, plants({"wh": 1}), "meter") == [(2, "start_utc", "duplicate_hour")]


def test_the_same_bytes_again_give_the_first_result(provider):
    first = provider.send(points(), "meter")

    assert provider.send(points(), "meter") == first
    assert PointHour.objects.count() == 1


def test_the_same_bytes_of_another_organization_are_another_import(provider):
    other = Provider("Another", "2")
    provider.send(points(), "meter")

    assert refused(other, points(), "meter") == [(2, "point", "not_found")]


def test_anothers_point_or_plant_is_as_if_it_did_not_exist(provider):
    Provider("Another", "2")
    told = []
    for code in ("hall 2", "hall 3"):
        [fault] = provider.send(points({"point": code}), "meter").errors
        told.append(fault | {"detail": fault["detail"].replace(code, "it")})

    assert told[0] == told[1]


def test_a_file_of_ten_thousand_rows_names_all_of_its_37_faults_and_imports_nothing(provider):
    rows = [{"start_utc": f"{MONDAY - timedelta(hours=number):%Y-%m-%dT%H:%MZ}"} for number in range(10_000)]
    wrong = [("it_wh", "x", "bad_number"), ("total_wh", "-5", "negative"), ("minutes", "90", "interval_too_long"),
             ("it_wh", "2000", "it_exceeds_total"), ("start_utc", "yesterday", "not_utc")]  # fmt: skip
    expected = []
    for number in range(37):
        column, text, code = wrong[number % len(wrong)]
        rows[number * 270][column] = text
        expected.append((number * 270 + 2, column, code))

    data = points(*rows)

    assert refused(provider, data, "meter") == expected
    assert ImportFile.objects.get().faults == 37


def test_the_first_hundred_faults_are_listed_and_all_are_counted(provider):
    result = provider.send(points(*[{"it_wh": "x"}] * 250), "meter")

    assert (len(result.errors), result.faults) == (100, 250)
    assert [fault["line"] for fault in result.errors] == list(range(2, 102))


def test_a_meter_that_speaks_after_its_hour_was_settled_has_given_out_what_was_settled(provider):
    make_use(provider.point, "job_a", MONDAY, 500)
    settle_due(now=at(MONDAY, 80))

    assert provider.send(points(), "meter").rows == 1

    assert UseHour.objects.get().site_wh == 570
    assert PointHour.objects.get().attributed_wh == 570


def test_a_meter_that_saw_less_than_was_settled_without_it_is_refused(provider):
    make_use(provider.point, "job_a", MONDAY, 1001)
    settle_due(now=at(MONDAY, 80))

    assert refused(provider, points(), "meter") == [(2, "start_utc", "duplicate_hour")]


def test_what_is_no_table_is_refused_in_words(provider):
    with pytest.raises(WrongImport, match="line 1 is not UTF-8"):
        provider.send(b"point\xff\n", "meter")
    with pytest.raises(WrongImport, match="no kind 'weather'"):
        provider.send(b"", "weather")

    assert not ImportFile.objects.exists()
