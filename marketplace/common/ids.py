"""Public ids: a prefix that names the kind and 22 base62 digits (131 bits) of randomness."""

import secrets
from functools import partial
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from django.db import models

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField

BASE62 = digits + ascii_letters
LENGTH = 22
DIGITS = np.frombuffer(BASE62.encode(), dtype=np.uint8)


def new_id(prefix: str) -> str:
    """A fresh public id such as `job_4f21…`."""
    return f"{prefix}_" + "".join(secrets.choice(BASE62) for _ in range(LENGTH))


def new_ids(prefix: str, count: int) -> npt.NDArray[np.bytes_]:
    """`count` fresh public ids as ASCII in ascending order, so that an index takes them from left to right.

    Random bytes from 248 on are thrown away: 248 is the last multiple of 62, and every digit stays equally likely.
    """
    wanted, found = count * LENGTH, np.empty(0, dtype=np.uint8)
    while found.size < wanted:
        fresh = np.frombuffer(secrets.token_bytes(wanted + 64), dtype=np.uint8)
        found = np.concatenate((found, fresh[fresh < 4 * len(BASE62)]))
    kind = np.frombuffer(f"{prefix}_".encode(), dtype=np.uint8)
    drawn = DIGITS[found[:wanted] % len(BASE62)].reshape(count, LENGTH)
    ids = np.concatenate([np.broadcast_to(kind, (count, kind.size)), drawn], axis=1)
    return np.sort(ids.view(f"S{ids.shape[1]}").ravel())


class PublicIdField(TextField):
    """A unique, never edited public id; `PublicIdField("job")` makes `job_…` by itself."""

    def __init__(self, prefix: str = "", **options: Any) -> None:
        self.prefix = prefix
        options |= {"max_length": 40, "unique": True, "editable": False, "default": partial(new_id, prefix)}
        super().__init__(**options)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        for option in ("max_length", "unique", "editable", "default"):
            kwargs.pop(option, None)
        return name, path, [self.prefix, *args], kwargs
