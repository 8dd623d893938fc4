"""A provider gives a reservation up: what runs inside ends unpaid, and its buyer has its money and a credit."""

from datetime import timedelta

import pytest
from django.test import Client

from marketplace.booking.models import CapacityDay, Reservation, ServiceCredit
from marketplace.common.clock import HOUR, hour_floor, utc_now
from marketplace.common.errors import IllegalState, ValidationFailed
from marketplace.events.models import Event
from marketplace.ledger.wallets import wallet_of
from scheduler.attempts import mark_running
from scheduler.inside import give_up_reservation
from scheduler.jobview import job_as_json
from scheduler.models import Job, Lease
from tests.market import NOON, key_of, make_organization
from tests.scheduler.reserved import attempt_of, inside, reserve, submit_inside
from tests.scheduler.scene import TestAgent, make_cpu_offer

pytestmark = pytest.mark.django_db
HALF_PAST = NOON + timedelta(minutes=30)


@pytest.fixture
def buyer():
    return make_organization("Lab", funds=100_000)


@pytest.fixture
def running(buyer):
    """Two units from 12:00 to 16:00 at 0.04 and 4 % on top: 0.33."""
    return reserve(make_cpu_offer(units=4), buyer, units=2, start=NOON, hours=4, now=NOON)


def wallet(buyer):
    found = wallet_of(organization=buyer, asset="USD", livemode=False)
    return found.available, found.held


def given_up(reservation, now=NOON, **asked):
    return give_up_reservation(reservation=reservation, **({"reason": "hardware_failed", "now": now} | asked))


def promised(offer):
    return sum(sum(day.units_promised) for day in CapacityDay.objects.filter(offer=offer))


def test_money_comes_back_with_a_credit_and_the_hours_are_free_again(buyer, running):
    held = wallet(buyer)[1]

    told = given_up(running)

    assert (running.state, running.reason, promised(running.offer)) == ("failed", "hardware_failed", 0)
    assert told.refund_minor == held == running.contract.total_minor
    assert told.credit_minor == told.provider_minor == running.contract.untaxed_minor // 10
    assert wallet(buyer) == (100_000 + told.credit_minor, 0)
    event = Event.objects.of_object(running.public_id).order_by("-object_seq").first()
    assert (event.state, event.reason, event.provider) == ("failed", "hardware_failed", running.offer.site.provider)


def test_jobs_inside_end_with_it_whether_they_run_or_wait(buyer, running):
    busy, waiting, third = (submit_inside(running, now=NOON, name=name) for name in ("one", "two", "three"))
    agent = TestAgent(running.offer, now=NOON)
    agent.claim(now=NOON)
    mark_running(attempt=attempt_of(busy), now=NOON)

    told = given_up(running, now=HALF_PAST)

    jobs = Job.objects.with_story().filter(pk__in=[busy.pk, waiting.pk, third.pk])
    assert {(job.state, job.reason) for job in jobs} == {("cancelled", "reservation_over")}
    assert {job_as_json(job, HALF_PAST)["sentence"] for job in jobs} == {"Its provider gave the reservation up."}
    assert (told.jobs, Lease.objects.live().count()) == (3, 0)
    assert inside(running, NOON) == (0, 0)
    assert ServiceCredit.objects.count() == 1, "the credit is of the reservation, not of each job too"


def test_it_is_done_once(buyer, running):
    given_up(running)
    after = wallet(buyer)

    with pytest.raises(IllegalState):
        given_up(running)

    assert (wallet(buyer), ServiceCredit.objects.count()) == (after, 1)


@pytest.mark.parametrize("asked", [{"reason": "a whim"}, {"shown_minor": 0}])
def test_an_unknown_reason_or_a_dearer_end_than_was_shown_changes_nothing(buyer, running, asked):
    job = submit_inside(running, now=NOON)
    before = wallet(buyer)

    with pytest.raises(ValidationFailed):
        given_up(running, **asked)

    running.refresh_from_db()
    job.refresh_from_db()
    assert (running.state, job.state, wallet(buyer)) == ("active", "allocated", before)
    assert (inside(running, NOON), ServiceCredit.objects.count()) == ((2, 1), 0)


def test_what_was_kept_to_its_end_is_not_given_up(buyer, running):
    with pytest.raises(IllegalState):
        given_up(running, now=running.end)

    assert (wallet(buyer)[1], ServiceCredit.objects.count()) == (running.contract.total_minor, 0)


def test_what_is_only_held_is_not_given_up(buyer):
    held = reserve(make_cpu_offer(units=4), buyer, start=NOON, firm=False)

    with pytest.raises(IllegalState):
        given_up(held)


@pytest.fixture
def ahead(buyer):
    """As `running`, but by the clock of the day, which views read."""
    now = utc_now()
    return reserve(make_cpu_offer(now=now, units=4), buyer, units=2, start=hour_floor(now) + 2 * HOUR, now=now)


def client_of_provider(ahead, *scopes):
    _, secret = key_of(ahead.offer.site.provider, *(scopes or ("offers:read", "offers:write")))
    return Client(headers={"Authorization": f"Bearer {secret}"})


def ask(client, ahead, *, query="", key="one", **body):
    path = f"/api/v1/sold_reservations/{ahead.public_id}/give_up{query}"
    return client.post(path, body, "application/json", headers={"Idempotency-Key": key})


def test_a_provider_reads_what_it_promised_and_not_whose_it_is(ahead):
    client = client_of_provider(ahead)

    [row] = client.get("/api/v1/sold_reservations").json()["data"]

    assert row == client.get(f"/api/v1/sold_reservations/{ahead.public_id}").json()
    assert (row["id"], row["state"], row["units"]) == (ahead.public_id, "confirmed", 2)
    assert ahead.buyer.public_id not in str(row)
    assert "buyer" not in row


def test_over_http_it_is_shown_before_it_is_done_and_done_once(buyer, ahead):
    client = client_of_provider(ahead)

    shown = ask(client, ahead, query="?dry_run=true", reason="power_lost").json()["given_up"]
    assert Reservation.objects.get().state == "confirmed"
    done = [ask(client, ahead, reason="power_lost", provider_minor=shown["provider_minor"]).json() for _ in range(2)]

    assert done[0] == done[1]
    assert (done[0]["state"], done[0]["reason"], done[0]["given_up"]) == ("failed", "power_lost", shown)
    assert ServiceCredit.objects.count() == 1


def test_nobody_else_gives_it_up(buyer, ahead):
    stranger = make_organization("Stranger")
    for organization in (buyer, stranger):
        _, secret = key_of(organization, "offers:write")
        client = Client(headers={"Authorization": f"Bearer {secret}"})
        assert ask(client, ahead, reason="withdrawn").status_code == 404
    reader = client_of_provider(ahead, "offers:read")
    assert ask(reader, ahead, reason="withdrawn").json()["code"] == "scope_missing"

    assert Reservation.objects.get().state == "confirmed"
