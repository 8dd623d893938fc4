"""All processes of one attempt: what they use, and one signal for all of them."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from agent.engines.cgroups import Group

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STOP_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc: parent, processor time with that of reaped children, and whether it is a zombie."""

    pid: int
    parent: int
    cpu_ms: int
    started: int
    zombie: bool


def look(pid: int) -> Process | None:
    """The process as it is now, or None once it is gone."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    ticks = sum(int(field) for field in fields[11:15])
    return Process(pid, int(fields[1]), ticks * 1000 // _TICKS, int(fields[19]), fields[0] in "ZX")


class Tree:
    """The descendants of the calling process, told by their control group where there is one.

    The caller adopts orphans, so that no descendant can leave.
    """

    def __init__(self, group: Group | None) -> None:
        self._group = group

    def processes(self) -> list[Process]:
        """Everything alive below us."""
        pids = self._group.members() if self._group is not None else None
        if pids is not None:
            return [seen for pid in pids if (seen := look(pid)) is not None]
        everything = [seen for entry in _PROC.iterdir() if entry.name.isdigit() and (seen := look(int(entry.name)))]
        children: dict[int, list[Process]] = {}
        for process in everything:
            children.setdefault(process.parent, []).append(process)
        found: list[Process] = []
        edge = children.get(os.getpid(), [])
        while edge:
            found += edge
            edge = [child for process in edge for child in children.get(process.pid, [])]
        return found

    def out_of_memory_kills(self) -> int:
        """How often the kernel killed one of them for memory; 0 where it does not say."""
        return self._group.out_of_memory_kills() if self._group is not None else 0

    def send(self, number: int, *, skip: frozenset[int] = frozenset()) -> int:
        """Send a signal to every process but `skip`; how many got it."""
        sent = 0
        for process in self.processes():
            if process.pid not in skip and not process.zombie:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)
                    sent += 1
        return sent

    def wrappers(self, root: int, levels: int) -> frozenset[int]:
        """The sandbox's own processes: `root` and `levels` - 1 generations below; they must not be told to end."""
        if levels == 0:
            return frozenset()
        processes = self.processes()
        found = {root}
        for _ in range(levels - 1):
            found |= {process.pid for process in processes if process.parent in found}
        return frozenset(found)

    def pause(self) -> None:
        """Stop every process, also those born meanwhile."""
        stopped: set[int] = set()
        for _ in range(_STOP_ROUNDS):
            fresh = [process.pid for process in self.processes() if process.pid not in stopped]
            if not fresh:
                return
            for pid in fresh:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            stopped |= set(fresh)

    def resume(self) -> None:
        """Let every process go on."""
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """End every process, also those born meanwhile."""
        for _ in range(200):
            if self.send(signal.SIGKILL) == 0:
                return
            time.sleep(0.01)


def private_bytes(processes: list[Process]) -> int:
    """Memory that belongs to these processes, without files and shared pages (memory disks are bounded apart)."""
    return sum(_statm(process.pid) for process in processes)


def proportional_bytes(processes: list[Process]) -> int:
    """As `private_bytes`, but a page shared by several forks counts once; slower, and 0 where it may not be read."""
    return sum(_rollup(process.pid) for process in processes)


def _statm(pid: int) -> int:
    try:
        fields = (_PROC / str(pid) / "statm").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return max(0, int(fields[1]) - int(fields[2])) * _PAGE


def _rollup(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss_Anon:")), 0)
