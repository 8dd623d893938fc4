"""Meters, plants and certificates over HTTP: one's own alone, whole files or nothing, dry runs that leave nothing."""

import json
from datetime import timedelta
from itertools import count

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Role
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.models import CertificateLot, EnergySource, ImportFile, MeterPoint, PointHour, SourceShare
from marketplace.energy.supply import take
from tests.energy.evidence import make_lot, make_share
from tests.energy.files import NOW, Provider, everything, gc, gec, points
from tests.market import MONDAY, NOON, make_member
from tests.search.test_offers_api import client_of, signed_in

pytestmark = pytest.mark.django_db
SOURCE = {
    "device_id": "roof 9", "name": "Roof", "kind": "onsite", "technology": "solar", "capacity_w": 5000, "zone": "CN-NX",
    "commissioned_on": "2024-05-01",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_counters(settings):
    """Rate limits of these tests are counted apart."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "evidence"}}


@pytest.fixture(autouse=True)
def _a_week_later(monkeypatch):
    """Each request comes a second after the one before, in the week after the hours that the files tell."""
    seconds = count()
    monkeypatch.setattr("marketplace.common.clock.utc_now", lambda: NOW + timedelta(seconds=next(seconds)))


@pytest.fixture
def provider() -> Provider:
    found = Provider()
    make_member(found.organization, Role.PROVIDER)
    return found


@pytest.fixture
def seller(provider):
    return signed_in(provider.organization, Role.PROVIDER)


@pytest.fixture
def rival():
    return signed_in(Provider("Another", "2").organization, Role.PROVIDER)


def send(client, path: str, data: bytes, **query: str):
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return client.post(f"/api/v1/{path}?{words}", data, content_type="text/csv")


def send_form(client, path: str, data: bytes, **fields: str):
    file = SimpleUploadedFile("file.csv", data, content_type="text/csv")
    return client.post(f"/api/v1/{path}", {"file": file, **fields}, format="multipart")


def code_of(answer) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def test_a_source_is_declared_read_and_changed_under_its_version(provider, seller):
    made = seller.post("/api/v1/energy_sources", SOURCE, format="json")
    assert (made.status_code, made["ETag"], made.json()["evidence"]) == (201, '"1"', "declared")
    path = f"/api/v1/energy_sources/{made.json()['id']}"

    assert code_of(seller.patch(path, {"name": "East roof"}, format="json")) == (428, "precondition_required")
    stale = seller.patch(path, {"name": "East roof"}, format="json", headers={"if-match": '"7"'})
    assert code_of(stale) == (412, "stale_version")
    changed = seller.patch(path, {"name": "East roof"}, format="json", headers={"if-match": '"1"'})

    assert (changed.status_code, changed["ETag"]) == (200, '"2"')
    assert seller.get(path).json()["name"] == "East roof"
    assert [row["device_id"] for row in seller.get("/api/v1/energy_sources").json()["data"]] == ["roof 9", "roof 1"]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"device_id": "roof 1"}, "/device_id"),
        ({"zone": "CN-XX"}, "/zone"),
        ({"kind": "storage"}, "/technology"),
        ({"efficiency_ppm": 880_000}, "/efficiency_ppm"),
        ({"capacity_w": 0}, "/capacity_w"),
        ({"evidence": "audited"}, "/evidence"),
    ],
)
def test_a_source_that_cannot_be_so_is_refused(provider, seller, changes, pointer):
    answer = seller.post("/api/v1/energy_sources", SOURCE | changes, format="json")

    assert code_of(answer) == (422, "validation_failed")
    assert pointer in {each["pointer"] for each in answer.json()["errors"]}
    assert EnergySource.objects.count() == 1


def test_what_was_verified_and_what_is_sold_stays(provider, seller):
    auditor = make_member(Provider("Another", "2").organization, Role.AUDITOR)
    EnergySource.objects.filter(pk=provider.roof.pk).update(
        evidence="metered", verified_by=auditor, verified_at=NOON, certificates_sold=True
    )
    path = f"/api/v1/energy_sources/{provider.roof.public_id}"

    for changes in ({"capacity_w": 2000}, {"certificates_sold": False}):
        answer = seller.patch(path, changes, format="json", headers={"if-match": '"1"'})
        assert code_of(answer) == (409, "illegal_state")
    assert EnergySource.objects.get(pk=provider.roof.pk).version == 1


def test_a_slice_of_a_source_serves_one_point(provider, seller):
    path = f"/api/v1/energy_sources/{provider.roof.public_id}/shares"
    ask = {"point": "hall 1", "lower_ppm": 0, "upper_ppm": 500_000, "start": "2026-11-01T00:00:00Z"}

    assert seller.post(path, ask, format="json").status_code == 201
    assert code_of(seller.post(path, ask | {"lower_ppm": 499_999}, format="json")) == (422, "validation_failed")
    assert code_of(seller.post(path, ask | {"point": "hall 2"}, format="json")) == (404, "not_found")
    [share] = seller.get(f"/api/v1/energy_sources/{provider.roof.public_id}").json()["shares"]
    assert (share["point"], share["lower_ppm"], share["upper_ppm"], share["end"]) == ("hall 1", 0, 500_000, None)


def test_a_metering_point_is_made_and_listed(provider, seller):
    ask = {"code": "hall 5", "zone": "CN-GZ", "pue_design_ppm": 1_140_000}

    assert seller.post("/api/v1/meter_points", ask, format="json").status_code == 201
    assert code_of(seller.post("/api/v1/meter_points", ask, format="json")) == (422, "validation_failed")
    assert [row["id"] for row in seller.get("/api/v1/meter_points").json()["data"]] == ["hall 1", "hall 5"]
    assert seller.get("/api/v1/meter_points/hall 5").json()["zone"] == "CN-GZ"


def test_readings_come_as_a_table_as_a_form_or_as_rows(provider, seller):
    rows = [{"point": "hall 1", "start_utc": "2026-11-23T02:00Z", "minutes": 60, "it_wh": 10, "total_wh": 12}]
    answers = [
        send(seller, "meter_readings", points()),
        send_form(seller, "meter_readings", points({"start_utc": "2026-11-23T01:00Z"})),
        seller.post("/api/v1/meter_readings", {"rows": rows}, format="json"),
    ]

    assert [answer.status_code for answer in answers] == [201] * 3
    assert answers[0].json()["rows"] == 1
    assert PointHour.objects.count() == 3


def test_the_same_bytes_again_are_answered_with_the_first_result(provider, seller):
    first = send(seller, "meter_readings", points())
    again = send(seller, "meter_readings", points())

    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()


def test_faults_of_a_table_are_named_by_line_and_heading_with_their_total(provider, seller):
    answer = send(seller, "meter_readings", points(*[{"it_wh": "x"}] * 150))

    body = answer.json()
    assert (answer.status_code, body["code"], body["facts"]) == (422, "validation_failed", {"faults": 150})
    assert answer["Content-Type"] == "application/problem+json"
    assert len(body["errors"]) == 100
    first = body["errors"][0]
    assert (first["line"], first["column"], first["code"]) == (2, "it_wh", "bad_number")
    assert first["detail"]
    assert first["hint"]
    assert not PointHour.objects.exists()
    assert ImportFile.objects.get().state == "refused"


def test_faults_of_rows_are_pointed_to(provider, seller):
    rows = [{"point": "hall 1", "start_utc": "2026-11-23T02:00Z", "minutes": 60, "it_wh": 10, "total_wh": 9}, {}]

    answer = seller.post("/api/v1/meter_readings", {"rows": rows}, format="json")

    pointers = [each["pointer"] for each in answer.json()["errors"]]
    assert pointers[0] == "/rows/0/it_wh"
    assert "/rows/1/point" in pointers
    assert not PointHour.objects.exists()


@pytest.mark.parametrize("send_it", [send, send_form])
def test_certificates_are_imported_listed_and_read(provider, seller, send_it):
    assert send_it(seller, "certificate_lots", gc(), kind="gc", point="hall 1").status_code == 201
    assert send_it(seller, "certificate_lots", gec(), kind="gec", point="hall 1").json()["rows"] == 1

    month, hour = seller.get("/api/v1/certificate_lots").json()["data"]
    assert (month["scheme"], month["temporal_resolution"], month["expires_at"]) == (
        "GEC", "month", "2028-03-31T16:00:00Z"
    )  # fmt: skip
    assert (hour["scheme"], hour["state"], hour["wh"]["available"], hour["what"]) == (
        "GC", "pending", 1000, "certificate"
    )  # fmt: skip
    whole = seller.get(f"/api/v1/certificate_lots/{hour['id']}").json()
    assert whole["spans"] == [{"lower": 0, "upper": 1000, "state": "available", "subject": None}]
    assert whole["entries"] == []


def test_a_lot_shows_the_state_of_each_wh_and_the_moves_that_led_there(provider, seller):
    lot = make_lot(100, holder=provider.organization, point=provider.point)
    take(lots=[lot.pk], wh=30, old="available", new="reserved", subject="job_a", now=NOON)

    body = seller.get(f"/api/v1/certificate_lots/{lot.public_id}").json()

    assert [(span["lower"], span["upper"], span["state"]) for span in body["spans"]] == [
        (0, 30, "reserved"), (30, 100, "available")
    ]  # fmt: skip
    [entry] = body["entries"]
    assert (entry["from"], entry["to"], entry["subject"], entry["at"]) == (
        "available", "reserved", "job_a", "2026-11-23T12:00:00Z"
    )  # fmt: skip


def test_on_site_energy_is_never_called_a_certificate(provider, seller):
    make_share(provider.roof, provider.point)
    record_generation(source=provider.roof, made=[Made(MONDAY, 100)], now=NOON)

    [lot] = seller.get("/api/v1/certificate_lots").json()["data"]
    assert (lot["scheme"], lot["what"]) == ("METER", "on-site meter record")


def test_lots_are_filtered_by_state_and_come_in_pages(provider, seller):
    lots = [make_lot(10, holder=provider.organization, state=state) for state in ("pending", "active", "active")]

    first = seller.get("/api/v1/certificate_lots?state=active&limit=1").json()
    rest = seller.get(f"/api/v1/certificate_lots?state=active&starting_after={first['next_cursor']}").json()

    assert (first["has_more"], first["meta"]["count"]) == (True, 2)
    assert [row["id"] for row in first["data"] + rest["data"]] == [lots[2].public_id, lots[1].public_id]
    assert code_of(seller.get("/api/v1/certificate_lots?state=lost")) == (400, "invalid_parameter")


def test_a_dry_run_checks_everything_and_leaves_nothing(provider, seller):
    before = everything(), MeterPoint.objects.count(), EnergySource.objects.count()
    right = [
        send(seller, "meter_readings", points(), dry_run="true"),
        send(seller, "certificate_lots", gc(), kind="gc", point="hall 1", dry_run="true"),
        seller.post("/api/v1/energy_sources?dry_run=true", SOURCE, format="json"),
        seller.post(
            "/api/v1/meter_points?dry_run=true", {"code": "x", "zone": "DE", "pue_design_ppm": 10**6}, format="json"
        ),
        seller.post(
            f"/api/v1/energy_sources/{provider.roof.public_id}/shares?dry_run=true",
            {"point": "hall 1", "start": "2026-11-01T00:00:00Z"}, format="json",
        ),
    ]  # fmt: skip
    wrong = send(seller, "meter_readings", points({"it_wh": "x"}), dry_run="true")

    assert [answer.status_code for answer in right] == [200] * 5
    assert code_of(wrong) == (422, "validation_failed")
    assert (everything(), MeterPoint.objects.count(), EnergySource.objects.count()) == before
    assert not ImportFile.objects.exists()
    assert not SourceShare.objects.exists()


def test_what_is_anothers_is_as_if_it_did_not_exist(provider, rival):
    lot = make_lot(10, holder=provider.organization)
    source = provider.roof.public_id
    match = {"if-match": '"1"'}

    answers = [
        rival.get(f"/api/v1/energy_sources/{source}"),
        rival.patch(f"/api/v1/energy_sources/{source}", {"name": "Mine"}, format="json", headers=match),
        rival.post(f"/api/v1/energy_sources/{source}/shares", {"point": "hall 2"}, format="json"),
        rival.get("/api/v1/meter_points/hall 1"),
        rival.get(f"/api/v1/certificate_lots/{lot.public_id}"),
        rival.get("/api/v1/certificate_lots?point=hall 1"),
        send(rival, "certificate_lots", gc(), kind="gc", point="hall 1"),
    ]

    assert [code_of(answer) for answer in answers] == [(404, "not_found")] * len(answers)
    assert rival.get("/api/v1/certificate_lots").json()["data"] == []
    assert [row["device_id"] for row in rival.get("/api/v1/energy_sources").json()["data"]] == ["roof 2"]
    assert CertificateLot.objects.count() == 1


def test_a_key_without_the_scope_and_a_person_without_the_role_write_nothing(provider):
    reader, buyer = client_of(provider.organization, "energy:read"), signed_in(provider.organization, Role.BUYER)

    for client, code in ((reader, "scope_missing"), (buyer, "role_missing")):
        answers = [
            client.post("/api/v1/energy_sources", SOURCE, format="json"),
            client.post("/api/v1/meter_points", {}, format="json"),
            send(client, "meter_readings", points()),
            send(client, "certificate_lots", gc(), kind="gc", point="hall 1"),
        ]
        assert [code_of(answer) for answer in answers] == [(403, code)] * 4
    assert reader.get("/api/v1/certificate_lots").status_code == 200
    assert not ImportFile.objects.exists()


@pytest.mark.parametrize(
    ("data", "query", "code"),
    [
        (b"point\xff\n", {}, (422, "validation_failed")),
        (b"", {}, (422, "validation_failed")),
    ],
)
def test_what_is_no_table_is_refused_in_words(provider, seller, data, query, code):
    assert code_of(send(seller, "meter_readings", data, **query)) == code


def test_a_file_names_its_kind_and_point_and_comes_in_a_known_form(provider, seller):
    assert code_of(send(seller, "certificate_lots", gc(), kind="weather", point="hall 1"))[0] == 422
    assert code_of(send(seller, "certificate_lots", gc(), kind="gc"))[0] == 422
    assert code_of(seller.post("/api/v1/certificate_lots", {"kind": "gc", "point": "hall 1"}, format="multipart")) == (
        422, "validation_failed"
    )  # fmt: skip
    asked = seller.post("/api/v1/certificate_lots", json.dumps({}), content_type="application/json")
    assert code_of(asked) == (415, "unsupported_media_type")
