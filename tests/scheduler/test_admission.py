"""What a reservation refuses, each with the field that is wrong, and nothing written."""

from datetime import timedelta

import pytest

from marketplace.booking.services import advance_reservations, cancel
from marketplace.common.errors import NotFound, ValidationFailed
from marketplace.events.models import Event
from scheduler.jobfile import parse
from scheduler.models import Job
from scheduler.services import Actor, submit_job
from tests.market import MONDAY, NOON, at, make_hardware, make_offer, make_organization, make_place
from tests.scheduler.reserved import file_of, inside, reserve, submit_inside
from tests.scheduler.scene import make_cpu_offer

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer():
    return make_organization("Lab")


@pytest.fixture
def running(buyer):
    """Two units from 12:00 to 16:00, which has begun."""
    return reserve(make_cpu_offer(units=4), buyer, units=2, start=NOON, hours=4, now=NOON)


def refused(running, now=NOON, **asked):
    """{pointer: hint} of a refusal that wrote nothing."""
    events = Event.objects.count()
    with pytest.raises(ValidationFailed) as refusal:
        submit_inside(running, now=now, **asked)
    promised = sum(sum(day.units_promised) for day in running.days.all())
    assert (Job.objects.count(), Event.objects.count(), promised) == (0, events, 0)
    return {problem.pointer: problem.hint for problem in refusal.value.problems}


def test_anothers_reservation_is_missing_and_so_is_none(running):
    stranger = make_organization("Somebody else")

    for named in (running.public_id, "rsv_nothing"):
        text = file_of(running).replace(running.public_id, named)
        with pytest.raises(NotFound, match=f"there is no reservation {named}") as refusal:
            submit_job(actor=Actor(organization=stranger), file=parse(text), now=NOON)
        assert refusal.value.facts == {"pointer": "/config/joulemart/reservation"}
    assert not Job.objects.exists()


def test_one_that_has_ended_or_was_cancelled_takes_nothing(running, buyer):
    ahead = reserve(running.offer, buyer, start=at(MONDAY, 20), now=NOON)
    cancel(reservation=ahead, now=NOON)

    assert list(refused(ahead)) == ["/config/joulemart/reservation"]
    assert list(refused(running, now=at(MONDAY, 16))) == ["/config/joulemart/reservation"], "not swept yet"
    advance_reservations(now=at(MONDAY, 16))
    assert list(refused(running, now=at(MONDAY, 16))) == ["/config/joulemart/reservation"]


def test_too_many_units_are_named_with_what_there_is(running):
    assert refused(running, units=3) == {"/resources/cpus": "2"}


def test_a_run_longer_than_what_is_left_is_told_how_much_is_left(running):
    assert refused(running, now=at(MONDAY, 15), run_s=3601) == {"/config/joulemart/time_limit_s": "3600"}
    assert submit_inside(running, now=at(MONDAY, 15), run_s=3600).state == "allocated"


def test_a_window_outside_the_reservation_names_its_end(running, buyer):
    ahead = reserve(running.offer, buyer, start=at(MONDAY, 20), now=NOON)
    late = '    start_after: "2026-11-23T16:00:00Z"\n'
    early = '    finish_by: "2026-11-23T20:05:00Z"\n'

    assert list(refused(running, more=late)) == ["/config/joulemart/start_after"]
    assert refused(ahead, more=early) == {"/config/joulemart/finish_by": "2026-11-23T20:12:00Z"}


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("price_max: 5", "price_max"),
        ("max_total: 500", "max_total"),
        ("max_total: 500\n    budget_stop: true", "max_total budget_stop"),
        ("renewable_min: 0.9", "renewable_min"),
        ("carbon_cap_g: 5", "carbon_cap_g"),
        ("residency: CN", "residency"),
        ("kind: orbital", "kind"),
        ("tier: interruptible", "tier"),
        ("currency: CNY", "currency"),
        ("network: egress", "network"),
        ("gang_id: pair\n    gang_size: 2", "gang_id"),
    ],
)
def test_what_the_reservation_settled_or_its_offer_lacks_is_refused_by_name(running, line, key):
    assert list(refused(running, more=f"    {line}\n")) == [f"/config/joulemart/{each}" for each in key.split()]


@pytest.mark.parametrize("line", ["residency: DE", "kind: datacenter", "tier: firm", "currency: USD", "weights: green"])
def test_what_the_reserved_offer_has_may_be_asked_for(running, line):
    assert submit_inside(running, now=NOON, more=f"    {line}\n").state == "allocated"


def test_a_latency_is_held_against_the_reserved_site(running):
    make_place("berlin", **{running.offer.site.public_id: 20})

    near = "    near: berlin\n    latency_ms_max: {}\n"
    assert list(refused(running, more=near.format(19))) == ["/config/joulemart/latency_ms_max"]
    assert list(refused(running, more=near.format(19).replace("berlin", "nowhere"))) == [
        "/config/joulemart/latency_ms_max"
    ]
    assert submit_inside(running, now=NOON, more=near.format(20)).state == "allocated"


def test_accelerators_are_named_as_the_reserved_ones_are(buyer):
    offer = make_offer(hardware=make_hardware())
    held = reserve(offer, buyer, start=NOON, now=NOON)
    make_hardware("a100", accelerator="A100", pf_milli=312)

    for wrong in ("{cpus: 1}", "{accelerators: 'A100:1'}"):
        text = file_of(held).replace("{cpus: 1}", wrong)
        with pytest.raises(ValidationFailed) as refusal:
            submit_job(actor=Actor(organization=buyer), file=parse(text), now=NOON)
        assert [each.pointer for each in refusal.value.problems] == ["/resources/accelerators"]
    right = parse(file_of(held).replace("{cpus: 1}", "{accelerators: 'H100:2'}"))
    job = submit_job(actor=Actor(organization=buyer), file=right, now=NOON)

    assert (job.state, job.segment, inside(held, NOON)) == ("allocated", "accelerator", (2, 2))


def test_a_limit_stated_for_another_class_is_worked_out_for_the_reserved_one(buyer):
    offer = make_offer(hardware=make_hardware())
    make_hardware("a100", accelerator="A100", pf_milli=1978)
    held = reserve(offer, buyer, start=NOON, hours=2, now=NOON)
    text = file_of(held, run_s=3600, more="    reference_class: a100\n").replace(
        "{cpus: 1}", "{accelerators: 'H100:1'}"
    )

    job = submit_job(actor=Actor(organization=buyer), file=parse(text), now=NOON)

    allocation = job.allocations.get()
    assert allocation.end - allocation.start == timedelta(hours=2)
    with pytest.raises(ValidationFailed):
        submit_job(actor=Actor(organization=buyer), file=parse(text.replace("3600", "3601")), now=NOON)
