"""Forms of offers: a new one, and new prices for some hours of the week."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Organization
from frontend.components.formats import zone_of
from marketplace.booking.hours import HOURS_OF_DAY, hour_of_week
from marketplace.catalog.models import HOURS_OF_WEEK, HardwareClass, Offer, Site, Term, Tier
from marketplace.catalog.services import MOST_UNITS
from marketplace.catalog.states import OFFER
from marketplace.common.currencies import exponent_of

MM_PER_MINOR = 1000
DAYS = (
    ("0", pgettext_lazy("weekday", "Mon")),
    ("1", pgettext_lazy("weekday", "Tue")),
    ("2", pgettext_lazy("weekday", "Wed")),
    ("3", pgettext_lazy("weekday", "Thu")),
    ("4", pgettext_lazy("weekday", "Fri")),
    ("5", pgettext_lazy("weekday", "Sat")),
    ("6", pgettext_lazy("weekday", "Sun")),
)
TIERS = ((Tier.FIRM, _("Firm: work is kept")), (Tier.INTERRUPTIBLE, _("Interruptible: with notice")))
TERMS = ((Term.ON_DEMAND, _("On demand")), (Term.RESERVED, _("Reserved ahead")))


def to_mm(amount: Decimal, currency: str) -> int:
    """An amount of money per hour in thousandths of a minor unit; finer digits are cut."""
    return int(amount.scaleb(exponent_of(currency)) * MM_PER_MINOR)


def from_mm(rate_mm: int, currency: str) -> Decimal:
    """The amount of money of a rate."""
    amount = (Decimal(rate_mm) / MM_PER_MINOR).scaleb(-exponent_of(currency)).normalize()
    return amount if amount != amount.to_integral() else amount.quantize(Decimal("0.01"))


class OfferForm(forms.Form):
    """A new offer. Prices in the organization's currency."""

    site = forms.ModelChoiceField(
        label=_("Site"), queryset=Site.objects.none(), to_field_name="public_id", empty_label=None
    )
    hardware = forms.ModelChoiceField(
        label=_("Hardware"), queryset=HardwareClass.objects.all(), to_field_name="slug", empty_label=None
    )
    title = forms.CharField(
        label=_("Title"), max_length=80, help_text=_("As buyers read it, such as H100 SXM in the north hall.")
    )
    units = forms.IntegerField(
        label=_("Units"), min_value=1, max_value=MOST_UNITS, help_text=_("How many of this hardware the offer has.")
    )
    price = forms.DecimalField(label=_("Price of a unit-hour"), min_value=Decimal(0), max_value=10**6, decimal_places=4)
    electricity = forms.DecimalField(
        label=_("Electricity per kWh"), min_value=Decimal(0), max_value=1000, decimal_places=4, initial=Decimal(0),
        help_text=_("Charged beside the price, by power and overhead; 0 when the price contains it."),
    )  # fmt: skip
    tier = forms.ChoiceField(label=_("Tier"), choices=TIERS)
    twin = forms.ModelChoiceField(
        label=_("Shares the machines of"), queryset=Offer.objects.none(), to_field_name="public_id", required=False,
        empty_label=_("no other offer"),
        help_text=_("Of an interruptible offer: the firm offer that goes first. It sells what that one has not sold."),
    )  # fmt: skip
    term = forms.ChoiceField(label=_("Term"), choices=TERMS)
    notice_minutes = forms.IntegerField(label=_("Notice, minutes"), min_value=0, max_value=1440, initial=2)
    boot_s = forms.IntegerField(label=_("Start-up, seconds"), min_value=0, max_value=86_400, initial=60)
    egress = forms.BooleanField(label=_("Jobs may use the network"), required=False)
    description = forms.CharField(
        label=_("Description"), max_length=400, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organization = organization
        sites = Site.objects.of_providers([organization])
        self.fields["site"].queryset = sites  # type: ignore[attr-defined]  # a ModelChoiceField
        firm = Offer.objects.of_providers([organization]).filter(tier=Tier.FIRM, interruptible=None)
        self.fields["twin"].queryset = firm.exclude(state__in=OFFER.final)  # type: ignore[attr-defined]
        self.fields["price"].help_text = organization.currency
        self.fields["hardware"].label_from_instance = _hardware_label  # type: ignore[attr-defined]

    def terms(self) -> dict[str, Any]:
        """The cleaned values as the service takes them."""
        values, currency = self.cleaned_data, self.organization.currency
        return {
            "site": values["site"],
            "hardware": values["hardware"],
            "title": values["title"],
            "units": values["units"],
            "rate_mm": to_mm(values["price"], currency),
            "electricity_mm_per_kwh": to_mm(values["electricity"], currency),
            "tier": values["tier"],
            "twin": values["twin"],
            "term": values["term"],
            "notice_s": values["notice_minutes"] * 60,
            "boot_s": values["boot_s"],
            "egress": values["egress"],
            "description": values["description"],
        }


def _hardware_label(hardware: HardwareClass) -> str:
    memory = f", {hardware.memory_gb} GB" if hardware.memory_gb else ""
    return f"{hardware.accelerator} ({hardware.vendor}{memory})"


class PriceForm(forms.Form):
    """One price for some hours of some days, in the site's own time."""

    days = forms.MultipleChoiceField(label=_("Days"), choices=DAYS, widget=forms.CheckboxSelectMultiple)
    first = forms.TypedChoiceField(
        label=_("From"), coerce=int, choices=[(hour, f"{hour:02d}:00") for hour in range(HOURS_OF_DAY)]
    )
    last = forms.TypedChoiceField(
        label=_("To"), coerce=int, initial=24, choices=[(hour, f"{hour:02d}:00") for hour in range(1, HOURS_OF_DAY + 1)]
    )
    price = forms.DecimalField(
        label=_("New price of a unit-hour"), min_value=Decimal(0), max_value=10**6, decimal_places=4
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "first" in values and "last" in values and values["last"] <= values["first"]:
            raise ValidationError({"last": _("The end must come after the start; split a night into two changes.")})
        return values

    def hours_of_week(self, zone: str, now: datetime) -> list[int]:
        """The chosen local hours as hours of the UTC week, by the offset of the week that `now` lies in."""
        chosen = {int(day) for day in self.cleaned_data["days"]}
        span = range(self.cleaned_data["first"], self.cleaned_data["last"])
        return local_hours(chosen, span, zone, now)


def local_hours(days: set[int], hours: range, zone: str, now: datetime) -> list[int]:
    """Hours of the UTC week whose local day and hour in `zone` are chosen; half-hour zones go by the hour's start."""
    first = now.replace(minute=0, second=0, microsecond=0)
    week = [first + timedelta(hours=n) for n in range(HOURS_OF_WEEK)]
    local = [(hour, hour.astimezone(zone_of(zone))) for hour in week]
    return sorted(hour_of_week(hour) for hour, here in local if here.weekday() in days and here.hour in hours)
