"""What models of energy have in common: hours that start on the hour, rows that never change, guarded counts."""

import pgtrigger
from django.db import models
from django.db.models import Func, Q

REFUSE = "RAISE check_violation USING CONSTRAINT = '{name}', TABLE = TG_TABLE_NAME, MESSAGE = {message};"


class OnTheHour(Func):
    """Whether a moment is the start of a UTC hour, whatever the session's time zone."""

    template = "date_trunc('hour', %(expressions)s, 'UTC') = %(expressions)s"
    output_field = models.BooleanField()


def append_only(name: str) -> pgtrigger.Trigger:
    """The database refuses to change or delete a row."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)


def of_choices(field: str, choices: type[models.TextChoices], name: str) -> models.CheckConstraint:
    """Only values of `choices` fit the column."""
    return models.CheckConstraint(condition=Q(**{f"{field}__in": choices.values}), name=name)


def refuse(name: str, message: str) -> str:
    """The statement that ends the writer's with `message`, an SQL expression, under the name of what it broke."""
    return REFUSE.format(name=name, message=message)


def counted_by_rows(name: str, *columns: str, what: str) -> pgtrigger.Trigger:
    """Refuses whoever writes `columns` himself: a trigger counts them from the rows that they stand for."""
    changed = " OR ".join(f"NEW.{column} <> OLD.{column}" for column in columns)
    return pgtrigger.Trigger(
        name=name, level=pgtrigger.Row, when=pgtrigger.Before, operation=pgtrigger.Update,
        func=f"IF ({changed}) AND pg_trigger_depth() < 2 THEN {refuse(name, what)} END IF; RETURN NEW;",
    )  # fmt: skip


def begins_at_nothing(name: str, *columns: str, what: str) -> pgtrigger.Trigger:
    """Refuses a new row that has anything in `columns` already."""
    filled = " OR ".join(f"NEW.{column} <> 0" for column in columns)
    return pgtrigger.Trigger(
        name=name, level=pgtrigger.Row, when=pgtrigger.Before, operation=pgtrigger.Insert,
        func=f"IF {filled} THEN {refuse(name, what)} END IF; RETURN NEW;",
    )  # fmt: skip
