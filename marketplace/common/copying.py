"""Many rows at once: keys reserved in one statement, columns written by COPY, arrays of numbers passed as one text.

Columns are put into PostgreSQL's binary format: a row is the count of its values, each value its length and its bytes,
numbers big-endian. What is equally long in every row is laid out by NumPy without a loop; only text and lists of
several lengths are joined row by row.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from django.db import connection, models

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[Any] | Sequence[Any] | str | int | bool | datetime | None

HEAD, END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
NOTHING = b"\xff\xff\xff\xff"
SIZES = {"bigint": 8, "integer": 4, "smallint": 2, "boolean": 1}
OIDS = {"bigint": 20, "integer": 23}
LENGTH = struct.Struct(">i")
FRESH = """(
    SELECT string_agg(int8send(nextval(fresh.keys)), '') FROM generate_series(1, %s),
        (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS keys OFFSET 0) AS fresh)
"""
EPOCH = np.datetime64("2000-01-01", "us")


def reserve_keys(*wanted: tuple[type[models.Model], int]) -> list[Ints]:
    """For each model as many fresh primary keys as are wanted, ascending; all in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join([FRESH] * len(wanted))}",
            [value for model, count in wanted for value in (count, model._meta.db_table)],
        )
        return [np.frombuffer(content or b"", dtype=">i8").astype(np.int64) for content in cursor.fetchone()]


class Rows(NamedTuple):
    """Rows as COPY takes them."""

    statement: str
    content: bytes


def copy_columns(model: type[models.Model], count: int, columns: Mapping[str, Values]) -> None:
    """Write `count` rows of `model`, given as `rows_of` takes them."""
    if count:
        copy_rows(rows_of(model, count, columns))


def copy_rows(rows: Rows) -> None:
    """Write the rows. A constraint that refuses one refuses all."""
    with connection.cursor() as cursor, connection.wrap_database_errors, cast(Any, cursor).copy(rows.statement) as copy:
        copy.write(rows.content)


def rows_of(model: type[models.Model], count: int, columns: Mapping[str, Values]) -> Rows:
    """`count` rows of `model`, given as {field: one value for all rows, or an array or list with one for each}.

    Whole numbers come as arrays of int64 (or a list, with None for nothing), moments as arrays of datetime64, public
    ids as arrays of bytes, text and JSON as lists of text, lists of numbers as `number_lists` makes them. Touches no
    database, so that it may be done beside one.
    """
    encoded = {name: _encoded(_kind(model, name), values, count) for name, values in columns.items()}
    even = [name for name, content in encoded.items() if isinstance(content, np.ndarray)]
    uneven = [name for name in encoded if name not in even]
    names = ", ".join(f'"{column_of(model, name)}"' for name in (*even, *uneven))
    begin = np.frombuffer(len(columns).to_bytes(2, "big"), dtype=np.uint8)
    rows = np.concatenate([_for_all(begin, count), *(encoded[name] for name in even)], axis=1)
    statement = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN (FORMAT BINARY)'
    return Rows(statement, HEAD + _joined(rows, [cast("list[bytes]", encoded[name]) for name in uneven]) + END)


def _joined(rows: Bytes, uneven: Sequence[Sequence[bytes]]) -> bytes:
    if not uneven:
        return rows.tobytes()
    heads = rows.view(f"V{rows.shape[1]}").ravel().tolist()
    return b"".join(chain.from_iterable(zip(heads, *uneven, strict=True)))


@cache
def _kind(model: type[models.Model], name: str) -> str:
    """The type of a column without its length."""
    field = cast("models.Field[Any, Any]", model._meta.get_field(name))
    return str(field.db_type(connection)).partition("(")[0]


def _encoded(kind: str, values: Values, count: int) -> Bytes | list[bytes]:
    """[count, width] bytes of values of one length, or the bytes of each; in both their length comes first."""
    if isinstance(values, (str, int, datetime)) or values is None:
        return _for_all(np.frombuffer(_value(kind, values), dtype=np.uint8), count)
    if not isinstance(values, np.ndarray):
        known = {value: _value(kind, value) for value in set(values)}
        return [known[value] for value in values]
    if kind == "timestamp with time zone":
        values = ((values.astype("datetime64[us]") - EPOCH) // np.timedelta64(1, "us")).astype(np.int64)
    if values.dtype.kind != "S":
        values = values.astype(f">i{SIZES.get(kind, 8)}")
    width = values.dtype.itemsize
    body = np.ascontiguousarray(values).view(np.uint8).reshape(count, width)
    if values.dtype.kind == "S" and not body.all():  # some are shorter
        return [_value(kind, value.decode()) for value in values.tolist()]
    return np.concatenate([_for_all(np.frombuffer(LENGTH.pack(width), dtype=np.uint8), count), body], axis=1)


def _for_all(one: Bytes, count: int) -> Bytes:
    return np.broadcast_to(one, (count, one.size))


def _value(kind: str, value: Any) -> bytes:
    """One value with its length."""
    if value is None:
        return NOTHING
    if isinstance(value, bytes):  # encoded already
        return value
    if kind in SIZES:
        content = int(value).to_bytes(SIZES[kind], "big", signed=kind != "boolean")
    elif kind == "timestamp with time zone":
        since = np.datetime64(value.astimezone(UTC).replace(tzinfo=None), "us") - EPOCH
        content = int(since // np.timedelta64(1, "us")).to_bytes(8, "big", signed=True)
    else:
        content = b"\x01" * (kind == "jsonb") + value.encode()
    return LENGTH.pack(len(content)) + content


def number_lists(kind: str, values: Ints, begin: Ints) -> list[bytes]:
    """List `n` is values[begin[n]:begin[n + 1]]: one-dimensional arrays of `kind` (integer, bigint), not empty."""
    width = SIZES[kind]
    elements = np.empty(values.size, dtype=[("length", ">i4"), ("number", f">i{width}")])
    elements["length"], elements["number"] = width, values
    content, each = elements.tobytes(), elements.itemsize
    return [
        struct.pack(">6i", 20 + each * (beyond - first), 1, 0, OIDS[kind], beyond - first, 1)
        + content[each * first : each * beyond]
        for first, beyond in zip(begin[:-1].tolist(), begin[1:].tolist(), strict=True)
    ]


def numbers(values: Iterable[int]) -> str:
    """Whole numbers as an array of PostgreSQL, to be cast: put together in a tenth of the time of a list."""
    return f"{{{','.join(map(str, values))}}}"


@cache
def column_of(model: type[models.Model], name: str) -> str:
    """The column of the model's field `name`."""
    return str(cast("models.Field[Any, Any]", model._meta.get_field(name)).column)
