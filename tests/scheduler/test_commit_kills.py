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


def kill_at(patch, number):
    """Kill the backend before the n-th statement of the transaction that writes the round, COPY apart."""
    execute, left = psycopg.Cursor.execute, []

    def killed(self, query, *args, **how):
        text = query.decode() if isinstance(query, bytes) else str(query)
        if left or "FOR UPDATE OF job SKIP LOCKED" in text:
            left.append(text)
            if len(left) == number:
                kill_backend()
        return execute(self, query, *args, **how)

    patch.setattr(psycopg.Cursor, "execute", killed)


@pytest.mark.parametrize(("mode", "few"), [("batch", 1_000), ("greedy", 1_000), ("batch", 0), ("greedy", 0)])
def test_killed_before_each_of_its_statements_a_round_leaves_nothing_half_done(monkeypatch, mode, few):
    """Few rows are sent ahead, many copied; a quick plan is made while its jobs are locked."""
    queue_jobs()
    monkeypatch.setattr("marketplace.common.copying.FEW", few)
    monkeypatch.setattr("scheduler.commit.FEW", few)
    monkeypatch.setattr("scheduler.granting.FEW", few)
    found, killed = NOTHING, 0
    while found == NOTHING:
        killed += 1
        with monkeypatch.context() as patch, pytest.raises((OperationalError, InterfaceError)):
            kill_at(patch, killed)
            run_round(segment="cpu", now=NOON, mode=mode)
        found = what_is_there()

    assert killed > (10 if few == 0 else 14)
    assert found == ALL  # the last one killed died after its COMMIT, giving back the segment's lock


@pytest.mark.parametrize("number", range(4), ids=["contracts", "allocations", "attempts", "events"])
def test_killed_in_the_middle_of_a_copy_a_round_leaves_nothing_half_done(monkeypatch, number):
    queue_jobs()
    monkeypatch.setattr("marketplace.common.copying.FEW", 0)
    monkeypatch.setattr("scheduler.commit.FEW", 0)
    monkeypatch.setattr("scheduler.granting.FEW", 0)
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


def test_an_error_after_the_last_statement_takes_everything_back(monkeypatch):
    queue_jobs()

    def stopped(*_):
        raise RuntimeError("the machine stopped")

    with monkeypatch.context() as patch:
        patch.setattr("scheduler.cycle.close", stopped)
        with pytest.raises(RuntimeError, match="stopped"):
            run_round(segment="cpu", now=NOON)

    assert what_is_there() == NOTHING
