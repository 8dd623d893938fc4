"""The totals of a receipt on paper: side by side, never netted."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from marketplace.common.pdfsheet import INK, INK_2, INK_3, LEFT, RIGHT, Sheet, Style, wrapped
from marketplace.energy.receipts.words import mass, scopes_words

Payload = Mapping[str, Any]
NOTE = Style(7, INK_3)
HEIGHT = 126


def draw_totals(sheet: Sheet, payload: Payload) -> None:
    """Location-based, market-based and life-cycle carbon in three columns, and what they are and are not."""
    sheet.room(HEIGHT)
    heading(sheet, _("Carbon, three ways"))
    note = _("Side by side and never netted: each answers a question of its own (Scope 2 Guidance, 2015).")
    sheet.text(LEFT, note, NOTE)
    sheet.y -= 12
    top, lowest = sheet.y, sheet.y
    width = (RIGHT - LEFT - 24) / 3
    for number, column in enumerate(_columns(payload)):
        sheet.y, x = top, LEFT + number * (width + 12)
        _column(sheet, column, x, width)
        lowest = min(lowest, sheet.y)
    sheet.y = lowest - 8
    for text in _lines(payload):
        sheet.lines(LEFT, wrapped(text, NOTE, RIGHT - LEFT, 3), NOTE, 9.5)
    sheet.y -= 2


def heading(sheet: Sheet, words: str) -> None:
    """The name of a part of the document."""
    sheet.y -= 12
    sheet.text(LEFT, words, Style(11, INK, bold=True))
    sheet.y -= 5
    sheet.rule(color=INK, width=1)
    sheet.y -= 11


def _columns(payload: Payload) -> list[tuple[str, str, str]]:
    totals = payload["totals"]
    if totals["residual"]:
        market = _("Matched energy counts 0 g, the rest the residual mix.")
    else:
        market = _("Matched energy counts 0 g, the rest the grid's average: no residual mix is known for all hours.")
    return [
        (_("Location-based"), mass(totals["location_ug"]), _("All electricity at the grid's direct average.")),
        (_("Market-based"), mass(totals["market_ug"]), market),
        (_("Life-cycle"), mass(totals["lifecycle_ug"]), _("All electricity with making and fuel of the plants.")),
    ]


def _column(sheet: Sheet, column: tuple[str, str, str], x: float, width: float) -> None:
    name, value, words = column
    sheet.y -= 8
    sheet.text(x, name, Style(8.5, INK_2, bold=True))
    sheet.y -= 18
    sheet.text(x, value, Style(16, INK, bold=True))
    sheet.y -= 12
    sheet.lines(x, wrapped(words, NOTE, width, 4), NOTE, 9)


def _lines(payload: Payload) -> list[str]:
    totals, sci = payload["totals"], payload.get("sci")
    lines = []
    if totals["volume_wh"]:
        facts = {"mass": mass(totals["market_with_volume_ug"])}
        lines.append(
            _("Market-based, counting certificates that are matched by volume only, not by the hour: %(mass)s.") % facts
        )
    if sci:
        facts = {"mass": mass(sci["ug_per_unit_hour"]), "embodied": mass(sci["embodied_ug"])}
        words = _(
            "Software carbon intensity (ISO/IEC 21031): %(mass)s per accelerator-hour, location-based, with "
            "%(embodied)s of making the hardware in all."
        )
        lines.append(words % facts)
    return [*lines, scopes_words()]
