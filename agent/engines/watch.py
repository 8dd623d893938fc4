"""The clockwork of the shim: how long the work may run, when it pauses, when and why it is ended."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from agent.clock import boot_id, boot_seconds
from agent.engines.rapl import NodeMeter, readable_zones
from agent.engines.tree import Tree, private_bytes, proportional_bytes
from agent.files import read_json, write_whole

STATUS, LEASE, STOP = "status.json", "lease.json", "stop.json"
_LOOK_EVERY_S = 0.25
_STATUS_EVERY_S = 0.5
_PAUSE_EVERY_S = 1.0  # once more now and then: a process may have been born between two looks
_GRACE_S = 2.0
_ENTRY_BYTES = 1024  # an empty file still costs the provider something
_LEASES_WITHOUT_AGENT = 6
_LEASES_PAUSED = 10


class Watch:
    """State of one attempt, moved on by `tick`. All times are boot seconds."""

    def __init__(self, folder: Path, plan: dict[str, Any], tree: Tree) -> None:
        self.folder = folder
        self.plan = plan
        self.tree = tree
        self.limits = plan["limits"]
        self.root = 0
        self.entered = False
        self.paused = False
        self.cause: str | None = None
        self.note = ""
        self.kill_at: float | None = None
        self.cpu_ms = 0
        self.peak_bytes = 0
        self._ran_s = 0.0
        self._since: float | None = None
        self._paused_at = 0.0
        self._paused_s = 0.0
        self._next_look = 0.0
        self._next_status = 0.0
        self._next_disk = 0.0
        self._next_pause = 0.0
        self._stop_seen = 0
        self._meter = NodeMeter(readable_zones()) if plan["metered"] else None

    def begin(self, now: float) -> None:
        """The work is inside its sandbox: its time runs."""
        self.entered = True
        self._since = now
        self._next_status = now

    def milliseconds(self, now: float) -> int:
        """How long the work has run, pauses excluded, at most its time limit."""
        ran = self._ran_s + (now - self._since if self._since is not None else 0.0)
        return min(int(ran * 1000), int(self.limits["time_limit_s"]) * 1000)

    def tick(self, now: float) -> None:
        """Look at the lease, the wishes of the agent and the limits; act."""
        self._follow_lease(now)
        self._follow_wish(now)
        if now >= self._next_look:
            self._next_look = now + _LOOK_EVERY_S
            self._look(now)
        if self.milliseconds(now) >= self.limits["time_limit_s"] * 1000:
            self.end("time_limit", now, grace_s=_GRACE_S)
        if self.kill_at is not None and now >= self.kill_at:
            self.tree.kill()
        if now >= self._next_status:
            self._next_status = now + _STATUS_EVERY_S
            self.write_status(now)

    def end(self, cause: str, now: float, *, grace_s: float, number: int = signal.SIGTERM) -> None:
        """End the work for `cause` (the first one counts): a signal, then force after `grace_s`."""
        kill_at = now + grace_s
        if self.cause is None:
            self.cause = cause
        elif self.kill_at is not None and kill_at >= self.kill_at:
            return
        self.kill_at = kill_at if self.kill_at is None else min(kill_at, self.kill_at)
        if grace_s > 0:
            self.tree.send(number, skip=self.tree.wrappers(self.root, self.plan["wrappers"]))
            self._resume(now)

    def finish(self, now: float) -> None:
        """The work is over: its clock stops."""
        self._ran_s = self.milliseconds(now) / 1000
        self._since = None

    def write_status(self, now: float, **final: Any) -> None:
        """Tell the agent how things stand; `final` fields come with the end."""
        status = {
            "phase": "ended" if final else "running",
            "boot": boot_id(),
            "shim": os.getpid(),
            "entered": self.entered,
            "paused": self.paused,
            "milliseconds": self.milliseconds(now),
            "cpu_ms": self.cpu_ms,
            "peak_memory_bytes": self.peak_bytes,
            "energy_uj": self._meter.read_uj() if self._meter else None,
            "cause": self.cause,
            "note": self.note,
            **final,
        }
        write_whole(self.folder / STATUS, json.dumps(status))

    def _follow_lease(self, now: float) -> None:
        """Pause when nobody renews; go on when somebody does; end when that may never happen."""
        lease = read_json(self.folder / LEASE)
        if lease is None or self.cause is not None:
            return
        self.limits["time_limit_s"] = max(self.limits["time_limit_s"], lease.get("time_limit_s", 0))
        lease_s = self.plan["lease_s"]
        if now < lease["until"]:
            self._resume(now)
            return
        self._pause(now)
        paused_s = self._paused_s + now - self._paused_at
        if now - lease["seen"] > max(_LEASES_WITHOUT_AGENT * lease_s, 30):
            self.note = "the agent did not come back"
            self.end("lease", now, grace_s=0)
        elif paused_s > max(self.limits["time_limit_s"], _LEASES_PAUSED * lease_s):
            self.note = "the marketplace did not come back within the time limit"
            self.end("lease", now, grace_s=0)

    def _follow_wish(self, now: float) -> None:
        try:
            stamp = (self.folder / STOP).stat().st_mtime_ns
        except FileNotFoundError:
            return
        if stamp == self._stop_seen:
            return
        self._stop_seen = stamp
        wish = read_json(self.folder / STOP) or {}
        number = signal.Signals.__members__.get(f"SIG{wish['signal']}", signal.SIGTERM)
        self.end("stopped", now, grace_s=float(wish["grace_s"]), number=number)

    def _pause(self, now: float) -> None:
        if not self.paused:
            self.paused = True
            self._paused_at = now
            if self._since is not None:
                self._ran_s += now - self._since
                self._since = None
            self._next_pause = self._next_status = now
        if now >= self._next_pause:
            self._next_pause = now + _PAUSE_EVERY_S
            self.tree.pause()

    def _resume(self, now: float) -> None:
        if self.paused:
            self.paused = False
            self._paused_s += now - self._paused_at
            self._since = now if self.entered else None
            self.tree.resume()
            self._next_status = now

    def _look(self, now: float) -> None:
        """Measure, and end the work that outgrew its memory or its disk."""
        processes = self.tree.processes()
        self.cpu_ms = max(self.cpu_ms, sum(process.cpu_ms for process in processes))
        used = private_bytes(processes)
        if used > self.limits["memory_bytes"]:
            used = proportional_bytes(processes) or used
        self.peak_bytes = max(self.peak_bytes, used)
        if self.tree.out_of_memory_kills() or used > self.limits["memory_bytes"]:
            self.end("out_of_memory", now, grace_s=0)
        if now >= self._next_disk:
            size = folder_bytes(Path(self.plan["box"]), stop_at=self.limits["disk_bytes"])
            self._next_disk = now + max(0.5, 20 * (boot_seconds() - now))
            if size > self.limits["disk_bytes"]:
                self.end("disk", now, grace_s=0)


def folder_bytes(folder: Path, *, stop_at: int) -> int:
    """Bytes that a folder takes on its disk; counting stops once `stop_at` is passed."""
    total = 0
    edge = [str(folder)]
    while edge and total <= stop_at:
        try:
            with os.scandir(edge.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512 + _ENTRY_BYTES
                    if entry.is_dir(follow_symlinks=False):
                        edge.append(entry.path)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue  # it went away meanwhile, or the work closed it to us: the file limit still holds
    return total
