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


class StorageExceedsInput(DomainError):
    """More would come out of a store than its efficiency leaves of the certified energy that went in before."""

    code = "storage_exceeds_input"

    def __init__(self, *, asked_wh: int, most_wh: int) -> None:
        super().__init__(
            f"{asked_wh} Wh were asked for; of what went in before and is certified {most_wh} Wh come out",
            hint=str(most_wh), asked_wh=asked_wh, most_wh=most_wh,
        )  # fmt: skip


class NotTheReviewer(DomainError):
    """Whoever decides on evidence is an auditor or operator, and no member of the organization that it is of."""

    code = "role_missing"
