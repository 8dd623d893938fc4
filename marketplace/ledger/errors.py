"""What the ledger refuses."""

from marketplace.common.errors import DomainError, IllegalState, Unavailable


class InsufficientFunds(DomainError):
    """An account holds less than was asked of it."""

    code = "insufficient_funds"


class AmountOutOfRange(DomainError):
    """A top-up is smaller or larger than the market takes."""

    code = "amount_out_of_range"


class RefundExceedsPayment(DomainError):
    """More is to go back to cards than came from them."""

    code = "refund_exceeds_payment"


class SpendLimitReached(DomainError):
    """More than a limit allows would be spent or paid in."""

    code = "spend_limit_reached"


class BudgetExceeded(DomainError):
    """A cap of the organization or the key has less left than is asked for."""

    code = "budget_exceeded"


class WalletFrozen(DomainError):
    """A card's holder disputes a payment; until that is decided nothing new is promised."""

    code = "wallet_frozen"


class PayeeNotReady(DomainError):
    """The processor does not pay this provider yet."""

    code = "payee_not_ready"


class SecondApproverNeeded(DomainError):
    """A large journal is booked by two operators: one asks, another agrees."""

    code = "second_approver_needed"


class WebhookSignatureInvalid(DomainError):
    """A message that nobody trusted signed, or not now, or not for us."""

    code = "webhook_signature_invalid"


class HoldClosed(DomainError):
    """A hold has less left than was to be captured or released."""

    code = "hold_closed"


class JournalConflict(Exception):
    """The fact is in the books already, with other amounts: two parts of the program disagree about it."""


class NothingToInvoice(IllegalState):
    """Everything there is of it is on an invoice already, or nothing was charged."""


class IssuerUnknown(Unavailable):
    """An invoice about live money must say who asks for it, and the operator has not said who that is."""
