"""What pieces would give is shown before anything is submitted: in the plan of a job, and beside a quote's options."""

from datetime import datetime, timedelta

import pytest

from marketplace.booking.models import CapacityDay
from marketplace.common.clock import hour_floor, utc_now
from scheduler.models import Job
from tests.market import make_organization
from tests.scheduler.scene import TestAgent, make_cpu_offer
from tests.scheduler.test_rehearsal import client_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
FILE = """run: python train.py
config:
  joulemart:
    time_limit_s: 14400
    when: {when}
    max_pieces: {pieces}
    checkpoint: {{path: ckpt, restart_s: {restart}}}
{more}"""


@pytest.fixture
def now():
    return hour_floor(utc_now())


@pytest.fixture
def offer(now):
    """Of each day two spans of two hours cost a third: the third and the fourth, the eleventh and the twelfth."""
    offer = make_cpu_offer(units=2, now=now)
    first = now.weekday() * 24 + now.hour
    cheap = {(first + day * 24 + hour) % 168 for day in range(7) for hour in (2, 3, 10, 11)}
    offer.rate_mm = [2_000 if hour in cheap else 6_000 for hour in range(168)]
    offer.save(update_fields=["rate_mm"])
    TestAgent(offer, now=utc_now())
    return offer


def planned(text, **fields):
    client = client_of(make_organization(), "jobs:write")
    body = FILE.format(**{"when": "cheapest", "pieces": 4, "restart": 600, "more": ""} | fields)
    return client.post("/api/v1/jobs?dry_run=true" + text, body, content_type="application/yaml")


def plan(**fields):
    answer = planned("", **fields)
    assert answer.status_code == 200, answer.content
    return answer.json()


def moments(pieces, now):
    """[(hours from now, seconds)] of each piece."""
    return [((datetime.fromisoformat(each["start"]) - now) / HOUR, each["seconds"]) for each in pieces]


def test_a_plan_shows_the_pieces_with_hours_price_and_carbon_against_the_contiguous_run(offer, now):
    told = plan()["allocation"]

    shown = told["in_pieces"]
    assert moments(shown["pieces"], now) == [(2, 7200), (10, 7800)]
    assert [each["number"] for each in shown["pieces"]] == [1, 2]
    assert (told["start"], told["end"]) == (shown["pieces"][0]["start"], shown["pieces"][-1]["end"])
    assert told["total_minor"] == shown["total_minor"] == sum(each["total_minor"] for each in shown["pieces"])
    assert shown["carbon_g"] == sum(each["carbon_g"] for each in shown["pieces"])
    whole = shown["whole"]
    assert whole["seconds"] == 14_400
    assert shown["saved"]["total_minor"] == whole["total_minor"] - shown["total_minor"] > 0
    assert shown["carbon_g"] >= whole["carbon_g"]  # the grid is alike at all hours, and the restart is paid
    assert shown["saved"]["carbon_g"] == whole["carbon_g"] - shown["carbon_g"]
    assert "In 2 pieces it costs" in told["sentence"]
    assert sum(line["amount_minor"] for line in told["price_lines"]) == told["total_minor"]


def test_nothing_of_it_is_kept(offer):
    plan()

    assert Job.objects.count() == 0
    assert all(not any(day.units_promised) for day in CapacityDay.objects.all())


def test_one_piece_is_planned_as_ever(offer, now):
    told = plan(pieces=1)["allocation"]

    assert told["in_pieces"] is None
    assert (told["start"] < told["end"], "pieces" in told["sentence"]) == (True, False)


def test_pieces_are_planned_within_free_hours_and_the_window(offer, now):
    day = CapacityDay.objects.get(offer=offer, day=(now + 10 * HOUR).date())
    taken = list(day.units_promised)
    taken[(now + 10 * HOUR).hour] = 2
    CapacityDay.objects.filter(pk=day.pk).update(units_promised=taken)

    finish = (now + 14 * HOUR).isoformat()
    shown = plan(more=f'    finish_by: "{finish}"\n')["allocation"]["in_pieces"]

    used = {start + n for start, seconds in moments(shown["pieces"], now) for n in range(-(-seconds // 3600))}
    assert 10 not in used
    assert max(used) < 14


def test_a_carbon_cap_refuses_what_exceeds_it_and_names_the_smallest_that_admits(offer, now):
    """7 W and a fifth more for four hours at 400 g/kWh are 12 to 14 g."""
    least = plan(pieces=1, more="    carbon_cap_g: 1000\n")
    assert least["limits"]["carbon_cap_g"] == 1000
    refused = plan(pieces=1, more="    carbon_cap_g: 1\n")

    assert refused["allocation"] is None
    assert refused["unplaced"]["rejected"]["carbon_cap"] == 1
    [way] = refused["unplaced"]["relax"]
    cap = way["changes"]["carbon_cap_g"]
    assert plan(pieces=1, more=f"    carbon_cap_g: {cap}\n")["allocation"] is not None
    assert plan(pieces=1, more=f"    carbon_cap_g: {cap - 1}\n")["allocation"] is None


def test_pieces_of_a_cap_keep_to_it(offer, now):
    """A restart is beyond what a contiguous run just keeps to."""
    tight = plan(pieces=1, more="    carbon_cap_g: 1\n")["unplaced"]["relax"][0]["changes"]["carbon_cap_g"]

    told = plan(restart=3600, more=f"    carbon_cap_g: {tight}\n")["allocation"]

    assert told["in_pieces"] is None
    assert plan(restart=3600)["allocation"]["in_pieces"]


def test_a_quote_shows_the_pieces_of_each_option_and_reserves_the_contiguous_hours(offer, now):
    client = client_of(make_organization(), "reservations:write", "reservations:read")
    where = {"family": "cpu"}
    ask = {"units": 1, "hours": 4, "when": "cheapest", "where": where, "max_pieces": 2, "restart_s": 600}

    quote = client.post("/api/v1/quotes", ask, format="json").json()

    [option] = quote["options"]
    assert moments(option["in_pieces"]["pieces"], now) == [(2, 7200), (10, 7800)]
    assert option["in_pieces"]["whole"]["total_minor"] == option["total_minor"]
    assert quote["request"]["max_pieces"] == 2
    plain = client.post("/api/v1/quotes", ask | {"max_pieces": 1}, format="json").json()
    assert "in_pieces" not in plain["options"][0]
    assert "max_pieces" not in plain["request"]
    refused = client.post("/api/v1/quotes", ask | {"when": "now"}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/max_pieces")
