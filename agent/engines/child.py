"""The step from the shim to the work: private mounts, control group, limits, an unprivileged uid, then the sandbox."""

import contextlib
import fcntl
import os
import resource
import shutil
import signal
from pathlib import Path
from typing import Any

from agent.engines import kernel, layout, namespaces, seccomp
from agent.engines.cgroups import Group

MARK_FD, SECCOMP_FD, OPTIONS_FD = 3, 4, 5
_FIRST_FREE_FD = 10
NICENESS = 10
_IGNORED_BY_US = (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ)


def start(plan: dict[str, Any], *, folder: Path, group: Group | None, log_fd: int, mark_fd: int) -> int:
    """Fork the work of `plan`; its process id. It writes to `log_fd`, and to `mark_fd` once inside the sandbox."""
    pid = os.fork()
    if pid:
        return pid
    status = 126
    try:
        os.setsid()
        for number in _IGNORED_BY_US:
            signal.signal(number, signal.SIG_DFL)  # else the work would inherit that it is ignored
        _place_descriptors(plan, folder, log_fd, mark_fd)
        _give_up_rights(plan, group)
        status = _enter(plan)
    except Exception as error:  # noqa: BLE001 - a forked child tells and leaves, whatever it was
        os.write(2, f"sandbox: {error}\n".encode())
    finally:
        os._exit(status)


def _place_descriptors(plan: dict[str, Any], folder: Path, log_fd: int, mark_fd: int) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    wanted = {0: null, 1: log_fd, 2: log_fd, MARK_FD: mark_fd}
    if plan["runtime"] == "bwrap":
        options = layout.bwrap_options(
            _mounts(plan), egress=plan["egress"], seccomp_fd=SECCOMP_FD if plan["seccomp"] else None
        )
        options += [word for name, value in plan["env"].items() for word in ("--setenv", name, value)]
        if any("\0" in word for word in options):
            raise ValueError("the environment holds a NUL byte")  # it would end an option and begin another
        # Through a file, not the command line: the environment may hold what other users must not read.
        wanted[OPTIONS_FD] = _memory_file("options", b"".join(word.encode() + b"\0" for word in options))
        if plan["seccomp"]:
            wanted[SECCOMP_FD] = _memory_file("filter", seccomp.program() or b"")
    safe = {goal: fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE_FD) for goal, source in wanted.items()}
    for goal, source in safe.items():
        os.dup2(source, goal, inheritable=True)
    os.closerange(OPTIONS_FD + 1, 4096)


def _memory_file(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _mounts(plan: dict[str, Any]) -> list[layout.Mount]:
    return [layout.Mount(**row) for row in plan["mounts"]]


def _give_up_rights(plan: dict[str, Any], group: Group | None) -> None:
    if plan["stage"]:
        _stage(plan["stage"])
    if group is not None:
        group.join()
    _stand_back()
    for name, value in plan["rlimits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    if plan["uid"] is not None:
        os.setgroups([])
        os.setresgid(plan["uid"], plan["uid"], plan["uid"])
        os.setresuid(plan["uid"], plan["uid"], plan["uid"])
    os.umask(0o022)
    kernel.die_with_parent()


def _stand_back() -> None:
    """Work gets the processors that nobody else wants: the agent's heartbeats must come through when all are busy."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # where the kernel groups tasks by session, the group needs the word too
        Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")


def _stage(stage: dict[str, Any]) -> None:
    """Bring the folders of the work within reach of its uid, seen by this process and its children alone.

    The way to them may be closed to everybody else (a home folder, say); only root can make this bridge.
    """
    at = Path(stage["at"])
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.make_mounts_private()
    kernel.mount("tmpfs", str(at), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    (at / "root").mkdir(mode=0o755)
    for row in stage["binds"]:
        goal = at / row["name"]
        goal.mkdir(mode=0o755)
        kernel.bind(row["source"], str(goal), read_only=False)


def _enter(plan: dict[str, Any]) -> int:
    """Become the sandbox; comes back only from the one made by hand, with its exit status."""
    argv, env = plan["argv"], plan["env"]
    if plan["runtime"] == "bwrap":
        bwrap = shutil.which("bwrap") or "bwrap"
        os.execve(bwrap, [bwrap, "--args", str(OPTIONS_FD), "--", *argv], {})  # noqa: S606 - no shell is wanted
    if plan["runtime"] == "none":
        kernel.no_new_privileges()
        os.chdir(plan["box"])
        os.execve(argv[0], argv, env)  # noqa: S606 - no shell is wanted
    return namespaces.run(
        argv,
        env,
        mounts=_mounts(plan),
        at=plan["root_at"],
        egress=plan["egress"],
        seccomp=seccomp.program() if plan["seccomp"] else None,
    )
