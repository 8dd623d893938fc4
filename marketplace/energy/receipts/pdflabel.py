"""The black-ruled label of energy facts on paper, and the three shares beside it."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from marketplace.common.pdfsheet import INK, INK_2, INK_3, LINE, Sheet, Style, width_of, wrapped
from marketplace.common.printed import energy
from marketplace.energy.receipts.label import Label, label_of
from marketplace.energy.receipts.words import share

Payload = Mapping[str, Any]
SWATCHES = {
    "solar": "#E5A800", "wind": "#4E93C4", "hydro": "#1F5FA5", "storage": "#4E9A72", "grid": "#8E8A80",
    "geothermal": "#A65F3E", "biomass": "#7A8B3C", "marine": "#2F7F86",
}  # fmt: skip
OTHER = "#606A66"
BOLD, PLAIN, NOTE = Style(8.5, INK, bold=True), Style(8.5, INK), Style(7, INK_3)
PAD = 10


def draw_label(sheet: Sheet, payload: Payload, start: float, end: float) -> None:
    """Carbon first, then electricity, what was renewable and from where, overhead, water, and what is not counted."""
    label, top = label_of(payload), sheet.y
    left, right = start + PAD, end - PAD
    sheet.y -= 25
    sheet.text(left, _("Energy facts"), Style(20, INK, bold=True))
    sheet.y -= 7
    sheet.rule(left, right, color=INK)
    sheet.y -= 12
    sheet.text(left, _("One unit-hour") if label.per_hour else _("All of it"), BOLD)
    if label.per_hour:
        words = _("of %(hours)s unit-hours") % {"hours": label.unit_hours}
        sheet.text(right, words, PLAIN, right=True)
    sheet.y -= 9
    sheet.box(5, color=INK, start=left, end=right)
    sheet.y -= 21
    sheet.text(left, _("Carbon"), Style(12, INK, bold=True))
    sheet.text(right, label.carbon, Style(19, INK, bold=True), right=True)
    sheet.y -= 8
    sheet.rule(left, right, color=INK, width=2.5)
    _rows(sheet, label, left, right)
    _notes(sheet, label, left, right)
    bottom = sheet.y
    sheet.frame(top - bottom, start, end, width=1.6)
    sheet.y = bottom - 8


def _rows(sheet: Sheet, label: Label, left: float, right: float) -> None:
    _row(sheet, left, right, _("Electricity"), energy(label.electricity_wh))
    _row(sheet, left, right, _("Renewable, matched by the hour"), label.matched)
    for part in label.parts:
        _row(sheet, left, right, part.name, part.share, SWATCHES.get(part.swatch, OTHER))
    if label.volume:
        _row(sheet, left, right, _("Volume-matched only, beside it"), label.volume)
    if label.pue:
        _row(sheet, left, right, _("Power overhead (PUE)"), label.pue)
    _row(sheet, left, right, _("Water"), label.water)
    _row(sheet, left, right, _("Method"), label.method)


def _row(sheet: Sheet, left: float, right: float, name: str, value: str, swatch: str = "") -> None:
    sheet.y -= 12
    x, style = left, BOLD
    if swatch:
        sheet.box(6, color=swatch, start=left + 8, end=left + 14)
        x, style = left + 19, PLAIN
    room = right - x - width_of(value, BOLD) - 8
    sheet.text(x, wrapped(name, style, room, 1)[0], style)
    sheet.text(right, value, BOLD if not swatch else PLAIN, right=True)
    sheet.y -= 4.5
    sheet.rule(left, right, color=LINE)


def _notes(sheet: Sheet, label: Label, left: float, right: float) -> None:
    if label.embodied:
        words = _("Not counted: making the hardware, %(mass)s more per unit-hour.") % {"mass": label.embodied}
    else:
        words = _("Not counted: making the hardware, whose carbon its maker does not tell.")
    sheet.y -= 11
    note = _("Carbon is location-based, by the grid's average of each hour.")
    for text in (note, words):
        sheet.lines(left, wrapped(text, NOTE, right - left, 3), NOTE, 9)
    sheet.y -= 2


def draw_shares(sheet: Sheet, payload: Payload, start: float, end: float) -> None:
    """Three shares that say three things; they are never added."""
    shares, totals = payload["shares"], payload["totals"]
    none = not totals["onsite_wh"] + totals["certificate_wh"]
    sheet.y -= 12
    for name, value, words in (
        (
            _("Matched by the hour"), share(shares["matched_ppm"], exact=none),
            _("The claim: on-site meter records and cancelled certificates of the very hour."),
        ),
        (
            _("Blended"), share(shares["blended_ppm"]),
            _("Matched energy, and for the rest what the grid had: for comparing offers, no claim."),
        ),
        (
            _("Grid"), share(shares["grid_ppm"]),
            _("What the grid at this place had anyway: it describes the place, nobody's claim."),
        ),
    ):  # fmt: skip
        sheet.y -= 8
        sheet.text(start, name, Style(10, INK, bold=True))
        sheet.text(end, value, Style(15, INK, bold=True), right=True)
        sheet.y -= 12
        sheet.lines(start, wrapped(words, NOTE, end - start - 50, 3), NOTE, 9)
        sheet.y -= 2
        sheet.rule(start, end)
        sheet.y -= 6
    _promise(sheet, payload, start, end)


def _promise(sheet: Sheet, payload: Payload, start: float, end: float) -> None:
    promise = payload.get("promise")
    if not promise:
        return
    totals = payload["totals"]
    kept = (totals["onsite_wh"] + totals["certificate_wh"]) * 100 >= promise["promised_percent"] * totals["site_wh"]
    sheet.y -= 8
    sheet.text(start, pgettext("green", "Promised"), Style(10, INK, bold=True))
    sheet.text(end, f"{promise['promised_percent']}%", Style(15, INK, bold=True), right=True)
    sheet.y -= 12
    if payload["status"] == "provisional":
        words = _("The promise is judged by the final version.")
    else:
        words = _("Kept.") if kept else _("Missed: a credit follows.")
    sheet.text(start, words, Style(8, INK_2))
    sheet.y -= 8
