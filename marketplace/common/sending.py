"""Statements sent one behind the other without waiting for the answer of each, in psycopg's pipeline mode."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

Answer = psycopg.Cursor[Any]


@contextmanager
def sent_ahead() -> Iterator[None]:
    """In it the database works on what was sent while the next is put together.

    Only a fetch waits, for all that was sent so far; the end waits for the rest. An error comes with one of these. Not
    for COPY, nor for who asks how many rows an UPDATE met: that is known only after a fetch. A transaction can neither
    be begun nor ended here.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def ask(question: str, values: Sequence[Any] | Mapping[str, Any], *, prepare: bool = True) -> Answer:
    """Send a question; who fetches reads the answer.

    The server plans it once a connection. Where the right plan depends on the values, `prepare` is False.
    """
    connection.ensure_connection()
    answer: Answer = psycopg.Cursor(connection.connection)
    with connection.wrap_database_errors:
        return answer.execute(question.encode(), values, prepare=prepare)
