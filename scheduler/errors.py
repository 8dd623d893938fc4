"""What the scheduler refuses, with the facts."""

from typing import Any

from marketplace.common.errors import DomainError


class LeaseFenced(DomainError):
    """The lease ended or another epoch holds it; nothing was written."""

    code = "lease_fenced"

    def __init__(self, *, lease: str, epoch: int) -> None:
        super().__init__(
            f"lease {lease} is no longer held under epoch {epoch}",
            hint="stop the work of this lease; the market has given it up",
            lease=lease,
            epoch=epoch,
        )


class NeverFits(DomainError):
    """No live offer could take the job, even an empty one."""

    code = "never_fits"

    def __init__(self, *, rejected: dict[str, int], relax: list[dict[str, Any]]) -> None:
        hint = relax[0]["sentence"] if relax else "no single change helps: loosen several limits"
        super().__init__("no offer can ever take this job", hint=hint, rejected=rejected, relax=relax)


class NoOfferFits(DomainError):
    """No offer can take the request as it stands."""

    code = "no_offer_fits"

    def __init__(self, *, rejected: dict[str, int], relax: list[dict[str, Any]]) -> None:
        hint = relax[0]["sentence"] if relax else "no single change helps: loosen several limits"
        super().__init__("no offer fits this request", hint=hint, rejected=rejected, relax=relax)
