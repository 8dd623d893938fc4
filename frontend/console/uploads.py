"""Files of evidence that a provider sends from a page: taken whole, or a report of what is wrong, row by row."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import Organization
from frontend.components.formats import data_size, grouped
from marketplace.energy.errors import WrongImport
from marketplace.energy.imports.evidence import import_evidence
from marketplace.energy.imports.sheets import MOST_BYTES
from marketplace.energy.imports.statements import STATEMENTS, import_statements
from marketplace.energy.models import ImportFile, ImportState, MeterPoint

MEANINGS = {
    "missing_column": gettext_lazy("a column is missing"),
    "bad_number": gettext_lazy("not a whole number"),
    "bad_value": gettext_lazy("not a value of this column"),
    "negative": gettext_lazy("below zero"),
    "not_found": gettext_lazy("not one of yours"),
    "not_utc": gettext_lazy("not a time in UTC"),
    "not_on_grid": gettext_lazy("not on the grid of hours"),
    "interval_too_long": gettext_lazy("too long"),
    "duplicate_hour": gettext_lazy("told twice"),
    "certificate_overlap": gettext_lazy("on record already"),
    "it_exceeds_total": gettext_lazy("a part above its whole"),
    "exceeds_capacity": gettext_lazy("more than the plant can make"),
    "exceeds_production": gettext_lazy("more than its meter saw"),
    "expired": gettext_lazy("expired"),
    "scheme_closed": gettext_lazy("no longer issued"),
    "wrong_zone": gettext_lazy("another market"),
    "underlying_still_active": gettext_lazy("what it was made of is alive"),
    "storage_exceeds_input": gettext_lazy("more than went in"),
    "statement_range_mismatch": gettext_lazy("other Wh than those reserved"),
    "share_out_of_range": gettext_lazy("not a share"),
}


@dataclass(frozen=True, slots=True)
class Report:
    """A file that was not taken: its name, how many faults it has, the first hundred, or why it cannot be read."""

    file: str
    faults: int
    rows: list[dict[str, Any]]
    unreadable: str = ""
    hint: str = ""

    @property
    def more(self) -> int:
        """Faults that are not listed."""
        return self.faults - len(self.rows)


class UploadForm(forms.Form):
    """One table."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"), widget=forms.ClearableFileInput(attrs={"accept": ".csv,.gz,text/csv"}),
        error_messages={"required": gettext_lazy("Choose a file."), "empty": gettext_lazy("The file is empty.")},
    )  # fmt: skip

    def clean_file(self) -> "UploadedFile[bytes]":
        """The file; one above the limit is not even read."""
        sent: UploadedFile[bytes] = self.cleaned_data["file"]
        if (sent.size or 0) > MOST_BYTES:
            raise ValidationError(_("At most %(size)s; split it by month.") % {"size": data_size(MOST_BYTES)})
        return sent


def take_file(
    *, sent: "UploadedFile[bytes]", kind: str, organization: Organization, now: datetime,
    point: MeterPoint | None = None,
) -> tuple[str, Report | None]:  # fmt: skip
    """What to say of a file that was taken, or the report of one of which nothing was. Raises NotFound."""
    name = str(sent.name)
    try:
        if kind == STATEMENTS:
            result = import_statements(data=sent.read(), organization=organization, now=now)
        else:
            result = import_evidence(data=sent.read(), kind=kind, organization=organization, point=point, now=now)
    except WrongImport as error:
        return "", Report(name, 0, [], unreadable=error.detail, hint=error.hint)
    if result.state == ImportState.REFUSED:
        return "", Report(name, result.faults, [_row(fault) for fault in result.errors])
    return _taken(result, name, now), None


def _row(fault: Mapping[str, Any]) -> dict[str, Any]:
    return {**fault, "meaning": MEANINGS.get(fault["code"], fault["code"])}


def _taken(result: ImportFile, name: str, now: datetime) -> str:
    if result.imported_at != now:
        return _("%(file)s was imported before; nothing has changed.") % {"file": name}
    words = ngettext("%(file)s: %(count)s row imported.", "%(file)s: %(count)s rows imported.", result.rows)
    if result.kind == "meter":
        words = ngettext("%(file)s: %(count)s hour imported.", "%(file)s: %(count)s hours imported.", result.rows)
    told = words % {"file": name, "count": grouped(result.rows)}
    if result.incomplete:
        left = ngettext(
            "%(count)s hour lacks a quarter and was left out; nothing is filled in.",
            "%(count)s hours lack a quarter and were left out; nothing is filled in.",
            result.incomplete,
        )
        told = f"{told} {left % {'count': grouped(result.incomplete)}}"
    return told
