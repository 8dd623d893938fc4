"""The agent as a whole: registers, waits for work, carries up to `units` of it at once, survives its own restart."""

import fcntl
import logging
import os
import platform
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent import __version__
from agent.attempt import Attempt
from agent.clock import boot_seconds
from agent.config import MOST_AT_ONCE, Config
from agent.devices import devices
from agent.engines.base import Engine
from agent.protocol import Backoff, KeyRefused, Market, ProtocolError, Refused, Registration, Unreachable
from agent.state import Held, State, StateFailed
from agent.wire import BadLease, parse_lease

log = logging.getLogger(__name__)

_FREE_DISK_BYTES = 256 * 1024 * 1024
_LONGEST_POLL_S = 25.0
_QUICK_S = 0.5
_MOST_A_CALL = 32
_CLOSING_S = 6.5
_REFUSED_REST_S = 15.0


class AgentFailed(Exception):
    """The agent cannot go on; the message says why and what to do."""


class Supervisor:
    """Runs until `stop` is set or the marketplace refuses the agent."""

    def __init__(self, *, config: Config, market: Market, engine: Engine, stop: threading.Event) -> None:
        self._config = config
        self._market = market
        self._engine = engine
        self._stop = stop
        self._lock_file = _only_agent_of(config.state)
        self._state = State(config.state)
        self._attempts: dict[str, Attempt] = {}
        self._changed = threading.Condition(threading.RLock())
        self._poll_backoff = Backoff(most_s=5.0)
        self._failure: AgentFailed | None = None

    def run(self) -> None:
        """Work until told to stop. Raises AgentFailed."""
        threading.excepthook = self._thread_died
        self._take_up_again()
        threading.Thread(target=self._seek_work, name="seek work", daemon=True).start()
        self._stop.wait()
        self._close()
        if self._failure is not None:
            raise self._failure

    def _thread_died(self, died: threading.ExceptHookArgs) -> None:
        """A part that fails takes the agent down with a word: the next start takes all work up again."""
        threading.__excepthook__(died)
        self._failure = AgentFailed(f"a part of the agent failed ({died.exc_value!r}); start it again")
        self._stop.set()

    def _take_up_again(self) -> None:
        """Go on with every lease of an earlier run; work nobody knows any more is ended."""
        held = self._state.held()
        for lease_id in self._engine.orphans({one.lease.id for one in held}):
            self._engine.stop(lease_id, grace_s=0)
            while self._engine.poll(lease_id).phase in {"starting", "running"}:
                time.sleep(0.05)
            self._engine.forget(lease_id)
        for one in held:
            self._begin(one)

    def _seek_work(self) -> None:
        try:
            site = self._register()
            while site is not None and not self._stop.is_set():
                self._seek_once(site.agent, min(_LONGEST_POLL_S, max(1.0, site.poll_s)))
        except AgentFailed as error:
            self._failure = error
            self._stop.set()

    def _register(self) -> Registration | None:
        """Introduce this machine, as often as it takes; None when told to stop meanwhile.

        Raises AgentFailed where the marketplace says no.
        """
        backoff = Backoff()
        told = False
        while not self._stop.is_set():
            try:
                answer = self._market.register(registration(self._config, self._state, self._engine))
            except Unreachable as error:
                if not told:
                    log.warning("Waiting for %s: %s", self._config.url, error)
                    told = True
                self._stop.wait(backoff.next_s(error))
            except (KeyRefused, Refused) as error:
                raise AgentFailed(
                    f"{self._config.url} refuses this agent: {error}. Check key (JOULEMART_AGENT_KEY) and url."
                ) from error
            else:
                log.info("Connected to %s as %s, for %s", self._config.url, self._config.name, answer.site_name)
                if abs(answer.clock_skew_s) > 2:
                    log.info("This machine's clock is %+.0f s off; leases do not depend on it", answer.clock_skew_s)
                log.info("Waiting for work: %d of %d units free", self._free_units(), self._config.units)
                return answer
        return None

    def _seek_once(self, agent: str, wait_s: float) -> None:
        free = self._wait_for_room()
        if free == 0:
            return
        begun = boot_seconds()
        try:
            with self._changed:
                holds = set(self._attempts)
            bodies = self._market.leases(agent=agent, most=min(free, _MOST_A_CALL), wait_s=wait_s, holds=holds)
        except (KeyRefused, Refused) as error:
            log.error("The marketplace gives no work: %s", error)
            self._stop.wait(_REFUSED_REST_S)
        except ProtocolError as error:
            self._stop.wait(self._poll_backoff.next_s(error if isinstance(error, Unreachable) else None))
        else:
            self._poll_backoff.reset()
            for body in bodies:
                self._accept(body)
            if not bodies and boot_seconds() - begun < _QUICK_S:
                self._stop.wait(_QUICK_S)  # it answers at once: do not knock without a rest

    def _wait_for_room(self) -> int:
        """Free units once there are some; 0 when it is time to look around."""
        with self._changed:
            if self._free_units() <= 0:
                self._changed.wait(1.0)
                return 0
        if shutil.disk_usage(self._config.state).free < _FREE_DISK_BYTES:
            log.warning("No new work: less than 256 MB free at %s", self._config.state)
            self._stop.wait(30)
            return 0
        return self._free_units()

    def _free_units(self) -> int:
        with self._changed:
            used = sum(max(1, attempt.lease.limits.units) for attempt in self._attempts.values())
            return max(0, self._config.units - used) if len(self._attempts) < MOST_AT_ONCE else 0

    def _accept(self, body: Mapping[str, Any]) -> None:
        try:
            lease = parse_lease(body)
            with self._changed:
                slot = self._free_slot()
            if self._stop.is_set() or lease.id in self._attempts or not self._state.hold(lease, body, slot=slot):
                return
        except BadLease as error:
            log.error("A lease cannot be read and is left to expire: %s", error)
        except StateFailed as error:
            log.error("A lease cannot be kept and is left to expire: %s", error)
        else:
            self._begin(Held(lease=lease, slot=slot, finish=None))

    def _free_slot(self) -> int:
        taken = {attempt.held.slot for attempt in self._attempts.values()}
        return next(slot for slot in range(MOST_AT_ONCE) if slot not in taken)

    def _begin(self, held: Held) -> None:
        attempt = Attempt(held=held, market=self._market, engine=self._engine, state=self._state, on_over=self._over)
        with self._changed:
            self._attempts[held.lease.id] = attempt
        attempt.start()

    def _over(self, attempt: Attempt) -> None:
        with self._changed:
            self._attempts.pop(attempt.lease.id, None)
            self._changed.notify_all()

    def _close(self) -> None:
        """Hand running work back, or leave it, as the configuration says."""
        with self._changed:
            attempts = list(self._attempts.values())
        for attempt in attempts:
            attempt.close("keep" if self._failure is not None else self._config.on_stop)
        until = boot_seconds() + _CLOSING_S
        for attempt in attempts:
            attempt.join(max(0.0, until - boot_seconds()))
        os.close(self._lock_file)


def registration(config: Config, state: State, engine: Engine) -> dict[str, Any]:
    """What the agent says of itself."""
    return {
        "name": config.name,
        "engine": engine.name,
        "version": __version__,
        "platform": {
            "os": platform.system().lower(),
            "arch": platform.machine(),
            "python": platform.python_version(),
        },
        "devices": devices(),
        "units": config.units,
        **state.public_keys(),
        "clock": time.time(),
    }


def _only_agent_of(folder: Path) -> int:
    """Hold the state folder for this process alone. Raises AgentFailed where another agent has it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    lock = os.open(folder / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise AgentFailed(f"another agent runs with the state folder {folder}; give this one its own state") from error
    return lock
