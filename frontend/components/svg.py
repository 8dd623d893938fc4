"""SVG as safe strings. Geometry stands in attributes and colour in classes, so no page needs an inline style."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

Number = int | float


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its text alternative: `caption` in one sentence and the figures as a table."""

    svg: SafeString
    caption: str
    headers: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def number(value: Number) -> str:
    """Two decimals at most, without trailing zeros."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def percent(value: Number) -> str:
    """A share of the drawing's width, 0 to 1, as an SVG length."""
    return f"{number(value * 100)}%"


def element(name: str, /, *children: object, **attributes: object) -> SafeString:
    """`element("rect", x=3, class_="c1")`: names take a hyphen for `_`; None is left out; all text is escaped."""
    parts = [
        format_html(' {}="{}"', key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    ]
    inner = joined(children)
    head = mark_safe(name + "".join(parts))  # noqa: S308 - each part is escaped above, names are literals of this package
    return format_html("<{}/>", head) if not inner else format_html("<{}>{}</{}>", head, inner, name)


def joined(parts: Iterable[object]) -> SafeString:
    """The parts one after another, each escaped unless already safe."""
    return mark_safe("".join(conditional_escape(part if isinstance(part, SafeString) else str(part)) for part in parts))  # noqa: S308 - escaped part by part


def drawing(*children: object, label: str, **attributes: object) -> SafeString:
    """A top-level `<svg>` that a screen reader hears as one image called `label`."""
    return element("svg", *children, role="img", aria_label=label, **attributes)


def points(pairs: Iterable[tuple[Number, Number]]) -> str:
    """Coordinates of a polyline or polygon."""
    return " ".join(f"{number(x)},{number(y)}" for x, y in pairs)
