"""The default engine: each attempt is a group of processes on this machine, inside a sandbox of its own."""

import contextlib
import fcntl
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from agent.clock import boot_seconds
from agent.config import Config
from agent.engines import layout
from agent.engines.base import Check, EngineFailed, Stand
from agent.engines.cgroups import Delegation, delegation, group_from
from agent.engines.rapl import readable_zones
from agent.engines.tree import look
from agent.engines.trial import run_nothing
from agent.engines.watch import LEASE, STATUS, STOP
from agent.files import read_json, write_whole
from agent.wire import Lease, Usage

CODE = str(Path(__file__).resolve().parent.parent.parent)
MEGABYTE = 1024 * 1024
_WRAPPERS = {"bwrap": 2, "unshare": 2, "none": 0}
_OPEN_FILES = 4096
_MEND = {
    "bwrap": "install bubblewrap (apt install bubblewrap) and allow user namespaces (sysctl user.max_user_namespaces)",
    "unshare": "allow user namespaces (sysctl user.max_user_namespaces, and in a container its security profile)",
    "none": "open the way to the state folder for the uid of the work (chmod o+x each folder above it)",
}


class ProcessEngine:
    """Runs attempts as local processes. `runtime` is the sandbox in use; root gives each slot a uid of its own."""

    name = "process"

    def __init__(self, config: Config, *, runtime: str) -> None:
        self._config = config
        self.runtime = runtime
        self._attempts = config.state / "attempts"
        self._etc = config.state / "etc"
        self._shims: dict[str, subprocess.Popen[bytes]] = {}
        self._delegation: Delegation | None = None
        self._as_root = os.geteuid() == 0
        # Without a sandbox the work reaches its folder by the ordinary way, which must then be open to its uid.
        self._mode = 0o711 if runtime == "none" else 0o700
        self._attempts.mkdir(parents=True, exist_ok=True, mode=0o711)
        layout.write_etc(self._etc)

    def probe(self) -> list[Check]:
        """Run a piece of work that does nothing in the sandbox, all the way through."""
        name, mend = f"sandbox {self.runtime}", _MEND[self.runtime]
        if self.runtime == "bwrap" and shutil.which("bwrap") is None:
            return [Check(name=name, ok=False, result="bubblewrap is not installed", mend=mend)]
        problem = run_nothing(self)
        return [Check(name=name, ok=not problem, result=problem or "work ran in it", mend=mend)]

    def prepare(self, lease: Lease, *, slot: int) -> Path:
        """Make the empty work folder of an attempt; what an earlier, never started try left is cleared."""
        place = self._place(lease.id)
        if place.exists():
            shutil.rmtree(place)
        place.mkdir(mode=self._mode)
        (place / "script").mkdir(mode=0o755)
        (place / "work").mkdir(mode=0o700)
        return place / "work"

    def submit(self, lease: Lease, *, slot: int, until: float) -> None:
        """Start the work by a shim that outlives this process. Raises EngineFailed."""
        place = self._place(lease.id)
        if self.poll(lease.id).phase != "absent":
            return
        uid = self._config.work_uid_base + slot if self._as_root else None
        try:
            self._write_scripts(place / "script", lease)
            _hand_over(place / "work", uid)
            self.renew(lease.id, until=until)
            write_whole(place / "plan.json", json.dumps(self._plan(lease, place, uid)))
            with (place / "shim.err").open("wb") as errors:
                self._shims[lease.id] = subprocess.Popen(  # noqa: S603 - our own program, a path of our own
                    _shim_command(place),
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    cwd="/",
                    env={"PATH": os.environ.get("PATH", os.defpath)},  # no key of the agent goes any further
                    start_new_session=True,
                )
        except OSError as error:
            raise EngineFailed(f"the work could not be started: {error.strerror or error}") from error

    def renew(self, lease_id: str, *, until: float | None, time_limit_s: int = 0) -> None:
        """Say that the agent lives, how long the work may run without another word, and in all."""
        file = self._place(lease_id) / LEASE
        said = {"until": 0.0, "time_limit_s": 0, **(read_json(file) or {})}
        word = {
            "until": said["until"] if until is None else until,
            "time_limit_s": max(said["time_limit_s"], time_limit_s),
            "seen": boot_seconds(),
        }
        with contextlib.suppress(FileNotFoundError):  # it was forgotten meanwhile
            write_whole(file, json.dumps(word))

    def poll(self, lease_id: str) -> Stand:
        """How the attempt stands, by the files of its shim."""
        place = self._place(lease_id)
        if not (place / "plan.json").exists():
            return Stand(phase="absent")
        status = read_json(place / STATUS)
        if (status is None or status["phase"] != "ended") and not self._shim_lives(lease_id):
            status = read_json(place / STATUS)  # it may have written its last word just before it left
            if status is None or status["phase"] != "ended":
                return Stand(phase="ended", cause="node", note=self._shim_error(place))
        if status is None:
            return Stand(phase="starting")
        if status["phase"] != "ended":
            return Stand(phase="running" if status["entered"] else "starting", paused=status["paused"])
        return Stand(
            phase="ended",
            cause=status["cause"],
            exit_code=status["exit_code"],
            signal=status["signal"],
            note=status["note"],
        )

    def stop(self, lease_id: str, *, grace_s: float, signal: str = "TERM") -> None:
        """Ask the work to end, and end it by force after `grace_s`."""
        if self._place(lease_id).exists():
            wish = {"grace_s": grace_s, "signal": signal.removeprefix("SIG")}
            write_whole(self._place(lease_id) / STOP, json.dumps(wish))

    def orphans(self, known: set[str]) -> list[str]:
        """Attempts with files here that the agent does not know."""
        return [place.name for place in self._attempts.iterdir() if place.name not in known]

    def logs(self, lease_id: str, *, offset: int, size: int) -> bytes:
        """The log from `offset` on."""
        try:
            with (self._place(lease_id) / "log").open("rb") as log:
                log.seek(offset)
                return log.read(size)
        except FileNotFoundError:
            return b""

    def usage(self, lease_id: str) -> Usage:
        """The shim's last measure."""
        status = read_json(self._place(lease_id) / STATUS)
        return Usage() if status is None else Usage(**{name: status[name] for name in Usage.__slots__})

    def folder(self, lease_id: str) -> Path:
        """The work folder."""
        return self._place(lease_id) / "work"

    def forget(self, lease_id: str) -> None:
        """Remove the files and the control groups of an attempt that has ended."""
        place = self._place(lease_id)
        shim = self._shims.pop(lease_id, None)
        if shim is not None:
            shim.wait()
        plan = read_json(place / "plan.json")
        group = group_from(plan["cgroup"]) if plan else None
        if group is not None:
            for pid in group.members() or []:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            group.remove()
        shutil.rmtree(place, ignore_errors=True)

    def _place(self, lease_id: str) -> Path:
        return self._attempts / lease_id

    def _shim_lives(self, lease_id: str) -> bool:
        """A living shim holds a lock on its file; a child of ours is also asked for, since it may not have begun."""
        shim = self._shims.get(lease_id)
        if shim is not None:
            return shim.poll() is None
        try:
            lock = os.open(self._place(lease_id) / "shim.lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _shim_error(self, place: Path) -> str:
        try:
            lines = (place / "shim.err").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except FileNotFoundError:
            lines = []
        return lines[-1] if lines else "the process that held the work was killed"

    def _write_scripts(self, folder: Path, lease: Lease) -> None:
        shell, place = layout.shell(), str(folder) if self.runtime == "none" else layout.SCRIPTS
        tasks = lease.limits.pids + self._tasks_besides()
        lines = [
            f"ulimit {'-u' if shell.endswith('bash') else '-p'} {tasks} || exit 126",
            "printf s >&3",
            "exec 3>&- 4>&- 5>&-",
            f"if [ -s {place}/setup ]; then {shell} -e {place}/setup || exit $?; fi",
            f"exec {shell} -e {place}/run",
        ]
        for name, text in (("launch", "\n".join(lines)), ("setup", lease.setup or ""), ("run", lease.run)):
            (folder / name).write_text(text + "\n" if text else "", encoding="utf-8")
            (folder / name).chmod(0o644)

    def _tasks_besides(self) -> int:
        """Tasks that count against the same limit without being the work's.

        Linux counts by uid and, since 5.14, by user namespace: a uid or a namespace of its own starts from zero.
        """
        if self._as_root or (self.runtime != "none" and _linux_version() >= (5, 14)):
            return 0
        uid = os.getuid()
        owners = (
            entry.stat().st_uid for entry in Path("/proc").iterdir() if entry.name.isdigit() and look(int(entry.name))
        )
        return sum(owner == uid for owner in owners)

    def _plan(self, lease: Lease, place: Path, uid: int | None) -> dict[str, Any]:
        limits, egress = lease.limits, lease.network == "egress"
        memory_bytes, disk_bytes = limits.memory_mb * MEGABYTE, limits.disk_mb * MEGABYTE
        sandboxed = self.runtime != "none"
        prefix = layout.python_prefix()
        paths = {"work": str(place / "work"), "scripts": str(place / "script"), "etc": str(self._etc)}
        stage, paths, python = _staged(paths, prefix) if uid is not None and sandboxed else (None, paths, prefix)
        mounts = layout.mounts(
            **paths,
            python=(python, prefix) if python and prefix else None,
            egress=egress,
            tmp_bytes=min(256 * MEGABYTE, max(16 * MEGABYTE, memory_bytes // 4)),
        )
        sources = [mount.source for mount in mounts]
        scripts = layout.SCRIPTS if sandboxed else str(place / "script")
        return {
            "runtime": self.runtime,
            "argv": [layout.shell(), f"{scripts}/launch"],
            "env": _environment(lease, prefix if sandboxed else None, place=None if sandboxed else place / "work"),
            "mounts": layout.as_json(mounts) if sandboxed else [],
            "egress": egress,
            "seccomp": sandboxed,
            "uid": uid,
            "stage": stage,
            "root_at": f"{stage['at']}/root" if stage else layout.stage_for(sources) if sandboxed else None,
            "rlimits": self._rlimits(lease, memory_bytes, disk_bytes),
            "cgroup": self._cgroup(lease.id),
            "box": str(place / "work"),
            "wrappers": _WRAPPERS[self.runtime],
            "lease_s": lease.lease_s,
            "metered": limits.units == self._config.units and bool(readable_zones()),
            "limits": {
                "time_limit_s": limits.time_limit_s,
                "memory_bytes": memory_bytes,
                "disk_bytes": disk_bytes,
                "log_bytes": limits.log_bytes,
                "pids": limits.pids,
                "cpus": max(limits.cpus, 1),
            },
        }

    def _rlimits(self, lease: Lease, memory_bytes: int, disk_bytes: int) -> dict[str, int]:
        """Limits of each process. A control group or the watch holds memory exactly; DATA stops what outruns them."""
        limits = {
            "CORE": 0,
            "FSIZE": disk_bytes,
            "NOFILE": min(_OPEN_FILES, os.sysconf("SC_OPEN_MAX")),
            "CPU": lease.limits.longest_s * (os.cpu_count() or 1) + 60,
        }
        if "memory" not in self.delegated().folders:
            limits["DATA"] = 2 * memory_bytes + 512 * MEGABYTE
        return limits

    def delegated(self) -> Delegation:
        """The control groups this agent may use, looked up once."""
        if self._delegation is None:
            self._delegation = delegation()
        return self._delegation

    def _cgroup(self, lease_id: str) -> dict[str, Any] | None:
        found = self.delegated()
        if not found.folders:
            return None
        folders = {name: str(folder / f"joulemart-{lease_id}") for name, folder in found.folders.items()}
        return {"version": found.version, "folders": folders}


def _staged(paths: dict[str, str], prefix: str | None) -> tuple[dict[str, Any], dict[str, str], str | None]:
    """The plan of a bridge over closed folders (see `child`), and where everything lies beyond it."""
    wanted = {**paths, **({"python": prefix} if prefix else {})}
    at = layout.stage_for(wanted.values())
    binds = [layout.Bind(source, name) for name, source in wanted.items()]
    beyond = {name: f"{at}/{name}" for name in paths}
    return {"at": at, "binds": layout.as_json(binds)}, beyond, f"{at}/python" if prefix else None


def _hand_over(folder: Path, uid: int | None) -> None:
    """Give the folder with the inputs in it to the uid of the work."""
    if uid is None:
        return
    for place, _, files in os.walk(folder):
        os.chown(place, uid, uid)
        for name in files:
            os.chown(Path(place) / name, uid, uid, follow_symlinks=False)


def _environment(lease: Lease, prefix: str | None, *, place: Path | None) -> dict[str, str]:
    """What the work finds in its environment: ours first, so that the buyer's own values win."""
    home = str(place) if place else layout.WORKSPACE
    ours = {
        "PATH": layout.search_path(prefix),
        "HOME": home,
        "PWD": home,
        "USER": "job",
        "LANG": "C.UTF-8",
        "TMPDIR": home if place else "/tmp",  # noqa: S108 - the sandbox's own
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(max(1, min(lease.limits.cpus, os.cpu_count() or 1))),
        "JOULEMART_JOB": lease.job,
        "JOULEMART_ATTEMPT": lease.attempt,
        "JOULEMART_ATTEMPT_NUMBER": str(lease.number),
        "JOULEMART_UNITS": str(lease.limits.units),
        "JOULEMART_CPUS": str(lease.limits.cpus),
    }
    return ours | {name: value for name, value in lease.env.items() if name and "=" not in name}


def _shim_command(place: Path) -> list[str]:
    start = f"import sys; sys.path.insert(0, {CODE!r}); from agent.engines.shim import main; main({str(place)!r})"
    return [sys.executable, "-I", "-S", "-c", start]


def _linux_version() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int("".join(digit for digit in minor if digit.isdigit()) or 0)
