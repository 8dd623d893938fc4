"""A small process that holds one attempt: it outlives the agent, so that an agent that restarts finds its work again.

It starts the sandbox, keeps the log, measures, and acts on the lease by its own boot clock: an agent that is gone
pauses the work at once its time is up, and ends it if it never comes back. It talks through files of one folder:
`plan.json` and `lease.json` and `stop.json` come from the agent, `log` and `status.json` go to it.
"""

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import sys
from pathlib import Path
from typing import Any

from agent.clock import boot_seconds
from agent.engines import child, kernel
from agent.engines.cgroups import Group, group_from
from agent.engines.tree import Tree
from agent.engines.watch import Watch

_TICK_S = 0.1
_READ_BYTES = 64 * 1024
_READS_A_TURN = 32
_CUT = b"\n[the log is full: its limit of %d bytes is reached, what follows is not kept]\n"


class Log:
    """Standard output and error of the work, kept up to a limit; what exceeds it is read and dropped."""

    def __init__(self, source: int, path: Path, *, limit: int) -> None:
        os.set_blocking(source, False)
        self.source = source
        self.full = False
        self.open = True
        self._limit = limit
        self._note = _CUT % limit
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._kept = os.fstat(self._file).st_size

    def pump(self) -> None:
        """Take what is there, a bounded amount at a time. Raises OSError where the disk is full."""
        for _ in range(_READS_A_TURN):
            try:
                data = os.read(self.source, _READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self.open = False
                return
            self._keep(data)

    def _keep(self, data: bytes) -> None:
        if self.full:
            return
        room = self._limit - self._kept - len(self._note)
        if len(data) > room:
            self.full = True
            data = data[: max(room, 0)] + self._note[: self._limit - self._kept]
        while data:
            written = os.write(self._file, data)
            self._kept += written
            data = data[written:]


class Shim:
    """One attempt from its start to its end."""

    def __init__(self, folder: Path, plan: dict[str, Any]) -> None:
        self.folder = folder
        self.plan = plan
        self.group, self.group_error = _make_group(plan)
        self.watch = Watch(folder, plan, Tree(self.group))
        self.status: int | None = None
        self.usage_ms = 0
        self.usage_peak = 0

    def run(self) -> None:
        """Start the work, watch it, record its end."""
        kernel.adopt_orphans()
        source, log_fd = os.pipe()
        mark, mark_fd = os.pipe()
        os.set_blocking(mark, False)
        log = Log(source, self.folder / "log", limit=self.plan["limits"]["log_bytes"])
        self.watch.note = self.group_error
        pid = child.start(self.plan, folder=self.folder, group=self.group, log_fd=log_fd, mark_fd=mark_fd)
        os.close(log_fd)
        os.close(mark_fd)
        self.watch.root = pid
        self.watch.write_status(boot_seconds())
        self._loop(pid, log, mark)
        self._end(log)

    def _loop(self, pid: int, log: Log, mark: int) -> None:
        ended = os.pidfd_open(pid)
        poll = select.poll()
        for descriptor in (log.source, mark, ended):
            poll.register(descriptor, select.POLLIN)
        next_tick = 0.0
        while self.status is None:
            ready = {descriptor for descriptor, _ in poll.poll(_TICK_S * 1000)}
            now = boot_seconds()
            if mark in ready:
                self._see_mark(mark, now)
                poll.unregister(mark)
            if log.source in ready or log.full:
                self._pump(log, now)
            if log.source in ready and (log.full or not log.open):
                poll.unregister(log.source)  # from here on a flood is drained at the pace of the clock
            if now >= next_tick:
                next_tick = now + _TICK_S
                self.watch.tick(now)
            self._reap(pid)
        self._see_mark(mark, boot_seconds())

    def _see_mark(self, mark: int, now: float) -> None:
        """The work writes one byte once it is inside; a pipe closed without it means that it never got there."""
        if self.watch.entered:
            return
        with contextlib.suppress(BlockingIOError):
            if os.read(mark, 1):
                self.watch.begin(now)

    def _pump(self, log: Log, now: float) -> None:
        try:
            log.pump()
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
                raise
            log.full = True
            self.watch.note = f"the provider's disk failed: {error.strerror}"
            self.watch.end("node", now, grace_s=0)

    def _reap(self, pid: int) -> None:
        while True:
            try:
                gone, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if gone == 0:
                return
            self.usage_ms += int((usage.ru_utime + usage.ru_stime) * 1000)
            self.usage_peak = max(self.usage_peak, usage.ru_maxrss * 1024)
            if gone == pid:
                self.status = os.waitstatus_to_exitcode(status)

    def _end(self, log: Log) -> None:
        watch = self.watch
        watch.finish(boot_seconds())
        watch.tree.kill()
        self._pump(log, boot_seconds())
        self._reap(0)
        watch.cpu_ms = max(watch.cpu_ms, self.usage_ms)
        watch.peak_bytes = max(watch.peak_bytes, min(self.usage_peak, self.plan["limits"]["memory_bytes"]))
        watch.paused = False
        code, number = _code_and_signal(self.status or 0)
        if watch.cause is None:
            watch.cause = self._cause(code)
        if watch.cause == "sandbox":
            watch.note = _last_line(self.folder / "log") or "the sandbox ended before the work began"
        watch.write_status(boot_seconds(), phase="ended", exit_code=code, signal=number)
        if self.group is not None:
            self.group.remove()

    def _cause(self, code: int) -> str:
        if code != 0 and self.watch.tree.out_of_memory_kills():
            return "out_of_memory"
        return "exit" if self.watch.entered else "sandbox"


def _make_group(plan: dict[str, Any]) -> tuple[Group | None, str]:
    """The control group, or none and why: limits then hold by rlimits and by watching."""
    group = group_from(plan["cgroup"])
    if group is None:
        return None, ""
    limits = plan["limits"]
    try:
        group.make(memory_bytes=limits["memory_bytes"], pids=limits["pids"] + plan["wrappers"], cpus=limits["cpus"])
    except OSError as error:
        group.remove()
        return None, f"no control group: {error}"
    return group, ""


def _code_and_signal(status: int) -> tuple[int, int | None]:
    """Exit code as a shell tells it (128 + signal), and the signal that ended the work, if one did."""
    if status < 0:
        return 128 - status, -status
    known = {number.value for number in signal.Signals}
    return status, status - 128 if status - 128 in known else None


def _last_line(path: Path) -> str:
    lines = path.read_bytes()[-4096:].decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def main(folder: str) -> None:
    """Hold the attempt whose files are in `folder`; a second shim for it leaves at once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    place = Path(folder)
    lock = os.open(place / "shim.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("another shim holds this attempt")
    Shim(place, json.loads((place / "plan.json").read_text(encoding="utf-8"))).run()
