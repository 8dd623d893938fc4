"""The style page of development: every component once. Not routed in production."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from frontend.store import specimens

LAYERS = ("carbon", "price", "renewable", "free")


class SpecimenForm(forms.Form):
    """A field of each kind, one of them wrong."""

    name = forms.CharField(label=gettext_lazy("Name"), help_text=gettext_lazy("Letters, digits and hyphens."))
    units = forms.IntegerField(label=gettext_lazy("Units"), min_value=1)
    file = forms.CharField(label=gettext_lazy("Job file"), widget=forms.Textarea(attrs={"rows": 4}), required=False)
    agree = forms.BooleanField(label=gettext_lazy("Interruptible is fine"), required=False)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component, in the language and the theme of the reader."""
    messages.success(request, _("Saved."))
    layer = request.GET.get("layer", "carbon")
    names = {"carbon": _("Carbon"), "price": _("Price"), "renewable": _("Renewable"), "free": _("Free")}
    week = specimens.week()
    context = {
        "charts": specimens.charts(),
        "calendar": week,
        "layer": layer if layer in LAYERS else "carbon",
        "layers": [
            {"key": key, "name": names[key], "href": f"?layer={key}", "current": key == layer} for key in LAYERS
        ],
        "ends": week.ends,
        "offers": [
            specimens.offer("A", title="Huaihe Solar Park · H100 PCIe", tint=6),
            specimens.offer("B", title="Qiantang Edge 12 · L40S", tint=7),
        ],
        "facts": specimens.facts(),
        "job": specimens.job(),
        "form": SpecimenForm({"name": "demo", "units": "0"}),
        "bars": [specimens.carbon(hour) for hour in range(24)],
        "now": specimens.NOW,
    }
    return render(request, "styleguide.html", context | _figures())


def _figures() -> dict[str, Any]:
    """Bills, key figures, states and legends."""
    return {
        "bill": [
            {"name": _("Compute"), "amount_minor": 6941},
            {"name": _("Electricity"), "amount_minor": 214},
            {"name": _("Platform fee"), "amount_minor": 286},
            {"name": _("Tax"), "amount_minor": 446},
        ],
        "kpis": [
            {
                "name": _("Unsold green hours, next 48 h"),
                "value": "1,258",
                "unit": "GPU-h",
                "hot": True,
                "note": _("worth about $1,988"),
            },
            {"name": _("Sold capacity"), "value": "78%", "note": _("100 of 128 busy")},
            {"name": _("Renewable, by the hour"), "value": "91%", "note": "+4", "tone": "good"},
        ],
        "states": ["live", "running", "queued", "allocated", "failed", "draft", "succeeded"],
        "crumbs": [{"name": _("Supermarket"), "href": "/"}],
        "legend": [
            {"name": _("Booked, on green power"), "swatch": "c2"},
            {"name": _("Booked, on grid power"), "swatch": "c7"},
            {"name": _("Green and unsold"), "swatch": "unsold"},
        ],
        "spec": [{"name": _("Accelerators"), "value": "8 × H100 PCIe, 80 GB"}],
        "qualities": ["sample", "forecast", "yearly", "modelled", "metered", "audited"],
    }
