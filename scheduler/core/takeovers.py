"""Where another offer would win: exact break-even weights and the winner map (matching.md, section 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from scheduler.core.scoring import MIN_PRICE_WEIGHT, Point

AXES = ("price", "latency", "green")
Weights = tuple[Fraction, Fraction, Fraction]
ALMOST = 1e-9
N = TypeVar("N", Fraction, float)


@dataclass(frozen=True, slots=True)
class Takeover:
    """Moving `axis` up or down to `weight` (0..1), the others keeping their ratio, lets `winner` (an index) win."""

    axis: str
    direction: str
    weight: Fraction
    winner: int


@dataclass(frozen=True, slots=True)
class Field:
    """The weights at which point number `winner` wins: a convex polygon of exact (price, latency, green) vertices."""

    winner: int
    vertices: tuple[Weights, ...]

    @property
    def area(self) -> Fraction:
        """Twice the area in the (price, latency) plane; only ratios are meant."""
        return doubled_area(self.vertices)


def takeovers(points: Sequence[Point], weights: tuple[int, int, int]) -> list[Takeover]:
    """For each axis and direction the first point to overtake point 0, if any does.

    With d = x_other - x_winner and b = sum(w_k*d_k, k != i)/(1-w_i) the tie is at b/(b-d_i).
    """
    found = []
    least = Fraction(MIN_PRICE_WEIGHT, 100)
    shares = [Fraction(weight, 100) for weight in weights]
    near = [tuple(map(float, _axes(point))) for point in points]
    for axis, name in enumerate(AXES):
        lowest = least if axis == 0 else Fraction(0)
        highest = Fraction(1) if axis == 0 else 1 - least * (1 - shares[axis]) / shares[0]
        if up := _first(points, near, axis, shares, (shares[axis], highest)):
            found.append(Takeover(name, "up", *up))
        if down := _first(points, near, axis, shares, (shares[axis], lowest)):
            found.append(Takeover(name, "down", *down))
    return found


def _first(
    points: Sequence[Point],
    near: Sequence[tuple[float, ...]],
    axis: int,
    shares: list[Fraction],
    span: tuple[Fraction, Fraction],
) -> tuple[Fraction, int] | None:
    """The tie that comes first on the way from the weight now to the end of `span`: (weight, index of the point).

    Floats only say which ties are worth an exact look.
    """
    now, end = span
    rough = [float(share) for share in shares]
    guesses = sorted(
        (abs(tie - rough[axis]), index)
        for index in range(1, len(points))
        if (tie := _tie(near[index], near[0], axis, rough)) is not None
        and min(rough[axis], float(end)) - ALMOST <= tie <= max(rough[axis], float(end)) + ALMOST
    )
    best: tuple[Fraction, int] | None = None
    for guess, index in guesses:
        if best is not None and guess > abs(best[0] - now) + ALMOST:
            break
        exact = _tie(_axes(points[index]), _axes(points[0]), axis, shares)
        if exact is None or exact == now or not min(now, end) <= exact <= max(now, end):
            continue
        if best is None or (abs(exact - now), index) < (abs(best[0] - now), best[1]):
            best = exact, index
    return best


def _axes(point: Point) -> tuple[Fraction, Fraction, Fraction]:
    return point.price, point.latency, point.green


def _tie(other: Sequence[N], mine: Sequence[N], axis: int, shares: Sequence[N]) -> N | None:
    """The weight of `axis` at which both cost the same, None when they never do."""
    if shares[axis] == 1:
        return None
    d = [theirs - ours for theirs, ours in zip(other, mine, strict=True)]
    first, second = (k for k in range(len(AXES)) if k != axis)
    b = (shares[first] * d[first] + shares[second] * d[second]) / (1 - shares[axis])
    return None if b == d[axis] else b / (b - d[axis])


def winner_map(points: Sequence[Point]) -> list[Field]:
    """The triangle of weights with price at least 5 %, cut into one convex field for each point that wins somewhere."""
    least, one, zero = Fraction(MIN_PRICE_WEIGHT, 100), Fraction(1), Fraction(0)
    triangle: list[Weights] = [(one, zero, zero), (least, one - least, zero), (least, zero, one - least)]
    fields = []
    for index, point in enumerate(points):
        polygon = triangle
        for other_index, other in enumerate(points):
            if other_index != index:
                polygon = _clip(polygon, [b - a for a, b in zip(_axes(point), _axes(other), strict=True)])
        if len(polygon) > 2 and doubled_area(polygon):
            fields.append(Field(index, tuple(polygon)))
    return fields


def _clip(polygon: list[Weights], normal: list[Fraction]) -> list[Weights]:
    """The part of a convex polygon where normal·w >= 0 (Sutherland and Hodgman 1974)."""
    kept: list[Weights] = []
    sides = [sum((n * w for n, w in zip(normal, vertex, strict=True)), Fraction(0)) for vertex in polygon]
    for number, vertex in enumerate(polygon):
        before, side, previous = sides[number - 1], sides[number], polygon[number - 1]
        if (before < 0) != (side < 0):
            part = before / (before - side)
            kept.append(tuple(a + (b - a) * part for a, b in zip(previous, vertex, strict=True)))  # type: ignore[arg-type]
        if side >= 0:
            kept.append(vertex)
    return [vertex for number, vertex in enumerate(kept) if vertex != kept[number - 1]]


def doubled_area(polygon: Sequence[Weights]) -> Fraction:
    """Twice the area by the shoelace formula, never negative."""
    total = sum(
        (a[0] * b[1] - b[0] * a[1] for a, b in zip(polygon, [*polygon[1:], polygon[0]], strict=True)), Fraction(0)
    )
    return abs(total)
