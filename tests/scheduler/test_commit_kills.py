"""A round whose backend dies leaves nothing half done, wherever it dies; the next round does it all."""

import psycopg
import pytest
from django.db import InterfaceError, OperationalError, connection

from marketplace.booking.models import CapacityDay, Contract
from marketplace.events.models import Event
from scheduler.cycle import run_round
from scheduler.models import Allocation, Attempt, Job, MatchRound
from tests.market import NOON
from tests.scheduler.scene import make_cpu_offer, make_job

pytestmark = pytest.mark.django_db(transaction=True)
JOBS = 40  # more than are explained at once
WRITTEN = (MatchRound, Contract, Allocation, Attempt, Event)


def queue_jobs():
    make_cpu_offer(units=JOBS)
    for number in range(JOBS):
        make_job(now=NOON, name=f"job {number}")
    hopeless = make_job(now=NOON, name="hopeless")
    hopeless.ask["limits"]["price__lte"] = 1
    hopeless.save()


def kill_backend():
    """End the server process of this connection, as an operator, a crash or the kernel would."""
    pid = connection.connection.info.backend_pid
    with psycopg.connect(connection.connection.info.dsn, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def what_is_there():
    connection.close()
    promised = sum(sum(row.units_promised) for row in CapacityDay.objects.all())
    told = Job.objects.filter(unplaced__isnull=False).count()
    return {
        "rows": [model.objects.count() for model in WRITTEN],
        "promised": promised,
        "states": sorted(set(Job.objects.values_list("state", "version"))),
        "told": told,
    }


NOTHING = {"rows": [0] * len(WRITTEN), "promised": 0, "states": [("queued", 1)], "told": 0}
ALL = {
    "rows": [1, JOBS, JOBS, JOBS, JOBS], "promised": JOBS, "states": [("allocated", 2), ("queued", 1)], "told": 1,
}  # fmt: skip


class KillAt:
    """Kills the backend before the n-th statement of the transaction that writes the round."""

    def __init__(self, number):
        self.left = number
        self.writing = False

    def __call__(self, execute, sql, params, many, context):
        self.writing = self.writing or "FOR UPDATE OF job SKIP LOCKED" in sql
        if self.writing:
            self.left -= 1
            if self.left == 0:
                kill_backend()
        return execute(sql, params, many, context)


def test_killed_before_each_of_its_statements_a_round_leaves_nothing_half_done():
    queue_jobs()
    found, killed = NOTHING, 0
    while found == NOTHING:
        killed += 1
        with pytest.raises((OperationalError, InterfaceError)), connection.execute_wrapper(KillAt(killed)):
            run_round(segment="cpu", now=NOON)
        found = what_is_there()

    assert killed > 10
    assert found == ALL  # the last one killed died after its COMMIT, giving back the segment's lock


@pytest.mark.parametrize("number", range(4), ids=["contracts", "allocations", "attempts", "events"])
def test_killed_in_the_middle_of_a_copy_a_round_leaves_nothing_half_done(monkeypatch, number):
    queue_jobs()
    monkeypatch.setattr("marketplace.common.copying.FEW", 0)
    monkeypatch.setattr("scheduler.commit.FEW", 0)
    whole, copies = psycopg.Copy.write, []

    def half(self, content):
        copies.append(content)
        if len(copies) <= number:
            whole(self, content)
            return
        whole(self, content[: len(content) // 2])
        kill_backend()
        whole(self, content[len(content) // 2 :])

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Copy, "write", half)
        with pytest.raises((OperationalError, InterfaceError)):
            run_round(segment="cpu", now=NOON)
    assert len(copies) == number + 1
    assert what_is_there() == NOTHING

    run_round(segment="cpu", now=NOON)
    assert what_is_there() == ALL


@pytest.mark.parametrize("number", range(4), ids=["events", "contracts", "allocations", "attempts"])
def test_killed_before_rows_that_are_sent_ahead_a_round_leaves_nothing_half_done(monkeypatch, number):
    queue_jobs()
    execute, inserts = psycopg.Cursor.execute, []

    def killed(self, query, params=None, **how):
        if how.get("prepare"):
            inserts.append(query)
            if len(inserts) == number + 1:
                kill_backend()
        return execute(self, query, params, **how)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", killed)
        with pytest.raises((OperationalError, InterfaceError)):
            run_round(segment="cpu", now=NOON)
    assert len(inserts) >= number + 1
    assert what_is_there() == NOTHING

    run_round(segment="cpu", now=NOON)
    assert what_is_there() == ALL


def test_an_error_after_the_last_statement_takes_everything_back(monkeypatch):
    queue_jobs()

    def stopped(*_):
        raise RuntimeError("the machine stopped")

    with monkeypatch.context() as patch:
        patch.setattr("scheduler.cycle.close", stopped)
        with pytest.raises(RuntimeError, match="stopped"):
            run_round(segment="cpu", now=NOON)

    assert what_is_there() == NOTHING
