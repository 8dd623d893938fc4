"""The log on its way to the marketplace: by offset, so that nothing is lost and nothing comes twice."""

from agent.clock import boot_seconds
from agent.engines.base import Engine
from agent.protocol import CHUNK_BYTES, Backoff, Market, Unreachable
from agent.wire import Lease


class LogShip:
    """Sends what the engine has kept. After a restart it starts at zero; the marketplace answers where it stands."""

    def __init__(self, *, market: Market, engine: Engine, lease: Lease) -> None:
        self.offset = 0
        self._market = market
        self._engine = engine
        self._lease = lease
        self._full = False
        self._backoff = Backoff(first_s=0.2, most_s=5.0)
        self._not_before = 0.0

    def send_some(self) -> bool:
        """Send one chunk if there is one and the network has had its rest; True if more may wait. Raises Fenced."""
        if boot_seconds() < self._not_before:
            return False
        try:
            return self.send()
        except Unreachable as error:
            self._not_before = boot_seconds() + self._backoff.next_s(error)
            return False

    def send(self, *, last: bool = False) -> bool:
        """Send one chunk; True if more may wait. `last` says that nothing will be added. Raises ProtocolError."""
        data = b"" if self._full else self._engine.logs(self._lease.id, offset=self.offset, size=CHUNK_BYTES)
        if not last:
            data = whole_characters(data)
        if not data:
            return False
        timeout_s = max(1.0, min(10.0, self._lease.lease_s / 3))
        before = self.offset
        self.offset, self._full = self._market.log(self._lease, offset=before, data=data, timeout_s=timeout_s)
        self._backoff.reset()
        return self.offset != before


def whole_characters(data: bytes) -> bytes:
    """`data` without the beginning of a UTF-8 character at its end, which comes with the next chunk."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return data[:-back] if length > back else data
    return data
