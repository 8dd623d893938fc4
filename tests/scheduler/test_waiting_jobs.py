"""Refused jobs are looked at again: nobody waits for a job that a round has locked."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction

from scheduler.attempts import bring_forward
from scheduler.commit import postpone
from scheduler.models import Job
from scheduler.shards import Shard
from tests.market import NOON
from tests.scheduler.scene import make_job, queued

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOON + timedelta(seconds=10)


@pytest.fixture
def refused():
    """Two refused jobs; a round holds the first until the test ends."""
    jobs = [make_job(now=NOON, name=name, unplaced={"code": "no_capacity"}) for name in "ab"]
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=jobs[0].pk)
            held.set()
            done.wait(60)
        connection.close()

    round_ = threading.Thread(target=hold)
    round_.start()
    held.wait(60)
    yield jobs
    done.set()
    round_.join()


def turns(jobs):
    return [Job.objects.get(pk=job.pk).next_attempt_at for job in jobs]


def test_units_given_back_bring_forward_all_but_the_jobs_of_a_round_under_way(refused):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        bring_forward(Shard("cpu"), LATER)

    assert turns(refused) == [NOON, LATER]


def test_jobs_are_put_off_without_waiting_for_one_that_is_locked(refused):
    queue = queued(NOON)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        postpone(queue, NOON)

    first, second = turns(refused)
    assert first == NOON
    assert second > NOON
