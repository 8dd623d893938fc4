"""Offers by price and carbon per PFLOP-hour, and the line of those that no other offer beats on both."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, sqrt

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from frontend.components.formats import grouped, rate
from frontend.components.svg import Chart, drawing, element, joined, number, percent

HEIGHT, TOP, BOTTOM = 430, 28, 52
PLOT = HEIGHT - TOP - BOTTOM
NICE = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Point:
    """One offer: price and carbon per PFLOP-hour, and its free units (the size of its circle)."""

    letter: str
    tint: int
    title: str
    pflop_hour_mm: int
    carbon_mg: int
    free: int = 0
    href: str = ""


def efficient(offers: Sequence[Point]) -> list[Point]:
    """The offers that no other beats on both price and carbon, by price."""
    out: list[Point] = []
    for offer in sorted(offers, key=lambda point: (point.pflop_hour_mm, point.carbon_mg)):
        if not out or offer.carbon_mg < out[-1].carbon_mg:
            out.append(offer)
    return out


def price_carbon(offers: Sequence[Point], *, currency: str = "USD") -> Chart:
    """The scatter of `offers` (at least one)."""
    if not offers:
        raise ValueError("a scatter needs at least one offer")
    scale = _Scale.of(offers)
    best = efficient(offers)
    caption = _("Offers by price and carbon per PFLOP-hour; the line joins offers that no other offer beats on both.")
    dots = sorted(offers, key=lambda point: -point.free)
    svg = drawing(
        element("text", _("gCO₂e per PFLOP-hour"), x=0, y=TOP - 10),
        _gridlines(scale),
        _prices(scale, currency),
        _front(best, scale),
        joined(_dot(point, scale, ring=point in best) for point in dots),
        joined(_name(point, scale) for point in best),
        element("text", _("Price per PFLOP-hour in your window"), x=0, y=HEIGHT - 8),
        label=caption,
        height=HEIGHT,
        class_="inset",
    )
    rows = tuple(
        (
            point.letter,
            point.title,
            rate(point.pflop_hour_mm, currency),
            f"{ceil(point.carbon_mg / 1000)} g",
            str(point.free),
        )
        for point in sorted(offers, key=lambda point: point.pflop_hour_mm)
    )
    headers = (_("Letter"), _("Offer"), _("Price per PFLOP-hour"), _("Carbon per PFLOP-hour"), _("Free units"))
    return Chart(svg, caption, headers, rows)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Axes: prices from `low` to `high` by `price_step`, carbon from 0 to `top` by `carbon_step`."""

    low: float
    high: float
    price_step: float
    top: float
    carbon_step: float

    @classmethod
    def of(cls, offers: Sequence[Point]) -> "_Scale":
        prices = [point.pflop_hour_mm for point in offers]
        price_step = _nice((max(prices) - min(prices)) / 6 or max(prices) / 6 or 1000)
        carbon_step = _nice(max(point.carbon_mg for point in offers) / 5 or 1000)
        return cls(
            floor(min(prices) / price_step - 0.3) * price_step,
            ceil(max(prices) / price_step + 0.3) * price_step,
            price_step,
            ceil(max(point.carbon_mg for point in offers) / carbon_step + 0.1) * carbon_step,
            carbon_step,
        )

    def x(self, price: float) -> float:
        """A share of the plot's width; the last label keeps half its length inside."""
        return (price - self.low) / (self.high - self.low) * 0.96

    def y(self, carbon: float) -> float:
        return TOP + PLOT * (1 - carbon / self.top)


def _nice(step: float) -> float:
    """The next round step: 1, 2, 2.5 or 5 times a power of ten."""
    power = 1.0
    while power * 10 <= step:
        power *= 10
    return next(power * factor for factor in NICE if power * factor >= step)


def _gridlines(scale: _Scale) -> SafeString:
    out = []
    for index in range(round(scale.top / scale.carbon_step) + 1):
        value = index * scale.carbon_step
        y = number(scale.y(value))
        out.append(element("line", x1=0, x2="100%", y1=y, y2=y, class_="rule"))
        out.append(element("text", grouped(round(value / 1000)), x=-8, y=number(scale.y(value) + 4), text_anchor="end"))
    return joined(out)


def _prices(scale: _Scale, currency: str) -> SafeString:
    out = []
    for index in range(round((scale.high - scale.low) / scale.price_step) + 1):
        value = scale.low + index * scale.price_step
        classes = "narrow-hide" if index % 2 else None
        text = rate(round(value), currency)
        out.append(
            element(
                "text", text, x=percent(scale.x(value)), y=HEIGHT - BOTTOM + 20, text_anchor="middle", class_=classes
            )
        )
    return joined(out)


def _front(best: Sequence[Point], scale: _Scale) -> SafeString:
    """A staircase through the efficient offers, in a stretched frame so that its steps follow the width."""
    path = ""
    for index, point in enumerate(best):
        x, y = number(scale.x(point.pflop_hour_mm) * 1000), number(scale.y(point.carbon_mg))
        path += f"H{x}V{y}" if index else f"M{x},{TOP}V{y}"
    line = element("path", d=f"{path}H1000", class_="front")
    return element("svg", line, width="100%", height=HEIGHT, viewBox=f"0 0 1000 {HEIGHT}", preserveAspectRatio="none")


def _dot(point: Point, scale: _Scale, *, ring: bool) -> SafeString:
    x, y = percent(scale.x(point.pflop_hour_mm)), scale.y(point.carbon_mg)
    radius = number(9 + min(10.0, sqrt(max(point.free, 0)) * 0.45))
    circle = element("circle", cx=x, cy=number(y), r=radius, class_=f"tint{point.tint}" + (" ring" if ring else ""))
    letter = element("text", point.letter, x=x, y=number(y + 4), text_anchor="middle", class_="on")
    both = joined([element("title", point.title), circle, letter])
    return element("a", both, href=point.href) if point.href else element("g", both)


def _name(point: Point, scale: _Scale) -> SafeString:
    share, y = scale.x(point.pflop_hour_mm), scale.y(point.carbon_mg)
    left = share > 0.7
    return element(
        "text",
        point.title,
        x=percent(share),
        dx=-16 if left else 16,
        y=number(y - 12),
        text_anchor="end" if left else None,
        class_="name narrow-hide",
    )
