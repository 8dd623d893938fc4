"""What work sees inside its sandbox: one list of mounts that both runtimes build."""

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

WORKSPACE = "/workspace"
SCRIPTS = "/run/joulemart"
INSIDE_ID = 1000
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_FROM_ETC = (
    "alternatives",
    "ld.so.cache",
    "localtime",
    "ssl",
    "ca-certificates",
    "pki",
    "crypto-policies",
    "mime.types",
)
_FROM_ETC_WITH_NETWORK = ("resolv.conf", "services", "protocols")
_ETC = {
    "passwd": f"job:x:{INSIDE_ID}:{INSIDE_ID}::{WORKSPACE}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "group": f"job:x:{INSIDE_ID}:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_STAGES = ("/mnt", "/media", "/srv")


@dataclass(frozen=True, slots=True)
class Mount:
    """One entry of the sandbox: a read-only or writable bind, a symlink, or a memory disk of `size` bytes."""

    kind: Literal["ro", "rw", "link", "tmpfs"]
    source: str
    target: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder brought within reach of an unprivileged uid, in a private mount namespace made by root."""

    source: str
    name: str


def write_etc(folder: Path) -> None:
    """The few files of /etc that are ours, the same for all work."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    for name, content in _ETC.items():
        (folder / name).write_text(content, encoding="ascii")
        (folder / name).chmod(0o644)


def python_prefix() -> str | None:
    """Where the running interpreter lives, unless that is part of the system's own /usr."""
    prefix = os.path.realpath(sys.base_prefix)
    return None if prefix == "/usr" or prefix.startswith("/usr/") else prefix


def shell() -> str:
    """The shell that runs the work."""
    return "/bin/bash" if shutil.which("bash", path="/bin:/usr/bin") else "/bin/sh"


def search_path(prefix: str | None) -> str:
    """PATH inside the sandbox: the agent's own interpreter first, so that `python3` is one that surely works."""
    places = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"]
    return ":".join([f"{prefix}/bin", *places] if prefix else places)


def mounts(
    *, work: str, scripts: str, etc: str, python: tuple[str, str] | None, egress: bool, tmp_bytes: int
) -> list[Mount]:
    """All mounts in order. `python` is (where its prefix can be read, where it belongs inside)."""
    wanted = [Mount("ro", "/usr", "/usr"), *_system_folders()]
    wanted += [Mount("ro", f"/etc/{name}", f"/etc/{name}") for name in _etc_names(egress=egress)]
    wanted += [Mount("ro", f"{etc}/{name}", f"/etc/{name}") for name in _ETC]
    wanted += [
        Mount("tmpfs", "", "/tmp", tmp_bytes),  # noqa: S108 - the sandbox's own
        Mount("tmpfs", "", "/dev/shm", tmp_bytes),  # noqa: S108 - the sandbox's own
        Mount("ro", scripts, SCRIPTS),
        Mount("rw", work, WORKSPACE),
    ]
    return wanted + ([Mount("ro", *python)] if python else [])


def _system_folders() -> Iterable[Mount]:
    for name in _SYSTEM:
        folder = Path("/") / name
        if folder.is_symlink():
            yield Mount("link", str(folder.readlink()), f"/{name}")
        elif folder.is_dir():
            yield Mount("ro", str(folder), f"/{name}")


def _etc_names(*, egress: bool) -> list[str]:
    names = _FROM_ETC + (_FROM_ETC_WITH_NETWORK if egress else ())
    return [name for name in names if (Path("/etc") / name).exists()]


def stage_for(sources: Iterable[str]) -> str:
    """A folder of the system to build on, in a private mount namespace, that hides none of `sources`.

    Raises FileNotFoundError where the machine has none.
    """
    taken = list(sources)
    for stage in _STAGES:
        if Path(stage).is_dir() and not any(source == stage or source.startswith(f"{stage}/") for source in taken):
            return stage
    raise FileNotFoundError("none of /mnt, /media and /srv can be used; make an empty /mnt")


def as_json(items: Iterable[Mount | Bind]) -> list[dict[str, Any]]:
    """The list as the plan of an attempt stores it."""
    return [asdict(item) for item in items]


def bwrap_options(wanted: Iterable[Mount], *, egress: bool, seccomp_fd: int | None) -> list[str]:
    """The options of `bwrap` for these mounts; everything not named does not exist inside."""
    options = ["--unshare-user", "--unshare-all", *(["--share-net"] if egress else [])]
    options += ["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv", "--hostname", "joulemart"]
    options += ["--uid", str(INSIDE_ID), "--gid", str(INSIDE_ID), "--proc", "/proc", "--dev", "/dev"]
    for mount in wanted:
        options += _bwrap_mount(mount)
    # Memory disks of no stated size would be a way around the limits: close the ones bwrap makes by itself.
    options += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORKSPACE]
    return options + ([] if seccomp_fd is None else ["--seccomp", str(seccomp_fd)])


def _bwrap_mount(mount: Mount) -> list[str]:
    match mount.kind:
        case "ro":
            return ["--ro-bind", mount.source, mount.target]
        case "rw":
            return ["--bind", mount.source, mount.target]
        case "link":
            return ["--symlink", mount.source, mount.target]
        case "tmpfs":
            return ["--perms", "1777", "--size", str(mount.size), "--tmpfs", mount.target]
