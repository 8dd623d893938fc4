"""A job's energy from the agent's signed line to a final receipt that verifies without a network."""

import json
from datetime import timedelta

import pytest
from joulemart import receipts

from accounts.models import Role
from marketplace.energy.models import CertificateLot, GreenReceipt, SupplyEntry, UseHour
from marketplace.energy.receipts.document import file_of, key_set
from marketplace.energy.receipts.issuing import finish_receipts, settle_receipts
from marketplace.energy.receipts.statements import Statement, confirm_cancellation
from marketplace.energy.reviewing import revoke_source
from marketplace.energy.settling import settle_due
from scheduler.receipting import issue_receipts
from tests.energy.evidence import make_issuance, make_lot
from tests.market import NOON, make_member, make_organization
from tests.scheduler.receipt_scene import RAN, SETTLED, ran, receipted_offer, with_sun
from tests.scheduler.scene import allocated, make_cpu_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def offer():
    return receipted_offer()


def verified(receipt: GreenReceipt, *, trusted: bool = True) -> receipts.Outcome:
    versions = list(GreenReceipt.objects.of_subject(receipt.subject))
    keys = receipts.read_keys(json.dumps(key_set()).encode()) if trusted else None
    return receipts.verify(json.dumps(file_of(versions)).encode(), keys=keys)


def test_the_energy_of_a_signed_line_is_kept_for_settling_in_its_hour(offer):
    job = ran(offer)

    [use] = UseHour.objects.of_subject(job.public_id)
    assert (use.start, use.it_wh, use.site_wh, use.unit_seconds) == (NOON, 600, 720, 600)
    assert use.method == "metered_node"
    assert use.point == offer.site.point


def test_a_receipt_is_provisional_when_the_job_has_ended_and_only_then(offer):
    attempt = allocated(offer, now=NOON)
    assert issue_receipts(now=NOON) == []
    job = ran(make_cpu_offer(now=NOON))

    [receipt] = issue_receipts(now=NOON + RAN)

    assert (receipt.subject, receipt.version, receipt.status) == (job.public_id, 1, "provisional")
    assert receipt.payload["totals"]["site_wh"] == 720
    assert receipt.payload["shares"]["matched_ppm"] == 0
    assert receipt.payload["shares"]["grid_ppm"] == 500_000
    assert receipt.payload["totals"]["location_ug"] == 720 * 300_000
    assert issue_receipts(now=NOON + RAN) == []
    assert attempt.job.public_id != job.public_id


def test_on_site_sun_makes_the_receipt_final_after_72_hours_and_every_wh_traces_to_the_ledger(offer):
    with_sun(offer, 500)
    job = ran(offer)
    issue_receipts(now=NOON + RAN)

    assert settle_due(now=SETTLED) == 1
    [receipt] = settle_receipts(subjects=[job.public_id], now=SETTLED)

    assert (receipt.version, receipt.status) == (2, "final")
    assert receipt.payload["shares"]["matched_ppm"] == 500 * 1_000_000 // 720
    [certificate] = receipt.payload["certificates"]
    entry = SupplyEntry.objects.get(to_state="cancelled")
    assert (entry.subject, entry.statement_ref) == (job.public_id, receipt.public_id)
    assert (certificate["from_wh"], certificate["to_wh"]) == (entry.wh_range.lower, entry.wh_range.upper) == (0, 500)
    assert CertificateLot.objects.get().cancelled_wh == 500
    assert verified(receipt).code == "valid"
    assert [check.name for check in verified(receipt).failed] == []


def test_a_certificate_lot_is_cancelled_by_its_holders_statement_before_the_receipt_is_final(offer):
    holder = make_organization(funds=0)
    with_sun(offer, 500)
    lot = make_lot(
        400, point=offer.site.point, issuance=make_issuance(NOON, zone=offer.site.zone), holder=holder
    )  # fmt: skip
    job = ran(offer)
    issue_receipts(now=NOON + RAN)
    settle_due(now=SETTLED)

    [waiting] = settle_receipts(subjects=[job.public_id], now=SETTLED)
    assert (waiting.version, waiting.status, waiting.payload["settled"]) == (2, "provisional", True)
    assert finish_receipts(subjects=[job.public_id], now=SETTLED) == []
    confirm_cancellation(
        holder=holder, subject=job.public_id, now=SETTLED,
        statements=[Statement(lot, 0, 220, beneficiary=job.buyer.name, reference="registry 17")],
    )  # fmt: skip
    [final] = finish_receipts(subjects=[job.public_id], now=SETTLED)

    assert (final.version, final.status) == (3, "final")
    assert final.payload["shares"]["matched_ppm"] == 1_000_000
    assert [each["statement"] for each in final.payload["certificates"]] == [final.public_id, "registry 17"]
    assert verified(final).code == "valid"


def test_what_no_registry_cancelled_is_given_back_45_days_after_the_end(offer):
    lot = make_lot(400, point=offer.site.point, issuance=make_issuance(NOON, zone=offer.site.zone))
    job = ran(offer)
    issue_receipts(now=NOON + RAN)
    settle_due(now=SETTLED)
    settle_receipts(subjects=[job.public_id], now=SETTLED)

    [final] = finish_receipts(subjects=[job.public_id], now=NOON + RAN + timedelta(days=45))

    lot.refresh_from_db()
    assert lot.available_wh == 400
    assert final.status == "final"
    assert final.payload["shares"]["matched_ppm"] == 0
    assert verified(final).code == "valid"


def test_a_receipt_without_trusted_keys_is_no_proof_of_who_signed_it(offer):
    ran(offer)
    [receipt] = issue_receipts(now=NOON + RAN)

    assert verified(receipt, trusted=False).code == "key_untrusted"
    assert receipts.verify(
        json.dumps(file_of([receipt])).encode(), keys={"another": b"0" * 32}
    ).code == "key_untrusted"  # fmt: skip


def test_the_charge_is_recomputed_from_the_metered_time_and_the_frozen_contract(offer):
    job = ran(offer)
    [receipt] = issue_receipts(now=NOON + RAN)

    work = receipt.payload["work"]
    [contract] = work["contracts"]
    assert work["charge_minor"] == sum(line["charge_minor"] for line in contract["lines"]) > 0
    assert len(contract["metered"][0]["line_sha256"]) == 64
    assert contract["subject"] == job.allocations.get().public_id


def changes(document):
    """Every number, text and truth of a receipt's payload, changed one at a time."""

    def walk(node, path):
        if isinstance(node, dict):
            for key, value in node.items():
                yield from walk(value, [*path, key])
        elif isinstance(node, list):
            for key, value in enumerate(node):
                yield from walk(value, [*path, key])
        else:
            yield path, node

    for path, value in walk(document["versions"][-1]["payload"], []):
        changed = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}x"
        copy = json.loads(json.dumps(document))
        node = copy["versions"][-1]["payload"]
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = changed
        yield ".".join(map(str, path)), copy


def test_any_changed_value_fails_and_so_do_a_dropped_hour_and_versions_out_of_order(offer):
    with_sun(offer, 500)
    job = ran(offer)
    issue_receipts(now=NOON + RAN)
    settle_due(now=SETTLED)
    settle_receipts(subjects=[job.public_id], now=SETTLED)
    document = file_of(list(GreenReceipt.objects.of_subject(job.public_id)))
    keys = receipts.read_keys(json.dumps(key_set()).encode())

    def code(changed) -> str:
        try:
            return receipts.verify(json.dumps(changed).encode(), keys=keys).code
        except receipts.Unreadable:
            return "unreadable"

    assert code(document) == "valid"
    accepted = [path for path, changed in changes(document) if code(changed) not in {"check_failed", "unreadable"}]
    assert accepted == []
    dropped = json.loads(json.dumps(document))
    dropped["versions"][1]["payload"]["hours"].pop()
    swapped = document | {"versions": document["versions"][::-1]}
    shortened = document | {"versions": document["versions"][1:]}
    assert [code(each) for each in (dropped, swapped, shortened)] == ["check_failed"] * 3


def test_evidence_that_is_revoked_corrects_the_receipts_that_rested_on_it(offer):
    source = with_sun(offer, 500)
    job = ran(offer)
    issue_receipts(now=NOON + RAN)
    settle_due(now=SETTLED)
    settle_receipts(subjects=[job.public_id], now=SETTLED)
    auditor = make_member(make_organization(funds=0), Role.AUDITOR)

    revoke_source(source=source, by=auditor, reason="the meter was wrong", now=SETTLED, correction=True)

    last = GreenReceipt.objects.of_subject(job.public_id).last()
    assert (last.version, last.status, last.payload["shares"]["matched_ppm"]) == (3, "final", 0)
    assert last.payload["certificates"] == []
    assert verified(last).code == "valid"
