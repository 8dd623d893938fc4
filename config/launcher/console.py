"""What the terminal shows: each line under the name of its program, and the same lines in log files."""

import os
import sys
from pathlib import Path
from typing import BinaryIO, TextIO

COLOURS = (36, 33, 35, 32, 34, 96, 93, 95, 92, 94)
LOG_LIMIT_BYTES = 8 * 1024 * 1024


class Console:
    """Prefixed lines; colours only on a terminal and without NO_COLOR."""

    def __init__(self, names: list[str], stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.coloured = self.stream.isatty() and not os.environ.get("NO_COLOR")
        self.width = max(map(len, names), default=0)
        self.colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}

    def paint(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text

    def line(self, name: str, text: str) -> None:
        """One line of a program."""
        self.write(f"{self.paint(f'{name:<{self.width}} |', self.colours.get(name, 37))} {text}\n")

    def say(self, text: str) -> None:
        """One line of the launcher itself."""
        self.line("joulemart", text)

    def write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class LogFile:
    """DATA_DIR/logs/NAME.log: the file of the run before is kept as NAME.log.1, and neither grows beyond the limit."""

    def __init__(self, folder: Path, name: str, limit: int = LOG_LIMIT_BYTES) -> None:
        self.path = folder / f"{name}.log"
        self.limit = limit
        self.file = self._open()

    def _open(self) -> BinaryIO:
        if self.path.exists():
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self.size = 0
        return self.path.open("wb", buffering=0)

    def write(self, line: bytes) -> None:
        if self.size + len(line) > self.limit:
            self.file.close()
            self.file = self._open()
        self.file.write(line + b"\n")
        self.size += len(line) + 1

    def close(self) -> None:
        self.file.close()
