"""What the figures of a receipt rest on, and how anybody checks them: the last part of the document."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketplace.common.currencies import to_major
from marketplace.common.pdfsheet import INK, INK_2, INK_3, LEFT, RIGHT, Sheet, Style, width_of, wrapped
from marketplace.common.printed import energy
from marketplace.energy.receipts.pdftotals import heading
from marketplace.energy.receipts.words import publisher_name

Payload = Mapping[str, Any]
SMALL, NOTE, STRONG, CODE = Style(8, INK_2), Style(7, INK_3), Style(8, INK, bold=True), Style(7.6, INK)
LINK = Style(8, "#0A57B0")
NAMES = LEFT + 108


def draw_proof(sheet: Sheet, payload: Payload, *, sha256: str, kid: str) -> None:
    """The metered work and its charge, sources of the factors with notices, methods, the hash and the way to verify.

    A provider's excerpt says nothing of the charge.
    """
    if payload.get("work"):
        _work(sheet, payload["work"])
    _factors(sheet, payload)
    _methods(sheet, payload)
    _verify(sheet, payload, sha256, kid)


def _work(sheet: Sheet, work: Payload) -> None:
    sheet.room(52)
    heading(sheet, _("Metered and charged"))
    for contract in work["contracts"]:
        sheet.room(24)
        _pair(sheet, contract["id"], _metered_words(contract))
    if work["currency"]:
        sheet.room(24)
        _pair(sheet, _("Charge"), _charge_words(work))


def _metered_words(contract: Payload) -> str:
    """What the machines stated under one contract, each statement under its own signature."""
    lines = contract["metered"]
    if not lines:
        return _("no time was metered")
    count = len(lines)
    return ngettext(
        "%(count)d signed statement of the machines, %(energy)s, from %(start)s to %(end)s UTC",
        "%(count)d signed statements of the machines, %(energy)s, from %(start)s to %(end)s UTC", count,
    ) % {
        "count": count, "energy": energy(sum(line["energy_wh"] for line in lines)),
        "start": _second(lines[0]["start"]), "end": _second(lines[-1]["end"]),
    }  # fmt: skip


def _charge_words(work: Payload) -> str:
    facts = {
        "charge": to_major(work["charge_minor"], work["currency"]), "currency": work["currency"],
        "tax": to_major(work["tax_minor"], work["currency"]),
    }  # fmt: skip
    if work["tax_minor"]:
        return _("%(charge)s %(currency)s, and %(tax)s tax") % facts
    return _("%(charge)s %(currency)s") % facts


def _second(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"


def _factors(sheet: Sheet, payload: Payload) -> None:
    sheet.room(52)
    heading(sheet, _("Sources of the grid's figures"))
    for factor in payload["factors"]:
        sheet.room(24)
        named = f"{publisher_name(factor['source'])} · {factor['vintage']}"
        _pair(sheet, named, factor["notice"] or _("no notice of a licence"))


def _methods(sheet: Sheet, payload: Payload) -> None:
    names = {
        "matching": _("Matching"),
        "location_based": _("Location-based"),
        "market_based": _("Market-based"),
        "life_cycle": _("Life-cycle"),
        "canonical_json": _("Text that is signed"),
        "signature": _("Signature"),
    }
    sheet.room(44 + 14 * len(payload["method"]))
    heading(sheet, _("Methods and their versions"))
    for key, words in payload["method"].items():
        _pair(sheet, names.get(key, key), method_words(key, words))


def method_words(key: str, words: str) -> str:
    """A method in the reader's language, where it is one that we know; else as it was signed."""
    known = {
        "by the hour, on-site first; unmet promises before the rest, then pro rata": _(
            "by the hour, on-site first; unmet promises before the rest, then pro rata"
        ),
        "GHG Protocol Scope 2 Guidance (2015), average direct intensity of the grid zone": _(
            "GHG Protocol Scope 2 Guidance (2015), average direct intensity of the grid zone"
        ),
        "GHG Protocol Scope 2 Guidance (2015), residual mix where it is known": _(
            "GHG Protocol Scope 2 Guidance (2015), residual mix where it is known"
        ),
        "average life-cycle intensity of the grid zone": _("average life-cycle intensity of the grid zone"),
    }
    return known.get(words, words)


def _pair(sheet: Sheet, name: str, words: str) -> None:
    top = sheet.y
    sheet.lines(LEFT, wrapped(name, STRONG, NAMES - LEFT - 8, 2), STRONG, 11)
    lowest, sheet.y = sheet.y, top
    sheet.lines(NAMES, wrapped(words, SMALL, RIGHT - NAMES, 3), SMALL, 11)
    sheet.y = min(lowest, sheet.y) - 2


def _verify(sheet: Sheet, payload: Payload, sha256: str, kid: str) -> None:
    sheet.room(170)
    heading(sheet, _("Verify it yourself"))
    for name, value in (
        ("SHA-256", sha256),
        (_("Version before"), payload.get("prev_sha256") or _("none: this is the first")),
        (_("Signed by key"), kid),
    ):
        sheet.text(LEFT, name, STRONG)
        sheet.text(NAMES, value, CODE)
        sheet.y -= 12
    sheet.text(LEFT, _("On the web"), STRONG)
    sheet.text(NAMES, payload["verify"], LINK)
    sheet.link(payload["verify"], NAMES, NAMES + width_of(payload["verify"], LINK), 9)
    sheet.y -= 12
    sheet.text(LEFT, _("Without a network"), STRONG)
    sheet.text(NAMES, f"joulemart receipts verify {payload['id']}.json", CODE)
    sheet.y -= 14
    for text in (
        _("This sheet shows what the JSON file proves: the file has every version as it was signed."),
        _("Verifying looks at signatures and the chain of versions, recomputes every total, share and the charge, and "
          "that no Wh counts twice in this receipt."),
        _("It cannot know whether a newer version exists, nor what the registries' books say."),
    ):  # fmt: skip
        sheet.lines(LEFT, wrapped(text, NOTE, RIGHT - LEFT, 2), NOTE, 10)
