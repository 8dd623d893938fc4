"""The pages of green receipts: list, one of them, reports by month, and verification for everybody."""

import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Role
from marketplace.energy.models import GreenReceipt
from marketplace.energy.receipts.document import file_of
from tests.energy.receipt_papers import certificate, file_bytes, hash_of, hour, payload
from tests.frontend.stage import signed_in, text_of
from tests.market import MONDAY, make_organization
from tests.scheduler.receipt_scene import final, provisional, receipted_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    return receipted_offer()


@pytest.fixture
def receipt(offer, buyer):
    return final(offer, buyer=buyer)


def kept(body, buyer, **changes):
    """A receipt with that payload, as if it had been issued to `buyer`."""
    body = body | {"buyer": {"id": buyer.public_id, "name": buyer.name}}
    return GreenReceipt.objects.create(
        public_id=body["id"], subject="job_1", buyer=buyer, providers=["org_0"], start=MONDAY, end=MONDAY,
        version=1, status=body["status"], payload=body, sha256=hash_of(body), jws="", kid="", issued_at=MONDAY,
        **changes,
    )  # fmt: skip


def test_without_a_receipt_the_page_says_what_brings_one(browser):
    text = text_of(browser.get("/receipts/"))

    assert "No receipt yet" in text
    assert "when it has ended" in text


def test_the_list_names_status_energy_and_share(browser, receipt):
    text = text_of(browser.get("/receipts/"))

    for words in (receipt.public_id, "Final", "0.72 kWh", "69%", receipt.subject):
        assert words in text
    assert "Nothing of this kind" in text_of(browser.get("/receipts/?status=provisional"))


def test_a_receipt_shows_label_shares_totals_hours_and_versions(browser, receipt):
    text = text_of(browser.get(f"/receipts/{receipt.public_id}/"))

    for words in (
        "Energy facts",
        "Solar, on site",
        "Matched by the hour 69%",
        "Grid 50%",
        "Location-based",
        "not metered",
    ):
        assert words in text
    assert "On-site meter record" in text
    assert "On-site meter record certificate" not in text
    assert text.count(receipt.sha256) == 1
    assert "Version 1" in text
    assert "Final: only a correction by a registry" in text


def test_an_earlier_version_says_that_another_has_taken_its_place(browser, receipt):
    text = text_of(browser.get(f"/receipts/{receipt.public_id}/?version=1"))

    assert "This is version 1; version 2 has taken its place." in text
    assert browser.get(f"/receipts/{receipt.public_id}/?version=7").status_code == 404


def test_a_provisional_receipt_says_when_its_hours_are_settled(browser, buyer, offer):
    receipt = provisional(offer, buyer=buyer)

    assert "its hours are settled at 2026-11-26 13:00 UTC" in text_of(browser.get(f"/receipts/{receipt.public_id}/"))


@pytest.mark.parametrize(("promised", "status", "words"), [
    (60, "final", "Kept"), (61, "final", "Missed: a credit follows"),
    (61, "provisional", "Judged by the final version"),
])  # fmt: skip
def test_a_promise_was_kept_or_missed_to_the_wh(browser, buyer, promised, status, words):
    promise = {"id": "prm_1", "promised_percent": promised, "credit_rate_ppm": 1, "cap_ppm": 1}
    sun = certificate(0, 0, 600, scheme="METER")
    kept(payload([hour(onsite_wh=600)], [sun], promise=promise, status=status), buyer)

    assert words in text_of(browser.get("/receipts/rct_1/"))


def test_many_hours_and_ranges_come_in_parts(browser, buyer):
    hours = [hour(number, certificate_wh=9) for number in range(120)]
    kept(payload(hours, [certificate(number, 0, 9) for number in range(120)]), buyer)

    first, later = browser.get("/receipts/rct_1/"), browser.get("/receipts/rct_1/?from=96&range=100")

    assert "2026-11-24 00:00" in text_of(first)
    assert "2026-11-28 23:00" in text_of(later)
    assert "?from=48#hours" in first.content.decode()
    assert "?range=80#ranges" in later.content.decode()
    for page in (first, later):
        assert len(re.findall(r"<[a-z]", page.content.decode())) < 1_500


@pytest.mark.parametrize("strange", ["-1", "x", "9" * 30])
def test_a_strange_part_is_no_error(browser, receipt, strange):
    assert browser.get(f"/receipts/{receipt.public_id}/?from={strange}&range={strange}").status_code == 200


def test_a_provider_sees_its_sites_and_no_buyer(receipt, offer):
    provider = signed_in(offer.site.provider, Role.PROVIDER)

    page = provider.get(f"/receipts/{receipt.public_id}/")

    assert "the part of your own sites" in text_of(page)
    assert "Lab" not in text_of(page).replace("Label", "")
    assert receipt.subject in text_of(page)
    assert f"/jobs/{receipt.subject}/" not in page.content.decode()


def test_to_others_a_receipt_is_missing_and_strangers_are_asked_to_sign_in(receipt, visitor):
    other = signed_in(make_organization(), Role.BUYER)

    assert other.get(f"/receipts/{receipt.public_id}/").status_code == 404
    assert receipt.public_id not in text_of(other.get("/receipts/"))
    assert visitor.get(f"/receipts/{receipt.public_id}/").status_code == 302


def test_the_job_leads_to_its_receipt(browser, receipt, monkeypatch):
    monkeypatch.setattr("frontend.store.jobs.why_of", lambda job: {})  # it was placed without a round that explains it

    page = browser.get(f"/jobs/{receipt.subject}/")

    assert f'href="/receipts/{receipt.public_id}/"' in page.content.decode()
    assert "Green receipt Final" in text_of(page)


def test_it_is_all_there_in_chinese(browser, receipt):
    browser.cookies["django_language"] = "zh-hans"

    text = text_of(browser.get(f"/receipts/{receipt.public_id}/"))

    for words in ("绿电收据", "按小时匹配 69%", "光伏，现场发电", "现场电表记录", "最终"):
        assert words in text


def test_a_report_has_a_row_for_each_receipt_and_their_sums(browser, receipt):
    page = text_of(browser.get("/receipts/reports/?month=2026-11"))

    assert page.count("0.72 kWh") == 2
    assert receipt.public_id in page
    assert "Scope 3 category 1" in page
    assert "No electricity was receipted" in text_of(browser.get("/receipts/reports/?month=2020-01"))
    assert browser.get("/receipts/reports/?month=soon").status_code == 200


def verified(visitor, content, **data):
    file = SimpleUploadedFile("r.json", content, content_type="application/json")
    return visitor.post("/verify/", {"file": file} | data)


def test_anybody_verifies_a_file_without_signing_in(visitor, receipt):
    content = json.dumps(file_of(list(GreenReceipt.objects.of_subject(receipt.subject)))).encode()

    text = text_of(verified(visitor, content))
    pasted = text_of(visitor.post("/verify/", {"text": content.decode()}))

    for each in (text, pasted):
        assert "Valid, Final" in each
        assert "this is the latest version" in each
        assert "Whether a newer version exists" in each
    assert "failed" not in text


def test_the_first_check_that_failed_is_named_with_its_hour(visitor, receipt):
    document = file_of(list(GreenReceipt.objects.of_subject(receipt.subject)))
    document["versions"][1]["payload"]["hours"][0]["it_wh"] += 1_000

    text = text_of(verified(visitor, json.dumps(document).encode()))

    assert "Not valid" in text
    assert "the payload is not the text that was signed" in text
    assert "2026-11-23T12:00:00Z: the machines used more than the site" in text


def test_a_strangers_signature_and_a_sample_are_no_evidence(visitor, receipt):
    text = text_of(verified(visitor, file_bytes(payload([hour()]))))

    assert "Signed by a stranger" in text
    assert "Valid," not in text


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": "x"}', b"\xff"])
def test_what_is_no_receipt_is_refused_in_words(visitor, content):
    answer = verified(visitor, content)

    assert answer.status_code == 422
    assert "no JSON" in text_of(answer) or "no receipt file" in text_of(answer) or "Choose a file" in text_of(answer)


def test_by_its_id_alone_a_receipt_shows_neither_hours_nor_buyer(visitor, receipt):
    text = text_of(visitor.get("/verify/", {"receipt": receipt.public_id}, follow=True))

    assert receipt.sha256 in text
    assert "Final" in text
    assert "Lab" not in text.replace("Label", "")
    assert receipt.subject not in text
    assert "kWh" not in text
    assert visitor.get("/verify/rct_nothing/").status_code == 404
    assert receipt.sha256 in text_of(visitor.get(receipt.payload["verify"]))


def test_one_address_verifies_a_bounded_number_of_files_in_a_minute(visitor, monkeypatch):
    monkeypatch.setattr("frontend.store.verify.A_MINUTE", 2)
    answers = [verified(visitor, b"{", REMOTE_ADDR="192.0.2.7").status_code for _ in range(4)]

    assert answers == [422] * 4
    assert "at most 2 in 60 s" in text_of(verified(visitor, b"{"))
