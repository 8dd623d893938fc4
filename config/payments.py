"""Which payment processor takes the money, and what would be wrong about it: a bad setting stops the start."""

from dataclasses import dataclass
from pathlib import Path

from environs import validate

from config.env import BadSetting, env, kept_secret
from marketplace.ledger.gateways import NAMES, SANDBOX, STRIPE
from marketplace.ledger.gateways.faults import Faults, read_faults

STRIPE_API = "https://api.stripe.com"


@dataclass(frozen=True, slots=True)
class Payments:
    """PAYMENT_GATEWAY and what belongs to it."""

    gateway: str
    api_key: str
    webhook_secrets: tuple[str, ...]
    account: str
    livemode: bool
    api_base: str
    faults: Faults
    sandbox_secret: str

    @property
    def moves_money(self) -> bool:
        """Whether the market trades in live money; in test money otherwise."""
        return self.gateway == STRIPE and self.livemode


def payments(data_dir: Path) -> Payments:
    """The settings of payments. Raises BadSetting for a combination that would mix up test money and live money."""
    found = Payments(
        gateway=env.str("PAYMENT_GATEWAY", SANDBOX, validate=validate.OneOf(NAMES)),
        api_key=env.str("STRIPE_API_KEY", ""),
        webhook_secrets=tuple(filter(None, env.list("STRIPE_WEBHOOK_SECRETS", []))),
        account=env.str("STRIPE_ACCOUNT_ID", ""),
        livemode=env.bool("STRIPE_LIVEMODE", False),
        api_base=env.str("STRIPE_API_BASE", "").rstrip("/") or STRIPE_API,
        faults=_faults(),
        sandbox_secret=env.str("SANDBOX_WEBHOOK_SECRET", "") or kept_secret(data_dir / "secrets" / "sandbox_webhook"),
    )
    if found.gateway == STRIPE or found.api_key:
        _check_stripe(found)
    is_test = found.gateway == SANDBOX or not found.livemode
    if is_test and env.bool("PRODUCTION", False) and not env.bool("ALLOW_TEST_MONEY", False):
        raise BadSetting(
            f"PRODUCTION=1 with PAYMENT_GATEWAY={found.gateway}, STRIPE_LIVEMODE={found.livemode} takes test money. "
            "Mend: PAYMENT_GATEWAY=stripe with a live key, or ALLOW_TEST_MONEY=1 when that is wanted."
        )
    return found


def _check_stripe(found: Payments) -> None:
    needed = {
        "STRIPE_API_KEY": found.api_key,
        "STRIPE_WEBHOOK_SECRETS": found.webhook_secrets,
        "STRIPE_ACCOUNT_ID": found.account,
    }
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise BadSetting(f"Stripe needs {', '.join(missing)}. Mend: set what is missing, or PAYMENT_GATEWAY=sandbox.")
    mode = {"sk_live_": True, "rk_live_": True, "sk_test_": False, "rk_test_": False}.get(found.api_key[:8])
    if mode is None:
        raise BadSetting("STRIPE_API_KEY is no secret key of Stripe. Mend: one that begins with sk_ or rk_.")
    if mode is not found.livemode:
        raise BadSetting(
            f"STRIPE_API_KEY is a {'live' if mode else 'test'} key and STRIPE_LIVEMODE is {found.livemode}. "
            "Mend: make the two agree."
        )
    if mode and found.api_base != STRIPE_API:
        raise BadSetting(
            f"A live STRIPE_API_KEY would be sent to {found.api_base}. Mend: unset STRIPE_API_BASE, or use a test key."
        )


def _faults() -> Faults:
    try:
        return read_faults(env.str("SANDBOX_FAULTS", ""))
    except ValueError as error:
        raise BadSetting(f"SANDBOX_FAULTS: {error}. Mend: unset it, or SANDBOX_FAULTS=seed=7,dup=.1.") from None
