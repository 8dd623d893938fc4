"""What a reviewer is told of certificates and plants: above all what would count energy twice."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import Role
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.energy.errors import NotTheReviewer
from marketplace.energy.generation import Made, record_generation
from marketplace.energy.lotchecks import Interval, checks_of, counted, overlaps, worst
from marketplace.energy.models import CertificateLot, EnergySource, GenerationHour
from marketplace.energy.reviewing import accept_together, refuse_source, refuse_together, revoke_source, verify_source
from marketplace.energy.sourcechecks import checks_of_source, latest_hours, made_by
from marketplace.energy.sources import change_source
from marketplace.events.models import Event
from tests.energy.evidence import make_issuance, make_lot, make_share
from tests.energy.files import NOW, Provider, gc
from tests.market import MONDAY, NOON, at, make_member, make_organization

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
WITH = ("issuance__zone", "issuance__source", "point__zone", "holder")


@pytest.fixture
def auditor():
    return make_member(make_organization(funds=0), Role.AUDITOR)


@pytest.fixture
def provider() -> Provider:
    return Provider()


def checked(lot: CertificateLot, now: datetime = NOW) -> dict[str, str]:
    """The tone of each check of a lot."""
    row = CertificateLot.objects.select_related(*WITH).get(pk=lot.pk)
    return {check.code: check.tone for check in checks_of([row], now=now)[row.pk]}


def test_a_certificate_of_an_unknown_plant_holds_but_for_the_registrys_word(provider):
    provider.send(gc(), "gc")

    assert checked(CertificateLot.objects.get()) == {
        "plant_unknown": "note", "capacity": "good", "same_time": "good", "market": "good", "resolution": "good",
    }  # fmt: skip


def test_whose_the_plant_is_decides_whether_its_certificates_hold(provider):
    other = Provider("Another", "2")
    provider.send(gc(device_id="roof 2", technology="solar"), "gc")
    lot = CertificateLot.objects.get()
    assert checked(lot)["plant_keeps"] == "bad"

    EnergySource.objects.filter(pk=other.roof.pk).update(certificates_sold=True)

    assert checked(lot)["plant_sold"] == "good"


def test_certificates_of_ones_own_plant_are_held_against_its_meter(provider):
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=NOON)
    provider.send(gc(device_id="roof 1", technology="solar", capacity_w="1000", range_end="900"), "gc")
    lot = CertificateLot.objects.get()
    assert checked(lot)["production"] == "good"

    EnergySource.objects.filter(pk=provider.roof.pk).update(certificates_sold=True)

    assert checked(lot)["own_sold"] == "bad"


def test_an_hour_that_no_meter_saw_speaks_against():
    provider = Provider()
    issuance = make_issuance(source=provider.roof, device_id="roof 1", zone=provider.point.zone)
    lot = make_lot(500, issuance=issuance, holder=provider.organization, point=provider.point, state="pending")

    assert checked(lot)["not_metered"] == "bad"


def test_more_than_the_plant_can_make_in_that_time_speaks_against_all_that_claim_it():
    lots = [
        make_lot(2_000, issuance=make_issuance(device_id="wind 1", capacity_w=3_000, registry=name), state="pending")
        for name in ("one registry", "another")
    ]

    assert [checked(lot)["capacity"] for lot in lots] == ["bad", "bad"]
    CertificateLot.objects.filter(pk=lots[1].pk).update(state="refused")
    assert checked(lots[0])["capacity"] == "good"


def test_a_month_that_covers_a_certified_hour_is_to_be_weighed():
    hour = make_lot(1_000, issuance=make_issuance(device_id="wind 1"), state="pending")
    assert checked(hour)["same_time"] == "good"
    month = make_issuance(MONDAY - 2 * HOUR, device_id="wind 1", length=timedelta(days=30), temporal_resolution="month")
    coarse = make_lot(9_000, issuance=month, state="pending")

    assert checked(hour)["same_time"] == "note"
    assert (checked(coarse)["same_time"], checked(coarse)["resolution"]) == ("note", "note")


def test_what_was_made_of_a_certificate_that_is_alive_speaks_against_both():
    old = make_lot(1_000, issuance=make_issuance(issuance_id="gec 1"), state="pending")
    new = make_lot(1_000, issuance=make_issuance(underlying_serial="gec 1"), state="pending")

    assert checked(new)["underlying"] == "bad"
    assert checked(old)["remade"] == "bad"


def test_expiry_market_and_trade_are_told():
    provider = Provider()
    issuance = make_issuance(expires_at=NOW + HOUR, tradable=False, capacity_w=None)
    lot = make_lot(1_000, issuance=issuance, point=provider.point, state="pending")

    now, later = checked(lot), checked(lot, NOW + 2 * HOUR)

    assert (now["expiry"], later["expiry"]) == ("good", "bad")
    assert (now["market"], now["not_tradable"], now["no_capacity"]) == ("bad", "note", "note")


def test_many_lots_are_checked_in_as_many_questions_as_one(provider, django_assert_max_num_queries):
    for n in range(20):
        make_lot(100, issuance=make_issuance(at(MONDAY, n % 5), device_id=f"wind {n}"), state="pending")
    rows = list(CertificateLot.objects.select_related(*WITH))

    with django_assert_max_num_queries(7):
        found = checks_of(rows, now=NOW)

    assert counted(found)["plant_unknown", "note"] == 20
    assert {worst(checks) for checks in found.values()} == {"note"}


def test_intervals_meet_where_they_share_some_time():
    day = datetime(2026, 11, 23, tzinfo=UTC)
    first, second, whole = (
        Interval(day, day + HOUR),
        Interval(day + HOUR, day + 2 * HOUR),
        Interval(day, day + 24 * HOUR),
    )

    assert overlaps([second, whole, first]) == {first: [whole], second: [whole], whole: [first, second]}


# ---- plants


def tones(source: EnergySource) -> dict[str, str]:
    return {check.code: check.tone for check in checks_of_source(source, now=NOW)}


def test_a_new_plant_has_no_hours_and_serves_nobody_yet(provider):
    assert tones(provider.roof) == {
        "certificates_sold": "good", "held_by_others": "good", "no_hours": "note", "shares": "note",
    }  # fmt: skip


def test_a_metered_plant_is_held_against_its_capacity_and_its_lots(provider):
    make_share(provider.roof, provider.point, 0, 500_000)
    record_generation(source=provider.roof, made=[Made(MONDAY, 1_000), Made(at(MONDAY, 1), 800)], now=NOON)
    assert tones(provider.roof) == {
        "certificates_sold": "good", "held_by_others": "good", "beyond_capacity": "good", "claimed": "good",
        "shares": "good",
    }  # fmt: skip
    latest = latest_hours(provider.roof, most=1)[0]
    assert (latest.wh, latest.claimed_wh, latest.lots_wh, latest.free_wh) == (800, 400, 400, 400)

    record_generation(source=provider.roof, made=[Made(at(MONDAY, 2), 1_001)], now=NOON)

    assert tones(provider.roof)["beyond_capacity"] == "bad"
    made = made_by(provider.roof)
    assert (made.hours, made.wh, made.claimed_wh, made.beyond) == (3, 2_801, 1_400, 1)


def test_certificates_of_the_device_that_others_hold_speak_against(provider):
    other = make_organization("Trader", funds=0)
    make_lot(700, issuance=make_issuance(device_id="roof 1"), holder=other, state="pending")
    EnergySource.objects.filter(pk=provider.roof.pk).update(certificates_sold=True)
    provider.roof.refresh_from_db()

    assert tones(provider.roof)["held_by_others"] == "bad"
    assert tones(provider.roof)["certificates_sold"] == "bad"


# ---- deciding


def test_a_refused_plant_stays_as_it_is_and_waits_again_once_its_owner_changes_it(provider, auditor):
    waiting = EnergySource.objects.to_review()
    assert provider.roof in waiting

    refuse_source(source=provider.roof, by=auditor, reason=" which roof? ", now=NOON)

    roof = EnergySource.objects.get(pk=provider.roof.pk)
    assert (roof.evidence, roof.review_reason, roof.version) == ("declared", "which roof?", 2)
    assert roof not in waiting.all()
    event = Event.objects.filter(object_id=roof.public_id).latest("pk")
    assert (event.type, event.facts["reason"]) == ("energy_source.refused", "which roof?")
    change_source(source=roof, changes={"capacity_w": 900}, version=roof.version, now=NOON)
    assert roof in waiting.all()


def test_what_backs_claims_is_not_refused_but_revoked(provider, auditor):
    verify_source(source=provider.roof, evidence="metered", by=auditor, now=NOON)

    with pytest.raises(IllegalState):
        refuse_source(source=provider.roof, by=auditor, reason="no", now=NOON)
    revoke_source(source=provider.roof, by=auditor, reason="no such roof", now=NOON)

    assert not EnergySource.objects.to_review().exists()


def test_a_plant_is_refused_with_a_reason_and_from_outside_alone(provider, auditor):
    member = make_member(provider.organization, Role.AUDITOR)

    with pytest.raises(NotTheReviewer):
        refuse_source(source=provider.roof, by=member, reason="no", now=NOON)
    with pytest.raises(ValidationFailed):
        refuse_source(source=provider.roof, by=auditor, reason=" ", now=NOON)

    assert EnergySource.objects.get(pk=provider.roof.pk).version == 1


def two_lots(provider: Provider) -> None:
    provider.send(
        gc({}, {"issuance_id": "iss-2", "start_utc": "2026-11-23T01:00Z", "end_utc": "2026-11-23T02:00Z"}), "gc"
    )


def test_lots_are_accepted_together_and_what_is_decided_stays(provider, auditor):
    two_lots(provider)
    make_lot(100, state="refused")

    assert accept_together(lots=CertificateLot.objects.all(), by=auditor, now=NOON) == 2
    assert accept_together(lots=CertificateLot.objects.all(), by=auditor, now=NOON) == 0

    states = CertificateLot.objects.order_by("pk").values_list("state", "reviewed_by")
    assert list(states) == [("active", auditor.pk), ("active", auditor.pk), ("refused", None)]


def test_lots_are_refused_together_and_give_back_what_they_claimed(provider, auditor):
    record_generation(source=provider.roof, made=[Made(MONDAY, 900)], now=NOON)
    provider.send(gc(device_id="roof 1", technology="solar", capacity_w="1000", range_end="900"), "gc")

    assert refuse_together(lots=CertificateLot.objects.all(), by=auditor, reason="sold", now=NOON) == 1

    assert CertificateLot.objects.get().state == "refused"
    assert GenerationHour.objects.get().claimed_wh == 0


def test_of_lots_that_are_decided_on_together_all_are_or_none(provider, auditor):
    two_lots(provider)
    expired = make_lot(100, issuance=make_issuance(expires_at=NOON), state="pending")
    own = make_lot(100, holder=auditor.memberships.get().organization, state="pending")
    mine, others = CertificateLot.objects.filter(pk=own.pk), CertificateLot.objects.exclude(pk=own.pk)

    with pytest.raises(IllegalState, match="expired"):
        accept_together(lots=others, by=auditor, now=NOON)
    for act in (accept_together, lambda **given: refuse_together(reason="no", **given)):
        with pytest.raises(NotTheReviewer):
            act(lots=mine | others, by=auditor, now=NOON)
    with pytest.raises(ValidationFailed):
        refuse_together(lots=others, by=auditor, reason=" ", now=NOON)

    assert set(CertificateLot.objects.values_list("state", flat=True)) == {"pending"}
    assert CertificateLot.objects.filter(pk=expired.pk).exists()
