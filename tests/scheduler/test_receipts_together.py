"""Receipts of many jobs that are settled together."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from marketplace.energy.generation import Made, record_generation
from marketplace.energy.models import CertificateLot, GreenReceipt, PromiseMiss, ReceiptStep, UseHour
from marketplace.energy.receipts.issuing import advance_receipts, settle_receipts
from marketplace.energy.settling import settle_due
from marketplace.events.models import Event
from scheduler.receipting import issue_receipts
from tests.energy.evidence import HOUR
from tests.energy.test_settling import promise
from tests.market import NOON
from tests.scheduler.receipt_scene import RAN, SETTLED, ran, receipted_offer, with_sun

pytestmark = pytest.mark.django_db
TOO_MUCH = 2**53  # Wh, more than JSON can hold exactly


@pytest.fixture
def offer():
    offer = receipted_offer()
    with_sun(offer, 5_000)
    return offer


def ended(offer, count: int) -> list[str]:
    """The subjects of `count` jobs that ran in the same hour, their receipts provisional."""
    subjects = [ran(offer, wh=600 + number).public_id for number in range(count)]
    issue_receipts(now=NOON + RAN)
    return subjects


def test_each_job_of_a_set_gets_its_own_receipt(offer):
    subjects = ended(offer, 3)
    settle_due(now=SETTLED)

    receipts = settle_receipts(subjects=subjects, now=SETTLED)

    assert {receipt.subject: receipt.status for receipt in receipts} == dict.fromkeys(subjects, "final")
    assert [receipt.payload["totals"]["it_wh"] for receipt in receipts] == [600, 601, 602]
    for receipt in receipts:
        assert {cert["statement"] for cert in receipt.payload["certificates"]} == {receipt.public_id}
        assert receipt.prev_sha256 == GreenReceipt.objects.of_subject(receipt.subject)[0].sha256
    used = sum(receipt.payload["totals"]["onsite_wh"] for receipt in receipts)
    assert CertificateLot.objects.get().cancelled_wh == used > 0


def test_a_larger_set_asks_the_database_no_more_often(offer):
    few, many = ended(offer, 2), ended(offer, 6)
    settle_due(now=SETTLED)

    asked = []
    for subjects in (few, many):
        with CaptureQueriesContext(connection) as queries:
            settle_receipts(subjects=subjects, now=SETTLED)
        asked.append(len(queries))

    assert asked[0] >= asked[1]


def test_a_receipt_that_cannot_be_written_keeps_no_other_from_its_own(offer):
    subjects = ended(offer, 5)
    bad = subjects[2]
    UseHour.objects.filter(subject=bad).update(it_wh=TOO_MUCH, site_wh=TOO_MUCH)
    settle_due(now=SETTLED)

    assert advance_receipts(now=SETTLED) == 4

    last = {receipt.subject: receipt.status for receipt in GreenReceipt.objects.last_of(subjects)}
    assert last == dict.fromkeys(subjects, "final") | {bad: "provisional"}
    step = ReceiptStep.objects.get(subject=bad)
    assert (step.step, step.due_at > SETTLED) == ("settled", True)


def promised(subject: str, source, percent: int, start=NOON, ppm: int = 1):
    return promise(subject, source.shares.get(), start, percent, ppm)


@pytest.mark.parametrize(("percent", "missed"), [(50, []), (51, [(360, 720)])])
def test_a_promise_that_was_missed_is_told_exactly_and_one_that_was_just_kept_is_not(percent, missed):
    """360 of 720 Wh are matched."""
    offer = receipted_offer()
    source = with_sun(offer, 360)
    [subject] = ended(offer, 1)
    given = promised(subject, source, percent)
    settle_due(now=SETTLED)

    [receipt] = settle_receipts(subjects=[subject], now=SETTLED)

    rows = PromiseMiss.objects.filter(promise=given, receipt_version=receipt.version)
    assert list(rows.values_list("matched_wh", "used_wh")) == missed
    told = Event.objects.filter(type="green_promise.missed", object_id=given.public_id)
    assert [event.facts["promised_percent"] for event in told] == [percent] * len(missed)


def test_what_was_set_aside_for_an_hour_without_work_is_given_back():
    offer = receipted_offer()
    source = with_sun(offer, 500)
    [subject] = ended(offer, 1)
    promised(subject, source, 50, NOON + HOUR, ppm=1_000_000)
    record_generation(source=source, made=[Made(NOON + HOUR, 300)], now=NOON + 2 * HOUR)
    later = CertificateLot.objects.get(issuance__start=NOON + HOUR)
    assert (later.reserved_wh, later.available_wh) == (300, 0)
    settle_due(now=SETTLED)

    [receipt] = settle_receipts(subjects=[subject], now=SETTLED)

    later.refresh_from_db()
    assert (later.reserved_wh, later.available_wh, receipt.status) == (0, 300, "final")
