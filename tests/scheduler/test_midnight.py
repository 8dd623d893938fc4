"""Work that runs on past midnight: metered by signed lines while it runs, charged up to 00:00 UTC, the rest later."""

from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Organization
from marketplace.booking.models import ChargeLine, ServiceCredit, Settlement, UsageRecord
from marketplace.common.errors import ValidationFailed
from marketplace.ledger.models import Hold, Journal
from scheduler.attempts import end_attempt
from scheduler.jobview import job_as_json
from scheduler.midnight import capture_running
from scheduler.models import Attempt, Job
from tests.market import make_organization
from tests.scheduler.nightly import FILE, SECOND, Run, broken_promises, last_midnight, make_shelf
from tests.scheduler.reserved import file_of, reserve

pytestmark = pytest.mark.django_db
CHECKED = pytest.mark.django_db(transaction=True)  # the checker reads in a transaction of its own
HOUR_S = 3_600
TEN = timedelta(minutes=10)


@pytest.fixture
def midnight():
    return last_midnight()


@pytest.fixture
def offer(settings):
    return make_shelf(settings)


@pytest.fixture
def buyer():
    return make_organization(funds=5_000)


@pytest.fixture
def evening(offer, buyer, midnight):
    """Four units at work since 22:00."""
    return Run(offer, buyer, began=midnight - timedelta(hours=2))


def interruptible(offer):
    offer.tier = "interruptible"
    offer.save(update_fields=["tier"])


def spans(run):
    return [(row.during.lower, row.during.upper) for row in UsageRecord.objects.filter(flagged="").order_by("pk")]


def test_an_agent_is_asked_once_in_each_clock_hour_and_not_before(evening):
    assert [evening.beat(second) for second in (10, 3_599, 3_600, 3_610)] == [False, False, True, True]

    assert evening.tell(3_620) is False, "it has said it for this hour"

    assert [evening.beat(second) for second in (3_630, 7_199, 7_200)] == [False, False, True]


def test_each_line_adds_what_no_line_before_it_said_hour_by_hour(evening):
    evening.tell(3_610, cpu_ms=3_000, energy_wh=50)
    evening.tell(7_205, cpu_ms=5_000, energy_wh=90)
    evening.end(8_263)

    rows = UsageRecord.objects.order_by("pk")
    cuts = [0, 3_600, 3_610, 7_200, 7_205, 8_263]
    assert spans(evening) == [(evening.at(a), evening.at(b)) for a, b in pairwise(cuts)]
    assert sum(row.milliseconds for row in rows) == 8_263_000
    assert sum(row.energy_wh for row in rows[:4]) == 90
    assert sum(row.cpu_ms for row in rows[:4]) == 5_000
    assert {row.flagged for row in rows} == {""}


def test_a_line_that_nobody_asked_for_is_not_taken(evening):
    evening.tell(1_800)

    assert (UsageRecord.objects.count(), evening.attempt.metered_at) == (0, None)


@CHECKED
def test_what_ran_an_hour_by_midnight_is_charged_up_to_it_and_the_end_takes_the_rest(evening, midnight):
    evening.tell(3_610)
    evening.tell(7_210)

    assert capture_running(now=midnight + 5 * SECOND) == 1

    line = ChargeLine.objects.get()
    assert (line.charge_minor, line.during.lower, line.during.upper) == (1_592, evening.began, midnight)
    assert evening.wallet == (5_000 - 2_388, 2_388 - 1_592)
    evening.end(8_263)
    assert (evening.charges, evening.wallet) == ([1_592, 235], (5_000 - 1_827, 0))
    assert (Settlement.objects.get().charged_minor, Settlement.objects.get().released_minor) == (1_827, 561)
    assert broken_promises() == [], "the checker agrees"


def test_the_bill_is_that_of_a_run_which_nobody_cut(evening):
    evening.end(8_263)

    assert (evening.charges, evening.wallet) == ([1_827], (5_000 - 1_827, 0))


def test_a_second_run_of_the_task_and_one_a_day_later_charge_nothing_twice(evening, midnight):
    evening.tell(7_210)

    assert [capture_running(now=midnight + n * TEN) for n in (0, 1, 6, 143)] == [1, 0, 0, 0]

    assert evening.charges == [1_592]
    assert Journal.objects.filter(kind="capture").count() == 1


def test_until_a_line_reaches_midnight_it_is_waited_for_and_then_taken_as_it_is(evening, midnight):
    evening.tell(3_610)

    assert capture_running(now=midnight + 5 * SECOND) == 0, "the agent is about to be asked"
    assert capture_running(now=midnight + TEN) == 1, "it did not answer"

    assert (evening.charges, ChargeLine.objects.get().during.upper) == ([798], evening.at(3_610))
    evening.tell(7_950)
    assert capture_running(now=midnight + 2 * TEN) == 1
    assert evening.charges == [798, 794], "the rest up to midnight"


def test_time_that_was_paused_is_neither_metered_nor_charged(evening, midnight):
    evening.tell(3_610)
    evening.tell(7_210, used_s=6_000)

    capture_running(now=midnight + 10 * SECOND)

    assert evening.charges == [2_388 * 6_000 // 10_800]
    evening.end(8_263, used_s=7_000)
    assert sum(evening.charges) == 2_388 * 7_000 // 10_800


def test_an_agent_that_signs_nothing_while_it_works_is_charged_at_the_end(evening, midnight):
    evening.beat(7_210)

    assert capture_running(now=midnight + TEN) == 0

    assert (evening.charges, evening.wallet) == ([], (5_000 - 2_388, 2_388))
    evening.end(8_263)
    assert evening.charges == [1_827]


def test_what_has_run_less_than_an_hour_is_left_alone(offer, buyer, midnight):
    run = Run(offer, buyer, began=midnight - timedelta(minutes=59))
    run.tell(3_550)

    assert capture_running(now=midnight + TEN) == 0

    assert (run.charges, run.wallet) == ([], (5_000 - 2_388, 2_388))


@pytest.mark.parametrize(("ran_s", "charges", "left"), [(3_599, [], 5_000), (3_600, [796], 5_000 - 796)])
def test_interruptible_work_over_midnight_pays_nothing_under_an_hour(offer, buyer, midnight, ran_s, charges, left):
    """From 23:50 to 00:49:59: nothing, and 23.88 released."""
    interruptible(offer)
    run = Run(offer, buyer, began=midnight - TEN, text=FILE.replace("retries: 1", "retries: 0"))
    run.tell(610)
    capture_running(now=midnight + TEN)

    job = run.end(ran_s, reason="preempted")

    assert (job.state, run.charges, run.wallet) == ("failed", charges, (left, 0))


def lose(run, second):
    attempt = Attempt.objects.with_terms().select_related("allocation__reservation").get(pk=run.lease.attempt_id)
    end_attempt(attempt=attempt, reason="lease_lost", now=run.at(second))


@CHECKED
def test_a_provider_that_fails_is_paid_nothing_since_the_last_capture(evening, midnight):
    evening.tell(7_210)
    capture_running(now=midnight + TEN)
    evening.tell(10_790)

    lose(evening, 10_795)

    assert evening.charges == [1_592], "what was metered since is lost"
    credit = ServiceCredit.objects.get()
    undelivered = 2_388 - 2_388 * 10_795 // 10_800
    assert (credit.base_minor, credit.amount_minor) == (1_592 + undelivered, (1_592 + undelivered) // 10)
    held = Hold.objects.open().get()
    assert (evening.job.ceiling_minor, held.rest) == (2_388, 2_388), "the next try is held for"
    assert broken_promises() == []


def test_work_that_lost_its_machine_keeps_its_capture_when_it_ends_for_good(offer, buyer, midnight):
    run = Run(offer, buyer, began=midnight - timedelta(hours=2), text=FILE.replace("retries: 1", "retries: 0"))
    run.tell(7_210)
    capture_running(now=midnight + TEN)

    lose(run, 8_000)

    settled, credit = Settlement.objects.get(), ServiceCredit.objects.get()
    assert (settled.charged_minor, settled.released_minor) == (1_592, 796)
    assert run.wallet == (5_000 - 1_592 + credit.amount_minor, 0)


@CHECKED
def test_a_forged_line_is_kept_counts_nothing_and_is_not_asked_for_again_this_hour(evening, midnight):
    assert evening.tell(3_610, units=64) is False
    assert evening.tell(7_210, used_s=9_999) is False

    assert capture_running(now=midnight + TEN) == 0

    flags = UsageRecord.objects.order_by("pk").values_list("flagged", flat=True)
    assert list(flags) == ["not believed: units", "not believed: wall time"]
    evening.end(8_263)
    assert (evening.charges, len(spans(evening))) == ([1_827], 3), "the last word is believed from the start on"
    assert broken_promises() == []


@CHECKED
def test_a_doubtful_last_word_leaves_what_was_signed_before(evening, midnight):
    evening.tell(7_210)
    capture_running(now=midnight + TEN)

    evening.end(8_263, used_s=20_000)

    assert evening.charges == [1_592, 2]
    assert UsageRecord.objects.exclude(flagged="").count() == 1
    assert broken_promises() == []


def test_a_line_that_is_no_line_is_refused_and_nothing_changes(evening):
    with pytest.raises(ValidationFailed) as refusal:
        evening.beat(3_610, signed={"line": "[]", "signature": ""})

    assert [each.pointer for each in refusal.value.problems] == ["/signed/line"]
    assert (UsageRecord.objects.count(), evening.attempt.metered_at) == (0, None)


def test_the_cost_to_date_is_of_what_was_signed_and_of_the_time_since(evening):
    evening.tell(3_610, used_s=3_000)
    job = Job.objects.with_story().get(pk=evening.job.pk)

    view = job_as_json(job, evening.at(3_730))

    assert (view["usage"]["seconds"], view["usage"]["unit_seconds"]) == (3_120, 4 * 3_120)
    assert view["cost"]["to_date_minor"] == 2_388 * 3_120 // 10_800
    assert view["usage"]["energy_wh"] >= 7, "what was metered is shown while it runs"


@CHECKED
def test_work_inside_a_reservation_is_charged_at_midnight_as_well(offer, buyer, midnight):
    held = reserve(
        offer, buyer, units=4, start=midnight - timedelta(hours=2), hours=4, now=midnight - timedelta(hours=2)
    )
    whole = Hold.objects.open().get().amount
    run = Run(offer, buyer, began=midnight - timedelta(hours=2), text=file_of(held, units=4, run_s=10_800))
    run.tell(7_210)

    assert [capture_running(now=midnight + n * TEN) for n in (1, 2)] == [1, 0]

    assert (run.charges, Hold.objects.open().get().rest) == ([whole // 2], whole - whole // 2)
    run.end(8_263)
    assert sum(run.charges) == whole * 8_263 // (4 * HOUR_S)
    assert broken_promises() == []


@CHECKED
def test_work_that_used_all_it_was_promised_by_midnight_is_settled_when_it_ends(offer, buyer, midnight):
    """It hands its outputs over when midnight comes, and nothing is left of its hold."""
    run = Run(offer, buyer, began=midnight - timedelta(hours=3))
    run.tell(10_801, used_s=10_800)

    assert capture_running(now=midnight + 5 * SECOND) == 1

    assert (run.charges, run.wallet) == ([2_388], (5_000 - 2_388, 0))
    job = run.end(10_830, used_s=10_800)
    assert (job.state, Settlement.objects.get().charged_minor, run.wallet) == ("succeeded", 2_388, (5_000 - 2_388, 0))
    assert broken_promises() == []


@pytest.mark.parametrize("reason", ["lease_lost", "preempted"])
def test_a_budget_that_was_used_up_by_midnight_pays_for_no_further_try(offer, buyer, midnight, reason):
    text = FILE + "    max_total: 1800\n    budget_stop: true\n"
    interruptible(offer)
    run = Run(offer, buyer, began=midnight - timedelta(seconds=8_200), text=text)
    run.tell(8_201)
    capture_running(now=midnight + 5 * SECOND)
    assert run.wallet == (5_000 - 1_800, 0)

    attempt = Attempt.objects.with_terms().select_related("allocation__reservation").get(pk=run.lease.attempt_id)
    job = end_attempt(attempt=attempt, reason=reason, now=run.at(8_300))

    assert (job.state, job.reason, run.wallet) == ("failed", "budget_limit", (5_000 - 1_800, 0))
    assert Settlement.objects.get().charged_minor == 1_800


def test_a_budget_is_used_up_in_parts_and_ends_the_work_where_it_would(offer, midnight):
    poor: Organization = make_organization(funds=1_800)
    text = FILE + "    max_total: 1800\n    budget_stop: true\n"
    run = Run(offer, poor, began=midnight - timedelta(hours=2), text=text)
    assert run.attempt.budget_s == 8_140
    run.tell(7_210)
    capture_running(now=midnight + TEN)

    job = run.end(8_140, reason="time_limit")

    assert (job.reason, run.charges, run.wallet) == ("budget_limit", [1_592, 207], (1, 0))


def test_the_database_takes_no_second_charge_for_the_same_seconds(evening, midnight):
    evening.tell(7_210)
    capture_running(now=midnight + TEN)
    again = ChargeLine.objects.get()
    again.pk, again.public_id, again.seq = None, "chl_again", 2

    with pytest.raises(IntegrityError, match="charge_lines_of_an_attempt_never_overlap"), transaction.atomic():
        again.save(force_insert=True)

    assert evening.charges == [1_592]


def test_the_database_takes_no_believed_use_of_the_same_seconds_twice(evening):
    evening.tell(3_610)
    again = UsageRecord.objects.last()
    again.pk, again.public_id = None, "use_again"

    with pytest.raises(IntegrityError, match="usage_of_an_attempt_never_overlaps"), transaction.atomic():
        again.save(force_insert=True)

    assert UsageRecord.objects.count() == 2


def test_the_database_takes_no_word_on_use_from_before_the_start(evening):
    mine = Attempt.objects.filter(pk=evening.lease.attempt_id)

    with pytest.raises(IntegrityError, match="attempt_is_metered_once_it_runs"), transaction.atomic():
        mine.update(metered_at=evening.began - SECOND)

    assert evening.attempt.metered_at is None


def test_over_http_a_heartbeat_is_told_that_a_line_is_due_and_the_next_one_brings_it(evening, client):
    def beat(**more):
        return client.post(
            f"/api/v1/agent/leases/{evening.lease.public_id}/heartbeat", {"epoch": 1, "phase": "running", **more},
            content_type="application/json", headers={"Authorization": f"Bearer {evening.agent.secret}"},
        )  # fmt: skip

    assert beat().json()["usage_due"] is True

    answer = beat(signed=evening.sign(7_000))

    assert (answer.status_code, answer.json()["usage_due"]) == (200, False)
    assert spans(evening)[-1][1] == evening.at(7_000)
