"""Many rows at once: keys reserved in one statement, rows written by COPY, arrays of numbers passed as one text.

A line of COPY's text format is a row: values separated by tabs, `NULL` for nothing, backslashes doubled.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any, cast

from django.db import connection, models

NULL = r"\N"
LINES_AT_ONCE = 512  # the server already writes these while the next are put together


def reserve_keys(model: type[models.Model], count: int) -> list[int]:
    """`count` fresh primary keys of `model`, ascending."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(nextval(pg_get_serial_sequence(%s, 'id'))::text, ',') FROM generate_series(1, %s)",
            [model._meta.db_table, count],
        )
        [told] = cursor.fetchone()
    return list(map(int, told.split(","))) if told else []


def copy_lines(model: type[models.Model], fields: Iterable[str], lines: Iterable[str]) -> None:
    """Write `lines` (each with its newline) into the columns of `fields`; a constraint that refuses one refuses all."""
    quote = connection.ops.quote_name
    columns = ", ".join(quote(column_of(model, name)) for name in fields)
    statement = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"
    rest = iter(lines)
    with connection.cursor() as cursor, connection.wrap_database_errors, cast(Any, cursor).copy(statement) as copy:
        while block := list(islice(rest, LINES_AT_ONCE)):
            copy.write("".join(block))


def numbers(values: Iterable[int]) -> str:
    """Whole numbers as an array of PostgreSQL, to be cast: put together in a tenth of the time of a list."""
    return f"{{{','.join(map(str, values))}}}"


def column_of(model: type[models.Model], name: str) -> str:
    """The column of the model's field `name`."""
    return str(cast("models.Field[Any, Any]", model._meta.get_field(name)).column)


def escaped(text: str) -> str:
    """Any text as one value of a line."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
