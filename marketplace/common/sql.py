"""SQL functions that hold promises over hourly arrays; `install` makes them in a migration.

PostgreSQL compares arrays lexicographically and lets a NULL result pass a CHECK, so each function looks at every
element and answers false, never NULL, for anything malformed.
"""

from typing import Any

from django.db import migrations, models
from django.db.models import Func, Value

HOURS_FIT = """
CREATE OR REPLACE FUNCTION hours_fit(promised int[], total int[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    array_ndims(promised) = 1 AND array_ndims(total) = 1
    AND array_lower(promised, 1) = 1 AND array_lower(total, 1) = 1
    AND array_length(promised, 1) = 24 AND array_length(total, 1) = 24
    AND (SELECT bool_and(p IS NOT NULL AND t IS NOT NULL AND 0 <= p AND p <= t)
         FROM unnest(promised, total) AS h(p, t)),
    false)
$$;
"""
HOURS_ADD = """
CREATE OR REPLACE FUNCTION hours_add(a int[], b int[]) RETURNS int[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_agg(x + y ORDER BY n) FROM unnest(a, b) WITH ORDINALITY AS h(x, y, n)
$$;
"""
HOURS_LEFT = """
CREATE OR REPLACE FUNCTION hours_left(total int[], promised int[]) RETURNS int[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_agg(t - p ORDER BY n) FROM unnest(total, promised) WITH ORDINALITY AS h(t, p, n)
$$;
"""
ARRAY_WITHIN = """
CREATE OR REPLACE FUNCTION array_within(a bigint[], size int, low bigint, high bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(
    array_ndims(a) = 1 AND array_lower(a, 1) = 1 AND array_length(a, 1) = size
    AND (SELECT bool_and(x IS NOT NULL AND low <= x AND x <= high) FROM unnest(a) AS h(x)),
    false)
$$;
"""

TEXT_RANGE = "CREATE TYPE textrange AS RANGE (subtype = text)"


def install(create: str, signature: str, kind: str = "FUNCTION") -> migrations.RunSQL:
    """A reversible migration step that makes one of the functions (or the type) above."""
    return migrations.RunSQL(create, reverse_sql=f"DROP {kind} IF EXISTS {signature}")


def without_prefix_index(table: str, column: str, name: str) -> migrations.RunSQL:
    """A reversible step without the index that Django adds to a unique text for LIKE 'prefix%'; ids are asked whole."""
    return migrations.RunSQL(
        f"DROP INDEX IF EXISTS {name}",
        reverse_sql=f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column} varchar_pattern_ops)",
    )


def fill_pages(table: str, percent: int) -> migrations.RunSQL:
    """A reversible step that leaves room on the pages of `table`, so that an update stays on its page and out of the
    indexes; it holds for pages written from now on."""
    return migrations.RunSQL(
        f"ALTER TABLE {table} SET (fillfactor = {percent})", reverse_sql=f"ALTER TABLE {table} RESET (fillfactor)"
    )


class HoursFit(Func):
    """`0 <= promised[h] <= total[h]` in each of 24 hours."""

    function = "hours_fit"
    output_field = models.BooleanField()


class HoursAdd(Func):
    """The sum of two hourly arrays, element by element."""

    function = "hours_add"

    def __init__(self, *expressions: Any, **extra: Any) -> None:
        from django.contrib.postgres.fields import ArrayField  # noqa: PLC0415  (needs the app registry)

        super().__init__(*expressions, output_field=ArrayField(models.IntegerField()), **extra)


class ArrayWithin(Func):
    """A one-dimensional array of `size` numbers, each in [low, high]."""

    function = "array_within"
    output_field = models.BooleanField()

    def __init__(self, field: str, size: int, low: int, high: int) -> None:
        super().__init__(field, Value(size), Value(low), Value(high))
