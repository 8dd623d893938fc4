"""References checked once per statement instead of once per row, for history that is written by thousands of rows.

A foreign key asks for every row by itself, in COMMIT: eleven times for one placement, a fifth of the time of a round.
Where the rows that are referred to never go (`stays`) and those that refer never turn to others (`keeps`), it is enough
to look once, when rows are added (`exist`): nothing can make a reference wrong afterwards, and nothing need be locked.
"""

from collections.abc import Collection

import pgtrigger

FIND = """
    SELECT asked.id INTO missing FROM (SELECT {distinct}{column} AS id FROM added) AS asked
    WHERE asked.id IS NOT NULL AND (SELECT there.id FROM {table} AS there WHERE there.id = asked.id) IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('"%s" refuses a row: {table} has no row %s', '{name}', missing),
            CONSTRAINT = '{name}', TABLE = TG_TABLE_NAME, COLUMN = '{column}';
    END IF;
"""
INDEXED = """
    whole = current_setting('enable_seqscan');
    PERFORM set_config('enable_seqscan', 'off', true);
    {steps}
    PERFORM set_config('enable_seqscan', whole, true);
    RETURN NULL;
"""
AGREE = """
    SELECT added.{column} INTO missing FROM added
    WHERE (SELECT there.{on} FROM {table} AS there WHERE there.id = added.{column}) IS DISTINCT FROM added.{on} LIMIT 1;
    IF FOUND THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('"%s" refuses a row: {table} has no row %s of the same {on}', '{name}', missing),
            CONSTRAINT = '{name}', TABLE = TG_TABLE_NAME, COLUMN = '{column}';
    END IF;
"""


def exist(name: str, *, once: Collection[str] = (), **tables: str) -> pgtrigger.Trigger:
    """Refuses added rows whose column (`tables` names them) is the id of no row of its table.

    No two rows have the same in a column that is named in `once`: there is nothing to gain by looking for equal ones.
    """
    steps = (
        FIND.format(name=name, column=column, table=table, distinct="" if column in once else "DISTINCT ")
        for column, table in tables.items()
    )
    return _looked_at_once(name, "".join(steps))


def agree(name: str, column: str, table: str, *, on: str) -> pgtrigger.Trigger:
    """Refuses added rows whose `column` is the id of no row of `table` that has the same value of the column `on`."""
    return _looked_at_once(name, AGREE.format(name=name, column=column, table=table, on=on))


def _looked_at_once(name: str, steps: str) -> pgtrigger.Trigger:
    """The inner queries are scalar ones, planned where whole tables are not read: they always look into the index. A
    plan is kept, and the one for a table that was small then would be kept for the large one.
    """
    return pgtrigger.Trigger(
        name=name,
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="added"),  # type: ignore[no-untyped-call]  # the library has no types here
        declare=[("missing", "bigint"), ("whole", "text")],
        func=INDEXED.format(steps=steps),
    )


def stays(name: str) -> pgtrigger.Trigger:
    """Refuses to delete a row or to give it another id."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Delete | pgtrigger.UpdateOf("id"))  # type: ignore[no-untyped-call]


def keeps(name: str, *fields: str) -> pgtrigger.Trigger:
    """Refuses to let `fields` of a row refer to anything else than they did when it was added."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update, condition=pgtrigger.AnyChange(*fields))
