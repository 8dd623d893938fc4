"""Forms of certificates: a file of them, and what a registry states of a cancellation."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy

from accounts.models import Organization
from frontend.console.pointnames import choose_among
from frontend.console.uploads import UploadForm
from marketplace.energy.imports.evidence import CERTIFICATES
from marketplace.energy.models import CertificateLot, MeterPoint
from marketplace.energy.models.supply import MOST_WH
from marketplace.energy.receipts.statements import Statement

KINDS = {
    "gc": gettext_lazy("Hourly and foreign certificates (gc)"),
    "gec": gettext_lazy("Green certificates of China (gec)"),
}


class CertificatesForm(UploadForm):
    """A file of certificates, and the metering point that they serve."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=[(kind, KINDS[kind]) for kind in CERTIFICATES])
    point = forms.ModelChoiceField(
        label=gettext_lazy("Serves the point"), queryset=MeterPoint.objects.none(), to_field_name="code",
        empty_label=None, help_text=gettext_lazy("A lot serves the point named here and no other."),
    )  # fmt: skip
    field_order = ("kind", "point", "file")

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose_among(self.fields["point"], organization)


class StatementsForm(UploadForm):
    """A file of statements."""

    def __init__(self, data: Any = None, files: Any = None) -> None:
        super().__init__(data, files, auto_id="statements-%s")


class StatementForm(forms.Form):
    """What the registry's statement says: which Wh, for whom, under which number."""

    subject = forms.CharField(max_length=40, widget=forms.HiddenInput)
    from_wh = forms.IntegerField(label=gettext_lazy("From Wh"), min_value=0, max_value=MOST_WH)
    to_wh = forms.IntegerField(
        label=gettext_lazy("To Wh"), min_value=1, max_value=MOST_WH,
        help_text=gettext_lazy("The end is not included."),
    )  # fmt: skip
    beneficiary = forms.CharField(
        label=gettext_lazy("Beneficiary"), max_length=120,
        help_text=gettext_lazy("As the statement names it; the id above leaves the buyer unnamed."),
    )  # fmt: skip
    reference = forms.CharField(
        label=gettext_lazy("Number of the statement"), max_length=120,
        help_text=gettext_lazy("An auditor finds it at the registry by this."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, number: int = 0, subject: str = "") -> None:
        initial = {"subject": subject, "beneficiary": subject}
        super().__init__(data, auto_id=f"statement-{number}-%s", initial=initial)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "from_wh" in values and "to_wh" in values and values["to_wh"] <= values["from_wh"]:
            raise ValidationError({"to_wh": gettext_lazy("The end must come after the start.")})
        return values

    def statement_of(self, lot: CertificateLot) -> Statement:
        """The cleaned values as the service takes them."""
        values = self.cleaned_data
        return Statement(lot, values["from_wh"], values["to_wh"], values["beneficiary"], values["reference"])
