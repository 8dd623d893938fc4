"""What is odd about currencies at Stripe, and nowhere else in this market (money.md, section 6)."""

from marketplace.common.currencies import THREE
from marketplace.ledger.gateways.base import GatewayInvalid

AS_TWO_DECIMALS = frozenset(("ISK", "UGX"))  # without decimals everywhere else
WHOLE_WHEN_SENT = frozenset(("HUF", "TWD"))  # charged with two decimals, but sent to banks without
SENDS = frozenset(("create_transfer", "reverse_transfer"))


def step_of(op: str, asset: str) -> int:
    """The smallest amount of our minor units by which `op` can move `asset`."""
    if asset in THREE:
        return 10
    return 100 if asset in WHOLE_WHEN_SENT and op in SENDS else 1


def movable(*, op: str, asset: str, amount: int) -> int:
    """The largest part of `amount` that can be moved."""
    return amount - amount % step_of(op, asset)


def theirs(*, op: str, asset: str, amount: int) -> int:
    """Our minor units in Stripe's. Raises GatewayInvalid for an amount that it would round."""
    step = step_of(op, asset)
    if amount % step:
        raise GatewayInvalid(f"{op} moves {asset} in steps of {step} minor units, not {amount}")
    return amount * 100 if asset in AS_TWO_DECIMALS else amount


def ours(amount: int, asset: str) -> int:
    """Stripe's units in ours. Raises GatewayInvalid for a part of a unit that we cannot write down."""
    if asset not in AS_TWO_DECIMALS:
        return amount
    whole, part = divmod(amount, 100)
    if part:
        raise GatewayInvalid(f"{amount} hundredths of {asset} are no whole number of it")
    return whole
