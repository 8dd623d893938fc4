"""Public ids: a prefix that names the kind and 22 base62 digits, 8 of the time and 14 of randomness (83 bits).

They ascend with time, so that an index takes new rows at its right end and what is worked on together lies together;
in random order every row of a round would touch another page.
"""

import secrets
import time
from functools import partial
from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from django.db import models

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField

BASE62 = digits + ascii_letters
ASCENDING = digits + ascii_uppercase + ascii_lowercase  # as bytes are compared
OF_TIME, OF_CHANCE = 8, 14  # digits; the first count milliseconds since 1970, enough for some thousand years
DIGITS = np.frombuffer(ASCENDING.encode(), dtype=np.uint8)


def new_id(prefix: str) -> str:
    """A fresh public id such as `job_0V2Nq7xK…`."""
    return f"{prefix}_{_now()}" + "".join(secrets.choice(ASCENDING) for _ in range(OF_CHANCE))


def new_ids(prefix: str, count: int) -> npt.NDArray[np.bytes_]:
    """`count` fresh public ids as ASCII in ascending order.

    Random bytes from 248 on are thrown away: 248 is the last multiple of 62, and every digit stays equally likely.
    """
    wanted, found = count * OF_CHANCE, np.empty(0, dtype=np.uint8)
    while found.size < wanted:
        fresh = np.frombuffer(secrets.token_bytes(wanted + 64), dtype=np.uint8)
        found = np.concatenate((found, fresh[fresh < 4 * len(ASCENDING)]))
    head = np.frombuffer(f"{prefix}_{_now()}".encode(), dtype=np.uint8)
    drawn = DIGITS[found[:wanted] % len(ASCENDING)].reshape(count, OF_CHANCE)
    ids = np.concatenate([np.broadcast_to(head, (count, head.size)), drawn], axis=1)
    return np.sort(ids.view(f"S{ids.shape[1]}").ravel())


def _now() -> str:
    """The time as digits."""
    number, text = time.time_ns() // 10**6, ""
    for _ in range(OF_TIME):
        number, digit = divmod(number, len(ASCENDING))
        text = ASCENDING[digit] + text
    return text


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
