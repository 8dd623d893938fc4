"""Forms of evidence: a metering point, a plant, and the part of a plant that serves a point."""

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, gettext_lazy

from accounts.models import Organization
from frontend.components.energywords import source_kind_name
from frontend.console.pointnames import choose_among
from marketplace.common.errors import ValidationFailed
from marketplace.common.units import PPM
from marketplace.energy.imports.grid import zone_of
from marketplace.energy.models import EnergySource, GridZone, MeterPoint, SourceKind, Technology
from marketplace.energy.receipts.words import technology_name
from marketplace.energy.zones import KNOWN_ZONES

CODE = r"\A[\w .:-]+\Z"
HIGHEST_PUE = 10
MOST_KW = 10**9
WH_PER_KWH = 1_000
PPM_PER_PERCENT = 10_000
REFUSALS = {
    "/code": gettext_lazy("This code is taken; choose another."),
    "/device_id": gettext_lazy("A device with this id is registered already."),
    "/technology": gettext_lazy("A store is of storage, and nothing else is."),
    "/efficiency_ppm": gettext_lazy("A store has an efficiency, and nothing else has one."),
    "/upper_ppm": gettext_lazy("The slice ends above its start, at 100% at most."),
    "/lower_ppm": gettext_lazy("A part of this slice serves a point at that time already; choose a free one."),
    "/end": gettext_lazy("The end must come after the start."),
}


class DateInput(forms.DateInput):
    """The browser's own field for a day."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def show_refusal(form: forms.Form, error: ValidationFailed, names: dict[str, str]) -> None:
    """What a service refused, at the field that it is about; `names` are those of fields that are called otherwise."""
    for problem in error.problems:
        name = problem.pointer.strip("/")
        field = names.get(name, name)
        form.add_error(field if field in form.fields else None, str(REFUSALS.get(problem.pointer, problem.detail)))


def zone_choices() -> list[tuple[str, str]]:
    """Every grid zone by its name in the reader's language: those known by name, and those an operator made."""
    chinese = (get_language() or "").startswith("zh")
    names = {zone.code: zone.name for zone in GridZone.objects.all()}
    names |= {zone.code: zone.name_zh if chinese else zone.name for zone in KNOWN_ZONES}
    return sorted(((code, f"{name} ({code})") for code, name in names.items()), key=lambda each: each[1])


def kind_choices() -> list[tuple[str, str]]:
    """How a source reaches its user, in words."""
    return [(kind, source_kind_name(kind)) for kind in SourceKind.values]


class PointForm(forms.Form):
    """A new metering point."""

    code = forms.RegexField(
        CODE, label=gettext_lazy("Code"), max_length=60,
        help_text=gettext_lazy("As your meter's files name it, such as hall 1."),
        error_messages={"invalid": gettext_lazy("Letters, digits, spaces and . : - _ only.")},
    )  # fmt: skip
    zone = forms.ChoiceField(label=gettext_lazy("Grid zone"))
    pue = forms.DecimalField(
        label=gettext_lazy("PUE by design"), min_value=1, max_value=HIGHEST_PUE, max_digits=8, decimal_places=6,
        help_text=gettext_lazy("Holds for hours in which no meter speaks, such as 1.14."),
    )  # fmt: skip
    water = forms.DecimalField(
        label=gettext_lazy("Water, litres per kWh"), min_value=0, max_value=1000, max_digits=7, decimal_places=3,
        required=False, help_text=gettext_lazy("Empty: not metered, and the label says so."),
    )  # fmt: skip
    hub_node = forms.BooleanField(label=gettext_lazy("A national hub node (China)"), required=False)

    def __init__(self, data: Any = None, *, initial: Any = None) -> None:
        super().__init__(data, auto_id="point-%s", initial=initial)
        self.fields["zone"].choices = zone_choices()  # type: ignore[attr-defined]  # a ChoiceField

    def terms(self) -> dict[str, Any]:
        """The cleaned values as the service takes them."""
        values = self.cleaned_data
        water = values["water"]
        return {
            "code": values["code"], "zone": zone_of(values["zone"]), "pue_design_ppm": int(values["pue"] * PPM),
            "water_ml_per_kwh": None if water is None else int(water * 1_000), "hub_node": values["hub_node"],
        }  # fmt: skip


class PlantForm(forms.Form):
    """A new plant, store or contract, as its owner declares it."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    device_id = forms.RegexField(
        CODE, label=gettext_lazy("Device id"), max_length=60,
        help_text=gettext_lazy("As its meter and its certificates name it."),
        error_messages={"invalid": gettext_lazy("Letters, digits, spaces and . : - _ only.")},
    )  # fmt: skip
    kind = forms.ChoiceField(label=gettext_lazy("How it reaches you"))
    technology = forms.ChoiceField(label=gettext_lazy("Technology"))
    capacity = forms.DecimalField(
        label=gettext_lazy("Capacity, kW"), min_value=Decimal("0.001"), max_value=MOST_KW, max_digits=13,
        decimal_places=3,
    )  # fmt: skip
    efficiency = forms.DecimalField(
        label=gettext_lazy("Efficiency, %"), min_value=Decimal("0.0001"), max_value=100, max_digits=7,
        decimal_places=4, required=False, help_text=gettext_lazy("Of a store only: what comes out of what went in."),
    )  # fmt: skip
    zone = forms.ChoiceField(label=gettext_lazy("Grid zone"))
    commissioned_on = forms.DateField(label=gettext_lazy("Commissioned on"), widget=DateInput())
    certificates_sold = forms.BooleanField(
        label=gettext_lazy("Its certificates are sold to others"), required=False,
        help_text=gettext_lazy("Then its energy serves nobody's claim here, and that is for good."),
    )  # fmt: skip

    def __init__(self, data: Any = None, *, initial: Any = None) -> None:
        super().__init__(data, auto_id="plant-%s", initial=initial)
        self._choose("kind", kind_choices())
        self._choose("technology", [(each, technology_name(each)) for each in Technology.values])
        self._choose("zone", zone_choices())

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]  # a ChoiceField

    def terms(self) -> dict[str, Any]:
        """The cleaned values as the service takes them."""
        values = self.cleaned_data
        efficiency = values["efficiency"]
        plain = ("name", "device_id", "kind", "technology", "commissioned_on", "certificates_sold")
        return {name: values[name] for name in plain} | {
            "capacity_w": int(values["capacity"] * 1_000), "zone": zone_of(values["zone"]),
            "efficiency_ppm": None if efficiency is None else int(efficiency * PPM_PER_PERCENT),
        }  # fmt: skip


class ShareForm(forms.Form):
    """Which part of what a plant makes serves a metering point, and from when on."""

    source = forms.ModelChoiceField(
        label=gettext_lazy("Plant"), queryset=EnergySource.objects.none(), to_field_name="public_id", empty_label=None
    )
    point = forms.ModelChoiceField(
        label=gettext_lazy("Metering point"), queryset=MeterPoint.objects.none(), to_field_name="code",
        empty_label=None,
    )  # fmt: skip
    lower = forms.DecimalField(
        label=gettext_lazy("Slice from, %"), min_value=0, max_value=100, max_digits=7, decimal_places=4, initial=0
    )
    upper = forms.DecimalField(
        label=gettext_lazy("Slice to, %"), min_value=0, max_value=100, max_digits=7, decimal_places=4, initial=100,
        help_text=gettext_lazy("0 to 100 is all of it. No part serves two points at a time."),
    )  # fmt: skip
    start = forms.DateField(label=gettext_lazy("From, UTC"), widget=DateInput())
    end = forms.DateField(label=gettext_lazy("Until, UTC"), widget=DateInput(), required=False)
    contract_ref = forms.CharField(label=gettext_lazy("Contract"), max_length=80, required=False)

    def __init__(self, data: Any = None, *, organization: Organization) -> None:
        super().__init__(data, auto_id="share-%s")
        sources = EnergySource.objects.of([organization])
        self.fields["source"].queryset = sources  # type: ignore[attr-defined]  # a ModelChoiceField
        self.fields["source"].label_from_instance = _plant_label  # type: ignore[attr-defined]
        choose_among(self.fields["point"], organization)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "lower" in values and "upper" in values and values["upper"] <= values["lower"]:
            raise ValidationError({"upper": REFUSALS["/upper_ppm"]})
        return values

    def terms(self) -> dict[str, Any]:
        """The cleaned values as the service takes them; a day is its first moment."""
        values = self.cleaned_data
        start, end = (day and datetime.combine(day, time(), UTC) for day in (values["start"], values["end"]))
        return {
            "source": values["source"], "point": values["point"], "lower_ppm": int(values["lower"] * PPM_PER_PERCENT),
            "upper_ppm": int(values["upper"] * PPM_PER_PERCENT), "start": start, "end": end,
            "contract_ref": values["contract_ref"],
        }  # fmt: skip


def _plant_label(source: EnergySource) -> str:
    return f"{source.name} ({source.device_id})"
