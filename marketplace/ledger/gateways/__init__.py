"""Payment processors behind one interface (`base`): which one is in use, and any of them by name."""

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from marketplace.ledger.gateways.base import PaymentGateway
    from marketplace.ledger.gateways.faults import Faults

SANDBOX, STRIPE = "sandbox", "stripe"
NAMES = (SANDBOX, STRIPE)
# Where a processor's own pages lie, that buyers and providers are led to; the sandbox's are this site's.
PAGES: dict[str, tuple[str, ...]] = {SANDBOX: (), STRIPE: ("https://checkout.stripe.com", "https://connect.stripe.com")}


def current_gateway() -> "PaymentGateway":
    """The processor of PAYMENT_GATEWAY."""
    return gateway_of(settings.PAYMENT_GATEWAY)


def page_hosts() -> tuple[str, ...]:
    """The addresses at which the pages of PAYMENT_GATEWAY begin."""
    return PAGES[settings.PAYMENT_GATEWAY]


def gateway_of(name: str) -> "PaymentGateway":
    """The processor of this name. Raises LookupError for an unknown one, or Stripe where it has no key."""
    if name == SANDBOX:
        return _sandbox(settings.SANDBOX_FAULTS, settings.SANDBOX_WEBHOOK_SECRET)
    if name == STRIPE and settings.STRIPE_API_KEY:
        return _stripe(
            settings.STRIPE_API_KEY, settings.STRIPE_API_BASE, tuple(settings.STRIPE_WEBHOOK_SECRETS),
            settings.STRIPE_ACCOUNT_ID, settings.STRIPE_LIVEMODE,
        )  # fmt: skip
    raise LookupError(f"{name!r} is no processor that this market uses")


@cache
def _sandbox(faults: "Faults", secret: str) -> "PaymentGateway":
    from marketplace.ledger.gateways.faults import dice_of  # noqa: PLC0415 - models come after the settings
    from marketplace.ledger.gateways.sandbox import SandboxGateway  # noqa: PLC0415

    return SandboxGateway(dice=dice_of(faults), secret=secret)


@cache
def _stripe(key: str, base: str, secrets: tuple[str, ...], account: str, livemode: bool) -> "PaymentGateway":
    from marketplace.ledger.gateways.signatures import Recipient  # noqa: PLC0415
    from marketplace.ledger.gateways.stripe_gateway import StripeGateway  # noqa: PLC0415 - slow to import

    return StripeGateway(key=key, base=base, recipient=Recipient(secrets, account, livemode))
