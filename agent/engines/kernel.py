"""The few calls of the Linux kernel that Python 3.11 does not offer: namespaces, mounts, process attributes."""

import ctypes
import os
import platform
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP = 1, 4, 22
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_SECCOMP_MODE_FILTER = 2
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
# statvfs(3) and mount(2) number some flags differently; a bind of a less privileged owner must keep them all.
_KEPT_FLAGS = {os.ST_NOSUID: 2, os.ST_NODEV: 4, os.ST_NOEXEC: 8, os.ST_NOATIME: 1024, os.ST_NODIRATIME: 2048}
_RELATIME = (os.ST_RELATIME, 1 << 21)

_libc: Any = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _checked(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount, as mount(2)."""
    _checked(
        _libc.mount(
            source.encode(),
            target.encode(),
            kind.encode() if kind else None,
            ctypes.c_ulong(flags),
            options.encode() or None,
        ),
        f"mount {target}",
    )


def make_mounts_private() -> None:
    """Nothing mounted from here on is seen outside."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def bind(source: str, target: str, *, read_only: bool) -> None:
    """Show `source` at `target`, which exists; with all that is mounted below it."""
    mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        for place in _mounts_at_and_below(target):
            flags = os.statvfs(place).f_flag
            kept = sum(bit for seen, bit in (*_KEPT_FLAGS.items(), _RELATIME) if flags & seen)
            mount("none", place, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def _mounts_at_and_below(target: str) -> list[str]:
    """Mount points at `target` and under it: a read-only flag holds for one mount, not for those on it."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    places = {line.split()[4].replace("\\040", " ") for line in lines}
    return sorted(place for place in places if place == target or place.startswith(f"{target}/"))


def pivot_root(folder: str) -> None:
    """Make `folder` the root and let go of the old one."""
    os.chdir(folder)
    _checked(_libc.syscall(_PIVOT_ROOT[platform.machine()], b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")


def die_with_parent() -> None:
    """Get SIGKILL when the parent ends; set it after the last change of uid, which clears it."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Become the parent of every process below us that loses its own."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def own_proc_again() -> None:
    """After a change of uid: own /proc/self once more, to write the uid map there."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")


def no_new_privileges() -> None:
    """No program started from here on can gain rights by its set-uid bit."""
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def filter_calls(program: bytes) -> None:
    """Load a seccomp filter (see `seccomp.program`); needs no_new_privileges first."""

    class _Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]

    loaded = _Filter(len(program) // 8, program)
    _checked(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(loaded), 0, 0), "seccomp")


def map_ids(*, inside: int, uid: int, gid: int) -> None:
    """Map one uid and gid into the new user namespace we are in."""
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{inside} {uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{inside} {gid} 1", encoding="ascii")
