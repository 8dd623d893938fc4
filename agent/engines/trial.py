"""A piece of work that does nothing, run all the way through: the only honest test of a sandbox."""

import os
import time

from agent.clock import boot_seconds
from agent.engines.base import Engine, EngineFailed
from agent.wire import Lease, Limits, Power

_TRIAL_S = 10.0


def run_nothing(engine: Engine) -> str:
    """Run it; empty once it ended well, else what went wrong."""
    lease = _nothing_to_do()
    try:
        engine.prepare(lease, slot=0)
        engine.submit(lease, slot=0, until=boot_seconds() + _TRIAL_S)
        return _wait(engine, lease)
    except (OSError, EngineFailed) as error:
        return str(error)
    finally:
        engine.stop(lease.id, grace_s=0)
        _wait(engine, lease)
        engine.forget(lease.id)


def _wait(engine: Engine, lease: Lease) -> str:
    """Empty once the work ended well; else what went wrong."""
    until = boot_seconds() + _TRIAL_S
    while (stand := engine.poll(lease.id)).phase in {"starting", "running"}:
        if boot_seconds() > until:
            return "the work did not end"
        time.sleep(0.02)
    if stand.cause == "exit" and stand.exit_code == 0:
        return ""
    return stand.note or f"it ended with {stand.cause} {stand.exit_code}"


def _nothing_to_do() -> Lease:
    megabytes = 64
    return Lease(
        id=f"trial-{os.getpid()}",
        epoch=0,
        attempt="trial",
        job="trial",
        number=1,
        name="trial",
        lease_s=_TRIAL_S,
        heartbeat_s=_TRIAL_S,
        run="true",
        setup=None,
        env={},
        image=None,
        network="none",
        outputs=(),
        checkpoint=None,
        inputs=(),
        limits=Limits(
            time_limit_s=int(_TRIAL_S),
            longest_s=int(_TRIAL_S),
            units=1,
            cpus=1,
            memory_mb=4 * megabytes,
            disk_mb=megabytes,
            pids=32,
            log_bytes=megabytes * 1024,
            output_bytes=0,
        ),
        power=Power(idle_w=0, max_w=0),
    )
