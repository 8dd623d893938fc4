"""The form of a place on the waiting list."""

from datetime import UTC, datetime
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from frontend.store.moneyforms import AmountField, MoneyForm
from marketplace.booking.waiting import PRICE_LIMIT, Wanted
from marketplace.catalog.models import HardwareClass, Offer

MINUTE = "%Y-%m-%dT%H:%M"


class MomentField(forms.DateTimeField):
    """The browser's own field for a minute, in UTC."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": 3600}, format=MINUTE)
    input_formats = (MINUTE,)

    def clean(self, value: Any) -> datetime | None:
        """An aware moment."""
        found: datetime | None = super().clean(value)
        return found.replace(tzinfo=UTC) if found else None


class WaitForm(MoneyForm):
    """What is waited for, until when, and what happens when there is room."""

    name = "wait"
    accelerator = forms.ChoiceField(label=gettext_lazy("Hardware"), required=False)
    units = forms.IntegerField(label=gettext_lazy("Units"), min_value=1, max_value=100_000)
    hours = forms.IntegerField(label=gettext_lazy("Hours"), min_value=1, max_value=168)
    after = MomentField(label=gettext_lazy("Not before (UTC)"), required=False)
    by = MomentField(
        label=gettext_lazy("Latest start (UTC)"), required=False,
        help_text=gettext_lazy("Without one, the soonest that can be had."),
    )  # fmt: skip
    price = AmountField(label=gettext_lazy("At most for a unit-hour, all-in"), required=False)
    reserve = forms.BooleanField(
        label=gettext_lazy("Reserve it at once when there is room, within this price"), required=False
    )

    def __init__(self, data: Any = None, *, currency: str, offer: Offer | None, initial: Any = None) -> None:
        super().__init__(data, currency=currency, initial=initial)
        self.offer = offer
        names = HardwareClass.objects.order_by("accelerator").values_list("accelerator", flat=True).distinct()
        cast("forms.ChoiceField", self.fields["accelerator"]).choices = [(name, name) for name in names]
        if offer:
            del self.fields["accelerator"]

    def clean(self) -> dict[str, Any]:
        """A price where it is to be reserved at once; no latest start before the first."""
        said = super().clean() or self.cleaned_data
        if said.get("reserve") and said.get("price") is None and "price" not in self.errors:
            self.add_error("price", _("Say the most that it may cost."))
        if said.get("after") and said.get("by") and said["by"] < said["after"]:
            self.add_error("by", _("Not before the first."))
        return dict(said)

    def wanted(self) -> Wanted:
        """What was typed, once it is valid."""
        said = self.cleaned_data
        what = {"offer": [self.offer.public_id]} if self.offer else {"accelerator": [said["accelerator"]]}
        limit = {} if said["price"] is None else {PRICE_LIMIT: said["price"]}
        return Wanted(
            units=said["units"], hours=said["hours"], where=what | limit, start_after=said["after"],
            start_by=said["by"], reserve=said["reserve"],
        )  # fmt: skip
