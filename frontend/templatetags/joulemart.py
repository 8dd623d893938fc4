"""Filters and small drawings for the templates: figures of the product as people read them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from frontend.components import formats, sparkline, states
from marketplace.energy.receipts import words

register = template.Library()
TIER_IN_TITLE = " · interruptible"

register.filter("money", formats.money)
register.filter("moved", formats.moved)
register.filter("cost", formats.cost)
register.filter("rate", formats.rate)
register.filter("percent_down", formats.percent_down)
register.filter("percent_exact", formats.percent_exact)
register.filter("grams_up", formats.grams_up)
register.filter("intensity", formats.intensity)
register.filter("carbon_mass", formats.carbon_mass)
register.filter("energy", formats.energy)
register.filter("power", formats.power)
register.filter("latency", formats.latency)
register.filter("duration", formats.duration)
register.filter("data_size", formats.data_size)
register.filter("grouped", formats.grouped)
register.filter("signed", formats.signed)
register.filter("quality_name", formats.quality_name)
register.filter("resolution_name", words.resolution_name)


@register.filter
def change(new: float, old: float) -> str:
    """`{{ price|change:price_now }}`: `−13%`."""
    return formats.change(new, old)


@register.filter
def title_told(title: str) -> str:
    """An offer's title with the tier that it may end with in the reader's language."""
    return f"{title.removesuffix(TIER_IN_TITLE)} · {_('interruptible')}" if title.endswith(TIER_IN_TITLE) else title


@register.filter
def title_alone(title: str) -> str:
    """An offer's title without the tier it may end with, where the page says the tier beside it; its dots do not
    begin a line."""
    return title.removesuffix(TIER_IN_TITLE).replace(" · ", "\N{NO-BREAK SPACE}· ")


@register.simple_tag
def when(value: datetime, zone: str | None = None, style: str = "moment") -> SafeString:
    """A `<time>` in the zone with its offset on hover; `style`: moment, clock or day."""
    forms = {"moment": formats.moment, "clock": formats.clock, "day": formats.day_moment}
    stamp = value.isoformat().replace("+00:00", "Z")
    text = forms[style](value, zone)
    place = formats.offset(value, zone)
    return format_html('<time class="{}" datetime="{}" title="{}">{}</time>', style, stamp, place, text)


@register.simple_tag
def window(start: datetime, end: datetime, zone: str | None = None) -> SafeString:
    """`Tue 10:00 – 16:00` with the offset on hover."""
    return format_html('<span title="{}">{}</span>', formats.offset(start, zone), formats.window(start, end, zone))


@register.simple_tag
def icon(name: str, classes: str = "icon") -> SafeString:
    """A sign of the sprite; words beside it carry the meaning."""
    sprite = static("img/icons.svg")
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"></use></svg>', classes, sprite, name)


@register.simple_tag
def fit_bar(fit: Mapping[str, float]) -> SafeString:
    """The three parts of a fit: `{price, latency, green, total}` out of 100."""
    return sparkline.fit_bar(price=fit["price"], latency=fit["latency"], green=fit["green"], total=fit["total"])


@register.simple_tag
def hour_strip(carbon: Sequence[int], start: datetime, first: datetime, last: datetime) -> SafeString:
    """A strip of hours from `start`; [first, last) is framed."""
    return sparkline.hour_strip(carbon, start=start, window=(first, last))


@register.simple_tag
def carbon_bars(carbon: Sequence[int]) -> SafeString:
    """Carbon by hour as small bars."""
    return sparkline.carbon_bars(carbon)


@register.simple_tag
def progress(share: float, label: str, classes: str = "bar") -> SafeString:
    """A bar filled to `share` of 1."""
    return sparkline.progress(share, label=label, classes=classes)


@register.simple_tag
def ramp(kind: str) -> SafeString:
    """The steps of a scale: carbon, renewable, price or free."""
    carbon = [f"c{step}" for step in range(1, 9)]
    steps = {
        "carbon": carbon,
        "renewable": carbon,
        "price": [f"p{step}" for step in range(1, 7)],
        "free": [f"f{step}" for step in range(5)],
    }
    return sparkline.ramp(steps[kind])


@register.filter
def field_ids(field: BoundField) -> str:
    """The ids that describe a field: its hint, then its error."""
    ids = [f"{field.id_for_label}-hint"] if field.help_text else []
    return " ".join([*ids, f"{field.id_for_label}-error"] if field.errors else ids)


@register.filter
def described(field: BoundField) -> SafeString:
    """The field's own control, tied to its hint and its error for a screen reader."""
    attributes: dict[str, Any] = {}
    if ids := field_ids(field):
        attributes["aria-describedby"] = ids
    if field.errors:
        attributes["aria-invalid"] = "true"
    return field.as_widget(attrs=attributes)


@register.filter
def control(field: BoundField) -> str:
    """`check` for a single tick, `hidden`, `file`, else `line`."""
    kind = getattr(field.field.widget, "input_type", "")
    return {"checkbox": "check", "hidden": "hidden", "file": "file"}.get(kind, "line")


@register.filter
def at(mapping: Mapping[str, Any], key: str) -> Any:
    """`{{ mapping|at:key }}`; empty when missing."""
    return mapping.get(key, "")


@register.filter
def hours(text: str) -> list[dict[str, Any]]:
    """`"000102…"|hours`: the calendar's column heads, every third one printed."""
    return [{"text": text[i : i + 2], "third": i % 6 == 0} for i in range(0, len(text), 2)]


@register.filter
def state_tone(state: str) -> str:
    """The tone of a state: good, warn, bad or none. A word always stands beside it."""
    return states.tone(state)


@register.filter
def state_name(state: str) -> str:
    """A state in the reader's language."""
    return states.name(state)


@register.filter
def reason_name(reason: str) -> str:
    """A typed end reason in the reader's language."""
    return states.reason(reason)
