"""The queue is a table of its own that the database fills; a round reads it in turn."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from scheduler import queue as reading
from scheduler.attempts import end_attempt, move_job
from scheduler.models import Job, QueueEntry
from tests.market import NOON
from tests.scheduler.scene import allocated, make_cpu_offer, make_job, queued

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(reading, "_known", {})


def waiting():
    return set(QueueEntry.objects.values_list("job_id", flat=True))


def execute(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def test_a_job_stands_in_the_queue_until_it_is_allocated_and_again_when_it_comes_back():
    attempt = allocated(make_cpu_offer(), now=NOON)
    assert waiting() == set()

    end_attempt(attempt=attempt, reason="lease_lost", now=NOON)
    assert waiting() == {attempt.job_id}


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_a_job_that_ends_where_it_waits_stands_in_the_queue_no_more(end):
    job = make_job(now=NOON)
    assert waiting() == {job.pk}

    move_job(job, end, now=NOON, reason=end)
    assert waiting() == set()


def test_whoever_moves_a_waiting_job_to_another_group_moves_it_in_the_queue():
    job = make_job(now=NOON)
    execute("UPDATE scheduler_job SET region_group = 'eu', due_at = due_at + interval '1 hour' WHERE id = %s", job.pk)

    entry = QueueEntry.objects.get(job=job)
    assert (entry.segment, entry.region_group, entry.due_at) == ("cpu", "eu", job.due_at + HOUR)


def test_jobs_are_read_in_their_turn_those_due_first():
    dues = [NOON + HOUR * hours for hours in (3, 1, 2, 1)]
    jobs = [make_job(now=NOON, name=str(number), due_at=due) for number, due in enumerate(dues)]
    late = make_job(now=NOON, next_attempt_at=NOON + HOUR, due_at=NOON)

    assert queued(NOON).pk.tolist() == [jobs[1].pk, jobs[3].pk, jobs[2].pk, jobs[0].pk]
    assert late.pk in queued(NOON + HOUR).pk


def test_an_entry_says_nothing_of_a_job_that_is_not_queued():
    attempt = allocated(make_cpu_offer(), now=NOON)
    execute(
        "INSERT INTO scheduler_queueentry (job_id, segment, due_at) VALUES (%s, 'cpu', now())", attempt.job_id
    )  # fmt: skip

    assert len(queued(NOON + HOUR)) == 0
    assert list(Job.objects.waiting()) == []


def test_the_moments_sites_and_reasons_of_a_job_are_read_as_they_are_stored():
    told = {"code": "outbid", "rejected": {}, "relax": []}
    plain = make_job(now=NOON, name="plain")
    special = make_job(
        now=NOON, name="special", start_after=NOON + HOUR, finish_by=NOON + 9 * HOUR, unplaced=told,
        excluded_sites=["sit_a", "sit_b"],
    )  # fmt: skip
    queue = queued(NOON)

    place = {pk: place for place, pk in enumerate(queue.pk.tolist())}
    forms = [queue.forms[queue.form[place[job.pk]]] for job in (plain, special)]
    assert [form.excluded_sites for form in forms] == [(), ("sit_a", "sit_b")]
    assert queue.told == {place[special.pk]: told}
    assert queue.start_after_s[place[special.pk]] == (NOON + HOUR).timestamp()
    assert queue.finish_by_s[place[special.pk]] == (NOON + 9 * HOUR).timestamp()
    assert queue.start_after_s[place[plain.pk]] == queue.finish_by_s[place[plain.pk]] == reading.NEVER
    assert queue.submitted_s.tolist() == [NOON.timestamp()] * 2


def test_what_equal_jobs_ask_for_is_read_once_and_never_again():
    jobs = [make_job(now=NOON, name=str(number)) for number in range(3)]
    with CaptureQueriesContext(connection) as first:
        queue = queued(NOON)
    with CaptureQueriesContext(connection) as second:
        again = queued(NOON)

    assert (len(first), len(second)) == (1, 0)  # of the asks; the queue itself is sent ahead and not seen here
    assert queue.form.tolist() == [0, 0, 0]
    assert again.forms == queue.forms

    Job.objects.filter(pk=jobs[1].pk).update(ask=jobs[1].ask | {"run_s": 900})
    edited = queued(NOON)
    assert [edited.forms[form].run_s for form in edited.form] == [600, 900, 600]


def test_a_process_forgets_what_it_met_before_it_remembers_too_much(monkeypatch):
    monkeypatch.setattr(reading, "MOST_KNOWN", 2)
    for run_s in (60, 120, 180):
        make_job(now=NOON, name=str(run_s), ask=make_job(now=NOON).ask | {"run_s": run_s})
        queued(NOON)

    queue = queued(NOON)
    stated = {queue.forms[form].run_s for form in queue.form}
    assert stated == {60, 120, 180, 600}


def test_nobody_can_give_a_job_the_digest_of_another_ask():
    job, other = make_job(now=NOON), make_job(now=NOON, name="other")
    Job.objects.filter(pk=other.pk).update(ask=other.ask | {"run_s": 900})
    execute(
        "UPDATE scheduler_job SET ask_sha256 = (SELECT ask_sha256 FROM scheduler_job WHERE id = %s) WHERE id = %s",
        other.pk, job.pk,
    )  # fmt: skip

    queue = queued(NOON)
    assert [queue.forms[form].run_s for form in queue.form] == [600, 900]


def test_a_move_of_jobs_touches_none_of_their_indexes():
    """A heap-only tuple: no index names what changed, and the page has room for the new version."""
    offer = make_cpu_offer(units=8)
    with transaction.atomic(), connection.cursor() as cursor:
        allocated(offer, now=NOON)
        cursor.execute(
            "SELECT pg_stat_get_xact_tuples_updated(job), pg_stat_get_xact_tuples_hot_updated(job) "
            "FROM (SELECT 'scheduler_job'::regclass::oid) AS jobs(job)"
        )
        updated, without_index = cursor.fetchone()

    assert updated == without_index > 0
