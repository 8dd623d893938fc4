"""Evidence is accepted, refused and taken back by who is outside its holder; what rests on it follows."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.utils import DatabaseError

from accounts.models import Membership, Role
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.energy.errors import NotTheReviewer
from marketplace.energy.expiring import expire_lots, warn_of_expiry
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.metering import Reading, record_readings
from marketplace.energy.models import CertificateLot, EnergySource, GenerationHour, MatchLine, UseHour
from marketplace.energy.retiring import touched_by
from marketplace.energy.reviewing import accept_lot, refuse_lot, revoke_source, verify_source, withdraw_lot
from marketplace.energy.settling import settle_due
from marketplace.energy.storage import charge
from marketplace.energy.supply import take
from marketplace.energy.tasks import expire_certificates
from marketplace.events.models import Event
from tests.energy.evidence import make_issuance, make_lot, make_point, make_share, make_source, make_use
from tests.energy.files import NOW, Provider, gc
from tests.energy.test_settling import promise
from tests.energy.test_storage import Plant
from tests.energy.test_supply import assert_whole, counters, spans
from tests.market import MONDAY, NOON, at, make_member, make_organization

pytestmark = pytest.mark.django_db
LATER = MONDAY + timedelta(hours=100)


@pytest.fixture
def auditor():
    return make_member(make_organization("Auditors", funds=0), Role.AUDITOR)


@pytest.fixture
def provider() -> Provider:
    return Provider()


def event_types(public_id: str) -> list[str]:
    return list(Event.objects.filter(object_id=public_id).order_by("object_seq").values_list("type", flat=True))


def settled(provider: Provider, auditor, used: int = 400) -> CertificateLot:
    """A lot of 1,000 Wh from the roof, of which a job has used 400 Wh."""
    make_share(provider.roof, provider.point)
    record_generation(source=provider.roof, made=[Made(MONDAY, 1000)], now=NOON)
    verify_source(source=provider.roof, evidence="metered", by=auditor, now=NOON)
    record_readings(point=provider.point, readings=[Reading(MONDAY, used, used)])
    make_use(provider.point, "job_a", MONDAY, used)
    settle_due(now=LATER)
    return CertificateLot.objects.get()


def matched() -> int:
    return UseHour.objects.get().matched_wh


def test_an_auditor_accepts_a_lot_and_its_energy_may_be_used(provider, auditor):
    provider.send(gc(), "gc")
    lot = CertificateLot.objects.get()

    accept_lot(lot=lot, by=auditor, now=NOON)

    lot.refresh_from_db()
    assert (lot.state, lot.reviewed_by, lot.reviewed_at) == ("active", auditor, NOON)
    assert event_types(lot.public_id) == ["certificate_lot.active"]
    assert Event.objects.get(object_id=lot.public_id).provider == provider.organization


@pytest.mark.parametrize("roles", [(), (Role.BUYER,), (Role.PROVIDER,), (Role.OPERATOR,), (Role.AUDITOR,)])
def test_no_member_of_the_holder_and_nobody_without_the_role_reviews(provider, auditor, roles):
    stranger = make_member(make_organization(funds=0))
    member = make_member(provider.organization, *roles)
    Membership.objects.create(
        organization=make_organization(funds=0), user=member, role=Role.AUDITOR, created_at=MONDAY
    )
    settled(provider, auditor)
    provider.send(gc(), "gc")
    pending = CertificateLot.objects.get(state="pending")
    active = CertificateLot.objects.get(state="active")

    for by in (stranger, member):
        for act in (
            lambda by: accept_lot(lot=pending, by=by, now=NOON),
            lambda by: refuse_lot(lot=pending, by=by, reason="no", now=NOON),
            lambda by: withdraw_lot(lot=active, by=by, reason="no", now=NOON),
            lambda by: verify_source(source=provider.roof, evidence="audited", by=by, now=NOON),
            lambda by: revoke_source(source=provider.roof, by=by, reason="no", now=NOON),
        ):
            with pytest.raises(NotTheReviewer):
                act(by)

    assert set(CertificateLot.objects.values_list("pk", "state")) == {(pending.pk, "pending"), (active.pk, "active")}
    assert matched() == 400
    assert EnergySource.objects.get(pk=provider.roof.pk).evidence == "metered"


def test_the_database_lets_no_member_of_the_holder_accept_or_verify(provider, auditor):
    member = make_member(provider.organization, Role.AUDITOR)
    provider.send(gc(), "gc")
    lots, sources = CertificateLot.objects.all(), EnergySource.objects.filter(pk=provider.roof.pk)

    for reviewer in (member, None):
        with pytest.raises(DatabaseError, match="accepted by somebody outside"), transaction.atomic():
            lots.update(state="active", reviewed_by=reviewer)
    with pytest.raises(DatabaseError, match="verified by somebody outside"), transaction.atomic():
        sources.update(evidence="audited", verified_by=member, verified_at=NOON)
    with pytest.raises(DatabaseError, match="verified by somebody outside"), transaction.atomic():
        make_source(provider.organization, evidence="audited", verified_by=member, verified_at=NOON)


def test_a_refused_lot_gives_back_what_it_claimed_and_its_range(provider, auditor):
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=MONDAY)
    data = gc(device_id="roof 1", technology="solar", range_end="900", capacity_w="1000")
    provider.send(data, "gc")
    lot = CertificateLot.objects.get()

    refuse_lot(lot=lot, by=auditor, reason=" not theirs ", now=NOON)

    lot.refresh_from_db()
    assert (lot.state, lot.reason) == ("refused", "not theirs")
    assert GenerationHour.objects.get().claimed_wh == 0
    assert event_types(lot.public_id) == ["certificate_lot.refused"]
    again = data.replace(b"an issuer,active", b"an issuer,Active")
    assert provider.send(again, "gc").state == "imported"
    assert GenerationHour.objects.get().claimed_wh == 900


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_a_refusal_needs_a_reason(provider, auditor, reason):
    provider.send(gc(), "gc")

    with pytest.raises(ValidationFailed):
        refuse_lot(lot=CertificateLot.objects.get(), by=auditor, reason=reason, now=NOON)

    assert CertificateLot.objects.get().state == "pending"


def test_a_lot_is_decided_once(provider, auditor):
    provider.send(gc(), "gc")
    lot = CertificateLot.objects.get()
    accept_lot(lot=lot, by=auditor, now=NOON)

    with pytest.raises(IllegalState):
        accept_lot(lot=lot, by=auditor, now=NOON)
    with pytest.raises(IllegalState):
        refuse_lot(lot=lot, by=auditor, reason="no", now=NOON)

    assert CertificateLot.objects.get().state == "active"


def test_what_has_expired_is_not_accepted(provider, auditor):
    provider.send(gc(expires_at="2026-12-02T00:00Z"), "gc")

    with pytest.raises(IllegalState, match="expired"):
        accept_lot(lot=CertificateLot.objects.get(), by=auditor, now=NOW + timedelta(days=1))


def test_certificates_of_a_plant_whose_owner_keeps_them_are_not_accepted_of_another(provider, auditor):
    other = Provider("Another", "2")
    provider.send(gc(device_id="roof 2", technology="solar"), "gc")
    lot = CertificateLot.objects.get()

    with pytest.raises(IllegalState, match="has not sold its certificates"):
        accept_lot(lot=lot, by=auditor, now=NOON)
    EnergySource.objects.filter(pk=other.roof.pk).update(certificates_sold=True)
    assert accept_lot(lot=lot, by=auditor, now=NOON).state == "active"


def test_verifying_a_plant_makes_its_waiting_records_usable_and_sets_promises_aside(provider, auditor):
    share = make_share(provider.roof, provider.point)
    promise("rsv_a", share, MONDAY, 80, 300_000)
    record_generation(source=provider.roof, made=[Made(MONDAY, 1000), Made(at(MONDAY, 1), 500)], now=NOON)

    verify_source(source=provider.roof, evidence="metered", by=auditor, now=NOON, evidence_sha256="a" * 64)

    first, second = CertificateLot.objects.order_by("pk")
    assert (first.state, second.state, first.reviewed_by) == ("active", "active", auditor)
    assert spans(first) == [(0, 300, "reserved", "rsv_a"), (300, 1000, "available", "")]
    assert counters(second) == {"available": 500}
    roof = EnergySource.objects.get(pk=provider.roof.pk)
    assert (roof.evidence, roof.verified_by, roof.verified_at, roof.version) == ("metered", auditor, NOON, 2)
    assert event_types(roof.public_id) == ["energy_source.verified"]


def test_documents_alone_make_no_record_usable_and_evidence_only_rises(provider, auditor):
    make_share(provider.roof, provider.point)
    record_generation(source=provider.roof, made=[Made(MONDAY, 1000)], now=NOON)

    verify_source(source=provider.roof, evidence="documents", by=auditor, now=NOON)
    assert CertificateLot.objects.get().state == "pending"
    verify_source(source=provider.roof, evidence="audited", by=auditor, now=NOON)
    assert CertificateLot.objects.get().state == "active"
    for evidence in ("metered", "audited"):
        with pytest.raises(IllegalState):
            verify_source(source=provider.roof, evidence=evidence, by=auditor, now=NOON)
    with pytest.raises(ValidationFailed):
        verify_source(source=provider.roof, evidence="declared", by=auditor, now=NOON)


def test_accepting_a_certificate_of_a_contract_sets_the_promised_part_aside(provider, auditor):
    farm = make_source(provider.organization, device_id="farm 1", kind="ppa_physical", technology="wind")
    share = make_share(farm, provider.point)
    promise("rsv_a", share, MONDAY, 80, 500_000)
    record_generation(source=farm, made=[Made(MONDAY, 1000)], now=NOON)
    provider.send(gc(device_id="farm 1"), "gc")

    lot = accept_lot(lot=CertificateLot.objects.get(), by=auditor, now=NOON)

    assert spans(lot) == [(0, 500, "reserved", "rsv_a"), (500, 1000, "available", "")]


def test_what_a_withdrawal_reaches_is_told_before_and_nothing_is_changed(provider, auditor):
    lot = settled(provider, auditor)
    take(lots=[lot.pk], wh=100, old="reserved", new="cancelled", subject="job_a", now=LATER)
    given = promise("job_a", provider.roof.shares.get(), at(MONDAY, 1), 50, 1)

    told = touched_by(lots=CertificateLot.objects.on_site_of(provider.roof))

    assert told.lots == 1
    assert told.wh == {"available": 600, "reserved": 300, "cancelled": 100}
    assert (told.subjects, told.promises, told.fed) == (["job_a"], [given.public_id], [])
    assert counters(lot) == {"available": 600, "reserved": 300, "cancelled": 100}


def test_what_a_store_made_of_a_lot_is_told_too(auditor):
    plant = Plant()
    lot = plant.lot(0, 100)
    charge(store=plant.store, point=plant.point, start=MONDAY, wh=100, now=NOON)
    out = plant.discharge(1, 88)

    assert touched_by(lots=CertificateLot.objects.filter(pk=lot.pk)).fed == [out.public_id]


def test_a_withdrawn_lot_serves_nobody_any_more(provider, auditor):
    lot = settled(provider, auditor)
    assert matched() == 400

    withdraw_lot(lot=lot, by=auditor, reason="the meter was wrong", now=LATER)

    lot.refresh_from_db()
    assert (lot.state, counters(lot), matched()) == ("closed", {"withdrawn": 1000}, 0)
    assert not MatchLine.objects.filter(live=True).exists()
    assert_whole(lot)
    event = Event.objects.filter(object_id=lot.public_id).latest("pk")
    assert (event.type, event.reason, event.facts["subjects"]) == ("certificate_lot.closed", "withdrawn", ["job_a"])


def test_what_was_cancelled_is_withdrawn_by_a_correction_of_its_issuer_alone(provider, auditor):
    lot = settled(provider, auditor)
    take(lots=[lot.pk], wh=400, old="reserved", new="cancelled", subject="job_a", now=LATER)

    withdraw_lot(lot=lot, by=auditor, reason="the meter was wrong", now=LATER)
    assert (counters(lot), matched()) == ({"withdrawn": 600, "cancelled": 400}, 400)
    with pytest.raises(IllegalState):
        withdraw_lot(lot=lot, by=auditor, reason="again", now=LATER)
    corrected = withdraw_lot(lot=lot, by=auditor, reason="corrected", now=LATER, correction=True)

    assert (counters(lot), matched(), corrected.state) == ({"withdrawn": 1000}, 0, "closed")
    assert event_types(lot.public_id) == [
        "certificate_lot.active", "certificate_lot.closed", "certificate_lot.corrected"
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["pending", "refused", "closed"])
def test_only_what_is_in_use_is_withdrawn(auditor, state):
    lot = make_lot(100, state=state)

    with pytest.raises(IllegalState):
        withdraw_lot(lot=lot, by=auditor, reason="no", now=LATER, correction=True)

    assert counters(lot) == {"available": 100}


def test_a_revoked_plant_is_declared_again_and_its_records_serve_nobody(provider, auditor):
    lot = settled(provider, auditor)
    record_generation(source=provider.roof, made=[Made(at(MONDAY, 1), 100)], now=LATER)

    revoke_source(source=provider.roof, by=auditor, reason="no such plant", now=LATER)

    assert (counters(lot), matched()) == ({"withdrawn": 1000}, 0)
    assert set(CertificateLot.objects.values_list("state", flat=True)) == {"closed"}
    roof = EnergySource.objects.get(pk=provider.roof.pk)
    assert (roof.evidence, roof.verified_by, roof.review_reason) == ("declared", None, "no such plant")
    event = Event.objects.filter(object_id=roof.public_id).latest("pk")
    assert (event.type, event.facts["subjects"]) == ("energy_source.revoked", ["job_a"])
    record_generation(source=provider.roof, made=[Made(at(MONDAY, 2), 100)], now=LATER)
    assert CertificateLot.objects.latest("pk").state == "pending"
    with pytest.raises(IllegalState):
        revoke_source(source=roof, by=auditor, reason="again", now=LATER)


def expiring_lot(days: int, **fields: object) -> CertificateLot:
    return make_lot(100, issuance=make_issuance(expires_at=NOON + timedelta(days=days)), **fields)


def test_a_holder_is_told_once_that_a_lot_expires_within_thirty_days():
    soon, _ = expiring_lot(30), expiring_lot(31)
    used = expiring_lot(5)
    for old, new in (("available", "reserved"), ("reserved", "cancelled")):
        take(lots=[used.pk], wh=100, old=old, new=new, subject="job_a", now=NOON)

    assert warn_of_expiry(now=NOON) == 1
    assert warn_of_expiry(now=NOON) == 0
    assert event_types(soon.public_id) == ["certificate_lot.expiring"]


def test_what_is_usable_of_a_lot_expires_with_it_and_what_was_cancelled_stays():
    point = make_point()
    lot = expiring_lot(0, point=point)
    use = make_use(point, "job_a", MONDAY, 100)
    take(lots=[lot.pk], wh=60, old="available", new="reserved", subject="job_a", now=NOON)
    take(lots=[lot.pk], wh=20, old="reserved", new="cancelled", subject="job_a", now=NOON)
    MatchLine.objects.create(use_hour=use, lot=lot, wh_range=(0, 60))
    waiting, later = expiring_lot(0, state="pending"), expiring_lot(1)

    assert expire_lots(now=NOON) == 2
    assert expire_lots(now=NOON) == 0

    assert (counters(lot), matched()) == ({"expired": 80, "cancelled": 20}, 20)
    assert_whole(lot)
    states = dict(CertificateLot.objects.values_list("pk", "state"))
    assert states == {lot.pk: "closed", waiting.pk: "refused", later.pk: "active"}


def test_the_task_may_run_as_often_as_one_likes():
    lot = make_lot(100, issuance=make_issuance(expires_at=MONDAY - timedelta(days=700)))

    expire_certificates()
    expire_certificates()

    assert counters(lot) == {"expired": 100}
