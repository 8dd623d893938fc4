"""Receipts over HTTP: whose they are, their files, verification for everybody, and statements of registries."""

import json
from datetime import timedelta
from io import BytesIO

import pytest
from django.utils import timezone
from joulemart import receipts
from pypdf import PdfReader
from rest_framework.test import APIClient

from marketplace.energy.models import CertificateLot, GreenReceipt, SupplyEntry
from marketplace.energy.receipts.document import key_set
from marketplace.energy.receipts.signing import Signer
from scheduler.receipting import issue_receipts
from tests.energy.evidence import make_issuance, make_lot
from tests.energy.receipt_papers import file_bytes, hour, payload
from tests.market import NOON, key_of, make_organization
from tests.scheduler.receipt_scene import RAN, final, provisional, ran, receipted_offer

pytestmark = pytest.mark.django_db


def client_of(organization, *scopes):
    _, secret = key_of(organization, *(scopes or ("receipts:read",)), now=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def offer():
    return receipted_offer()


@pytest.fixture
def buyer():
    return make_organization("Rhine Lab")


@pytest.fixture
def receipt(offer, buyer):
    return final(offer, buyer=buyer)


@pytest.fixture
def provider(offer):
    return offer.site.provider


def test_a_buyer_finds_the_latest_version_of_its_receipts(receipt, buyer):
    answer = client_of(buyer).get("/api/v1/receipts").json()

    [row] = answer["data"]
    assert (row["id"], row["version"], row["status"], row["excerpt"]) == (receipt.public_id, 2, "final", False)
    assert row["buyer"] == {"id": buyer.public_id, "name": "Rhine Lab"}
    assert row["shares"]["matched_ppm"] == 500 * 1_000_000 // 720
    assert answer["meta"]["count"] == 1


def test_the_list_is_narrowed_by_status_subject_and_date(receipt, buyer):
    client, day = client_of(buyer), receipt.issued_at

    def found(**query):
        return len(client.get("/api/v1/receipts", query).json()["data"])

    assert (found(status="final"), found(status="provisional")) == (1, 0)
    assert (found(subject=receipt.subject), found(subject="job_other")) == (1, 0)
    assert (found(issued_at__gte=day.isoformat()), found(issued_at__lt=day.isoformat())) == (1, 0)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("status=done", "invalid_parameter"),
        ("issued_at__gte=yesterday", "invalid_parameter"),
        ("created=1", "unknown_parameter"),
    ],
)
def test_a_query_that_means_nothing_is_refused(buyer, query, code):
    answer = client_of(buyer).get(f"/api/v1/receipts?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_receipts_come_in_pages_without_one_missing(offer, buyer):
    made = {provisional(offer, buyer=buyer, name=f"job {number}", now=NOON).public_id for number in range(3)}
    client, seen, after = client_of(buyer), [], ""

    while True:
        query = {"limit": 1} | ({"starting_after": after} if after else {})
        page = client.get("/api/v1/receipts", query).json()
        seen += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        after = page["next_cursor"]

    assert len(seen) == 3
    assert set(seen) == made


def test_the_file_verifies_and_so_does_the_file_as_it_was_at_a_version(receipt, buyer):
    client = client_of(buyer)
    keys = receipts.read_keys(client.get("/api/v1/receipts/keys").content)

    whole = client.get(f"/api/v1/receipts/{receipt.public_id}")
    before = client.get(f"/api/v1/receipts/{receipt.public_id}?version=1")

    assert receipts.verify(whole.content, keys=keys).code == "valid"
    then = receipts.verify(before.content, keys=keys)
    assert (then.code, then.version, then.status) == ("valid", 1, "provisional")


@pytest.mark.parametrize(("version", "status"), [("3", 404), ("0", 404), ("x", 400), ("9" * 30, 400)])
def test_a_version_that_is_not_there_is_told(receipt, buyer, version, status):
    answer = client_of(buyer).get(f"/api/v1/receipts/{receipt.public_id}?version={version}")

    assert answer.status_code == status


def test_a_provider_sees_its_own_sites_and_neither_name_nor_money_of_the_buyer(receipt, provider, buyer):
    client = client_of(provider)

    [row] = client.get("/api/v1/receipts").json()["data"]
    file = client.get(f"/api/v1/receipts/{receipt.public_id}")

    assert (row["excerpt"], row["buyer"]) == (True, {"id": buyer.public_id})
    assert "Rhine Lab" not in file.content.decode()
    for version in file.json()["versions"]:
        assert set(version) == {"payload"}
        assert not {"work", "equipment", "promise"} & set(version["payload"])
    with pytest.raises(receipts.Unreadable):
        receipts.verify(file.content)


def test_a_provider_sees_nothing_of_another_providers_site():
    from marketplace.energy.receipts.excerpt import excerpt_of

    hours = [hour(0, place=0, site_wh=600), hour(0, place=1, site_wh=400, direct_mg_per_kwh=100_000)]
    part = excerpt_of(payload(hours, places=2), {"org_1"})

    assert [each["site"]["name"] for each in part["places"]] == ["Site 1"]
    assert [(each["place"], each["site_wh"]) for each in part["hours"]] == [(0, 400)]
    assert part["totals"]["location_ug"] == 400 * 100_000
    assert "Provider 0" not in json.dumps(part)


def test_to_everybody_else_a_receipt_is_missing(receipt):
    stranger = client_of(make_organization())

    for path in ("", "/pdf", "?version=1"):
        assert stranger.get(f"/api/v1/receipts/{receipt.public_id}{path}").status_code == 404
    assert stranger.get("/api/v1/receipts").json()["data"] == []
    assert APIClient().get(f"/api/v1/receipts/{receipt.public_id}").status_code == 401
    assert client_of(receipt.buyer, "usage:read").get("/api/v1/receipts").json()["code"] == "scope_missing"


def test_by_its_id_anybody_learns_version_status_hash_and_date_and_no_more(receipt):
    told = APIClient().get(f"/api/v1/receipts/{receipt.public_id}/status").json()

    assert set(told) == {"object", "id", "version", "status", "sample", "sha256", "issued_at"}
    assert (told["version"], told["status"], told["sha256"]) == (2, "final", receipt.sha256)
    assert APIClient().get("/api/v1/receipts/rct_nothing/status").status_code == 404


def test_the_public_keys_stand_where_programs_look_for_them(receipt):
    known = APIClient().get("/.well-known/jwks.json")

    assert known.json() == APIClient().get("/api/v1/receipts/keys").json() == key_set()
    assert known.json()["keys"][0]["kid"] == receipt.kid
    assert "public" in known["Cache-Control"]


def test_the_pdf_shows_hash_link_and_figures_in_both_languages(receipt, buyer):
    client = client_of(buyer)

    def text(language):
        answer = client.get(f"/api/v1/receipts/{receipt.public_id}/pdf", headers={"Accept-Language": language})
        assert answer["Content-Type"] == "application/pdf"
        return " ".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages)

    english, chinese = text("en"), text("zh-hans")

    for each in (english, chinese):
        assert receipt.sha256 in each
        assert f"/verify/{receipt.public_id}" in each
        assert "69%" in each
    assert "On-site meter record" in english
    assert "绿电收据" in chinese


def verify(content):
    return APIClient().post("/api/v1/receipts/verify", content, content_type="application/json")


def test_anybody_may_have_a_file_verified(receipt, buyer):
    content = client_of(buyer).get(f"/api/v1/receipts/{receipt.public_id}").content

    told = verify(content).json()

    assert (told["result"], told["status"], told["first_failed"]) == ("valid", "final", None)
    assert GreenReceipt.objects.count() == 2
    assert told["newest"]["sha256"] == receipt.sha256
    assert all(check["ok"] for check in told["checks"])
    assert any("newer version" in each for each in told["unknown"])


def test_one_changed_number_names_the_check_and_the_hour(receipt, buyer):
    document = client_of(buyer).get(f"/api/v1/receipts/{receipt.public_id}").json()
    document["versions"][1]["payload"]["hours"][0]["onsite_wh"] += 1

    told = verify(json.dumps(document)).json()

    assert told["result"] == "check_failed"
    assert told["first_failed"]["name"] == "version 2: signature"
    faults = {check["name"]: check["fault"] for check in told["checks"]}
    assert faults["version 2: hours"].startswith("2026-11-23T12:00:00Z")
    assert told["newest"] is None


def test_a_file_signed_by_somebody_else_is_not_trusted(receipt):
    forged = file_bytes(payload([hour()]), signer=Signer("of somebody else"))

    assert verify(forged).json()["result"] == "key_untrusted"


def test_a_sample_passes_all_checks_and_is_no_evidence(settings, receipt):
    ours = Signer(settings.RECEIPT_SECRET)

    told = verify(file_bytes(payload([hour()], sample=True), signer=ours)).json()

    assert (told["result"], told["first_failed"]) == ("sample_data", None)


DEEP = b'{"a":' * 900 + b"1" + b"}" * 900
HOSTILE = {
    "nothing": b"", "no JSON": b"receipt", "a list": b"[1]", "deep lists": b"[" * 200_000, "deep objects": DEEP,
    "a number of many digits": b'{"schema": ' + b"9" * 100_000 + b"}", "a fraction": b'{"schema": 1.5}',
    "a name twice": b'{"schema": 1, "schema": 2}', "another schema": json.dumps({"schema": "x" * 100_000}).encode(),
    "no text": b"\xff\xfe\x00", "many versions": json.dumps(
        {"schema": "joulemart-green-receipt-file/1", "versions": [{}] * 5_000}
    ).encode(),
}  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_with_a_short_reason(content, db):
    answer = verify(content)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")
    assert len(answer.content) < 2_000


def test_a_file_beyond_eight_mebibytes_is_too_large(db):
    answer = verify(b" " * (8 * 1024 * 1024 + 1))

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.fixture
def waiting(offer, buyer):
    """A lot of which 400 Wh are reserved for a job whose receipt waits for the registry's statement."""
    from marketplace.energy.receipts.issuing import settle_receipts
    from marketplace.energy.settling import settle_due
    from tests.scheduler.receipt_scene import SETTLED

    lot = make_lot(400, point=offer.site.point, issuance=make_issuance(NOON, zone=offer.site.zone))
    job = ran(offer, buyer=buyer)
    issue_receipts(now=NOON + RAN)
    settle_due(now=SETTLED)
    settle_receipts(subjects=[job.public_id], now=SETTLED)
    return lot, job


def statement(job, **changes):
    body = {"subject": job.public_id, "from_wh": 0, "to_wh": 400, "beneficiary": "Rhine Lab", "reference": "r 17"}
    return body | changes


def test_the_holder_tells_the_registrys_statement_and_the_receipt_becomes_final(waiting):
    from marketplace.energy.receipts.issuing import advance_receipts

    lot, job = waiting
    client = client_of(lot.holder, "energy:write")

    rehearsed = client.post(
        f"/api/v1/certificate_lots/{lot.public_id}/cancellations?dry_run=true", statement(job), format="json"
    )
    assert (rehearsed.status_code, SupplyEntry.objects.filter(to_state="cancelled").count()) == (200, 0)
    told = client.post(f"/api/v1/certificate_lots/{lot.public_id}/cancellations", statement(job), format="json")

    assert (told.status_code, told.json()["wh"]) == (201, 400)
    assert CertificateLot.objects.get().cancelled_wh == 400
    advance_receipts(now=timezone.now() + timedelta(minutes=1))
    assert GreenReceipt.objects.newest().get().status == "final"


@pytest.mark.parametrize("changes", [{"to_wh": 399}, {"from_wh": 1}, {"subject": "job_other"}, {"from_wh": 400}])
def test_a_statement_of_other_wh_is_refused_and_names_the_expected_ones(waiting, changes):
    lot, job = waiting

    answer = client_of(lot.holder, "energy:write").post(
        f"/api/v1/certificate_lots/{lot.public_id}/cancellations", statement(job, **changes), format="json"
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "statement_range_mismatch")
    assert answer.json()["facts"]["expected"] == ([] if "subject" in changes else [[0, 400]])
    assert not SupplyEntry.objects.filter(to_state="cancelled").exists()


def test_only_the_holder_of_a_lot_may_cancel_it(waiting):
    lot, job = waiting

    for other in (job.buyer, make_organization()):
        answer = client_of(other, "energy:write").post(
            f"/api/v1/certificate_lots/{lot.public_id}/cancellations", statement(job), format="json"
        )
        assert answer.status_code == 404
    assert not SupplyEntry.objects.filter(to_state="cancelled").exists()
