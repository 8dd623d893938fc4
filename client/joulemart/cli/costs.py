"""Commands of costs: usage focus."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .session import Session, command

app = typer.Typer()
usage_app = typer.Typer(help="What was used and charged.", no_args_is_help=True)
app.add_typer(usage_app, name="usage")


@command(usage_app, "focus")
def focus(
    session: Session,
    month: Annotated[str | None, typer.Option(help="Such as 2026-11; this month without it.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Write it to this file.")] = None,
) -> None:
    """Write the costs of a month as FOCUS 1.2 CSV, the format of cost tools."""
    if to is not None and not to.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {to.parent}", param_hint="--to")
    pieces = session.client.usage.focus(month)
    if to is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()
        return
    with session.working("reading"):
        size = _write(to, pieces)
    session.say(f"{to}  {size} bytes")


def _write(target: Path, pieces: Iterator[bytes]) -> int:
    """Store all of it under the name, or nothing; the number of bytes."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary, size = Path(name), 0
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                size += file.write(piece)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return size
