"""Control groups, version 1 and 2, where we may make some: hard limits of memory, tasks and processor time."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path("/sys/fs/cgroup")
_WANTED = ("memory", "pids", "cpu")
_USUAL_WEIGHT, _USUAL_SHARES = 100, 1024  # what the agent itself has; work stands back, in proportion to its cpus
_PERIOD_US = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """The folders in which groups can be made, by controller; empty where nothing is delegated."""

    version: int
    folders: dict[str, Path]


def delegation(root: Path = ROOT, own: Path = Path("/proc/self/cgroup")) -> Delegation:
    """What is delegated to this process. Looks and tries a folder, changes nothing that stays."""
    try:
        lines = [line.split(":", 2) for line in own.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return Delegation(version=0, folders={})
    unified = next((path for number, _, path in lines if number == "0"), None)
    if unified is not None and (root / "cgroup.controllers").is_file():
        return _version_2(root / unified.lstrip("/"))
    folders = {}
    for _, names, path in lines:
        for name in set(names.split(",")) & set(_WANTED):
            folder = _first_folder(root, name, path)
            if folder is not None and _can_make(folder):
                folders[name] = folder
    return Delegation(version=1, folders=folders)


def _first_folder(root: Path, name: str, path: str) -> Path | None:
    """A container may show its own group at the top of the mount, whatever the path says."""
    places = (root / name / path.lstrip("/"), root / name)
    return next((place for place in places if place.is_dir()), None)


def _version_2(own: Path) -> Delegation:
    """Version 2 refuses groups beside processes: the agent itself moves to a leaf, then passes the controllers on."""
    try:
        leaf = own if own.name == "joulemart-agent" else own / "joulemart-agent"
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")
        parent = leaf.parent
        offered = set((parent / "cgroup.controllers").read_text(encoding="ascii").split())
        wanted = [name for name in _WANTED if name in offered]
        (parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted), encoding="ascii")
    except OSError:
        return Delegation(version=2, folders={})
    return Delegation(version=2, folders=dict.fromkeys(wanted, parent))


def _can_make(folder: Path) -> bool:
    trial = folder / f"joulemart-trial-{os.getpid()}-{time.monotonic_ns()}"
    try:
        trial.mkdir()
        trial.rmdir()
    except OSError:
        return False
    return True


class Group:
    """The control groups of one attempt (one folder in version 2, one for each controller in version 1)."""

    def __init__(self, *, version: int, folders: dict[str, Path]) -> None:
        self._version = version
        self._folders = folders

    def make(self, *, memory_bytes: int, pids: int, cpus: int) -> None:
        """Make the group with its limits. Raises OSError."""
        for folder in self._each():
            folder.mkdir(exist_ok=True)
        for controller, file, value in self._settings(memory_bytes=memory_bytes, pids=pids, cpus=cpus):
            path = self._folders[controller] / file
            if path.exists():
                path.write_text(value, encoding="ascii")

    def _settings(self, *, memory_bytes: int, pids: int, cpus: int) -> Iterator[tuple[str, str, str]]:
        if "memory" in self._folders:
            yield from self._memory_settings(memory_bytes)
        if "pids" in self._folders:
            yield ("pids", "pids.max", str(pids))
        if "cpu" in self._folders and self._version == 2:
            yield ("cpu", "cpu.max", f"{cpus * _PERIOD_US} {_PERIOD_US}")
            yield ("cpu", "cpu.weight", str(min(_USUAL_WEIGHT, 2 * cpus)))
        elif "cpu" in self._folders:
            yield ("cpu", "cpu.cfs_period_us", str(_PERIOD_US))
            yield ("cpu", "cpu.cfs_quota_us", str(cpus * _PERIOD_US))
            yield ("cpu", "cpu.shares", str(min(_USUAL_SHARES, 20 * cpus)))

    def _memory_settings(self, size: int) -> Iterator[tuple[str, str, str]]:
        if self._version == 2:
            yield ("memory", "memory.max", str(size))
            yield ("memory", "memory.swap.max", "0")
            yield ("memory", "memory.oom.group", "1")
        else:
            yield ("memory", "memory.limit_in_bytes", str(size))
            yield ("memory", "memory.memsw.limit_in_bytes", str(size))

    def join(self) -> None:
        """Move the calling process in; its children follow."""
        for folder in self._each():
            (folder / "cgroup.procs").write_text("0", encoding="ascii")

    def members(self) -> list[int] | None:
        """Ids of all processes inside, or None where the groups cannot tell."""
        folder = next(iter(self._each()), None)
        if folder is None:
            return None
        try:
            return [int(line) for line in (folder / "cgroup.procs").read_text(encoding="ascii").split()]
        except OSError:
            return None

    def out_of_memory_kills(self) -> int:
        """How often the kernel killed a process of the group for memory."""
        folder = self._folders.get("memory")
        if folder is None:
            return 0
        file = folder / ("memory.events" if self._version == 2 else "memory.oom_control")
        try:
            rows = [line.split() for line in file.read_text(encoding="ascii").splitlines()]
        except OSError:
            return 0
        return next((int(row[1]) for row in rows if row[0] == "oom_kill"), 0)

    def remove(self) -> None:
        """Remove the group once its last process has gone; a group that stays busy is left to the next start."""
        for folder in self._each():
            for _ in range(40):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.025)
                else:
                    break

    def _each(self) -> list[Path]:
        return list(dict.fromkeys(self._folders.values()))


def group_from(plan: dict[str, Any] | None) -> Group | None:
    """The group as an attempt's plan names it."""
    if not plan:
        return None
    return Group(version=int(plan["version"]), folders={name: Path(path) for name, path in plan["folders"].items()})
