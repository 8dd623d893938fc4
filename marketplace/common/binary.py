"""Values in PostgreSQL's binary format: the length of each, then its bytes, numbers big-endian.

What is equally long in every row is laid out by NumPy without a loop.
"""

import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
NOTHING = b"\xff\xff\xff\xff"
SIZES = {"bigint": 8, "integer": 4, "smallint": 2, "boolean": 1}
MOMENT = "timestamp with time zone"
# The types of values and of arrays of them, as the server numbers them (pg_type.dat).
OIDS = {"bigint": 20, "integer": 23, "smallint": 21, "boolean": 16, MOMENT: 1184, "jsonb": 3802, "text": 25}
ARRAY_OIDS = {"bigint": 1016, "integer": 1007, "smallint": 1005, "boolean": 1000, MOMENT: 1185, "jsonb": 3807,
              "text": 1009}  # fmt: skip
LENGTH = struct.Struct(">i")
HEAD = struct.Struct(">5i")  # of an array: dimensions, whether some are nothing, type, how many, the first index
EPOCH = np.datetime64("2000-01-01", "us")


class NumberLists(NamedTuple):
    """A column of lists of numbers of `kind` (integer, bigint): list `n` is values[begin[n]:begin[n + 1]].

    None is empty.
    """

    kind: str
    values: Ints
    begin: Ints

    def arrays(self) -> list[bytes]:
        """Each list as an array with its length."""
        width, oid = SIZES[self.kind], OIDS[self.kind]
        elements = np.empty(self.values.size, dtype=[("length", ">i4"), ("number", f">i{width}")])
        elements["length"], elements["number"] = width, self.values
        content, each = elements.tobytes(), elements.itemsize
        return [
            LENGTH.pack(20 + each * (beyond - first)) + HEAD.pack(1, 0, oid, beyond - first, 1)
            + content[each * first : each * beyond]
            for first, beyond in self._spans()
        ]  # fmt: skip

    def texts(self) -> list[str]:
        """Each list as text, to be cast."""
        values = self.values.tolist()
        return [f"{{{','.join(map(str, values[first:beyond]))}}}" for first, beyond in self._spans()]

    def _spans(self) -> Iterator[tuple[int, int]]:
        return zip(self.begin[:-1].tolist(), self.begin[1:].tolist(), strict=True)


Values = npt.NDArray[Any] | Sequence[Any] | NumberLists | str | int | bool | datetime | None


def encoded(kind: str, values: Values, count: int) -> Bytes | list[bytes]:
    """[count, width] bytes of values of one length, or the bytes of each; in both their length comes first.

    Whole numbers come as arrays of int64 (or a list, with None for nothing), moments as arrays of datetime64, public
    ids as arrays of bytes, text and JSON as lists of text; one value alone is that of all rows.
    """
    if isinstance(values, NumberLists):
        return values.arrays()
    if isinstance(values, (str, int, datetime)) or values is None:
        return for_all(np.frombuffer(_value(kind, values), dtype=np.uint8), count)
    if not isinstance(values, np.ndarray):
        known = {value: _value(kind, value) for value in set(values)}
        return [known[value] for value in values]
    if kind == MOMENT:
        values = ((values.astype("datetime64[us]") - EPOCH) // np.timedelta64(1, "us")).astype(np.int64)
    if values.dtype.kind != "S":
        values = values.astype(f">i{SIZES.get(kind, 8)}")
    width = values.dtype.itemsize
    body = np.ascontiguousarray(values).view(np.uint8).reshape(count, width)
    if values.dtype.kind == "S" and not body.all():  # some are shorter
        return [_value(kind, value.decode()) for value in values.tolist()]
    return np.concatenate([for_all(np.frombuffer(LENGTH.pack(width), dtype=np.uint8), count), body], axis=1)


def for_all(one: Bytes, count: int) -> Bytes:
    """The same bytes in every row."""
    return np.broadcast_to(one, (count, one.size))


def array(kind: str, values: Values, count: int) -> bytes:
    """A column as one array of `kind`, without its length."""
    content = encoded(kind, values, count)
    body = b"".join(content) if isinstance(content, list) else content.tobytes()
    return HEAD.pack(1, 1, OIDS[kind], count, 1) + body


def _value(kind: str, value: Any) -> bytes:
    """One value with its length."""
    if value is None:
        return NOTHING
    if kind in SIZES:
        content = int(value).to_bytes(SIZES[kind], "big", signed=kind != "boolean")
    elif kind == MOMENT:
        since = np.datetime64(value.astimezone(UTC).replace(tzinfo=None), "us") - EPOCH
        content = int(since // np.timedelta64(1, "us")).to_bytes(8, "big", signed=True)
    else:
        content = b"\x01" * (kind == "jsonb") + value.encode()
    return LENGTH.pack(len(content)) + content
