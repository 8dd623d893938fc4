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


class PromiseTooLow(DomainError):
    """Less of the energy can be promised than the buyer wants at least."""

    code = "promise_too_low"

    def __init__(self, *, best_percent: int, asked_percent: int) -> None:
        super().__init__(
            f"at most {best_percent} % can be promised to be matched by the hour",
            hint=f"ask for {best_percent} % or less, for other hours, or for a site with plants of its own",
            best_percent=best_percent, asked_percent=asked_percent,
        )  # fmt: skip


class ReceiptNumberTooLarge(DomainError):
    """A receipt would need a number that JSON cannot hold exactly (2^53 or more)."""

    code = "receipt_number_too_large"


class StatementRangeMismatch(DomainError):
    """A registry's statement names other Wh than those that were reserved."""

    code = "statement_range_mismatch"


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
