"""The triangle of weights: one convex field per offer that wins there, and a marker on the reader's weights.

The fit is linear in (price, latency, green), so the fields are exact polygons; the corners are all price (left),
all latency (right) and all green (top).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from frontend.components.svg import Chart, drawing, element, joined, number, points

WIDTH, HEIGHT = 252, 206
CORNERS = ((10.0, HEIGHT - 22.0), (WIDTH - 10.0, HEIGHT - 22.0), (WIDTH / 2, 18.0))
ROOM_FOR_A_LETTER = 150.0

Weights = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Winner:
    """An offer and the corners of its field, each a weight vector (price, latency, green) that sums to 1."""

    letter: str
    tint: int
    title: str
    polygon: tuple[Weights, ...]


def winner_map(winners: Sequence[Winner], weights: Weights) -> Chart:
    """The map with the marker on `weights` (normalised here; all zero is the middle)."""
    here = _normalised(weights)
    fields = [(winner, [place(corner) for corner in winner.polygon]) for winner in winners if len(winner.polygon) > 2]
    caption = _("Trade-off map: which offer wins for each mix of price, latency and green power.") + " "
    caption += _("Your mix: price %(price)d%%, latency %(latency)d%%, green %(green)d%%.") % whole_percent(here)
    knob_x, knob_y = place(here)
    svg = drawing(
        joined(
            element("polygon", points=points(shape), class_=f"tint{winner.tint} field-edge") for winner, shape in fields
        ),
        element("polygon", points=points(CORNERS), class_="frame"),
        joined(_letter(winner, shape) for winner, shape in fields),
        element("text", _("Green"), x=WIDTH / 2, y=11, text_anchor="middle"),
        element("text", _("Price"), x=2, y=HEIGHT - 4),
        element("text", _("Latency"), x=WIDTH - 2, y=HEIGHT - 4, text_anchor="end"),
        element(
            "g",
            element("circle", cx=number(knob_x), cy=number(knob_y), r=9, class_="knob-o"),
            element("circle", cx=number(knob_x), cy=number(knob_y), r=3, class_="knob-i"),
            class_="knob",
        ),
        label=caption,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width="100%",
    )
    rows = tuple(
        (winner.letter, winner.title, f"{round(100 * _area(shape) / _area(CORNERS))}%") for winner, shape in fields
    )
    return Chart(svg, caption, (_("Letter"), _("Offer"), _("Share of the map")), rows)


def place(weights: Weights) -> tuple[float, float]:
    """Where a weight vector lies in the drawing."""
    return (
        sum(weight * corner[0] for weight, corner in zip(weights, CORNERS, strict=True)),
        sum(weight * corner[1] for weight, corner in zip(weights, CORNERS, strict=True)),
    )


def whole_percent(weights: Weights) -> dict[str, int]:
    """Weights as whole per cent that add up to 100."""
    price, latency = round(weights[0] * 100), round(weights[1] * 100)
    return {"price": price, "latency": latency, "green": 100 - price - latency}


def _normalised(weights: Weights) -> Weights:
    total = sum(weights)
    if total <= 0:
        return (1 / 3, 1 / 3, 1 / 3)
    return (weights[0] / total, weights[1] / total, weights[2] / total)


def _letter(winner: Winner, shape: Sequence[tuple[float, float]]) -> str:
    area = _area(shape)
    if area < ROOM_FOR_A_LETTER:
        return joined([])
    x, y = _centre(shape)
    return element("text", winner.letter, x=number(x), y=number(y + 4), text_anchor="middle", class_="lt")


def _crosses(shape: Sequence[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """Per edge: twice its signed triangle and the sums of its ends (the shoelace formula)."""
    following = [*shape[1:], shape[0]]
    return [(a[0] * b[1] - b[0] * a[1], a[0] + b[0], a[1] + b[1]) for a, b in zip(shape, following, strict=True)]


def _area(shape: Sequence[tuple[float, float]]) -> float:
    return abs(sum(cross for cross, _x, _y in _crosses(shape))) / 2


def _centre(shape: Sequence[tuple[float, float]]) -> tuple[float, float]:
    edges = _crosses(shape)
    double = sum(cross for cross, _x, _y in edges)
    return (
        sum(cross * x for cross, x, _y in edges) / (3 * double),
        sum(cross * y for cross, _x, y in edges) / (3 * double),
    )
