"""A job file's `workdir`: which files are sent, and the file's text without that key, every line where it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from .errors import WorkdirRefused

MAX_FILES = 100
MAX_BYTES = 64_000_000


@dataclass(frozen=True)
class Workdir:
    """The files to upload, as (path inside the folder, path on disk, size), and how many hidden entries stay behind."""

    root: Path
    files: tuple[tuple[str, Path, int], ...]
    skipped: int

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, _, size in self.files)


@dataclass(frozen=True)
class JobFile:
    """A job file ready to send: its text without `workdir`, and the folder that key named."""

    text: str
    workdir: Path | None


def read_job_file(path: Path) -> JobFile:
    """The job file at `path`; its `workdir` is resolved against the file's own folder.

    Text that is not YAML is passed on whole, so that the marketplace explains it with line and column.
    Raises OSError when it cannot be read and UnicodeDecodeError when it is not UTF-8.
    """
    text = path.read_text(encoding="utf-8")
    pair = _workdir_pair(text)
    if pair is None:
        return JobFile(text, None)
    key, value, in_flow = pair
    return JobFile(_blanked(text, key.start_mark.index, value.end_mark.index, in_flow), path.parent / str(value.value))


def scan(root: Path) -> Workdir:
    """The regular files under `root` in a stable order. Hidden entries and links are left out and counted.

    Raises WorkdirRefused when the folder is missing or passes 100 files or 64 MB.
    """
    if not root.is_dir():
        raise WorkdirRefused(f"workdir {root} is not a folder")
    files: list[tuple[str, Path, int]] = []
    skipped = 0
    for entry in _walk(root):
        if entry is None:
            skipped += 1
            continue
        files.append((entry.relative_to(root).as_posix(), entry, entry.stat().st_size))
        if len(files) > MAX_FILES:
            raise WorkdirRefused(f"workdir {root} has more than {MAX_FILES} files: pack them into one archive")
    found = Workdir(root, tuple(files), skipped)
    if found.size > MAX_BYTES:
        raise WorkdirRefused(
            f"workdir {root} holds {found.size / 1e6:.1f} MB, more than {MAX_BYTES / 1e6:.0f} MB: "
            "leave data out and fetch it in `setup`"
        )
    return found


def _walk(folder: Path) -> Iterator[Path | None]:
    """Files below `folder`; None stands for an entry left out."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            yield None
        elif entry.is_dir():
            yield from _walk(entry)
        elif entry.is_file():
            yield entry


def _workdir_pair(text: str) -> tuple[yaml.ScalarNode, yaml.ScalarNode, bool] | None:
    """The top-level `workdir` key, its value and whether they stand in `{}`, when the text is YAML and has one."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    if not isinstance(tree, yaml.MappingNode):
        return None
    for key, value in tree.value:
        if isinstance(key, yaml.ScalarNode) and key.value == "workdir" and isinstance(value, yaml.ScalarNode):
            return key, value, bool(tree.flow_style)
    return None


def _blanked(text: str, start: int, end: int, in_flow: bool) -> str:
    """`text` with [start, end) and, in a flow mapping, one neighbouring comma made blank; lines keep their numbers."""
    after = end + len(text[end:]) - len(text[end:].lstrip())
    before = len(text[:start].rstrip())
    comma = None
    if not in_flow:
        comma = None
    elif text[after : after + 1] == ",":
        comma = after
    elif before and text[before - 1] == ",":
        comma = before - 1
    blank = "".join(char if char in "\r\n" else " " for char in text[start:end])
    kept = text[:start] + blank + text[end:]
    return kept if comma is None else f"{kept[:comma]} {kept[comma + 1 :]}"
