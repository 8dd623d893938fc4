"""A month of receipts: a row each, every hour in one month alone, the same figures as JSON, CSV and PDF."""

import csv
import importlib
import re
from datetime import datetime
from io import BytesIO, StringIO

import pytest
from django.db import connection
from django.utils import timezone
from pypdf import PdfReader
from rest_framework.test import APIClient

from marketplace.common.months import Month
from marketplace.energy.models import GreenReceipt
from marketplace.energy.receipts.report import report_of, report_rows
from tests.energy.receipt_papers import certificate, hash_of, hour, payload
from tests.market import key_of, make_organization, triggers_off
from tests.scheduler.receipt_scene import final, receipted_offer

pytestmark = pytest.mark.django_db
NOVEMBER, DECEMBER = Month(2026, 11), Month(2026, 12)


@pytest.fixture
def buyer():
    return make_organization("Rhine Lab")


def kept(body, buyer, number=1):
    """A receipt with that payload, issued to `buyer`."""
    start, end = (datetime.fromisoformat(body["period"][name]) for name in ("start", "end"))
    return GreenReceipt.objects.create(
        public_id=body["id"], subject=f"job_{number}", buyer=buyer, providers=["org_0"], start=start, end=end,
        version=body["version"], status=body["status"], payload=body, sha256=hash_of(body),
        prev_sha256=body["prev_sha256"], jws="", kid="", sample=body["sample"], issued_at=end,
    )  # fmt: skip


def over_the_end_of_a_month(**changes):
    """168 hours from 24 November on and 24 more, the last of them in December."""
    hours = [hour(number, onsite_wh=400) for number in range(192)]
    return payload(hours, [certificate(number, 0, 400, scheme="METER") for number in range(192)], **changes)


def test_an_hour_counts_in_the_month_it_lies_in_and_in_no_other(buyer):
    kept(over_the_end_of_a_month(), buyer)

    november, december = (report_of(buyer=buyer, month=month) for month in (NOVEMBER, DECEMBER))

    assert (november["totals"]["hours"], december["totals"]["hours"]) == (168, 24)
    assert november["totals"]["site_wh"] + december["totals"]["site_wh"] == 192_000
    assert november["totals"]["matched_ppm"] == 400_000
    assert report_of(buyer=buyer, month=Month(2027, 1))["rows"] == []


def test_a_row_is_of_the_latest_version_and_the_sums_are_of_all_rows(buyer):
    first = payload([hour(settled=False)], status="provisional")
    kept(first, buyer)
    kept(payload([hour(certificate_wh=900)], [certificate(0, 0, 900)], version=2, prev_sha256=hash_of(first)), buyer)
    kept(payload([hour(residual_mg_per_kwh=None)], id="rct_2", status="provisional"), buyer, number=2)

    report = report_of(buyer=buyer, month=NOVEMBER)

    assert [(row["receipt"], row["version"], row["residual"]) for row in report["rows"]] == [
        ("rct_1", 2, True), ("rct_2", 1, False),
    ]  # fmt: skip
    assert report["totals"]["market_ug"] == 100 * 700_000 + 1_000 * 400_000
    assert (report["totals"]["residual"], report["provisional"]) == (False, 1)
    for name in ("site_wh", "location_ug", "market_ug", "lifecycle_ug"):
        assert report["totals"][name] == sum(row[name] for row in report["rows"])


def test_nobody_reports_what_another_bought(buyer):
    kept(payload([hour()]), make_organization())

    assert report_of(buyer=buyer, month=NOVEMBER)["rows"] == []


def test_the_csv_has_exact_figures_and_its_last_line_the_sums(buyer):
    kept(over_the_end_of_a_month(), buyer)
    kept(payload([hour()], id="rct_2", sample=True, places=1), buyer, number=2)

    rows = list(csv.DictReader(StringIO("".join(report_rows(report_of(buyer=buyer, month=NOVEMBER))))))

    assert [row["receipt"] for row in rows] == ["rct_1", "rct_2", "total"]
    assert (rows[0]["electricity_kwh"], rows[0]["matched_share"], rows[0]["location_based_g"]) == (
        "168",
        "0.4",
        "67200",
    )
    assert [row["sample"] for row in rows] == ["no", "yes", "yes"]
    assert rows[2]["electricity_kwh"] == "169"
    assert rows[2]["market_based_g"] == "71260"
    assert all("Scope 3 category 1" in row["scopes"] for row in rows)


def test_the_files_come_over_http_in_the_callers_language(buyer):
    kept(over_the_end_of_a_month(), buyer)
    _, secret = key_of(buyer, "receipts:read", now=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")

    def asked(query, language="en"):
        return client.get(f"/api/v1/receipts/report?{query}", headers={"Accept-Language": language})

    assert asked("month=2026-11").json()["totals"]["hours"] == 168
    table = asked("month=2026-11&format=csv")
    assert table["Content-Type"].startswith("text/csv")
    assert b"".join(table.streaming_content).startswith(b"receipt,version,status")
    for language, words in (("en", "Location-based"), ("zh-hans", "基于位置")):
        pages = PdfReader(BytesIO(asked("month=2026-11&format=pdf", language).content)).pages
        text = re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))
        for each in (words, "rct_1", "168.000", "40%", "Rhine Lab"):
            assert each in text
    for query, code in (
        ("month=13", "invalid_parameter"),
        ("format=xml", "invalid_parameter"),
        ("x=1", "unknown_parameter"),
    ):
        assert (asked(query).status_code, asked(query).json()["code"]) == (400, code)


def test_receipts_that_were_there_before_find_their_owners():
    receipt = final(receipted_offer())
    fill = importlib.import_module("marketplace.energy.migrations.0011_receipt_owners_filled").FILL
    was = (receipt.buyer_id, receipt.providers, receipt.start, receipt.end)
    stranger = make_organization(funds=0)
    with triggers_off():
        GreenReceipt.objects.update(buyer=stranger, providers=[], start=receipt.end, end=receipt.end)

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(fill)

    receipt.refresh_from_db()
    assert (receipt.buyer_id, receipt.providers, receipt.start, receipt.end) == was
