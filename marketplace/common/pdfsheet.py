"""A sheet of paper to draw on: A4 pages with a head and a foot, Latin and Chinese text from fonts that travel along.

Documents are drawn straight on the page, top to bottom; nothing is laid out twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

FONTS = Path(__file__).parent / "fonts"
REGULAR, BOLD, RARE = "NotoSansSC-Regular", "NotoSansSC-Bold", "STSong-Light"
INK, INK_2, INK_3, LINE, SUNKEN, LABEL = "#15201F", "#46514E", "#606A66", "#DCD8CC", "#F6F4EE", "#FFD42A"
WIDTH, HEIGHT = A4
LEFT, RIGHT = 18 * mm, WIDTH - 18 * mm
TOP, BOTTOM = HEIGHT - 16 * mm, 22 * mm
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True, slots=True)
class Style:
    """How a text looks."""

    size: float = 8.0
    color: str = INK
    bold: bool = False


@cache
def _known() -> frozenset[int]:
    """The characters our fonts have; they are registered at the first call."""
    faces = [TTFont(name, str(FONTS / f"{name}.ttf")) for name in (REGULAR, BOLD)]
    for face in (*faces, UnicodeCIDFont(RARE)):
        pdfmetrics.registerFont(face)
    return frozenset(faces[0].face.charToGlyph)


@cache
def _color(text: str) -> Any:
    return HexColor(text)


def runs(text: str, style: Style) -> list[tuple[str, str]]:
    """(font, text) pieces: what our fonts lack comes from the reader's own Chinese face, or is marked as unknown."""
    known, ours = _known(), BOLD if style.bold else REGULAR
    if known.issuperset(map(ord, text)):
        return [(ours, text)]
    pieces: list[tuple[str, str]] = []
    for character in text:
        font, shown = ours, character
        if ord(character) not in known:
            font, shown = (RARE, character) if _is_chinese(character) else (ours, UNKNOWN)
        if pieces and pieces[-1][0] == font:
            pieces[-1] = (font, pieces[-1][1] + shown)
        else:
            pieces.append((font, shown))
    return pieces


def _is_chinese(character: str) -> bool:
    try:
        return len(character.encode("gbk")) > 1
    except UnicodeEncodeError:
        return False


@lru_cache(maxsize=10_000)
def width_of(text: str, style: Style) -> float:
    """How wide the text is, in points."""
    return float(sum(pdfmetrics.stringWidth(piece, font, style.size) for font, piece in runs(text, style)))


def wrapped(text: str, style: Style, width: float, most: int) -> list[str]:
    """The text in at most `most` lines of that width, broken at spaces or between characters; the rest is cut."""
    if width_of(text, style) <= width:
        return [text]
    lines = [""]
    for word in _words(text):
        pieces = [word] if width_of(word.strip(), style) <= width else list(word)
        for piece in pieces:
            if width_of((lines[-1] + piece).rstrip(), style) > width:
                lines.append("")
            lines[-1] += piece
    if len(lines) > most:
        lines = [*lines[: most - 1], _cut(lines[most - 1].rstrip(), style, width)]
    return [line.strip() for line in lines]


def _cut(text: str, style: Style, width: float) -> str:
    """As much of the text as fits with a sign that something is missing."""
    while text and width_of(text + ELLIPSIS, style) > width:
        text = text[:-1]
    return text + ELLIPSIS


def _words(text: str) -> list[str]:
    """Pieces between which a line may be broken; each keeps the space behind it."""
    words = [""]
    for character in text:
        if character == " ":
            words[-1] += character
            words.append("")
        elif "\N{CJK UNIFIED IDEOGRAPH-4E00}" <= character <= "\N{CJK UNIFIED IDEOGRAPH-9FFF}":
            words += [character, ""]
        else:
            words[-1] += character
    return [word for word in words if word]


class Sheet:
    """Pages that fill from the top; `y` is where the next thing goes."""

    def __init__(self, *, title: str, author: str, head: "Callable[[Sheet], None]", foot: Callable[[int, int], str]):
        _known()
        self._bytes = BytesIO()
        self._canvas = Canvas(self._bytes, pagesize=A4, invariant=1, pageCompression=1)
        self._canvas.setTitle(title)
        self._canvas.setAuthor(author)
        self._head, self._foot = head, foot
        self._pages: list[dict[str, Any]] = []
        self.y = TOP
        head(self)

    @property
    def page(self) -> int:
        """The number of the page that is being filled."""
        return len(self._pages) + 1

    def room(self, height: float) -> bool:
        """Whether so much fits; if not, a new page has begun."""
        if self.y - height >= BOTTOM:
            return True
        self._keep()
        self.y = TOP
        self._head(self)
        return False

    def text(self, x: float, text: str, style: Style = Style(), *, right: bool = False) -> None:
        """Draw a line of text at `y`; `right` lets it end at `x`."""
        at = x - width_of(text, style) if right else x
        self._fill(style.color)
        for font, piece in runs(text, style):
            self._canvas.setFont(font, style.size)
            self._canvas.drawString(at, self.y, piece)
            at += pdfmetrics.stringWidth(piece, font, style.size)

    def lines(self, x: float, lines: Sequence[str], style: Style, step: float) -> None:
        """Draw lines below each other and go on below the last."""
        for line in lines:
            self.text(x, line, style)
            self.y -= step

    def rule(self, start: float = LEFT, end: float = RIGHT, *, color: str = LINE, width: float = 0.5) -> None:
        """A line across at `y`."""
        self._canvas.setStrokeColor(_color(color))
        self._canvas.setLineWidth(width)
        self._canvas.line(start, self.y, end, self.y)

    def box(self, height: float, *, color: str, start: float = LEFT, end: float = RIGHT) -> None:
        """A filled box whose lower edge is at `y`."""
        self._fill(color)
        self._canvas.rect(start, self.y, end - start, height, stroke=0, fill=1)

    def frame(
        self, height: float, start: float = LEFT, end: float = RIGHT, *, color: str = INK, width: float = 1
    ) -> None:
        """A box without filling whose lower edge is at `y`."""
        self._canvas.setStrokeColor(_color(color))
        self._canvas.setLineWidth(width)
        self._canvas.rect(start, self.y, end - start, height, stroke=1, fill=0)

    def link(self, address: str, start: float, end: float, height: float) -> None:
        """What is drawn from `y` on upwards leads to an address."""
        self._canvas.linkURL(address, (start, self.y - 2, end, self.y + height))

    def finish(self) -> bytes:
        """The document; each page says which of how many it is."""
        self._keep()
        for number, page in enumerate(self._pages, start=1):
            self._canvas.__dict__.update(page)
            self.y = BOTTOM - 8 * mm
            self.rule()
            self.y -= 11
            self.text(LEFT, self._foot(number, len(self._pages)), Style(7, INK_3))
            Canvas.showPage(self._canvas)
        self._canvas.save()
        return self._bytes.getvalue()

    def _fill(self, color: str) -> None:
        self._canvas.setFillColor(_color(color))

    def _keep(self) -> None:
        self._pages.append(dict(self._canvas.__dict__))
        self._canvas._startPage()
