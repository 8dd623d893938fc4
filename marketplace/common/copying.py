"""Many rows at once: keys reserved in one statement, columns written together, arrays of numbers passed as one text.

Rows go through COPY, which writes many of them in half the time of anything else. Few go as arrays in one INSERT, for
which nobody need wait (`sending`). Both take values in the binary format.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np
import psycopg
from django.db import connection, models
from psycopg.adapt import Dumper, PyFormat
from psycopg.pq import Format

from marketplace.common.binary import ARRAY_OIDS, Bytes, Ints, NumberLists, Values, array, encoded, for_all
from marketplace.common.sending import Answer, ask

FEW = 1_000  # rows
HEAD, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
FRESH = """(
    SELECT string_agg(int8send(nextval(fresh.keys)), '') FROM generate_series(1, %s),
        (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS keys OFFSET 0) AS fresh)
"""


def ask_keys(*wanted: tuple[type[models.Model], int]) -> Answer:
    """Reserve for each model as many primary keys as are wanted; all in one statement."""
    values = [value for model, count in wanted for value in (count, model._meta.db_table)]
    return ask(f"SELECT {', '.join([FRESH] * len(wanted))}", values)


def keys_of(asked: Answer) -> list[Ints]:
    """The answer to `ask_keys`: for each model its fresh keys, ascending."""
    with asked:
        [row] = asked.fetchall()
    return [np.frombuffer(content or b"", dtype=">i8").astype(np.int64) for content in row]


class Column(NamedTuple):
    """An array in the binary format, and its type."""

    oid: int
    content: bytes


class Rows(NamedTuple):
    """Rows as COPY takes them, or columns for an INSERT."""

    statement: str
    content: bytes | list[Column]


def write_rows(rows: Rows) -> None:
    """Write the rows. A constraint that refuses one refuses all."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        if isinstance(rows.content, bytes):
            with psycopg.Cursor(connection.connection).copy(rows.statement) as copy:
                copy.write(rows.content)
        else:
            psycopg.Cursor(connection.connection).execute(rows.statement, rows.content, prepare=True)


def rows_of(model: type[models.Model], count: int, columns: Mapping[str, Values]) -> Rows:
    """`count` rows of `model`, given as {field: one value for all rows, or those of each as `encoded` takes them}.

    Touches no database, so that it may be done beside one.
    """
    kinds = {name: _kind(model, name) for name in columns}
    return (_for_insert if count < FEW else _for_copy)(model, count, columns, kinds)


def _for_copy(model: type[models.Model], count: int, columns: Mapping[str, Values], kinds: Mapping[str, str]) -> Rows:
    """Row by row, after the number of their values."""
    content = {name: encoded(kinds[name], values, count) for name, values in columns.items()}
    even = {name: each for name, each in content.items() if isinstance(each, np.ndarray)}
    uneven = {name: each for name, each in content.items() if not isinstance(each, np.ndarray)}
    names = ", ".join(f'"{column_of(model, name)}"' for name in (*even, *uneven))
    begin = np.frombuffer(len(columns).to_bytes(2, "big"), dtype=np.uint8)
    rows = np.concatenate([for_all(begin, count), *even.values()], axis=1)
    statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN (FORMAT BINARY)'
    return Rows(statement, HEAD + _joined(rows, list(uneven.values())) + END)


def _joined(rows: Bytes, uneven: Sequence[Sequence[bytes]]) -> bytes:
    if not uneven:
        return rows.tobytes()
    heads = rows.view(f"V{rows.shape[1]}").ravel().tolist()
    return b"".join(chain.from_iterable(zip(heads, *uneven, strict=True)))


def _for_insert(model: type[models.Model], count: int, columns: Mapping[str, Values], kinds: Mapping[str, str]) -> Rows:
    """Column by column; lists go as text, since an array of arrays has all of one length."""
    names = tuple(columns)
    sent = {name: kind if kind in ARRAY_OIDS else "text" for name, kind in kinds.items()}
    plain = {name: each.texts() if isinstance(each, NumberLists) else each for name, each in columns.items()}
    content = [Column(ARRAY_OIDS[sent[name]], array(sent[name], plain[name], count)) for name in names]
    return Rows(_insert(model, tuple((name, kinds[name]) for name in names)), content)


@cache
def _insert(model: type[models.Model], columns: tuple[tuple[str, str], ...]) -> str:
    """One array for each column, in their order."""
    names = [f'"{column_of(model, name)}"' for name, _ in columns]
    values = ", ".join(f"{name}::{kind}" for name, (_, kind) in zip(names, columns, strict=True))
    return (  # names of the model, nothing typed by anybody
        f'INSERT INTO "{model._meta.db_table}" ({", ".join(names)}) SELECT {values} '  # noqa: S608
        f"FROM unnest({', '.join(['%b'] * len(names))}) AS given({', '.join(names)})"
    )


def insert(row: models.Model) -> None:
    """Write a new row whose key is known. What `save` does, for who waits for nothing: the statement is put together
    once, the server plans it once, and bytes go as they are.
    """
    fields = row._meta.concrete_fields
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    ask(_insert_one(type(row)), values)
    row._state.adding, row._state.db = False, connection.alias


@cache
def _insert_one(model: type[models.Model]) -> str:
    names = [f'"{field.column}"' for field in model._meta.concrete_fields]
    return (  # names of the model, nothing typed by anybody
        f'INSERT INTO "{model._meta.db_table}" ({", ".join(names)}) '  # noqa: S608
        f"VALUES ({', '.join(['%s'] * len(names))})"
    )


class ColumnDumper(Dumper):
    """Passes a Column as it is; psycopg asks for one for each type of array."""

    format = Format.BINARY

    def dump(self, obj: Column) -> bytes:
        return obj.content

    def get_key(self, obj: Column, format: PyFormat) -> tuple[type, int]:  # type: ignore[override]
        return self.cls, obj.oid

    def upgrade(self, obj: Column, format: PyFormat) -> "ColumnDumper":
        dumper = ColumnDumper(self.cls)
        dumper.oid = obj.oid
        return dumper


psycopg.adapters.register_dumper(Column, ColumnDumper)


@cache
def _kind(model: type[models.Model], name: str) -> str:
    """The type of a column without its length."""
    field = cast("models.Field[Any, Any]", model._meta.get_field(name))
    return str(field.db_type(connection)).partition("(")[0]


def numbers(values: Iterable[int]) -> str:
    """Whole numbers as an array of PostgreSQL, to be cast: put together in a tenth of the time of a list."""
    return f"{{{','.join(map(str, values))}}}"


@cache
def column_of(model: type[models.Model], name: str) -> str:
    """The column of the model's field `name`."""
    return str(cast("models.Field[Any, Any]", model._meta.get_field(name)).column)
