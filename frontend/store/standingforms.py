"""The form of a standing order: a few choices and two amounts, which become the wish of the services."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from frontend.components.formats import percent_down, whole_hours
from frontend.store.moneyforms import AmountField, MoneyForm
from frontend.store.shelfwords import named
from marketplace.booking.standing import Wish
from marketplace.catalog.models import HardwareClass, Site

AHEAD = (6, 12, 24, 48, 72, 120, 167)
BLOCKS = (1, 2, 3, 6, 12, 24)
SHARES = (400_000, 600_000, 800_000, 900_000)
PPM = 1_000_000


class DateInput(forms.DateInput):
    """The browser's own field for a day."""

    input_type = "date"


class StandingForm(MoneyForm):
    """What is to be kept reserved, for how much."""

    name = "standing"
    accelerator = forms.ChoiceField(label=gettext_lazy("Hardware"))
    units = forms.IntegerField(label=gettext_lazy("Units"), min_value=1, max_value=100_000)
    price = AmountField(label=gettext_lazy("At most for a unit-hour, all-in"))
    share = forms.ChoiceField(label=gettext_lazy("Renewable at least"), required=False)
    region = forms.ChoiceField(label=gettext_lazy("Region"), required=False)
    ahead = forms.TypedChoiceField(label=gettext_lazy("Reserved ahead"), coerce=int)
    block = forms.TypedChoiceField(
        label=gettext_lazy("Bought at once"), coerce=int,
        help_text=gettext_lazy("Price and share are measured over so many hours."),
    )  # fmt: skip
    cap = AmountField(
        label=gettext_lazy("At most in a month"),
        help_text=gettext_lazy("What is held and spent for it; what comes back counts no more."),
    )
    until = forms.DateField(
        label=gettext_lazy("Last day"), required=False, widget=DateInput(format="%Y-%m-%d"),
        help_text=gettext_lazy("Without one, until you cancel it."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, currency: str, initial: Any = None) -> None:
        super().__init__(data, currency=currency, initial=initial)
        names = HardwareClass.objects.order_by("accelerator").values_list("accelerator", flat=True).distinct()
        regions = Site.objects.order_by("region").values_list("region", flat=True).distinct()
        self._choose("accelerator", [(name, name) for name in names])
        self._choose("share", [("", _("any share")), *((str(ppm), percent_down(ppm)) for ppm in SHARES)])
        self._choose("region", [("", _("anywhere")), *((each, named("region", each)) for each in regions)])
        self._choose("ahead", [(hours, whole_hours(hours)) for hours in AHEAD])
        self._choose("block", [(hours, whole_hours(hours)) for hours in BLOCKS])

    def _choose(self, name: str, choices: list[tuple[Any, str]]) -> None:
        cast("forms.ChoiceField", self.fields[name]).choices = choices

    def clean_until(self) -> date | None:
        """Not a day that has passed."""
        until: date | None = self.cleaned_data["until"]
        if until and until < datetime.now(UTC).date():
            self.add_error("until", _("This day has passed."))
        return until

    def clean(self) -> dict[str, Any]:
        """At most as many hours at once as ahead."""
        said = super().clean() or self.cleaned_data
        if said.get("block") and said.get("ahead") and said["block"] > said["ahead"]:
            self.add_error("block", _("Not more than is reserved ahead."))
        return dict(said)

    def wish(self) -> Wish:
        """What was typed, once it is valid."""
        said = self.cleaned_data
        where: dict[str, Any] = {"accelerator": [said["accelerator"]], "price__lte": said["price"]}
        if said["share"]:
            where["renewable_share__gte"] = int(said["share"]) / PPM
        if said["region"]:
            where["region"] = [said["region"]]
        return Wish(
            units=said["units"], where=where, limit_minor=said["cap"], ahead_hours=said["ahead"],
            block_hours=said["block"], ends_at=_midnight_after(said["until"]),
        )  # fmt: skip


class CapForm(MoneyForm):
    """Another cap for the months to come and for this one."""

    name = "cap"
    cap = AmountField(label=gettext_lazy("At most in a month"))


def _midnight_after(day: date | None) -> datetime | None:
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC) if day else None
