"""What goes wrong at a sandbox on purpose, the same way again for the same seed (`SANDBOX_FAULTS`).

`seed=7,dup=.1,shuffle=1,delay=3d,timeout=.05,http500=.02`: `dup`, `shuffle` and `drop` are the shares of webhooks that
are sent twice, overtaken by later ones, or never sent; `delay` is the longest wait of a webhook; `timeout` and
`http500` are the shares of calls that get no answer or a server error, half of them after they took effect;
`refund_fails` is the share of refunds that the bank sends back later. A seed repeats the faults of one process, not how
processes interleave.
"""

import re
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from hashlib import sha256
from itertools import count

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
WHOLE = 10**9
SHUFFLED_S = 60


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares in billionths, the longest delay in seconds."""

    seed: int = 0
    dup: int = 0
    shuffle: int = 0
    drop: int = 0
    delay: int = 0
    timeout: int = 0
    http500: int = 0
    refund_fails: int = 0


NONE = Faults()
SHARES = {field.name for field in fields(Faults)} - {"seed", "delay"}


@dataclass(frozen=True, slots=True)
class CallFault:
    """A call that ends without its answer: `kind` is timeout or http500; `took_effect` says whether it was done."""

    kind: str
    took_effect: bool


def read_faults(text: str) -> Faults:
    """The faults that `text` names. Raises ValueError for what cannot be read."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name in found:
            raise ValueError(f"{name} is there twice")
        found[name] = _value(name, value)
    return Faults(**found)


def _value(name: str, value: str) -> int:
    if name == "seed" and re.fullmatch(r"\d{1,18}", value, re.ASCII):
        return int(value)
    if name == "delay" and (span := re.fullmatch(r"(\d{1,6})([smhd])", value, re.ASCII)):
        return int(span[1]) * UNITS[span[2]]
    if name in SHARES and (share := re.fullmatch(r"(0|1)?(?:\.(\d{1,9}))?", value, re.ASCII)) and value:
        billionths = int(share[1] or 0) * WHOLE + int((share[2] or "").ljust(9, "0"))
        if billionths <= WHOLE:
            return billionths
    known = ", ".join(sorted(SHARES))
    raise ValueError(f"{name}={value} is no fault: seed=7, delay=3d, and from 0 to 1 the shares {known}")


class Dice:
    """Draws of one process, in the order of its calls: equal for equal seeds."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._calls, self._webhooks, self._refunds = count(), count(), count()

    def call(self) -> CallFault | None:
        """What happens to the next call; None: nothing."""
        number = next(self._calls)
        for kind, share in (("timeout", self.faults.timeout), ("http500", self.faults.http500)):
            if self._falls(share, kind, number):
                return CallFault(kind, took_effect=self._drawn(f"{kind}-effect", number) % 2 == 0)
        return None

    def webhook(self) -> list[timedelta]:
        """How long each copy of the next webhook waits; none: it is never sent."""
        number = next(self._webhooks)
        if self._falls(self.faults.drop, "drop", number):
            return []
        copies = 2 if self._falls(self.faults.dup, "dup", number) else 1
        return [self._wait(f"{number}-{copy}") for copy in range(copies)]

    def refund_fails(self) -> bool:
        """Whether the bank sends the next refund back."""
        return self._falls(self.faults.refund_fails, "refund", next(self._refunds))

    def _wait(self, which: str) -> timedelta:
        shuffled = SHUFFLED_S * 1000 if self._falls(self.faults.shuffle, "shuffle", which) else 0
        most_ms = self.faults.delay * 1000 + shuffled
        return timedelta(milliseconds=self._drawn("wait", which) * most_ms // WHOLE)

    def _falls(self, share: int, *name: object) -> bool:
        return self._drawn(*name) < share

    def _drawn(self, *name: object) -> int:
        digest = sha256("/".join(map(str, (self.faults.seed, *name))).encode()).digest()
        return int.from_bytes(digest[:8]) % WHOLE


@cache
def dice_of(faults: Faults) -> Dice:
    """The one pair of dice that this process throws for these faults."""
    return Dice(faults)
