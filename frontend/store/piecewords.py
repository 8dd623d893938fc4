"""Work in pieces as pages show it: each with its hours, and all of them against the contiguous run."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from frontend.components.formats import change
from frontend.store.jobstory import moment


def compared(told: Mapping[str, Any]) -> dict[str, Any]:
    """The rows of a plan's table: its pieces, their sum and the contiguous run, and what changes against that."""
    rows = [_row(_("Piece %(number)d") % {"number": each["number"]}, each) for each in told["pieces"]]
    whole = told["whole"]
    return {
        "rows": rows,
        "total": {"total_minor": told["total_minor"], "carbon_g": told["carbon_g"]},
        "whole": _row(_("In one run"), whole),
        "price": change(told["total_minor"], whole["total_minor"]),
        "carbon": change(told["carbon_g"], whole["carbon_g"]),
        "restart_s": told["restart_s"],
    }


def of_job(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The pieces of a job, each with what has become of it."""
    words = {"over": _("ran"), "now": _("now"), "next": _("next"), "later": _("promised")}
    return [
        {
            "name": _("Piece %(number)d") % {"number": each["number"]},
            "start": moment(each["start"]),
            "end": moment(each["end"]),
            "total_minor": each["total_minor"],
            "state": each["state"],
            "told": words[each["state"]],
        }
        for each in view["pieces"]
    ]


def _row(name: str, each: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "start": moment(each["start"]),
        "end": moment(each["end"]),
        "total_minor": each["total_minor"],
        "carbon_g": each["carbon_g"],
    }
