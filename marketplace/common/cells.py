"""Tables as text: cells that stay what they are in a table program, written piece by piece."""

from io import StringIO

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
PIECE = 1 << 16  # characters that are sent together


def plain_text(text: str) -> str:
    """A text that no table program takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def taken(out: StringIO) -> str:
    """What was written so far, which is then gone from `out`."""
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text
