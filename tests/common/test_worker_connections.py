"""A worker keeps its connection from task to task, and none that is broken."""

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from config import celery

pytestmark = pytest.mark.django_db(transaction=True)


def backend():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def end(pid):
    """What a restart of the database does."""
    given = connection.get_connection_params()
    params = {name: given[name] for name in ("dbname", "user", "password", "host", "port") if name in given}
    with psycopg.connect(**params, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_in_a_stream_of_tasks_the_connection_stays_and_is_not_asked():
    first = backend()
    celery.remember_when_a_task_ended()

    with CaptureQueriesContext(connection) as asked:
        celery.renew_connections()

    assert len(asked) == 0
    assert backend() == first


def test_a_connection_that_failed_a_task_is_replaced_before_the_next():
    first = backend()
    end(first)
    with pytest.raises(OperationalError):
        backend()
    celery.remember_when_a_task_ended()

    celery.renew_connections()

    assert backend() != first


def test_after_a_pause_a_connection_that_broke_meanwhile_is_replaced(monkeypatch):
    first = backend()
    celery.remember_when_a_task_ended()
    monkeypatch.setattr(celery, "TRUSTED_S", -1.0)
    end(first)

    celery.renew_connections()

    assert backend() != first
