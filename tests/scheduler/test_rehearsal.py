"""`dry_run=true` on every verb of a job and a reservation: checked, answered, and nothing changed."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from marketplace.booking.services import hold_units
from marketplace.events.models import Event
from scheduler.models import Job
from tests.market import key_of, make_offer, make_organization
from tests.scheduler.scene import allocated, make_cpu_offer

pytestmark = pytest.mark.django_db(transaction=True)


def client_of(organization, *scopes):
    client = APIClient()
    _, secret = key_of(organization, *scopes)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.mark.parametrize("verb", ["confirm", "cancel"])
def test_a_reservation_stays_as_it_is(verb):
    now = timezone.now()
    buyer = make_organization()
    start = now + timedelta(hours=2)
    offer = make_offer(now=now)
    held = hold_units(buyer=buyer, offer=offer, units=1, start=start, end=start + timedelta(hours=1), now=now)
    client, events = client_of(buyer, "reservations:write"), Event.objects.count()

    answer = client.post(f"/api/v1/reservations/{held.public_id}/{verb}?dry_run=true")

    held.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json()["state"] in {"confirmed", "cancelled"}
    assert (held.state, Event.objects.count()) == ("held", events)


@pytest.mark.parametrize(("verb", "body"), [("cancel", {}), ("relax", {"limits": {"price__lte": 5}})])
def test_a_job_stays_as_it_is(verb, body):
    now = timezone.now()
    offer = make_cpu_offer(now=now)
    attempt = allocated(offer, now=now)
    job = attempt.job
    client, events = client_of(job.buyer, "jobs:write"), Event.objects.count()

    answer = client.post(f"/api/v1/jobs/{job.public_id}/{verb}?dry_run=true", body, format="json")

    assert answer.status_code == (200 if verb == "cancel" else 409)
    assert (Job.objects.get(pk=job.pk).state, Event.objects.count()) == ("allocated", events)
