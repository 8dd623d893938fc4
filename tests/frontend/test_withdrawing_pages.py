"""Taking evidence back at the desk: what it touches is shown first, then it is done; receipts are traced both ways."""

import re

import pytest

from accounts.models import Role
from marketplace.energy.models import CertificateLot, EnergySource, GreenReceipt, PromiseMiss, ReceiptKey, SupplyEntry
from marketplace.energy.reviewing import revoke_source
from tests.energy.test_settling import promise
from tests.frontend.stage import at_the_desk, text_of, value_of
from tests.market import NOON
from tests.scheduler.receipt_scene import SETTLED, final, receipted_offer

pytestmark = pytest.mark.django_db
HERE = "/admin/evidence/"


@pytest.fixture(autouse=True)
def _one_factor(settings):
    settings.REQUIRE_OPERATOR_MFA = False


@pytest.fixture
def auditor():
    return at_the_desk(Role.AUDITOR)


@pytest.fixture
def receipt():
    """A final receipt of a job whose 500 of 720 Wh came from the site's own sun, cancelled for its buyer."""
    return final(receipted_offer())


@pytest.fixture
def source(receipt):
    return EnergySource.objects.get()


def revoke_path(source):
    return f"{HERE}sources/{source.public_id}/revoke/"


def withdraw_path():
    return f"{HERE}lots/{CertificateLot.objects.get().public_id}/withdraw/"


def take_back(client, path, *, correction="1", reason="the meter was wrong", **changes):
    page = client.get(f"{path}?correction={correction}").content.decode()
    form = {"reason": reason, "correction": correction, "seen": value_of(page, "seen")} | changes
    return client.post(path, form, follow=True)


def everything():
    return (
        list(EnergySource.objects.values_list("evidence", "version")),
        list(CertificateLot.objects.values_list("state", "cancelled_wh", "withdrawn_wh")),
        GreenReceipt.objects.count(),
        SupplyEntry.objects.count(),
    )


def test_before_anything_happens_the_page_tells_what_is_touched_and_changes_nothing(auditor, receipt, source):
    before = everything()

    text = text_of(auditor.get(f"{revoke_path(source)}?correction=1"))

    for words in (
        "Lots 1", "Receipts with a new version 1", "Organizations concerned 2", "cancelled 500 withdrawn",
        receipt.public_id, "0.50 kWh", "69% → 0%", "holds it · provider", "buyer", receipt.buyer.name,
    ):  # fmt: skip
        assert words in text, words
    assert everything() == before


def test_without_a_correction_what_was_cancelled_for_a_buyer_stays(auditor, receipt, source):
    text = text_of(auditor.get(revoke_path(source)))

    assert "Receipts with a new version 0" in text
    assert "69% → 0%" not in text
    take_back(auditor, revoke_path(source), correction="")

    assert EnergySource.objects.get().evidence == "declared"
    assert CertificateLot.objects.get().cancelled_wh == 500
    assert GreenReceipt.objects.count() == 2


def test_a_revoked_plant_leads_to_the_receipts_that_are_new_by_it(auditor, receipt, source):
    page = take_back(auditor, revoke_path(source))

    text = text_of(page)
    assert "Done: 1 receipt has a new version, named below." in text
    assert "Revoked" in text
    assert "the meter was wrong" in text
    last = GreenReceipt.objects.of_subject(receipt.subject).last()
    assert (last.version, last.payload["shares"]["matched_ppm"]) == (3, 0)
    link = f"/receipts/{receipt.public_id}/?version=3"
    assert f'href="{link}"' in page.content.decode()
    assert auditor.get(link).status_code == 200


def test_a_withdrawn_lot_leads_to_them_too(auditor, receipt):
    page = take_back(auditor, withdraw_path())

    assert f'href="/receipts/{receipt.public_id}/?version=3"' in page.content.decode()
    lot = CertificateLot.objects.get()
    assert (lot.state, lot.cancelled_wh, lot.withdrawn_wh) == ("closed", 0, 500)
    assert lot.reason == "the meter was wrong"


def test_a_promise_that_would_be_missed_is_said_before(auditor, receipt, source):
    share = source.shares.get()
    promise(receipt.subject, share, NOON, 60, 1)

    text = text_of(auditor.get(f"{revoke_path(source)}?correction=1"))

    assert "Green promises 1" in text
    assert "60% missed: 0%" in text


@pytest.mark.parametrize("changes", [{"reason": " "}, {"reason": "x" * 201}, {"seen": "something else"}])
def test_without_a_reason_and_by_an_old_page_nothing_is_taken_back(auditor, source, changes):
    before = everything()

    page = take_back(auditor, revoke_path(source), **changes)

    assert page.status_code in {409, 422}
    assert everything() == before
    if "seen" in changes:
        assert "Meanwhile it touches something else" in text_of(page)


def test_nobody_takes_back_evidence_of_his_own_organization(source, receipt):
    own = at_the_desk(Role.AUDITOR, source.organization)
    before = everything()
    page = own.get(f"{revoke_path(source)}?correction=1").content.decode()
    assert "Take it back" not in page

    answers = [
        own.post(path, {"reason": "no", "correction": "1", "seen": _seen(at_the_desk(Role.AUDITOR), path)}, follow=True)
        for path in (revoke_path(source), withdraw_path())
    ]

    for answer in answers:
        assert f"You belong to {source.organization.name}." in text_of(answer)
    assert everything() == before


def _seen(client, path):
    return value_of(client.get(f"{path}?correction=1").content.decode(), "seen")


def test_what_is_taken_back_already_says_so(auditor, source):
    revoke_source(source=source, by=auditor.person, reason="gone", now=SETTLED, correction=True)

    assert "there is nothing to revoke" in text_of(auditor.get(revoke_path(source)))
    assert "Nothing of it can be withdrawn" in text_of(auditor.get(withdraw_path()))


# ---- from a receipt to the ledger and back


def test_an_auditor_reads_any_receipt_as_its_buyer_does(auditor, receipt):
    page = auditor.get(f"/receipts/{receipt.public_id}/")

    text = text_of(page)
    assert receipt.buyer.name in text
    assert "You see the part of your own sites." not in text
    assert f"/jobs/{receipt.subject}/" not in page.content.decode()
    file = auditor.get(f"/api/v1/receipts/{receipt.public_id}").json()
    assert [each["payload"]["version"] for each in file["versions"]] == [1, 2]
    assert auditor.get(f"/api/v1/receipts/{receipt.public_id}/pdf").status_code == 200


def test_without_the_desks_second_factor_an_auditor_reads_his_own_alone(auditor, receipt, settings):
    settings.REQUIRE_OPERATOR_MFA = True

    assert auditor.get(f"/receipts/{receipt.public_id}/").status_code == 404
    assert auditor.get(f"/api/v1/receipts/{receipt.public_id}").status_code == 404
    for path in (HERE, "/admin/money/"):
        assert auditor.get(path).status_code == 302


@pytest.mark.parametrize("role", [Role.BUYER, Role.PROVIDER])
def test_others_read_no_receipt_but_their_own(receipt, role):
    stranger = at_the_desk(role)

    assert stranger.get(f"/receipts/{receipt.public_id}/").status_code == 404
    assert stranger.get(f"/api/v1/receipts/{receipt.public_id}").status_code == 404


def test_a_receipt_on_the_desk_leads_to_its_page_its_entries_and_its_lots(auditor, receipt):
    lot, entries = CertificateLot.objects.get(), SupplyEntry.objects.of_subject(receipt.subject).count()

    page = auditor.get(f"/admin/energy/greenreceipt/{receipt.pk}/change/").content.decode()

    for link in (
        f"/receipts/{receipt.public_id}/?version=2",
        f"/admin/energy/supplyentry/?q={receipt.subject}",
        f"{HERE}lots/{lot.public_id}/",
        f"/admin/energy/greenreceipt/?q={receipt.public_id}",
    ):
        assert f'href="{link}"' in page, link
        assert auditor.get(link).status_code == 200
    assert f"{entries} moves for it" in page


def test_a_lot_leads_back_to_its_entries_and_the_receipts_that_used_it(auditor, receipt):
    lot = CertificateLot.objects.get()

    page = auditor.get(f"{HERE}lots/{lot.public_id}/")

    text = text_of(page)
    assert re.search(r"0 – 500 reserved → cancelled job_", text)
    assert f'href="/receipts/{receipt.public_id}/?version=2"' in page.content.decode()
    assert re.search(rf"{receipt.public_id} version 2, Final · {receipt.subject} {receipt.buyer.name} 500", text)
    assert f"{HERE}lots/{lot.public_id}/" in auditor.get(
        f"/admin/energy/certificatelot/{lot.pk}/change/"
    ).content.decode()  # fmt: skip


@pytest.mark.parametrize("model", ["greenreceipt", "receiptkey", "receiptstep", "promisemiss"])
def test_what_receipts_rest_on_is_looked_at_and_never_changed(auditor, receipt, source, model):
    given = promise(receipt.subject, source.shares.get(), NOON, 80, 1)
    PromiseMiss.objects.create(promise=given, receipt_version=2, matched_wh=500, used_wh=720, told_at=NOON)
    operator = at_the_desk(Role.OPERATOR)
    listed = operator.get(f"/admin/energy/{model}/")
    row = re.search(rf"/admin/energy/{model}/(\d+)/change/", listed.content.decode())[1]

    assert auditor.get(f"/admin/energy/{model}/").status_code == 200
    assert operator.get(f"/admin/energy/{model}/{row}/change/").status_code == 200
    assert operator.get(f"/admin/energy/{model}/add/").status_code == 403
    assert operator.post(f"/admin/energy/{model}/{row}/change/", {}).status_code == 403
    assert operator.post(f"/admin/energy/{model}/{row}/delete/", {"post": "yes"}).status_code == 403


def test_receipts_are_found_by_id_subject_and_buyer(auditor, receipt):
    kid = ReceiptKey.objects.get().kid
    for word in (receipt.public_id, receipt.subject, receipt.buyer.name, receipt.buyer.public_id):
        assert receipt.public_id in text_of(auditor.get("/admin/energy/greenreceipt/", {"q": word}))
    assert receipt.public_id not in text_of(auditor.get("/admin/energy/greenreceipt/", {"q": "nobody"})).replace(
        "nobody", ""
    )
    assert kid in text_of(auditor.get("/admin/energy/receiptkey/", {"q": kid}))
