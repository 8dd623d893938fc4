"""Jobs inside a reservation over HTTP: named in the file or beside it, planned, listed, cancelled with it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace.common.clock import HOUR, hour_floor
from marketplace.events.models import Event
from scheduler.models import Job
from tests.market import make_organization
from tests.scheduler.reserved import file_of, inside, promised, reserve
from tests.scheduler.scene import make_cpu_offer
from tests.scheduler.test_rehearsal import client_of

pytestmark = pytest.mark.django_db(transaction=True)
TREE = {"name": "tree", "run": "echo hello", "config": {"joulemart": {"time_limit_s": 60}}}


@pytest.fixture
def buyer():
    return make_organization("Lab")


@pytest.fixture
def client(buyer):
    return client_of(buyer, "jobs:write", "jobs:read", "reservations:write", "reservations:read")


@pytest.fixture
def ahead(buyer):
    """Two units of the two hours after next."""
    now = timezone.now()
    return reserve(make_cpu_offer(now=now, units=4), buyer, start=hour_floor(now) + 2 * HOUR, hours=2, now=now)


def submit(client, body, *, key="one", query="", kind="json"):
    path = f"/api/v1/jobs{query}"
    if kind == "yaml":
        return client.post(path, body, content_type="application/yaml", HTTP_IDEMPOTENCY_KEY=key)
    return client.post(path, body, format=kind, HTTP_IDEMPOTENCY_KEY=key)


def test_a_file_that_names_the_reservation_is_placed_in_it(client, ahead):
    answer = submit(client, file_of(ahead), kind="yaml")

    told = answer.json()
    assert (answer.status_code, told["state"], told["reservation"]) == (201, "allocated", ahead.public_id)
    assert told["allocation"]["start"] == ahead.start.isoformat().replace("+00:00", "Z")
    assert told["allocation"]["offer"]["id"] == ahead.offer.public_id
    assert inside(ahead, ahead.start) == (2, 1)
    again = submit(client, file_of(ahead), kind="yaml")
    assert (again.json()["id"], Job.objects.count(), inside(ahead, ahead.start)) == (told["id"], 1, (2, 1))


@pytest.mark.parametrize("tree", [True, False])
def test_the_reservation_may_stand_beside_the_file(client, ahead, tree):
    body = TREE if tree else {"file": "run: echo hello\nconfig: {joulemart: {time_limit_s: 60}}\n"}

    answer = submit(client, body | {"reservation": ahead.public_id})

    assert (answer.status_code, answer.json()["reservation"]) == (201, ahead.public_id)
    assert Job.objects.get().file["config"]["joulemart"]["reservation"] == ahead.public_id, "a retry runs there too"


def test_two_names_are_one_too_many(client, ahead):
    answer = submit(client, {"file": file_of(ahead), "reservation": "rsv_other"})

    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/reservation"]
    assert submit(client, TREE | {"reservation": 7}).status_code == 422
    assert not Job.objects.exists()


def test_anothers_reservation_answers_as_if_it_were_missing(ahead):
    stranger = client_of(make_organization("Somebody else"), "jobs:write")

    answer = submit(stranger, file_of(ahead), kind="yaml")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["facts"] == {"pointer": "/config/joulemart/reservation"}
    assert submit(stranger, file_of(ahead), kind="yaml", query="?dry_run=true").status_code == 404
    assert (Job.objects.count(), inside(ahead, ahead.start)) == (0, (2, 0))


def test_what_does_not_fit_is_named_with_its_field(client, ahead):
    answer = submit(client, file_of(ahead, units=3, run_s=7201), kind="yaml")

    assert answer.status_code == 422
    assert [(each["pointer"], each["hint"]) for each in answer.json()["errors"]] == [
        ("/resources/cpus", "2"), ("/config/joulemart/time_limit_s", "7200"),
    ]  # fmt: skip


def test_a_plan_says_where_it_would_run_and_leaves_nothing(client, ahead):
    events = Event.objects.count()

    answer = submit(client, file_of(ahead), kind="yaml", query="?dry_run=true")

    told = answer.json()
    assert (answer.status_code, told["state"], told["id"]) == (200, "planned", None)
    assert (told["allocation"]["units"], told["reservation"]) == (1, ahead.public_id)
    assert {line["action"] for line in told["report"]} == {"kept"}
    assert (Job.objects.count(), Event.objects.count(), inside(ahead, ahead.start)) == (0, events, (2, 0))


def test_a_plan_of_a_full_reservation_says_that_it_would_wait(client, ahead):
    submit(client, file_of(ahead, units=2, run_s=7200), kind="yaml")

    told = submit(client, file_of(ahead), kind="yaml", query="?dry_run=true").json()

    assert (told["allocation"], told["unplaced"]["code"]) == (None, "no_capacity")


def test_jobs_are_listed_by_their_reservation(client, ahead):
    mine = submit(client, file_of(ahead), kind="yaml").json()["id"]

    found = client.get(f"/api/v1/jobs?reservation={ahead.public_id}").json()["data"]

    assert [each["id"] for each in found] == [mine]
    assert client.get("/api/v1/jobs?reservation=rsv_other").json()["data"] == []


def test_cancelling_the_reservation_takes_its_jobs_along_unless_it_is_a_rehearsal(client, ahead):
    submit(client, file_of(ahead), kind="yaml")
    path = f"/api/v1/reservations/{ahead.public_id}/cancel"

    assert client.post(f"{path}?dry_run=true").json()["state"] == "cancelled"
    assert (Job.objects.get().state, promised(ahead.offer, ahead.start)) == ("allocated", 2)
    assert client.post(path).status_code == 200

    assert (Job.objects.get().state, promised(ahead.offer, ahead.start)) == ("cancelled", 0)


def test_running_work_keeps_its_reservation_and_the_refusal_says_why(client, buyer):
    now = timezone.now()
    held = reserve(make_cpu_offer(now=now, units=4), buyer, start=now + timedelta(seconds=1), hours=2, now=now)
    submit(client, file_of(held), kind="yaml")
    Job.objects.get().attempts.update(state="starting")

    answer = client.post(f"/api/v1/reservations/{held.public_id}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state")
    assert "cancel those jobs first" in answer.json()["hint"]
    assert inside(held, held.start) == (2, 1)


def change(client, reservation, verb, body, *, key="one", query=""):
    path = f"/api/v1/reservations/{reservation.public_id}/{verb}{query}"
    return client.post(path, body, format="json", HTTP_IDEMPOTENCY_KEY=key)


def test_an_extension_is_priced_first_and_bought_once_at_that_price(client, ahead):
    shown = change(client, ahead, "extend", {"hours": 2}, query="?dry_run=true").json()
    ahead.refresh_from_db()
    assert (shown["change"]["units"], ahead.changes.count(), promised(ahead.offer, ahead.end)) == (2, 0, 0)

    agreed = {"hours": 2, "total_minor": shown["change"]["total_minor"]}
    first, again = (change(client, ahead, "extend", agreed) for _ in range(2))

    told = first.json()
    assert (first.status_code, again.json(), again["Idempotent-Replayed"]) == (200, told, "true")
    assert told["end"] == shown["end"] == (ahead.end + 2 * HOUR).isoformat().replace("+00:00", "Z")
    assert [each["total_minor"] for each in told["contracts"]] == [
        told["total_minor"] - agreed["total_minor"], agreed["total_minor"],
    ]  # fmt: skip
    assert sum(line["amount_minor"] for line in told["price_lines"]) == told["total_minor"]
    assert (promised(ahead.offer, ahead.end), ahead.changes.count()) == (2, 1)


def test_a_longer_reservation_takes_a_longer_job(client, ahead):
    assert submit(client, file_of(ahead, run_s=7201), kind="yaml").status_code == 422
    change(client, ahead, "extend", {"hours": 1})

    answer = submit(client, file_of(ahead, run_s=7201), kind="yaml", key="two")

    assert (answer.status_code, answer.json()["state"]) == (201, "allocated")
    assert inside(ahead, ahead.start + 2 * HOUR) == (2, 1)


def test_units_are_added_for_who_waits_and_given_back_when_nobody_needs_them(client, ahead):
    change(client, ahead, "resize", {"units": 3}, key="more")
    assert submit(client, file_of(ahead, units=2), kind="yaml").json()["state"] == "allocated"

    needed = change(client, ahead, "resize", {"units": 1}, key="less")
    assert (needed.status_code, needed.json()["code"]) == (409, "illegal_state")
    given = change(client, ahead, "resize", {"units": 2}, key="least").json()

    assert (given["units"], given["change"]["units"], given["change"]["total_minor"]) == (2, -1, 0)
    assert (inside(ahead, ahead.start), promised(ahead.offer, ahead.start)) == ((2, 2), 2)


@pytest.mark.parametrize(
    ("verb", "body", "status", "code"),
    [
        ("extend", {"hours": 0}, 422, "validation_failed"),
        ("extend", {}, 422, "validation_failed"),
        ("extend", {"hours": 1, "total_minor": 1}, 422, "validation_failed"),
        ("resize", {"units": 2}, 422, "validation_failed"),
        ("resize", {"units": 5}, 409, "capacity_taken"),
    ],
)
def test_a_change_that_cannot_be_is_refused_whole(client, ahead, verb, body, status, code):
    answer = change(client, ahead, verb, body)

    ahead.refresh_from_db()
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (ahead.version, ahead.changes.count(), promised(ahead.offer, ahead.start)) == (2, 0, 2)


def test_a_change_needs_a_key_the_scope_and_the_owner(client, buyer, ahead):
    path = f"/api/v1/reservations/{ahead.public_id}/extend"
    reader, stranger = client_of(buyer, "reservations:read"), client_of(make_organization(), "reservations:write")

    assert client.post(path, {"hours": 1}, format="json").json()["code"] == "idempotency_key_required"
    assert change(reader, ahead, "extend", {"hours": 1}).status_code == 403
    assert change(stranger, ahead, "extend", {"hours": 1}).status_code == 404
    assert ahead.changes.count() == 0
