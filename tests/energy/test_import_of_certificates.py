"""Files of certificates: pending lots with exact intervals, or every fault named and nothing written."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.common.errors import NotFound
from marketplace.energy import schemes
from marketplace.energy.errors import WrongImport
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.models import CertificateLot, GenerationHour, ImportFile, Issuance, MatchLine
from marketplace.energy.supply import take
from tests.energy.evidence import make_issuance, make_lot, make_point, make_share, make_source, make_use
from tests.energy.files import NOW, Provider, gc, gec, refused
from tests.market import MONDAY, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider() -> Provider:
    return Provider()


def of_roof(**cells: object) -> bytes:
    return gc({"device_id": "roof 1", "technology": "solar", "capacity_w": 1000, **cells})


def test_an_hourly_certificate_becomes_a_lot_that_waits_for_a_reviewer(provider):
    result = provider.send(gc({"range_start": 500, "range_end": 1500}), "gc")

    assert (result.state, result.rows, result.scope) == ("imported", 1, "hall 1")
    lot = CertificateLot.objects.select_related("issuance__zone").get()
    assert (lot.wh_range.lower, lot.wh_range.upper, lot.state, lot.available_wh) == (500, 1500, "pending", 1000)
    assert (lot.holder, lot.point, lot.evidence_sha256) == (provider.organization, provider.point, result.sha256)
    issued = lot.issuance
    assert (issued.scheme, issued.temporal_resolution, issued.start, issued.end) == (
        "GC", "hour", MONDAY, at(MONDAY, 1)
    )  # fmt: skip
    assert (issued.zone.code, issued.source, issued.capacity_w, issued.tradable) == ("CN-NX", None, 3000, True)


@pytest.mark.parametrize(
    ("start", "end", "resolution"),
    [
        ("2026-11-22T00:00Z", "2026-11-22T00:15Z", "hour"),
        ("2026-11-22T00:00Z", "2026-11-22T01:00Z", "hour"),
        ("2026-11-22T00:30Z", "2026-11-22T01:30Z", "day"),
        ("2026-11-22T00:00Z", "2026-11-22T02:00Z", "day"),
        ("2026-10-01T00:00Z", "2026-11-01T00:00Z", "month"),
        ("2025-10-01T00:00Z", "2026-10-01T00:00Z", "year"),
    ],
)
def test_the_resolution_follows_from_the_interval_and_is_never_widened(provider, start, end, resolution):
    provider.send(gc({"start_utc": start, "end_utc": end, "range_end": 100}), "gc")

    assert Issuance.objects.get().temporal_resolution == resolution


def test_ranges_of_one_issuance_are_lots_of_it_and_a_later_file_may_bring_the_next(provider):
    provider.send(gc({"range_end": 400}, {"range_start": 400}), "gc")
    provider.send(gc({"range_start": 1000, "range_end": 1200}), "gc")

    assert Issuance.objects.count() == 1
    assert [lot.wh_range.lower for lot in CertificateLot.objects.order_by("pk")] == [0, 400, 1000]


def test_a_guarantee_of_origin_is_of_whole_mwh_is_tradable_a_year_and_ends_after_18_months(provider):
    month = {"scheme": "GO", "range_end": 1_000_000, "start_utc": "2025-10-01T00:00Z", "end_utc": "2025-11-01T00:00Z"}

    provider.send(gc(month), "gc")

    issued = Issuance.objects.get()
    assert (issued.tradable, issued.expires_at) == (False, datetime(2027, 5, 1, tzinfo=UTC))
    assert schemes.is_tradable("GO", datetime(2025, 12, 2, tzinfo=UTC), NOW)
    assert not schemes.is_tradable("GO", datetime(2025, 12, 1, tzinfo=UTC), NOW)


def test_what_a_file_tells_of_expiry_never_exceeds_the_rules_of_the_scheme(provider):
    month = {"scheme": "GO", "range_end": 1_000_000, "start_utc": "2026-10-01T00:00Z", "end_utc": "2026-11-01T00:00Z"}

    provider.send(gc(month | {"expires_at": "2030-01-01T00:00Z"}), "gc")

    assert Issuance.objects.get().expires_at == datetime(2028, 5, 1, tzinfo=UTC)


def test_a_green_certificate_is_of_a_month_of_beijing_and_ends_two_years_on(provider):
    assert provider.send(gec(), "gec").rows == 1

    issued = Issuance.objects.select_related("zone").get()
    assert (issued.start, issued.end) == (
        datetime(2026, 2, 28, 16, tzinfo=UTC), datetime(2026, 3, 31, 16, tzinfo=UTC)
    )  # fmt: skip
    assert issued.expires_at == datetime(2028, 3, 31, 16, tzinfo=UTC)
    assert (issued.scheme, issued.temporal_resolution, issued.zone.code) == ("GEC", "month", "CN-NX")
    assert CertificateLot.objects.get().available_wh == 2_000_000


@pytest.mark.parametrize(
    ("cells", "tradable"),
    [
        ({}, True),
        ({"tradable": "no"}, False),
        ({"self_use": "yes"}, False),
        ({"technology": "hydro", "commissioned_on": "2022-12-31"}, False),
        ({"technology": "hydro", "commissioned_on": "2023-01-01"}, True),
    ],
)
def test_self_used_energy_and_early_hydropower_are_not_tradable(provider, cells, tradable):
    provider.send(gec({"self_use": "no"} | cells), "gec")

    assert Issuance.objects.get().tradable is tradable


@pytest.mark.parametrize("name", ["宁夏", "Ningxia", "ningxia", "CN-NX"])
def test_a_province_is_known_by_each_of_its_names(provider, name):
    assert provider.send(gec(province=name), "gec").state == "imported"


GC_FAULTS = [
    ({"range_end": "1000.5"}, "range_end", "bad_number"),
    ({"range_start": "1000"}, "range_end", "bad_number"),
    ({"range_start": "-1"}, "range_start", "negative"),
    ({"capacity_w": "0"}, "capacity_w", "bad_number"),
    ({"technology": "coal"}, "technology", "bad_value"),
    ({"commissioned_on": "May 2020"}, "commissioned_on", "bad_value"),
    ({"commissioned_on": "2026-11-30"}, "end_utc", "bad_value"),
    ({"start_utc": "2026-11-23T00:00"}, "start_utc", "not_utc"),
    ({"end_utc": "2026-11-23T00:59:59Z"}, "end_utc", "not_on_grid"),
    ({"end_utc": "2026-11-23T00:00Z"}, "end_utc", "bad_value"),
    ({"end_utc": "2026-12-01T01:00Z"}, "end_utc", "bad_value"),
    ({"start_utc": "2024-11-22T00:00Z"}, "end_utc", "interval_too_long"),
    ({"range_end": "3001"}, "range_end", "exceeds_capacity"),
    ({"market_zone": "CN-NW"}, "market_zone", "wrong_zone"),
    ({"market_zone": "DE"}, "market_zone", "wrong_zone"),
    ({"state": "expired"}, "state", "expired"),
    ({"state": "cancelled"}, "state", "bad_value"),
    ({"expires_at": "2026-12-01T00:00Z"}, "expires_at", "expired"),
    ({"scheme": "REC", "range_end": 1_000_000, "capacity_w": 10**9}, "end_utc", "not_on_grid"),
    ({"scheme": "GO"}, "range_end", "bad_number"),
    ({"scheme": "IREC", "range_end": 1_000_000, "start_utc": "2026-10-01T00:00Z", "end_utc": "2026-11-01T00:00Z"},
     "end_utc", "scheme_closed"),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "column", "code"), GC_FAULTS)
def test_a_fault_is_named_by_line_column_and_code_and_nothing_is_written(provider, cells, column, code):
    assert refused(provider, gc(cells), "gc") == [(2, column, code)]


def test_i_rec_of_production_in_china_before_2025_is_taken(provider):
    year = {"scheme": "IREC", "range_end": 1_000_000, "start_utc": "2023-12-31T16:00Z", "end_utc": "2024-12-31T16:00Z"}

    assert provider.send(gc(year), "gc").state == "imported"


GEC_FAULTS = [
    ({"quantity": "0"}, "quantity", "bad_number"),
    ({"quantity": "1.5"}, "quantity", "bad_number"),
    ({"production_month": "March 2026"}, "production_month", "not_on_grid"),
    ({"production_month": "2026-12"}, "production_month", "bad_value"),
    ({"production_month": "2024-11"}, "production_month", "expired"),
    ({"province": "Ningxi"}, "province", "wrong_zone"),
    ({"technology": "storage"}, "technology", "scheme_closed"),
    ({"tradable": "perhaps"}, "tradable", "bad_value"),
    ({"holder": "Somebody Else"}, "holder", "bad_value"),
    ({"ccer": "yes"}, "ccer", "scheme_closed"),
]


@pytest.mark.parametrize(("cells", "column", "code"), GEC_FAULTS)
def test_a_fault_of_a_green_certificate_is_named_and_nothing_is_written(provider, cells, column, code):
    assert refused(provider, gec(cells), "gec") == [(2, column, code)]


def test_a_green_certificate_serves_no_point_outside_china(provider):
    abroad = Provider("Abroad", "2")
    abroad.point = make_point(abroad.organization)

    assert refused(abroad, gec(holder="Abroad"), "gec") == [(2, "province", "wrong_zone")]


@pytest.mark.parametrize(
    ("rows", "line", "column"),
    [
        ([{}, {}], 3, "range_end"),
        ([{"range_start": 400}, {"range_end": 401}], 2, "range_end"),
        ([{"range_end": 400}, {"range_start": 400, "device_id": "wind 2"}], 3, "issuance_id"),
        ([{"range_end": 400}, {"range_start": 400, "end_utc": "2026-11-23T00:30Z"}], 3, "issuance_id"),
    ],
)
def test_no_wh_is_in_two_rows_and_an_issuance_is_one_thing(provider, rows, line, column):
    assert (line, column, "certificate_overlap") in refused(provider, gc(*rows), "gc")


def test_no_wh_is_held_twice_whoever_holds_it(provider):
    other = Provider("Another", "2")
    other.send(gc(), "gc")

    assert refused(provider, gc({"range_start": 999, "range_end": 1100}), "gc") == [
        (2, "range_end", "certificate_overlap")
    ]
    assert refused(provider, gc({"range_start": 1000, "range_end": 1100, "device_id": "wind 2"}), "gc") == [
        (2, "issuance_id", "certificate_overlap")
    ]


def test_all_certificates_of_a_plant_and_hour_are_within_its_capacity(provider):
    provider.send(gc({"range_end": 2000}), "gc")

    second = {"issuance_id": "iss-2", "range_end": 1001}
    assert refused(provider, gc(second), "gc") == [(2, "range_end", "exceeds_capacity")]
    assert provider.send(gc(second | {"range_end": 1000}), "gc").state == "imported"


def test_certificates_of_ones_own_plant_claim_what_its_meter_saw_and_no_more(provider):
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=MONDAY)

    assert refused(provider, of_roof(range_end=901), "gc") == [(2, "range_end", "exceeds_production")]
    provider.send(of_roof(range_end=600), "gc")

    assert GenerationHour.objects.get().claimed_wh == 600
    assert Issuance.objects.get().source == provider.roof
    again = {"issuance_id": "iss-2", "range_end": 301}
    assert refused(provider, of_roof(**again), "gc") == [(2, "range_end", "exceeds_production")]


def test_certificates_and_on_site_records_share_what_was_made(provider):
    make_share(provider.roof, provider.point, 0, 500_000)
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=MONDAY)

    assert refused(provider, of_roof(range_end=451), "gc") == [(2, "range_end", "exceeds_production")]
    assert provider.send(of_roof(range_end=450), "gc").state == "imported"


def test_a_plant_of_ones_own_that_no_meter_saw_made_nothing(provider):
    record_generation(source=provider.roof, made=[Made(at(MONDAY, 1), 900)], now=MONDAY)
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], quality="profile", now=MONDAY)

    assert refused(provider, of_roof(range_end=1), "gc") == [(2, "range_end", "exceeds_production")]


def test_energy_that_is_metered_by_the_hour_is_not_certified_by_the_month_too(provider):
    assert refused(provider, gec(plant="roof 1", technology="solar", commissioned_on="2024-05-01"), "gec") == [
        (2, "quantity", "exceeds_production")
    ]


@pytest.mark.parametrize(
    ("fields", "column", "code"),
    [
        ({"technology": "wind"}, "device_id", "bad_value"),
        ({"certificates_sold": True}, "device_id", "exceeds_production"),
        ({"kind": "storage", "technology": "storage", "efficiency_ppm": 880_000}, "device_id", "storage_exceeds_input"),
    ],
)
def test_a_plant_of_ones_own_is_what_it_is_on_record(provider, fields, column, code):
    make_source(provider.organization, device_id="plant 2", **fields)
    cells = {"device_id": "plant 2", "technology": "storage" if "kind" in fields else "solar"}

    assert refused(provider, gc(cells), "gc") == [(2, column, code)]


def test_a_contract_that_is_not_metered_here_rests_on_the_registrys_word(provider):
    tariff = make_source(provider.organization, device_id="tariff 1", kind="tariff", technology="wind")

    provider.send(gc(device_id="tariff 1"), "gc")

    assert Issuance.objects.get().source == tariff


def test_anothers_plant_is_as_if_it_did_not_exist(provider):
    other = Provider("Another", "2")
    record_generation(source=other.roof, made=[Made(MONDAY, 900)], now=MONDAY)

    provider.send(gc(device_id="roof 2", technology="solar"), "gc")

    assert Issuance.objects.get().source is None
    assert GenerationHour.objects.get().claimed_wh == 0


def test_certificates_serve_a_point_of_ones_own(provider):
    other = Provider("Another", "2")

    with pytest.raises(NotFound):
        provider.send(gc(), "gc", point=other.point)
    with pytest.raises(WrongImport, match="serve one metering point"):
        provider.send(gc(), "gc", point=None)

    assert not ImportFile.objects.exists()


def test_a_certificate_made_of_one_that_is_alive_is_refused(provider):
    make_lot(10, issuance=make_issuance(issuance_id="go-7"))

    assert refused(provider, gc(underlying_serial="go-7"), "gc") == [
        (2, "underlying_serial", "underlying_still_active")
    ]


def test_a_certificate_made_of_one_that_serves_a_use_is_refused(provider):
    lot = make_lot(10, issuance=make_issuance(issuance_id="go-7"), point=provider.point)
    for old, new in (("available", "reserved"), ("reserved", "cancelled")):
        take(lots=[lot.pk], wh=10, old=old, new=new, subject="job_a", now=NOW)
    use = make_use(provider.point, "job_a", MONDAY, 10)
    line = MatchLine.objects.create(use_hour=use, lot=lot, wh_range=(0, 10))

    assert refused(provider, gc(underlying_serial="go-7"), "gc") == [
        (2, "underlying_serial", "underlying_still_active")
    ]
    MatchLine.objects.filter(pk=line.pk).update(live=False)
    assert provider.send(gc(underlying_serial="go-7"), "gc").state == "imported"


def test_one_certificate_is_made_of_one_and_the_two_never_live_side_by_side(provider):
    twice = [{"underlying_serial": "go-7"}, {"issuance_id": "iss-2", "underlying_serial": "go-7", "device_id": "w"}]
    assert refused(provider, gc(*twice), "gc") == [(2, "underlying_serial", "underlying_still_active")]
    both = [{"underlying_serial": "iss-2"}, {"issuance_id": "iss-2", "device_id": "w"}]
    assert (2, "underlying_serial", "underlying_still_active") in refused(provider, gc(*both), "gc")

    provider.send(gc(underlying_serial="go-7"), "gc")

    assert refused(provider, gc(issuance_id="go-7", device_id="w"), "gc") == [
        (2, "issuance_id", "underlying_still_active")
    ]


def test_the_same_bytes_for_the_same_point_give_the_first_result(provider):
    first = provider.send(gc(), "gc")

    assert provider.send(gc(), "gc") == first
    assert CertificateLot.objects.count() == 1


def test_a_file_that_was_refused_is_tried_again(provider):
    assert refused(provider, of_roof(range_end=500), "gc")
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=MONDAY)

    assert provider.send(of_roof(range_end=500), "gc").state == "imported"


def test_every_fault_of_a_file_is_named_whether_a_row_shows_it_or_the_record(provider):
    rows = [{"technology": "coal"}, {"issuance_id": "iss-2", "device_id": "roof 1", "technology": "solar"},
            {"issuance_id": "iss-3", "device_id": "w", "market_zone": "DE"}]  # fmt: skip

    assert refused(provider, gc(*rows), "gc") == [
        (2, "technology", "bad_value"), (3, "range_end", "exceeds_production"), (4, "market_zone", "wrong_zone")
    ]  # fmt: skip


def test_a_file_of_ten_thousand_rows_names_all_of_its_37_faults_and_imports_nothing(provider):
    rows = []
    for number in range(10_000):
        start = MONDAY - timedelta(hours=number)
        rows.append({
            "issuance_id": f"iss-{number}", "start_utc": f"{start:%Y-%m-%dT%H:%MZ}",
            "end_utc": f"{at(start, 1):%Y-%m-%dT%H:%MZ}",
        })  # fmt: skip
    wrong = [("range_end", "x", "bad_number"), ("technology", "coal", "bad_value"), ("market_zone", "DE", "wrong_zone"),
             ("range_end", "3001", "exceeds_capacity"), ("state", "expired", "expired"),
             ("device_id", "roof 1", "bad_value")]  # fmt: skip
    expected = []
    for number in range(37):
        column, text, code = wrong[number % len(wrong)]
        rows[number * 270][column] = text
        expected.append((number * 270 + 2, column, code))

    assert refused(provider, gc(*rows), "gc") == expected
    assert ImportFile.objects.get().faults == 37


def test_months_are_counted_in_the_calendar():
    assert schemes.months_after(datetime(2026, 8, 31, tzinfo=UTC), 6, zone=UTC) == datetime(2027, 2, 28, tzinfo=UTC)
    assert schemes.month_of("2026-12") == (
        datetime(2026, 11, 30, 16, tzinfo=UTC), datetime(2026, 12, 31, 16, tzinfo=UTC)
    )  # fmt: skip
    assert schemes.month_of("2026-13") is None
