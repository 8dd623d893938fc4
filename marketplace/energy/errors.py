"""What energy refuses, with its facts."""

from marketplace.common.errors import DomainError


class NoHistory(DomainError):
    """A zone has too few published hours to say or forecast anything about the hours asked for."""

    code = "unavailable"

    def __init__(self, zone: str) -> None:
        super().__init__(
            f"too few hours of grid zone {zone} are known to tell or forecast the hours asked for",
            hint=f"import recent hours of {zone}: manage.py import_grid FILE --zones {zone}",
            zone=zone,
        )


class WrongImport(DomainError):
    """A file cannot be read at all: too large, no such kind."""

    code = "validation_failed"
