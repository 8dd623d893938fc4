"""Files of grid hours: taken as a whole with exact numbers, or refused with every fault named and nothing written."""

import gzip
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from marketplace.energy.errors import WrongImport
from marketplace.energy.imports.cells import WrongCell, scaled
from marketplace.energy.imports.grid import import_grid
from marketplace.energy.models import GridHour, GridZone, ImportFile
from tests.energy.conftest import GRID, NOW

HEADINGS = (
    "zone,utc_hour,carbon_intensity_gco2e_per_kwh,direct_intensity_gco2e_per_kwh,"
    "renewable_share,carbon_free_share,estimated"
)
RIGHT = "DE,2024-07-01T00:00Z,379.8,310.1,0.5527,0.5601,0"
PORTAL_NEW = (
    "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),"
    "Carbon intensity gCO₂eq/kWh (Life cycle),Carbon-free energy percentage (CFE%),"
    "Renewable energy percentage (RE%),Data source,Data estimated,Data estimation method\n"
    "2024-07-01 00:00:00,Germany,Germany,DE,310.1,379.8,56.01,55.27,entsoe.eu,false,\n"
)
PORTAL_OLD = (
    "Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),"
    "Carbon Intensity gCO₂eq/kWh (LCA),Low Carbon Percentage,Renewable Percentage,Data Source,Data Estimated\n"
    "2024-07-01 00:00:00,Germany,Germany,DE,310.1,379.8,56.01,55.27,entsoe.eu,true\n"
)


def sheet(*rows: str, headings: str = HEADINGS) -> bytes:
    return "\n".join([headings, *rows, ""]).encode()


def take(data: bytes, kind: str = "grid_hourly", **options) -> ImportFile:
    return import_grid(data=data, kind=kind, now=NOW, **options)


def first_hour() -> tuple:
    columns = ("direct_mg_per_kwh", "lifecycle_mg_per_kwh", "renewable_ppm", "carbon_free_ppm", "estimated")
    return GridHour.objects.values_list("zone__code", "start", *columns).get()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(sheet(RIGHT), id="plain"),
        pytest.param(gzip.compress(sheet(RIGHT)), id="gzip"),
        pytest.param(b"\xef\xbb\xbf" + sheet(RIGHT), id="byte order mark"),
        pytest.param(sheet(RIGHT).replace(b",", b";"), id="semicolons"),
        pytest.param(sheet(RIGHT).replace(b"\n", b"\r\n"), id="windows line ends"),
    ],
)
def test_an_hour_is_taken_to_the_last_digit(data):
    result = take(data)

    assert (result.state, result.rows, result.errors) == ("imported", 1, [])
    start = datetime(2024, 7, 1, tzinfo=UTC)
    assert first_hour() == ("DE", start, 310_100, 379_800, 552_700, 560_100, False)
    assert GridZone.objects.get().sample is False


@pytest.mark.django_db
@pytest.mark.parametrize(("data", "estimated"), [(PORTAL_NEW, False), (PORTAL_OLD, True)])
def test_the_portal_is_read_under_both_sets_of_headings(data, estimated):
    take(data.encode(), "grid_portal")

    start = datetime(2024, 7, 1, tzinfo=UTC)
    assert first_hour() == ("DE", start, 310_100, 379_800, 552_700, 560_100, estimated)


FAULTS = [
    ("DE,2024-07-01T01:00Z,x,310.1,0.5,0.6,0", "carbon_intensity_gco2e_per_kwh", "bad_number"),
    ("DE,2024-07-01T01:00Z,,310.1,0.5,0.6,0", "carbon_intensity_gco2e_per_kwh", "bad_number"),
    ("DE,2024-07-01T01:00Z,nan,310.1,0.5,0.6,0", "carbon_intensity_gco2e_per_kwh", "bad_number"),
    ("DE,2024-07-01T01:00Z,379800,310.1,0.5,0.6,0", "carbon_intensity_gco2e_per_kwh", "bad_number"),
    ("DE,2024-07-01T01:00Z,379.8,-1,0.5,0.6,0", "direct_intensity_gco2e_per_kwh", "negative"),
    ("DE,2024-07-01T01:00Z,379.8,310.1,55.27,0.6,0", "renewable_share", "share_out_of_range"),
    ("DE,2024-07-01T01:00Z,379.8,310.1,0.5,0.4,0", "carbon_free_share", "share_out_of_range"),
    ("DE,2024-07-01T01:00,379.8,310.1,0.5,0.6,0", "utc_hour", "not_utc"),
    ("DE,2024-07-01T01:00+02:00,379.8,310.1,0.5,0.6,0", "utc_hour", "not_utc"),
    ("DE,yesterday,379.8,310.1,0.5,0.6,0", "utc_hour", "not_utc"),
    ("DE,2024-07-01T01:30Z,379.8,310.1,0.5,0.6,0", "utc_hour", "not_on_grid"),
    ("DE,2024-07-01T00:00Z,379.8,310.1,0.5,0.6,0", "utc_hour", "duplicate_hour"),
    ("DX,2024-07-01T01:00Z,379.8,310.1,0.5,0.6,0", "zone", "wrong_zone"),
    ("DE,2024-07-01T01:00Z,379.8,310.1,0.5,0.6,maybe", "estimated", "bad_number"),
    ("DE,2024-07-01T01:00Z,379,8,310.1,0.5,0.6,0", "estimated", "missing_column"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("row", "column", "code"), FAULTS)
def test_a_fault_is_named_by_line_column_and_code_and_nothing_is_written(row, column, code):
    result = take(sheet(RIGHT, row))

    assert (result.state, result.rows, result.faults) == ("refused", 0, 1)
    (fault,) = result.errors
    assert (fault["line"], fault["column"], fault["code"]) == (3, column, code)
    assert fault["detail"]
    assert not GridHour.objects.exists()
    assert not GridZone.objects.exists()


@pytest.mark.django_db
def test_every_fault_of_a_file_is_named_at_once():
    bad = [row for row, _, _ in FAULTS]

    result = take(sheet(RIGHT, *bad))

    assert result.faults == len(FAULTS)
    found = [(fault["line"], fault["column"], fault["code"]) for fault in result.errors]
    assert found == [(line, column, code) for line, (_, column, code) in enumerate(FAULTS, start=3)]
    assert not GridHour.objects.exists()


@pytest.mark.django_db
def test_one_row_with_two_faults_names_both():
    result = take(sheet("DE,2024-07-01T00:00Z,x,-5,0.5,0.6,0"))

    assert {fault["code"] for fault in result.errors} == {"bad_number", "negative"}


@pytest.mark.django_db
def test_the_first_hundred_faults_are_listed_and_all_are_counted():
    result = take(sheet(*["DE,never,1,1,0,0,0"] * 250))

    assert (len(result.errors), result.faults) == (100, 250)


@pytest.mark.django_db
def test_a_missing_heading_names_the_nearest_one():
    result = take(sheet(RIGHT, headings=HEADINGS.replace("renewable_share", "renewables_share")))

    (fault,) = result.errors
    assert (fault["line"], fault["column"], fault["code"]) == (1, "renewable_share", "missing_column")
    assert "renewables_share" in fault["hint"]


@pytest.mark.django_db
def test_an_unknown_zone_is_answered_with_the_nearest():
    result = take(sheet(RIGHT.replace("DE,", "US-TEX-ERC,")))

    assert result.errors[0]["hint"] == "did you mean US-TEX-ERCO?"


@pytest.mark.django_db
def test_the_same_bytes_again_give_the_first_result():
    first = take(sheet(RIGHT))

    assert take(sheet(RIGHT)) == first
    assert GridHour.objects.count() == 1


@pytest.mark.django_db
def test_a_refused_file_is_tried_again_when_the_zone_has_been_made():
    data = sheet(RIGHT.replace("DE,", "XX-1,"))
    assert take(data).state == "refused"

    GridZone.objects.create(code="XX-1", name="A new zone", country="XX")

    assert take(data).state == "imported"


@pytest.mark.django_db
def test_a_revision_is_a_new_vintage_beside_the_old_one():
    take(sheet(RIGHT))
    take(sheet(RIGHT.replace("379.8", "360.0")))

    assert sorted(GridHour.objects.values_list("lifecycle_mg_per_kwh", flat=True)) == [360_000, 379_800]
    assert GridHour.objects.values("vintage").distinct().count() == 2


@pytest.mark.django_db
def test_only_the_zones_asked_for_are_imported_and_the_rest_may_follow():
    data = sheet(RIGHT, RIGHT.replace("DE,", "FR,"), "??,never,x,x,x,x,x")

    assert take(data, zones=["FR"]).rows == 1
    assert take(data, zones=["DE", "FR"]).rows == 1
    assert sorted(GridHour.objects.values_list("zone__code", flat=True)) == ["DE", "FR"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"zone\xff\n", "line 1 is not UTF-8"),
        (gzip.compress(sheet(RIGHT))[:-9], "damaged"),
        (sheet(RIGHT) + b'"' + b"x" * 200_000, "no CSV"),
    ],
)
def test_what_is_no_table_is_refused_in_words(data, said):
    with pytest.raises(WrongImport, match=said):
        take(data)

    assert not ImportFile.objects.exists()


@pytest.mark.django_db
def test_an_unknown_kind_or_zone_is_refused_before_reading():
    with pytest.raises(WrongImport, match="no kind 'weather'"):
        take(b"", "weather")
    with pytest.raises(WrongImport, match="no grid zone is called ATLANTIS"):
        take(sheet(RIGHT), zones=["ATLANTIS"])


@given(st.integers(0, 10**9), st.integers(0, 6))
def test_decimals_become_whole_numbers_without_a_binary_fraction(number, places):
    text = f"{number // 10**places}.{number % 10**places:0{places}d}" if places else str(number)

    assert scaled(text, 6) == number * 10 ** (6 - places)


@pytest.mark.parametrize("text", ["", " ", "1_000", "inf", "-inf", "1,5", "0x10", "1e99", "1e-99", "٣"])
def test_what_only_looks_like_a_number_is_refused(text):
    with pytest.raises(WrongCell):
        scaled(text, 3)


@pytest.mark.django_db
def test_the_command_imports_a_file_and_keeps_the_publishers_notice(tmp_path: Path):
    file, out = tmp_path / "hours.csv", io.StringIO()
    file.write_bytes(sheet(RIGHT))

    call_command("import_grid", str(file), stdout=out)

    assert "1 hours imported" in out.getvalue()
    assert "Open Database License" in out.getvalue()


@pytest.mark.django_db
def test_the_command_prints_every_fault_and_fails(tmp_path: Path):
    file, err = tmp_path / "hours.csv", io.StringIO()
    file.write_bytes(sheet(RIGHT, "DE,never,1,1,0,0,0"))

    with pytest.raises(CommandError, match="1 faults: nothing was imported"):
        call_command("import_grid", str(file), stderr=err)

    assert "line 3, utc_hour: not_utc: 'never' is no time" in err.getvalue()


@pytest.mark.django_db
def test_the_command_says_which_file_it_cannot_read(tmp_path: Path):
    with pytest.raises(CommandError, match=r"nowhere\.csv cannot be read: No such file"):
        call_command("import_grid", str(tmp_path / "nowhere.csv"))


@pytest.mark.django_db
def test_four_years_of_a_real_zone_are_imported_from_the_shared_file():
    if not GRID.exists():
        pytest.skip(f"no real grid hours: {GRID.name} is kept outside this repository")

    result = take(GRID.read_bytes(), zones=["DE"])

    assert (result.state, result.rows) == ("imported", 35_064)
    last = GridHour.objects.filter(zone__code="DE").latest("start")
    assert last.start == datetime(2024, 12, 31, 23, tzinfo=UTC)
