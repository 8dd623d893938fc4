"""What a reviewer writes: what is verified, or why something is refused or taken back."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.validators import RegexValidator
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Organization
from frontend.desk.access import operator_of
from frontend.store.refusals import refusal_text
from marketplace.common.errors import DomainError
from marketplace.energy.errors import NotTheReviewer
from marketplace.energy.models import EnergySource
from marketplace.energy.models.sources import EVIDENCE_ORDER
from marketplace.energy.receipts.words import evidence_name
from marketplace.energy.reviewing import LONGEST_REASON, check_reviewer

SHA256 = RegexValidator(
    r"\A[0-9a-f]{64}\Z", gettext_lazy("64 digits and letters from a to f, as sha256sum writes them.")
)


class VerifyForm(forms.Form):
    """What is known of a source from now on, and by which document."""

    evidence = forms.ChoiceField(label=gettext_lazy("What is proven"), widget=forms.RadioSelect)
    evidence_sha256 = forms.CharField(
        label=gettext_lazy("SHA-256 of the document you saw"), max_length=64, required=False, validators=[SHA256]
    )
    note = forms.CharField(label=gettext_lazy("Note, for the owner to read"), max_length=LONGEST_REASON, required=False)

    def __init__(self, data: Any = None, *, source: EnergySource) -> None:
        super().__init__(data, auto_id="verify-%s")
        higher = EVIDENCE_ORDER[EVIDENCE_ORDER.index(source.evidence) + 1 :]
        hints = _hints()
        choices: Any = [(each, f"{evidence_name(each)}: {hints[each]}") for each in higher]
        self.fields["evidence"] = forms.ChoiceField(
            label=self.fields["evidence"].label, widget=forms.RadioSelect, choices=choices
        )


def _hints() -> dict[str, str]:
    return {
        "documents": _("papers name plant, owner and contract; backs no claim yet"),
        "metered": _("its meter is calibrated and read by the hour; its hours back claims"),
        "audited": _("somebody has been there; its hours back claims"),
    }


class ReasonForm(forms.Form):
    """Why something is refused or taken back."""

    reason = forms.CharField(
        label=gettext_lazy("Reason, for the owner to read"), max_length=LONGEST_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, auto_id="refuse-%s")


def why_not(request: HttpRequest, holder: Organization) -> str:
    """Why the person cannot decide on evidence of `holder`; empty for whoever can."""
    try:
        check_reviewer(operator_of(request), holder)
    except NotTheReviewer:
        return _("You belong to %(name)s. Somebody outside of it decides on its evidence.") % {"name": holder.name}
    return ""


def decided(request: HttpRequest, holder: Organization, act: Callable[[], str]) -> bool:
    """Do `act` and say what it answers; what the market refuses is said instead."""
    try:
        messages.success(request, act())
    except NotTheReviewer as error:
        messages.error(request, why_not(request, holder) or refusal_text(error))
        return False
    except DomainError as error:
        messages.error(request, refusal_text(error))
        return False
    return True
