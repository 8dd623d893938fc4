"""A range of a share on a scale from 0 to 100 per cent: P10 to P90 as a bar, P50 as a stroke in it."""

from collections.abc import Sequence

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from frontend.components.svg import drawing, element, number

PER_PERCENT = 10_000


def band_bar(band_ppm: Sequence[int]) -> SafeString:
    """`band_ppm` is P10, P50 and P90."""
    low, middle, high = (ppm / PER_PERCENT for ppm in band_ppm)
    label = _("From %(low)d%% to %(high)d%%, most likely %(middle)d%%") % {
        "low": low, "middle": middle, "high": high,
    }  # fmt: skip
    return drawing(
        element("rect", width=100, height=8, class_="ground"),
        element("rect", x=number(low), width=number(max(1.0, high - low)), height=8, class_="sw-c2"),
        element("rect", x=number(min(99.0, middle)), width=1, height=8, class_="middle"),
        label=label, viewBox="0 0 100 8", preserveAspectRatio="none", class_="band",
    )  # fmt: skip
