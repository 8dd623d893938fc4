"""What two rows must have in common to exclude each other, without an extension of PostgreSQL."""

from typing import Any

from django.contrib.postgres.fields import BigIntegerRangeField, RangeOperators
from django.db.models import F, Func, Value


def same_id(field: str) -> tuple[Func, str]:
    """Rows with the same number in `field`, for an exclusion: a range of one number meets just itself.

    Name a foreign key, not its column; and never a field that may be null, whose range would meet every row.
    """
    return _same(field, "int8range", output_field=BigIntegerRangeField())


def same_text(field: str) -> tuple[Func, str]:
    """Rows with the same text in `field`, for an exclusion. Needs the type `textrange`."""
    return _same(field, "textrange")


def _same(field: str, kind: str, **options: Any) -> tuple[Func, str]:
    return Func(F(field), F(field), Value("[]"), function=kind, **options), RangeOperators.OVERLAPS
