"""The desk's pages of evidence: a queue, everything about a plant or lot on one page, and who may decide on it."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import Role
from marketplace.common.clock import hour_floor
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.models import CertificateLot, EnergySource
from marketplace.energy.reviewing import accept_lot, verify_source
from marketplace.energy.sources import change_source
from tests.energy.evidence import make_share
from tests.energy.files import NOW, Provider, gc
from tests.frontend.stage import at_the_desk, text_of
from tests.market import MONDAY, NOON, at

pytestmark = pytest.mark.django_db
HERE = "/admin/evidence/"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _one_factor(settings):
    settings.REQUIRE_OPERATOR_MFA = False


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def auditor():
    return at_the_desk(Role.AUDITOR)


def source_path(provider):
    return f"{HERE}sources/{provider.roof.public_id}/"


def lot_path(lot=None):
    return f"{HERE}lots/{(lot or CertificateLot.objects.get()).public_id}/"


def evidence_of(provider):
    return EnergySource.objects.get(pk=provider.roof.pk).evidence


# ---- the queue


def test_strangers_buyers_and_providers_stay_outside(provider):
    provider.send(gc(), "gc")

    for client in (Client(), *(at_the_desk(role) for role in (Role.BUYER, Role.PROVIDER))):
        for path in (HERE, source_path(provider), lot_path(), f"{lot_path()}withdraw/"):
            assert client.get(path).status_code == 302
        client.post(lot_path(), {"do": "accept"})
    assert CertificateLot.objects.get().state == "pending"


def test_nothing_to_decide_says_so(auditor):
    assert "Nothing to decide" in text_of(auditor.get(HERE))


def test_the_queue_has_plants_and_files_of_certificates_the_oldest_first(auditor, provider):
    provider.send(month_file(2), "gc")
    later = Provider("Younger Power", "2")
    EnergySource.objects.filter(pk=later.roof.pk).update(created_at=NOW + HOUR)

    text = text_of(auditor.get(HERE))

    assert "Nothing to decide" not in text
    places = [text.index(name) for name in ("roof 1", "2 lots, 1 device", "roof 2")]
    assert places == sorted(places)


def test_a_plant_leaves_the_queue_with_a_word_and_comes_back_with_a_change(auditor, provider):
    def waits():
        return "roof 1" in text_of(auditor.get(HERE))

    assert waits()
    auditor.post(source_path(provider), {"do": "refuse", "reason": "which roof?"})
    assert not waits()
    roof = EnergySource.objects.get(pk=provider.roof.pk)
    change_source(source=roof, changes={"name": "South roof"}, version=roof.version, now=NOON)

    assert waits()


def test_a_documented_plant_waits_while_its_records_do(auditor, provider):
    make_share(provider.roof, provider.point)
    verify_source(source=provider.roof, evidence="documents", by=auditor.person, now=NOON)
    assert "roof 1" not in text_of(auditor.get(HERE))

    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=NOON)

    assert "roof 1" in text_of(auditor.get(HERE))


def test_the_queue_asks_as_much_for_many_as_for_one(auditor, provider, django_assert_max_num_queries):
    for number in range(2, 12):
        other = Provider(f"Provider {number}", str(number))
        other.send(gc(issuance_id=f"iss-{number}", device_id=f"wind {number}"), "gc")

    with django_assert_max_num_queries(25):
        text = text_of(auditor.get(HERE))

    assert text.count("Review") >= 20


# ---- a plant


def test_a_plants_page_has_what_a_reviewer_needs(auditor, provider):
    make_share(provider.roof, provider.point, 0, 500_000)
    record_generation(source=provider.roof, made=[Made(MONDAY, 900), Made(at(MONDAY, 1), 1_200)], now=NOON)

    text = text_of(auditor.get(source_path(provider)))

    for words in (
        "Huaihe Power", "declared", "Solar · On site", "1.00 kW", "CN-NX", "2024-05-01", "roof 1",
        "In 1 of 2 metered hours it made more than its capacity.", "Speaks against",
        "1 share serves a point now, 50% of its output.", "0–500,000", "No other organization holds",
        "Its meter saw 2.10 kWh in all; 1.05 kWh are claimed, and lots hold 1.05 kWh.",
        "2026-11-23 01:00 1,200 600 600 600", "2 on-site records of 1.05 kWh become usable",
    ):  # fmt: skip
        assert words in text, words


def test_an_auditor_verifies_a_plant_and_its_records_become_usable(auditor, provider):
    make_share(provider.roof, provider.point)
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=NOON)
    form = {"do": "verify", "evidence": "metered", "evidence_sha256": "a" * 64, "note": "seen on site"}

    page = auditor.post(source_path(provider), form, follow=True)

    text = text_of(page)
    assert "is metered from now on." in text
    assert "Verified: metered · 1 record became usable" in text
    assert "seen on site" in text
    roof = EnergySource.objects.get(pk=provider.roof.pk)
    assert (roof.evidence, roof.verified_by, roof.evidence_sha256) == ("metered", auditor.person, "a" * 64)
    assert CertificateLot.objects.get().state == "active"


def test_an_operator_decides_as_an_auditor_does(provider):
    at_the_desk(Role.OPERATOR).post(source_path(provider), {"do": "verify", "evidence": "audited"})

    assert evidence_of(provider) == "audited"


@pytest.mark.parametrize(("form", "says"), [
    ({"do": "verify"}, "This field is required."),
    ({"do": "verify", "evidence": "declared"}, "Select a valid choice"),
    ({"do": "verify", "evidence": "metered", "evidence_sha256": "abc"}, "64 digits and letters"),
    ({"do": "refuse", "reason": "  "}, "This field is required."),
    ({"do": "refuse", "reason": "x" * 201}, "at most 200 characters"),
])  # fmt: skip
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_decided(auditor, provider, form, says):
    page = auditor.post(source_path(provider), form)

    assert page.status_code == 422
    assert says in text_of(page)
    roof = EnergySource.objects.get(pk=provider.roof.pk)
    assert (roof.evidence, roof.version, roof.review_reason) == ("declared", 1, "")


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR])
def test_nobody_decides_on_evidence_of_his_own_organization(provider, role):
    own = at_the_desk(role, provider.organization)
    provider.send(gc(), "gc")
    words = "You belong to Huaihe Power. Somebody outside of it decides on its evidence."
    pages = [own.get(path) for path in (source_path(provider), lot_path())]

    answers = [
        own.post(source_path(provider), {"do": "verify", "evidence": "audited"}, follow=True),
        own.post(source_path(provider), {"do": "refuse", "reason": "no"}, follow=True),
        own.post(lot_path(), {"do": "accept"}, follow=True),
        own.post(lot_path(), {"do": "refuse", "reason": "no"}, follow=True),
    ]

    for page in (*pages, *answers):
        assert words in text_of(page)
        assert 'value="verify"' not in page.content.decode()
        assert 'value="accept"' not in page.content.decode()
    assert (evidence_of(provider), CertificateLot.objects.get().state) == ("declared", "pending")


def test_a_plant_and_a_lot_that_are_not_there_are_not_found(auditor, provider):
    for path in ("sources/src_1/", "lots/crt_1/", "sources/src_1/revoke/", "lots/crt_1/withdraw/", "files/org_1/-/"):
        assert auditor.get(HERE + path).status_code == 404
    assert auditor.get(f"{HERE}files/{provider.organization.public_id}/-/").status_code == 404


# ---- lots


def test_a_lots_page_has_what_a_reviewer_needs(auditor, provider):
    provider.send(gc(), "gc")
    lot = CertificateLot.objects.get()

    text = text_of(auditor.get(lot_path(lot)))

    for words in (
        "GC certificate, hourly", "Pending", "Huaihe Power", "1.00 kWh", "2026-11-23 00:00 – 2026-11-23 01:00 UTC",
        "a registry", "an issuer", "iss-1", "0 – 1,000", "wind 1", "Wind", "3.00 kW", "2020-01-01", "CN-NX", "hall 1",
        lot.evidence_sha256, "wind 1 is not registered here", "1.00 kWh are certified of it in that time, 33% of what",
        "Issued in China, for a point in China.", "No other interval of the plant meets this one.",
        "no Wh of it has moved yet.",
    ):  # fmt: skip
        assert words in text, words


def test_an_auditor_accepts_a_lot_once(auditor, provider):
    provider.send(gc(), "gc")

    first, again = (auditor.post(lot_path(), {"do": "accept"}, follow=True) for _ in range(2))

    assert "Accepted; its energy may be used." in text_of(first)
    assert "active" in text_of(again)
    assert 'value="accept"' not in again.content.decode()
    lot = CertificateLot.objects.get()
    assert (lot.state, lot.reviewed_by) == ("active", auditor.person)


def test_a_lot_is_refused_with_a_reason_that_its_holder_reads(auditor, provider):
    provider.send(gc(), "gc")
    without = auditor.post(lot_path(), {"do": "refuse", "reason": ""})
    assert (without.status_code, CertificateLot.objects.get().state) == (422, "pending")

    page = auditor.post(lot_path(), {"do": "refuse", "reason": "not theirs"}, follow=True)

    assert "Refused; its holder reads why." in text_of(page)
    assert "not theirs" in text_of(page)
    assert CertificateLot.objects.get().reason == "not theirs"


def test_a_lot_of_a_plant_that_its_owner_keeps_is_not_accepted_and_the_page_says_why(auditor, provider):
    Provider("Another", "2")
    provider.send(gc(device_id="roof 2", technology="solar"), "gc")

    before = text_of(auditor.get(lot_path()))
    after = text_of(auditor.post(lot_path(), {"do": "accept"}, follow=True))

    assert "Another meters this plant here and has not sold its certificates." in before
    assert "has not sold its certificates" in after
    assert CertificateLot.objects.get().state == "pending"


def test_an_on_site_record_is_decided_on_with_its_plant(auditor, provider):
    make_share(provider.roof, provider.point)
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=NOON)

    page = auditor.get(lot_path())

    assert "An on-site record is decided on with its plant" in text_of(page)
    assert f'href="{source_path(provider)}"' in page.content.decode()
    assert 'value="accept"' not in page.content.decode()


def month_file(hours=3):
    start = hour_floor(MONDAY)
    return gc(*(
        {"issuance_id": f"iss-{n}", "start_utc": f"{start + n * HOUR:%Y-%m-%dT%H:%MZ}",
         "end_utc": f"{start + (n + 1) * HOUR:%Y-%m-%dT%H:%MZ}"}
        for n in range(hours)
    ))  # fmt: skip


def delivery_path(provider):
    sha256 = CertificateLot.objects.first().evidence_sha256
    return f"{HERE}files/{provider.organization.public_id}/{sha256}/"


def test_a_file_is_accepted_whole(auditor, provider, django_assert_max_num_queries):
    provider.send(month_file(), "gc")
    path = delivery_path(provider)
    assert path in auditor.get(HERE).content.decode()
    with django_assert_max_num_queries(30):
        text = text_of(auditor.get(path))
    assert "Decide on all 3 lots" in text
    assert "2026-11-23 00:00 – 2026-11-23 03:00 UTC" in text

    page = auditor.post(path, {"do": "accept"}, follow=True)

    assert "3 lots are accepted." in text_of(page)
    assert set(CertificateLot.objects.values_list("state", "reviewed_by")) == {("active", auditor.person.pk)}
    assert auditor.get(path).status_code == 404


def test_a_file_is_refused_whole_with_a_reason(auditor, provider):
    provider.send(month_file(), "gc")
    path = delivery_path(provider)
    assert auditor.post(path, {"do": "refuse", "reason": ""}).status_code == 422
    assert set(CertificateLot.objects.values_list("state", flat=True)) == {"pending"}

    page = auditor.post(path, {"do": "refuse", "reason": "sold elsewhere"}, follow=True)

    assert "3 lots are refused." in text_of(page)
    assert set(CertificateLot.objects.values_list("state", "reason")) == {("refused", "sold elsewhere")}


def test_one_lot_that_cannot_be_accepted_stops_the_whole_file(auditor, provider):
    Provider("Another", "2")
    provider.send(gc({}, {"issuance_id": "iss-2", "device_id": "roof 2", "technology": "solar"}), "gc")
    path = delivery_path(provider)

    page = auditor.post(path, {"do": "accept"}, follow=True)

    assert "has not sold its certificates" in text_of(page)
    assert set(CertificateLot.objects.values_list("state", flat=True)) == {"pending"}


def test_a_file_of_ones_own_organization_is_left_to_others(provider):
    provider.send(month_file(), "gc")
    own, path = at_the_desk(Role.AUDITOR, provider.organization), delivery_path(provider)

    page = own.post(path, {"do": "accept"}, follow=True)

    assert "You belong to Huaihe Power." in text_of(page)
    assert 'value="accept"' not in page.content.decode()
    assert set(CertificateLot.objects.values_list("state", flat=True)) == {"pending"}


def test_a_lot_of_a_file_leads_to_the_others(auditor, provider):
    provider.send(month_file(), "gc")
    lot = CertificateLot.objects.first()

    assert "2 more lots of the same file wait" in text_of(auditor.get(lot_path(lot)))
    accept_lot(lot=lot, by=auditor.person, now=NOON)
    assert "of the same file" not in text_of(auditor.get(lot_path(lot)))


def test_the_desk_leads_to_the_page_and_it_speaks_chinese(auditor):
    assert f'href="{HERE}"' in auditor.get("/admin/").content.decode()
    auditor.cookies["django_language"] = "zh-hans"

    assert "暂无待审事项" in text_of(auditor.get(HERE))
