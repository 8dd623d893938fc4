"""References that are checked once per statement: they refuse what a foreign key refuses, by name."""

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError, InternalError, ProgrammingError

from marketplace.booking.models import Contract
from marketplace.events.models import Event
from marketplace.events.services import record
from scheduler.models import Allocation, Attempt
from tests.market import NOON
from tests.scheduler.scene import allocated, make_cpu_offer, make_job

pytestmark = pytest.mark.django_db
NOBODY = 2**40
REFERENCES = [
    (Contract, "buyer_id", "contract_parties_exist"),
    (Contract, "provider_id", "contract_parties_exist"),
    (Contract, "offer_id", "contract_parties_exist"),
    (Allocation, "job_id", "allocation_parts_exist"),
    (Allocation, "offer_id", "allocation_parts_exist"),
    (Allocation, "contract_id", "allocation_parts_exist"),
    (Allocation, "round_id", "allocation_parts_exist"),
    (Attempt, "allocation_id", "attempt_is_of_its_allocation"),
    (Event, "buyer_id", "event_parties_exist"),
    (Event, "provider_id", "event_parties_exist"),
]
REFERRED = ["accounts_organization", "catalog_offer", "scheduler_job", "scheduler_matchround", "scheduler_allocation"]


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount


def copy_of(row, **changes):
    """The row once more, not written, under a key of its own and with `changes`."""
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row)(**values | {"id": None, "public_id": f"{row.public_id}2"} | changes)


def another(model):
    """A second row beside the only one of `model`, not written: it could be, if it were not for a wrong reference."""
    row = model.objects.get()
    if model is Contract:
        return copy_of(row, subject="another")
    if model is Event:
        return copy_of(row, object_seq=99)
    before = another(Contract if model is Allocation else Allocation)
    before.save(force_insert=True)
    if model is Allocation:
        return copy_of(row, contract_id=before.pk, live=False, released_at=NOON)
    return copy_of(row, allocation_id=before.pk, number=2, state="ended", reason="node_failed", ended_at=NOON)


@pytest.mark.parametrize(("model", "column", "name"), REFERENCES, ids=lambda each: getattr(each, "__name__", each))
def test_a_row_that_refers_to_nothing_is_refused_with_all_rows_of_its_statement(model, column, name):
    allocated(make_cpu_offer(), now=NOON)
    row = another(model)
    setattr(row, column, NOBODY)

    with pytest.raises(IntegrityError, match=f'"{name}".*{NOBODY}') as refusal, transaction.atomic():
        model.objects.bulk_create([row])

    assert refusal.value.__cause__.diag.constraint_name == name
    assert refusal.value.__cause__.diag.column_name == column
    assert model.objects.filter(public_id=row.public_id).count() == 0


def test_an_attempt_at_another_job_than_its_allocation_is_for_is_refused():
    allocated(make_cpu_offer(), now=NOON)
    row = another(Attempt)
    row.job = make_job(now=NOON, name="another")

    with pytest.raises(IntegrityError, match='"attempt_is_of_its_allocation"'), transaction.atomic():
        row.save(force_insert=True)


@pytest.mark.parametrize(
    ("model", "table"),
    [(Allocation, "booking_contract"), (Allocation, "scheduler_matchround"), (Attempt, "scheduler_allocation")],
)
def test_references_are_looked_up_by_index_however_small_a_table_was_when_the_first_was_asked(model, table):
    allocated(make_cpu_offer(), now=NOON)
    row = another(model)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")  # of one page: to read the whole of it looks cheaper than an index
        cursor.execute("SELECT pg_stat_get_xact_numscans(%s::regclass)", [table])  # of the whole table
        [before] = cursor.fetchone()
        row.save(force_insert=True)
        cursor.execute("SELECT pg_stat_get_xact_numscans(%s::regclass), current_setting('enable_seqscan')", [table])
        after, whole_tables = cursor.fetchone()

    assert (after - before, whole_tables) == (0, "on")


def test_an_event_of_nobody_is_written():
    event = record("journal.started", object_id="any", seq=1, now=NOON)

    assert Event.objects.get(pk=event.pk).buyer is None


@pytest.mark.parametrize("table", REFERRED)
def test_what_history_refers_to_stays_and_keeps_its_id(table):
    allocated(make_cpu_offer(), now=NOON)

    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id + 1000"):
        with pytest.raises((InternalError, ProgrammingError), match=r"Cannot (delete|update)"), transaction.atomic():
            sql(statement)


@pytest.mark.parametrize("column", ["job_id", "offer_id", "contract_id", "round_id"])
def test_an_allocation_never_turns_to_something_else(column):
    allocated(make_cpu_offer(), now=NOON)

    with pytest.raises((InternalError, ProgrammingError), match="Cannot update"), transaction.atomic():
        sql(f"UPDATE scheduler_allocation SET {column} = %s", NOBODY)


@pytest.mark.parametrize("column", ["job_id", "allocation_id"])
def test_an_attempt_never_turns_to_something_else(column):
    allocated(make_cpu_offer(), now=NOON)

    with pytest.raises((InternalError, ProgrammingError), match="Cannot update"), transaction.atomic():
        sql(f"UPDATE scheduler_attempt SET {column} = %s", NOBODY)
