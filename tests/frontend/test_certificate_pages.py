"""The console's pages of certificates: each Wh in its state, files taken whole, statements of what is reserved."""

import csv
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Role
from marketplace.common.clock import hour_floor, utc_now
from marketplace.energy.models import CertificateLot, MatchLine, ReceiptStep, SupplyEntry
from marketplace.energy.supply import take
from tests.energy.evidence import HOUR, make_issuance, make_lot, make_use
from tests.energy.files import Provider, gc, gec
from tests.frontend.stage import signed_in, text_of
from tests.market import make_organization

pytestmark = pytest.mark.django_db
PAGE = "/console/certificates/"
START = datetime(2026, 11, 23, 4, tzinfo=UTC)


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def console(provider):
    return signed_in(provider.organization, Role.PROVIDER)


@pytest.fixture
def lot(provider):
    """1,000 Wh of one hour."""
    return make_lot(1_000, holder=provider.organization, point=provider.point, issuance=make_issuance(START))


def reserve(lot, subject: str, wh: int, *, due: bool = True):
    """Set Wh aside for a subject, whose hours are settled where a statement is `due`."""
    take(lots=[lot.pk], wh=wh, old="available", new="reserved", subject=subject, now=START)
    step = "final" if due else "settled"
    ReceiptStep.objects.create(subject=subject, step=step, due_at=utc_now() + timedelta(days=30))


def state_of(lot) -> dict[str, int]:
    lot.refresh_from_db()
    return {name: getattr(lot, f"{name}_wh") for name in ("available", "reserved", "cancelled")}


def send(console, data: bytes, of: str, **changes):
    form = {"kind": of, "point": "hall 1", "file": SimpleUploadedFile("certificates.csv", data)} | changes
    return console.post(f"{PAGE}files/", form)


def cancel(console, lot, **changes):
    form = {
        "subject": "rsv_1",
        "from_wh": 0,
        "to_wh": 220,
        "beneficiary": "rsv_1",
        "reference": "registry 17",
    } | changes
    return console.post(f"{PAGE}{lot.public_id}/statement/", form)


def test_only_providers_enter_and_only_to_lots_of_their_own(console, lot):
    foreign = make_lot()

    assert Client().get(PAGE)["Location"].startswith("/accounts/login/")
    assert signed_in(make_organization(), Role.BUYER).get(PAGE).status_code == 403
    assert console.get(f"{PAGE}{lot.public_id}/").status_code == 200
    assert signed_in(make_organization(), Role.BUYER).post(f"{PAGE}statements/").status_code == 403
    assert console.get(f"{PAGE}{foreign.public_id}/").status_code == 404
    assert cancel(console, foreign).status_code == 404
    assert foreign.issuance.issuance_id not in text_of(console.get(PAGE))


def test_without_a_lot_the_page_says_where_lots_come_from(console):
    told = text_of(console.get(PAGE))

    assert "You hold no certificates yet" in told
    assert "On-site records come by themselves from the meters of your plants." in told


def test_without_a_point_the_page_leads_to_where_one_is_made():
    page = signed_in(make_organization("New"), Role.PROVIDER).get(PAGE)

    assert "Add a metering point first" in text_of(page)
    assert 'name="file"' not in page.content.decode()


def test_a_lot_shows_its_hour_range_states_and_point(console, lot):
    reserve(lot, "rsv_1", 220)

    told = text_of(console.get(PAGE))

    assert "GC certificate, hourly" in told
    assert "2026-11-23 04:00–05:00 one hour" in told
    assert "0 – 1,000 available 0.78 kWh reserved 0.22 kWh" in told
    assert "hall 1 Active" in told


def test_a_month_never_looks_hourly(console, provider):
    answer = send(console, gec(), "gec")
    assert answer.status_code == 302

    lot = CertificateLot.objects.get()
    told = text_of(console.get(PAGE)) + text_of(console.get(f"{PAGE}{lot.public_id}/"))

    assert "GEC certificate, monthly" in told
    assert "2026-02-28 16:00" not in told
    assert "monthly, by volume only" in told
    assert "one hour" not in told
    assert not re.search(r"\d\d:\d\d–\d\d:\d\d", told)


def test_a_lot_that_expires_soon_is_told(console, provider):
    soon = make_issuance(START, expires_at=utc_now() + timedelta(days=10))
    make_lot(1_000, holder=provider.organization, issuance=soon)

    assert "1 lot with something available expires within 30 days." in text_of(console.get(PAGE))


def test_on_site_records_stand_apart_and_are_never_called_certificates(console, provider):
    record = make_issuance(START, scheme="METER", registry="on-site meter")
    make_lot(500, holder=provider.organization, issuance=record)

    certificates, records = console.get(PAGE), console.get(f"{PAGE}?show=records")

    assert record.issuance_id not in text_of(certificates)
    assert "On-site meter record" in text_of(records)
    assert record.issuance_id in text_of(records)


def test_a_file_brings_lots_that_wait_for_somebody_outside(console, provider):
    answer = send(console, gc(), "gc")

    lot = CertificateLot.objects.get()
    assert (lot.state, lot.point, lot.holder) == ("pending", provider.point, provider.organization)
    told = text_of(console.get(answer["Location"]))
    assert "certificates.csv: 1 row imported. Lots wait until somebody outside" in told
    assert "Pending" in told


def test_a_file_with_a_fault_imports_nothing_and_names_it(console):
    answer = send(console, gc({}, {"issuance_id": "iss-2", "range_end": "-5"}), "gc")

    assert answer.status_code == 422
    assert "certificates.csv: nothing was imported 1 fault." in text_of(answer)
    assert re.search(r"3 range_end .*negative", text_of(answer))
    assert CertificateLot.objects.count() == 0


@pytest.mark.parametrize(("changes", "field"), [({"point": "hall 2"}, "point"), ({"kind": "rec"}, "kind")])
def test_a_file_for_anothers_point_or_of_no_kind_is_refused(console, changes, field):
    Provider("Another", "2")

    answer = send(console, gc(), "gc", **changes)

    assert answer.status_code == 422
    assert f'id="id_{field}-error"' in answer.content.decode()
    assert CertificateLot.objects.count() == 0


def test_what_is_due_is_listed_with_the_expected_range(console, lot):
    reserve(lot, "rsv_1", 220)
    reserve(lot, "rsv_2", 80, due=False)

    told = text_of(console.get(PAGE))

    assert "1 statement is due" in told
    assert re.search(r"Wh 0 – 220 .* for rsv_1 by \d{4}-\d\d-\d\d Enter the statement", told)
    assert "Wh 220 – 300" not in told
    assert "rsv_2" in told  # for whom something is set aside


def test_a_statement_of_the_expected_range_cancels_it(console, lot):
    reserve(lot, "rsv_1", 220)

    answer = cancel(console, lot)

    assert answer.status_code == 302
    assert state_of(lot) == {"available": 780, "reserved": 0, "cancelled": 220}
    entry = SupplyEntry.objects.get(to_state="cancelled")
    assert (entry.statement_ref, entry.beneficiary, entry.subject) == ("registry 17", "rsv_1", "rsv_1")
    told = text_of(console.get(answer["Location"]))
    assert "0.22 kWh are cancelled for rsv_1." in told
    assert "reserved → cancelled rsv_1 statement registry 17, for rsv_1" in told


@pytest.mark.parametrize("stated", [{"to_wh": 219}, {"to_wh": 221}, {"from_wh": 1}, {"subject": "rsv_2"}])
def test_a_statement_of_other_wh_names_the_expected_range_and_cancels_nothing(console, lot, stated):
    reserve(lot, "rsv_1", 220)
    reserve(lot, "rsv_2", 80)
    form = {"from_wh": 0, "to_wh": 220} | stated
    expected = "220 – 300" if "subject" in stated else "0 – 220"

    answer = cancel(console, lot, **stated)

    told = text_of(answer)
    assert answer.status_code == 422
    assert f"Expected Wh {expected} Stated Wh {form['from_wh']} – {form['to_wh']}" in told
    assert "statement_range_mismatch" in told
    assert state_of(lot) == {"available": 700, "reserved": 300, "cancelled": 0}


def test_a_statement_of_nothing_that_is_reserved_says_so(console, lot):
    told = text_of(cancel(console, lot))

    assert "Expected nothing of this lot Stated Wh 0 – 220" in told
    assert state_of(lot) == {"available": 1_000, "reserved": 0, "cancelled": 0}


@pytest.mark.parametrize(
    ("changes", "field"), [({"reference": ""}, "reference"), ({"to_wh": 0}, "to_wh"), ({"from_wh": 300}, "to_wh")]
)
def test_a_statement_with_a_wrong_field_names_it_and_cancels_nothing(console, lot, changes, field):
    reserve(lot, "rsv_1", 220)

    answer = cancel(console, lot, **changes)

    assert answer.status_code == 422
    assert f'id="statement-0-{field}-error"' in answer.content.decode()
    assert state_of(lot)["cancelled"] == 0


def test_a_statement_is_entered_once(console, lot):
    reserve(lot, "rsv_1", 220)
    cancel(console, lot)

    assert cancel(console, lot).status_code == 422
    assert state_of(lot)["cancelled"] == 220


def state_many(console, data: bytes):
    return console.post(f"{PAGE}statements/", {"file": SimpleUploadedFile("statements.csv", data)})


def test_what_is_due_is_taken_as_a_file_and_comes_back_with_the_registrys_number(console, lot):
    reserve(lot, "rsv_1", 220)
    reserve(lot, "rsv_2", 80, due=False)

    file = console.get(f"{PAGE}statements.csv").content.decode()
    rows = list(csv.DictReader(file.splitlines()))
    assert [(row["lot"], row["from_wh"], row["to_wh"]) for row in rows] == [(lot.public_id, "0", "220")]
    unnumbered = state_many(console, file.encode())
    assert re.search(r"2 reference not a value of this column", text_of(unnumbered))
    answer = state_many(console, file.replace("rsv_1,,", "rsv_1,registry 17,").encode())

    assert state_of(lot) == {"available": 700, "reserved": 80, "cancelled": 220}
    assert "statements.csv: 1 row imported. What they state is cancelled." in text_of(console.get(answer["Location"]))


def test_a_file_of_other_wh_cancels_nothing_and_names_the_expected_range_by_line(console, lot):
    reserve(lot, "rsv_1", 220)
    file = console.get(f"{PAGE}statements.csv").content.decode().replace(",220,rsv_1,,", ",200,rsv_1,registry 17,")

    answer = state_many(console, file.encode())

    told = text_of(answer)
    assert answer.status_code == 422
    assert re.search(r"2 from_wh other Wh than those reserved .*expected of this lot: 0–220", told)
    assert state_of(lot) == {"available": 780, "reserved": 220, "cancelled": 0}


def test_without_a_file_of_statements_the_form_says_so(console, lot):
    reserve(lot, "rsv_1", 220)

    answer = console.post(f"{PAGE}statements/")

    assert answer.status_code == 422
    assert 'id="statements-file-error"' in answer.content.decode()


def test_before_its_hours_are_settled_no_statement_is_asked_for(console, lot):
    reserve(lot, "rsv_1", 220, due=False)

    page = console.get(f"{PAGE}{lot.public_id}/")

    assert "Not due yet: its hours are not settled" in text_of(page)
    assert 'name="reference"' not in page.content.decode()


def test_the_ledger_stands_in_order_beside_the_spans(console, lot):
    reserve(lot, "rsv_1", 220)
    reserve(lot, "rsv_2", 80)

    told = text_of(console.get(f"{PAGE}{lot.public_id}/"))

    assert re.search(r"0 – 220 available → reserved rsv_1 .*220 – 300 available → reserved rsv_2", told)
    assert re.search(r"0 – 220 reserved rsv_1 220 – 300 reserved rsv_2 300 – 1,000 available —", told)


def test_the_buyer_of_an_on_site_record_is_not_named(console, provider):
    record = make_issuance(START, scheme="METER", registry="on-site meter")
    lot = make_lot(500, holder=provider.organization, issuance=record)
    take(lots=[lot.pk], wh=100, old="available", new="reserved", subject="rsv_1", now=START)
    words = {"beneficiary": "Secret Lab", "statement_ref": "rct_1"}
    take(lots=[lot.pk], wh=100, old="reserved", new="cancelled", subject="rsv_1", now=START, **words)

    told = text_of(console.get(f"{PAGE}{lot.public_id}/"))

    assert "reserved → cancelled rsv_1 rct_1" in told
    assert "Secret Lab" not in told


def test_energy_is_shown_by_whom_it_is_for_and_the_checks_are_recounted(console, provider, lot):
    reserve(lot, "rsv_1", 220)
    start = hour_floor(utc_now()) - 100 * HOUR
    use = make_use(provider.point, "rsv_1", start, 1_000, settled_at=utc_now())
    MatchLine.objects.create(use_hour=use, lot=lot, wh_range=(0, 200))

    told = text_of(console.get(PAGE))

    assert re.search(r"rsv_1 1 lot 0\.22 kWh 0 Wh 0\.20 kWh", told)
    assert "Settled hours 1 Used 1.00 kWh Matched by the hour 0.20 kWh By volume only 0 Wh" in told
    assert "holds Each Wh is in one state" in told
    assert "1,000 Wh · 1,000 Wh" in told
    assert "200 Wh · 220 Wh" in told
    assert "fails" not in told


def test_a_match_beyond_what_is_reserved_makes_the_check_fail(console, provider, lot):
    from tests.market import triggers_off

    use = make_use(provider.point, "rsv_1", hour_floor(utc_now()) - 100 * HOUR, 1_000)
    with triggers_off():
        MatchLine.objects.create(use_hour=use, lot=lot, wh_range=(0, 200))

    assert "fails A match rests on energy of its own" in text_of(console.get(PAGE))


def test_the_queries_of_a_page_do_not_grow_with_its_lots(console, provider, django_assert_max_num_queries):
    for number in range(10):
        made = make_lot(100, holder=provider.organization, point=provider.point)
        reserve(made, f"rsv_{number}", 10)

    with django_assert_max_num_queries(36):
        console.get(PAGE)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pages_carry_no_inline_style_or_script_and_each_id_once(console, lot, language):
    reserve(lot, "rsv_1", 220)
    reserve(lot, "rsv_2", 80)
    headers = {"accept-language": language}
    for answer in (
        console.get(PAGE, headers=headers),
        console.get(f"{PAGE}{lot.public_id}/", headers=headers),
        console.post(f"{PAGE}{lot.public_id}/statement/", {"subject": "rsv_1"}, headers=headers),
    ):
        html = answer.content.decode()
        ids = re.findall(r'\sid="([^"]+)"', html)
        assert len(ids) == len(set(ids))
        assert len(re.findall(r"<h1[ >]", html)) == 1
        assert not re.search(r"\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|<c-", html)
