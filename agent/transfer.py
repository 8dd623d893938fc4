"""Files of an attempt: inputs fetched and verified, outputs found and handed over."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from agent.protocol import CHUNK_BYTES, Market
from agent.wire import InputFile

MOST_FILES = 10_000


class InputWrong(Exception):
    """An input is not what the job says it is; the message names it."""


class OutputWrong(Exception):
    """Outputs break a rule; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An output in the work folder."""

    path: str
    size: int


def fetch(market: Market, item: InputFile, folder: Path) -> None:
    """Put one input under `folder`, its size and hash verified. Raises InputWrong, ProtocolError, OSError."""
    target = folder / _inside(item.path)
    digest, size = hashlib.sha256(), 0
    with market.download(item.url) as pieces, _create(target, item.path) as file:
        for piece in pieces:
            size += len(piece)
            if size > item.size:
                break
            digest.update(piece)
            file.write(piece)
    if size != item.size:
        more = "more" if size > item.size else f"{size}"
        raise InputWrong(f"The input {item.path} has {more} bytes where {item.size} were announced.")
    if digest.hexdigest() != item.sha256.lower():
        raise InputWrong(f"The input {item.path} does not have the announced SHA-256.")


def _create(target: Path, path: str) -> BinaryIO:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return target.open("wb")
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG}:
            raise InputWrong(f"The input path {path!r} cannot be a file here: {error.strerror}.") from error
        raise


def find(folder: Path, patterns: Iterable[str], *, most_bytes: int) -> tuple[list[Found], list[str]]:
    """Regular files of `folder` that match, in order of their path, and the patterns that match none.

    A link is never followed. Raises OutputWrong where a pattern leaves the folder or the files exceed a limit.
    """
    rules = [(pattern, _rule(pattern)) for pattern in patterns]
    found: list[Found] = []
    hit: set[str] = set()
    for path, size in _files(folder) if rules else ():
        matching = [pattern for pattern, rule in rules if rule.fullmatch(path)]
        if matching:
            hit.update(matching)
            found.append(Found(path=path, size=size))
    if len(found) > MOST_FILES:
        raise OutputWrong(f"There are {len(found)} outputs; at most {MOST_FILES} are kept.")
    total = sum(one.size for one in found)
    if total > most_bytes:
        raise OutputWrong(f"The outputs have {total} bytes; the limit is {most_bytes}.")
    return sorted(found, key=lambda one: one.path), [pattern for pattern, _ in rules if pattern not in hit]


def digest_of(file: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    for piece in pieces_of(file):
        digest.update(piece)
    return digest.hexdigest()


def pieces_of(file: Path) -> Iterator[bytes]:
    """The bytes of a regular file, never of what a link points to."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        while piece := opened.read(CHUNK_BYTES):
            yield piece


def _inside(path: str) -> PurePosixPath:
    """`path` as a way that stays below where it starts. Raises InputWrong."""
    plain = PurePosixPath(path)
    if plain.is_absolute() or ".." in plain.parts or not plain.parts or "\0" in path:
        raise InputWrong(f"The input path {path!r} leaves the work folder.")
    return plain


def _files(folder: Path) -> Iterator[tuple[str, int]]:
    for place, _, names in os.walk(folder, followlinks=False):
        for name in names:
            file = Path(place) / name
            seen = file.lstat()
            if stat.S_ISREG(seen.st_mode):
                yield file.relative_to(folder).as_posix(), seen.st_size


def _rule(pattern: str) -> re.Pattern[str]:
    """`*` and `?` stay in one folder, `**` goes through all; a folder stands for everything below it."""
    plain = pattern.removeprefix("./").rstrip("/") or "**"
    if plain.startswith("/") or ".." in plain.split("/"):
        raise OutputWrong(f"The outputs pattern {pattern!r} leaves the work folder.")
    translated = ""
    for token in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", plain):
        translated += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(token) or re.escape(token)
    return re.compile(f"{translated}(?:/.*)?", re.DOTALL)
