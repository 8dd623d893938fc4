"""Small files that two processes share: always whole, never half written."""

import json
import os
from pathlib import Path
from typing import Any


def write_whole(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Put `content` at `path` so that a reader sees the old file or the new one, nothing between."""
    data = content.encode() if isinstance(content, str) else content
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object at `path`, or None where no file is."""
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    loaded: dict[str, Any] = json.loads(content)
    return loaded
