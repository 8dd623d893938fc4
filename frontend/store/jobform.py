"""The form beside the job file: fields a person fills, and the same job as YAML, in both directions.

The file is what is submitted. The form only writes into it, and keeps every key it does not know.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

import yaml
from django import forms
from django.utils.translation import get_language, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from marketplace.catalog.models import HardwareClass, Place
from marketplace.common.currencies import exponent_of
from scheduler.jobfile.yaml_source import load_yaml

SECONDS_PER_MINUTE = 60
PER_CENT = Decimal(100)
NONE = "none"
ANYWHERE = "anywhere"
WHEN = (
    ("balanced", _("Balanced")),
    ("now", _("Start now")),
    ("cheapest", _("Cheapest hours")),
    ("greenest", _("Greenest hours")),
)
WEIGHTS = (
    ("default", _("Default mix")),
    ("cheap", pgettext_lazy("weights", "Cheap")),
    ("near", pgettext_lazy("weights", "Near")),
    ("green", pgettext_lazy("weights", "Green")),
)


class JobForm(forms.Form):
    """What most jobs say. Money in whole currency units, shares in per cent, time in minutes."""

    name = forms.CharField(label=_("Name"), max_length=80, required=False)
    run = forms.CharField(
        label=_("Command"), widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text=_("Runs in a shell, in an empty folder with your input files."),
    )  # fmt: skip
    accelerator = forms.ChoiceField(label=_("Accelerator"), initial=NONE)
    units = forms.IntegerField(label=_("Units"), min_value=1, max_value=100_000, initial=1)
    minutes = forms.DecimalField(
        label=_("Time limit, minutes"), min_value=1, max_value=10_080, decimal_places=1, initial=10
    )
    outputs = forms.CharField(
        label=_("Output files"), required=False, help_text=_("Names or patterns, separated by spaces: out/*.txt")
    )
    when = forms.ChoiceField(label=_("Start"), choices=WHEN, initial="now")
    weights = forms.ChoiceField(label=_("What matters"), choices=WEIGHTS, initial="default")
    near = forms.ChoiceField(label=_("Near"), initial=ANYWHERE)
    latency_ms = forms.IntegerField(label=_("Latency at most, ms"), min_value=0, max_value=1_000_000, required=False)
    renewable = forms.IntegerField(label=_("Renewable at least, %"), min_value=0, max_value=100, required=False)
    max_total = forms.DecimalField(
        label=_("Total at most"), min_value=0, max_value=10**9, decimal_places=2, required=False
    )
    budget_stop = forms.BooleanField(
        label=_("Stop when the total is used up"), required=False,
        help_text=_("It may run where the total does not pay for the whole time limit."),
    )  # fmt: skip
    egress = forms.BooleanField(label=_("The job may use the network"), required=False)

    # The file beside the form is what is sent, so the browser must not insist on a field.
    use_required_attribute = False

    def __init__(self, *args: Any, currency: str = "USD", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = HardwareClass.objects.exclude(family="cpu").order_by("accelerator")
        known = names.values_list("accelerator", flat=True).distinct()
        self._choices("accelerator", [(NONE, _("CPU only")), *((name, name) for name in known)])
        places = Place.objects.values_list("slug", "name", "name_zh")
        chinese = (get_language() or "en").startswith("zh")
        self._choices("near", [(ANYWHERE, _("Anywhere")), *((slug, zh if chinese else en) for slug, en, zh in places)])
        self.fields["max_total"].help_text = currency

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("budget_stop") and not values.get("max_total"):
            self.add_error("max_total", _("A job that stops when its total is used up needs one."))
        return values

    def _choices(self, name: str, choices: list[tuple[str, Any]]) -> None:
        cast("forms.ChoiceField", self.fields[name]).choices = choices


def into_file(values: Mapping[str, Any], base: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """`base` with the form's cleaned `values` written into it; empty values leave the file."""
    tree: dict[str, Any] = {key: value for key, value in base.items() if key not in {"name", "run"}}
    resources = _section(tree, "resources")
    market = _section(_section(tree, "config"), "joulemart")
    _put_hardware(resources, values)
    market |= {"time_limit_s": int(values["minutes"] * SECONDS_PER_MINUTE)}
    market.pop("hours", None)
    ceiling = values["max_total"]
    changes = {
        "when": values["when"],
        "weights": _weights(values["weights"], market.get("weights")),
        "near": values["near"] if values["near"] != ANYWHERE else None,
        "latency_ms_max": values["latency_ms"],
        "renewable_min": None if values["renewable"] is None else float(Decimal(values["renewable"]) / PER_CENT),
        "max_total": None if ceiling is None else int(ceiling.scaleb(exponent_of(currency))),
        "budget_stop": values["budget_stop"] or None,
        "outputs": values["outputs"].split() or None,
        "network": "egress" if values["egress"] else None,
    }
    _put(market, changes)
    head: dict[str, Any] = {"name": values["name"]} if values["name"] else {}
    head["resources"] = resources
    return {**head, **_without_empty(tree), "run": values["run"].replace("\r\n", "\n"), "config": tree["config"]}


def _weights(chosen: str, written: Any) -> Any:
    """The chosen preset; numbers written by hand stay until a preset is chosen."""
    if chosen != "default":
        return chosen
    return written if isinstance(written, Mapping) else None


def _section(tree: dict[str, Any], key: str) -> dict[str, Any]:
    value = tree.get(key)
    tree[key] = dict(value) if isinstance(value, Mapping) else {}
    section: dict[str, Any] = tree[key]
    return section


def _put(section: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            section.pop(key, None)
        else:
            section[key] = value


def _put_hardware(resources: dict[str, Any], values: Mapping[str, Any]) -> None:
    """One line says which hardware and how many units; alternatives written by hand stay while they agree."""
    if values["accelerator"] != NONE:
        _put(resources, {"accelerators": f"{values['accelerator']}:{values['units']}", "any_of": None, "ordered": None})
    else:
        _put(resources, {"accelerators": None, "any_of": None, "ordered": None, "cpus": values["units"]})


def _without_empty(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if value != {} and key not in {"resources", "config"}}


def from_file(tree: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """The form's values as a file states them; what the form cannot show stays in the file alone."""
    resources = _mapping(tree.get("resources"))
    market = _mapping(_mapping(tree.get("config")).get("joulemart"))
    name, units = _hardware(resources)
    seconds = market.get("time_limit_s")
    hours = market.get("hours")
    minutes = _number(seconds, SECONDS_PER_MINUTE) if seconds is not None else _number(hours, 1, 60)
    outputs = market.get("outputs", [])
    weights = market.get("weights")
    return {
        "name": tree.get("name", ""),
        "run": tree.get("run", "") if isinstance(tree.get("run"), str) else "",
        "accelerator": name,
        "units": units,
        "minutes": minutes,
        "outputs": outputs if isinstance(outputs, str) else " ".join(map(str, outputs)),
        "when": market.get("when", "now"),
        "weights": weights if isinstance(weights, str) else "default",
        "near": market.get("near", ANYWHERE),
        "latency_ms": market.get("latency_ms_max"),
        "renewable": _number(market.get("renewable_min"), 1, 100),
        "max_total": _number(market.get("max_total"), 10 ** exponent_of(currency)),
        "budget_stop": market.get("budget_stop") is True,
        "egress": market.get("network") == "egress",
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any, divisor: int, factor: int = 1) -> Decimal | None:
    """`value * factor / divisor` without a tail of zeros; None when it is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    exact = (Decimal(str(value)) * factor / divisor).quantize(Decimal("0.01"))
    return exact.to_integral() if exact == exact.to_integral() else exact.normalize()


def _hardware(resources: Mapping[str, Any]) -> tuple[str, Any]:
    """(accelerator, units) of one plain line; the first alternative of several."""
    listed = resources.get("accelerators")
    if isinstance(listed, Mapping) and listed:
        listed = [f"{name}:{count}" for name, count in listed.items()]
    first = listed[0] if isinstance(listed, list) and listed else listed
    if isinstance(first, str):
        name, _colon, count = first.partition(":")
        return name, int(count) if count.isdigit() else 1
    return NONE, str(resources.get("cpus", 1)).rstrip("+")


def tree_of(text: str) -> dict[str, Any]:
    """The tree of a file's text, an empty one for an empty file; raises JobFileInvalid when it cannot be read."""
    if not text.strip():
        return {}
    tree = load_yaml(text).tree
    return tree if isinstance(tree, dict) else {}


class _Dumper(yaml.SafeDumper):
    """Block style, lists indented, long texts as they are written."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(tree: Mapping[str, Any]) -> str:
    """The tree as a file: keys in their order, commands as blocks."""
    return yaml.dump(
        dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100, default_flow_style=False
    )
