"""What several models of energy have in common: hours that start on the hour, rows that never change."""

import pgtrigger
from django.db import models
from django.db.models import Func


class OnTheHour(Func):
    """Whether a moment is the start of a UTC hour, whatever the session's time zone."""

    template = "date_trunc('hour', %(expressions)s, 'UTC') = %(expressions)s"
    output_field = models.BooleanField()


def append_only(name: str) -> pgtrigger.Trigger:
    """The database refuses to change or delete a row."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)
