"""The sandbox where bubblewrap is missing: the same mounts and namespaces, made by hand.

The process that calls `run` becomes a monitor. Below it runs the first process of a new PID namespace, which adopts
and reaps orphans, and below that the work, without a capability and without a way to get one. Nothing is imported on
the way: the code's own folder may be out of reach of the uid.
"""

import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.engines import kernel
from agent.engines.layout import INSIDE_ID, WORKSPACE, Mount

_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1


def run(
    argv: list[str], env: dict[str, str], *, mounts: Iterable[Mount], at: str, egress: bool, seccomp: bytes | None
) -> int:
    """Run `argv` in the sandbox, whose root is built on the folder `at`; its exit status, 128 + signal if killed.

    Raises OSError where the kernel refuses a step.
    """
    uid, gid = os.getuid(), os.getgid()
    namespaces = kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC
    namespaces |= kernel.CLONE_NEWUTS | kernel.CLONE_NEWCGROUP | (0 if egress else kernel.CLONE_NEWNET)
    kernel.own_proc_again()
    kernel.unshare(namespaces)
    kernel.map_ids(inside=INSIDE_ID, uid=uid, gid=gid)
    kernel.make_mounts_private()
    _build(Path(at), list(mounts))
    if not egress:
        _raise_loopback()
    kernel.no_new_privileges()
    first = os.fork()
    if first == 0:
        _guarded(lambda: _first_process(argv, env, at=at, seccomp=seccomp))
    kernel.die_with_parent()
    return _status_of(first)


def _first_process(argv: list[str], env: dict[str, str], *, at: str, seccomp: bytes | None) -> int:
    kernel.die_with_parent()
    kernel.mount("proc", f"{at}/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.pivot_root(at)
    kernel.mount("none", "/", None, kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY)
    work = os.fork()
    if work == 0:
        _guarded(lambda: _work(argv, env, seccomp))
    os.close(3)
    return _status_of(work)


def _work(argv: list[str], env: dict[str, str], seccomp: bytes | None) -> int:
    os.setsid()
    os.chdir(WORKSPACE)
    if seccomp is not None:
        kernel.filter_calls(seccomp)
    os.execve(argv[0], argv, env)  # noqa: S606 - no shell is wanted between


def _guarded(step: Callable[[], int]) -> None:
    """Run `step` in a fresh child and leave: nothing of the parent's stack may run twice."""
    status = 126
    try:
        status = step()
    except Exception as error:  # noqa: BLE001 - a forked child tells and leaves, whatever it was
        os.write(2, f"sandbox: {error}\n".encode())
    finally:
        os._exit(status)


def _status_of(wanted: int) -> int:
    """Reap every child until `wanted` ends."""
    while True:
        pid, status = os.wait()
        if pid == wanted:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _build(root: Path, mounts: list[Mount]) -> None:
    """Build the new root; sources are opened first, since the root may hide them."""
    sources = {
        mount.target: os.open(mount.source, os.O_PATH | os.O_CLOEXEC) for mount in mounts if mount.kind in {"ro", "rw"}
    }
    devices = {name: os.open(f"/dev/{name}", os.O_PATH | os.O_CLOEXEC) for name in _DEVICES}
    kernel.mount("tmpfs", str(root), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=1m,mode=755")
    for name in ("proc", "dev"):
        (root / name).mkdir()
    _build_dev(root / "dev", devices)
    for mount in mounts:
        target = root / mount.target.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if mount.kind == "link":
            target.symlink_to(mount.source)
        elif mount.kind == "tmpfs":
            target.mkdir(exist_ok=True)
            flags = kernel.MS_NOSUID | kernel.MS_NODEV
            kernel.mount("tmpfs", str(target), "tmpfs", flags, f"size={mount.size},mode=1777")
        else:
            _bind(sources[mount.target], target, read_only=mount.kind == "ro")
    for descriptor in (*sources.values(), *devices.values()):
        os.close(descriptor)


def _bind(source: int, target: Path, *, read_only: bool) -> None:
    path = f"/proc/self/fd/{source}"
    if Path(path).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.touch()
    kernel.bind(path, str(target), read_only=read_only)


def _build_dev(folder: Path, devices: dict[str, int]) -> None:
    for name, descriptor in devices.items():
        _bind(descriptor, folder / name, read_only=False)
    for name, goal in _LINKS.items():
        (folder / name).symlink_to(goal)


def _raise_loopback() -> None:
    """Inside its own network namespace the work may talk to itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
