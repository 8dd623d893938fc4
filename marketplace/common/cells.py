"""Tables as text: cells that stay what they are in a table program, written piece by piece."""

from functools import lru_cache
from io import StringIO

FORMULA = ("=", "+", "-", "@")
BREAKS = str.maketrans("\t\r\n", "   ")
PIECE = 1 << 16  # characters that are sent together


@lru_cache(maxsize=4_096)  # names come again in row after row
def plain_text(text: str) -> str:
    """A text in one line that no table program takes for a formula."""
    line = text.translate(BREAKS)
    return f"'{line}" if line.lstrip().startswith(FORMULA) else line


def taken(out: StringIO) -> str:
    """What was written so far, which is then gone from `out`."""
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text
