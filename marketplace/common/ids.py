"""Public ids: a prefix that names the kind and 22 base62 digits (131 bits) of randomness."""

import secrets
from functools import partial
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:
    TextField = models.CharField

BASE62 = digits + ascii_letters
LENGTH = 22


def new_id(prefix: str) -> str:
    """A fresh public id such as `job_4f21…`."""
    return f"{prefix}_" + "".join(secrets.choice(BASE62) for _ in range(LENGTH))


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
