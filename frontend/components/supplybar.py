"""The seven states of certified Wh as one bar, and in words."""

from collections.abc import Mapping

from django.utils.safestring import SafeString

from frontend.components.energywords import supply_name
from frontend.components.formats import energy
from frontend.components.svg import drawing, element, number
from marketplace.energy.states import SUPPLY

SWATCHES = {
    "available": "c2", "reserved": "solar", "cancelled": "price", "stored": "battery", "exported": "wind",
    "expired": "waiting", "withdrawn": "move",
}  # fmt: skip
WIDE = 100


def supply_parts(wh: Mapping[str, int]) -> list[dict[str, str]]:
    """The states that have any of `wh`, in their order: a word with its energy, and the colour of the bar."""
    return [
        {"name": f"{supply_name(state)} {energy(wh[state])}", "swatch": SWATCHES[state]}
        for state in SUPPLY
        if wh.get(state)
    ]


def supply_bar(wh: Mapping[str, int]) -> SafeString:
    """A bar as long as all of `wh`, a part for each state; 0.8 of 100 is the least that is drawn."""
    total = sum(wh.values()) or 1
    at, parts = 0.0, []
    for state in SUPPLY:
        if wh.get(state):
            wide = wh[state] * WIDE / total
            drawn = number(max(0.8, wide - 0.5))
            parts.append(element("rect", x=number(at), width=drawn, height=8, class_=f"sw-{SWATCHES[state]}"))
            at += wide
    label = ", ".join(part["name"] for part in supply_parts(wh))
    return drawing(*parts, label=label, viewBox="0 0 100 8", preserveAspectRatio="none", class_="bar supply")
