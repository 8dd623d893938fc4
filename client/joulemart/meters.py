"""`client.meters`: what the meters of your points, plants and stores said."""

from pathlib import Path

from . import calls
from .meter_objects import MeterImport
from .transport import Transport


class Meters:
    """Meters of the organization that the key belongs to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def push(self, file: Path, *, dry_run: bool = False) -> MeterImport:
        """Import a CSV file of readings, plain or gzipped; the same file again gives the first result.

        Raises Invalid when anything in it is wrong: `errors` names line, column (the heading), code and mend of the
        first hundred faults, `facts["faults"]` their number, and nothing is imported.
        """
        return self._transport.fetch(calls.push_meters(file.name, file.read_bytes(), dry_run=dry_run))
