"""The look of the operators' admin: the product's name, mark and colours (the design's tokens)."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace.common.clock import utc_now

NAME = _("Joulemart operator desk")


def mark(_request: HttpRequest) -> str:
    """The address of the three-bar mark."""
    return static("img/favicon.svg")


def promises(request: HttpRequest) -> tuple[str, str] | None:
    """The sign at the head of every page: whether what must never break held when it was last checked."""
    from marketplace.events.models import InvariantRun  # noqa: PLC0415 - the settings import this module

    if not request.user.is_authenticated:
        return None
    run = InvariantRun.objects.defer("findings").newest()
    if run is not None and run.outcome == InvariantRun.BROKEN:
        return gettext("Promise broken"), "danger"
    if run is None or run.outcome == InvariantRun.UNKNOWN or run.is_late(utc_now()):
        return gettext("Promises not checked"), "warning"
    return gettext("Promises hold"), "success"


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": NAME,
    "SITE_HEADER": NAME,
    "ENVIRONMENT": "config.desk.promises",
    "SITE_ICON": mark,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": mark}],
    "STYLES": [lambda _request: static("css/tokens.css"), lambda _request: static("css/desk.css")],
    "COLORS": {
        "base": {
            "50": "#F6F4EE",
            "100": "#ECE9E0",
            "200": "#DCD8CC",
            "300": "#C4BFB1",
            "400": "#93A09C",
            "500": "#606A66",
            "600": "#46514E",
            "700": "#2A3535",
            "800": "#1E2829",
            "900": "#161E1F",
            "950": "#0E1415",
        },
        "primary": {
            "50": "#E5EEFA",
            "100": "#D3E2F6",
            "200": "#B5D0F2",
            "300": "#A3C8FB",
            "400": "#8DBBFF",
            "500": "#5E9CEB",
            "600": "#0A57B0",
            "700": "#084A96",
            "800": "#073E7D",
            "900": "#063263",
            "950": "#041F3E",
        },
    },
}
