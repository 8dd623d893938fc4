"""The heartbeat of one lease: it keeps the lease, learns of a cancellation, and tells the engine how long to go on."""

import logging
import threading
from collections.abc import Callable, Mapping

from agent.clock import boot_seconds
from agent.engines.base import Engine
from agent.protocol import Backoff, Fenced, Market, ProtocolError
from agent.wire import Beat, Cancel, Lease, Phase, Usage

Sign = Callable[[Usage], Mapping[str, str]]

log = logging.getLogger(__name__)

PART_OF_LEASE = 2 / 3  # without a renewal for this part of a lease the work is paused


class Heart:
    """Beats in a thread of its own, so that no slow transfer can cost the lease.

    `until` is the boot time up to which the work may run; None for work taken up again, whose engine knows better
    until a heartbeat is accepted. `time_limit_s` is how long it may run in all, which may grow. `changed` is set when
    `cancel` or `fenced` gets a value. `sign` makes the signed line of what was used so far, for a marketplace that asks
    for one.
    """

    def __init__(self, *, market: Market, engine: Engine, lease: Lease, until: float | None, sign: Sign) -> None:
        self.phase: Phase = "starting"
        self.until = until
        self.time_limit_s = lease.limits.time_limit_s
        self.cancel: Cancel | None = None
        self.fenced: str | None = None
        self.changed = threading.Event()
        self._market = market
        self._engine = engine
        self._lease = lease
        self._sign = sign
        self._owes = False
        self._over = False
        self._due = threading.Event()
        self._notice: str | None = None
        self._silent = False
        self._thread = threading.Thread(target=self._run, name=f"heart {lease.id}", daemon=True)

    def start(self) -> None:
        """Begin to beat, at once."""
        self._thread.start()

    def enter(self, phase: Phase) -> None:
        """The attempt has come to a new phase: say so at once, since usage counts from the word `running` on."""
        if phase != self.phase:
            self.phase = phase
            self._due.set()

    def stop(self) -> None:
        """Beat no more."""
        self._over = True
        self._due.set()

    def _run(self) -> None:
        backoff = Backoff(first_s=0.5, most_s=self._lease.heartbeat_s)
        while not self._over:
            self._due.clear()
            sent = boot_seconds()
            try:
                beat = self._send()
            except Fenced as error:
                self.fenced = str(error)
                self.changed.set()
                return
            except ProtocolError as error:
                self._missed(error)
                self._due.wait(backoff.next_s())
            else:
                backoff.reset()
                self._take(beat, sent)
                self._due.wait(self._lease.heartbeat_s)

    def _send(self) -> Beat:
        usage = self._engine.usage(self._lease.id)
        timeout_s = max(1.0, min(10.0, self._lease.lease_s / 3))
        signed = self._sign(usage) if self._owes else None
        return self._market.heartbeat(
            self._lease, phase=self.phase, progress=None, usage=usage, signed=signed, timeout_s=timeout_s
        )

    def _take(self, beat: Beat, sent: float) -> None:
        if self._silent:
            self._silent = False
            log.info("Connected again; %s goes on", self._lease.name)
        # Counted from before the call left: the marketplace cannot have renewed any earlier.
        self.until = max(self.until or 0.0, sent + beat.lease_s * PART_OF_LEASE)
        self._follow_limit(beat.time_limit_s)
        self._renew()
        self._owes = beat.usage_due
        if beat.notice and beat.notice != self._notice:
            self._notice = beat.notice
            log.info("Notice for %s: %s", self._lease.name, beat.notice)
        if beat.cancel is not None and self.cancel is None:
            self.cancel = beat.cancel
            self.changed.set()

    def _follow_limit(self, time_limit_s: int) -> None:
        if time_limit_s > self.time_limit_s:
            self.time_limit_s = time_limit_s
            log.info("%s may run %d s now", self._lease.name, time_limit_s)

    def _missed(self, error: ProtocolError) -> None:
        self._renew()  # says only that the agent lives: `until` stays
        if not self._silent and boot_seconds() >= (self.until or 0.0):
            self._silent = True
            log.warning("%s is paused until the marketplace answers: %s", self._lease.name, error)

    def _renew(self) -> None:
        try:
            if self._engine.poll(self._lease.id).phase in {"starting", "running"}:
                self._engine.renew(self._lease.id, until=self.until, time_limit_s=self.time_limit_s)
        except OSError as error:
            log.error("%s cannot be told that its lease goes on: %s", self._lease.name, error)
