"""Which engine and sandbox this machine can really offer."""

import dataclasses
import os
import platform
import pwd
import shutil

from agent.config import MOST_AT_ONCE, Config
from agent.engines import seccomp
from agent.engines.base import Check
from agent.engines.cgroups import delegation
from agent.engines.process import ProcessEngine


def choose_engine(config: Config) -> tuple[ProcessEngine | None, list[Check]]:
    """The engine with the strongest sandbox that works here, and what was tried. None where none may be used."""
    wanted = ("bwrap", "unshare") if config.runtime == "auto" else (config.runtime,)
    uid = _uid_check(config)
    checks = [uid]
    chosen: ProcessEngine | None = None
    for runtime in wanted if uid.ok else ():
        engine = ProcessEngine(config, runtime=runtime)
        check = engine.probe()[0]
        checks.append(dataclasses.replace(check, needed=False))
        if check.ok:
            chosen = engine
            break
    checks.append(
        Check(
            name="engine",
            ok=chosen is not None,
            result=f"process, sandbox {chosen.runtime}" if chosen else "no sandbox of this configuration works here",
            mend="mend what is missing above; where every buyer is trusted: runtime = none with trusted = true",
        )
    )
    return chosen, checks


def feature_checks(config: Config) -> list[Check]:
    """What the engine makes use of where it is there; nothing of this is needed."""
    found = delegation()
    has = ", ".join(sorted(found.folders)) or "none"
    return [
        Check(
            name="control groups",
            ok={"memory", "pids"} <= set(found.folders),
            result=f"version {found.version}, delegated: {has}",
            mend="limits hold by rlimits and watching; for exact ones let systemd delegate (Delegate=yes)",
            needed=False,
        ),
        Check(
            name="system-call filter",
            ok=seccomp.program() is not None,
            result=platform.machine(),
            mend="known for x86_64 and aarch64 only; the sandbox works without",
            needed=False,
        ),
        _program_check("bash", "apt install bash; work runs by sh meanwhile"),
        *[ProcessEngine(config, runtime=runtime).probe()[0] for runtime in ("bwrap", "unshare")],
    ]


def _program_check(name: str, mend: str) -> Check:
    place = shutil.which(name)
    return Check(name=f"program {name}", ok=place is not None, result=place or "not installed", mend=mend, needed=False)


def _uid_check(config: Config) -> Check:
    """Work of root's agent needs uids that belong to nobody."""
    name = "work uid"
    if os.geteuid() != 0:
        return Check(name=name, ok=True, result=f"work runs as uid {os.getuid()}, like the agent, in a sandbox")
    base, most = config.work_uid_base, config.work_uid_base + MOST_AT_ONCE - 1
    taken = next((entry for entry in pwd.getpwall() if base <= entry.pw_uid <= most), None)
    if taken is None:
        return Check(name=name, ok=True, result=f"the agent is root; work runs as uid {base} to {most}")
    return Check(
        name=name,
        ok=False,
        result=f"uid {taken.pw_uid} belongs to {taken.pw_name}",
        mend="set work_uid_base to the first of a row of uids that no account has",
    )
