"""`client.meters` of `AsyncClient`: what the meters of your points, plants and stores said."""

import asyncio
from pathlib import Path

from . import calls
from .aio_transport import AsyncTransport
from .meter_objects import MeterImport


class AsyncMeters:
    """Meters of the organization that the key belongs to."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def push(self, file: Path, *, dry_run: bool = False) -> MeterImport:
        """Import a CSV file of readings, plain or gzipped; the same file again gives the first result.

        Raises Invalid when anything in it is wrong: `errors` names line, column (the heading), code and mend of the
        first hundred faults, `facts["faults"]` their number, and nothing is imported.
        """
        content = await asyncio.to_thread(file.read_bytes)
        return await self._transport.fetch(calls.push_meters(file.name, content, dry_run=dry_run))
