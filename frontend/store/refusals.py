"""What the market refuses, for people; a refusal for want of money leads to the wallet and back."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _

from frontend.components.formats import money
from marketplace.common.codes import CODES
from marketplace.common.currencies import to_major
from marketplace.common.errors import DomainError
from marketplace.ledger.errors import BudgetExceeded, InsufficientFunds, WalletFrozen


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is needed and what is there, as people read it, and where the difference is paid in."""

    needed: str
    there: str
    missing: str
    href: str

    @property
    def text(self) -> str:
        """The three amounts as a sentence."""
        return _("%(needed)s is needed, and the wallet has %(there)s available: %(missing)s is missing.") % {
            "needed": self.needed, "there": self.there, "missing": self.missing,
        }  # fmt: skip


def shortfall(*, needed: int, there: int, currency: str, back: str) -> Shortfall:
    """`needed` > `there`; the link to the wallet asks for what is missing and leads back to `back`."""
    missing = needed - there
    query = urlencode({"amount": to_major(missing, currency), "next": back})
    wanted, found, lacking = (money(each, currency) for each in (needed, there, missing))
    return Shortfall(wanted, found, lacking, f"{reverse('wallet')}?{query}")


def shortfall_of(error: DomainError, back: str) -> Shortfall | None:
    """That of a refusal for want of money; None for any other."""
    facts = error.facts
    if not isinstance(error, InsufficientFunds) or facts["needed"] <= facts["available"]:
        return None
    return shortfall(needed=facts["needed"], there=facts["available"], currency=facts["asset"], back=back)


def refusal_text(error: DomainError) -> str:
    """What a person reads of a refusal: its title in their language, then the fact."""
    known = CODES.get(error.code)
    title = str(known.title) if known else error.code
    return f"{title}: {error.detail}" if error.detail else title


def about_money(error: DomainError) -> bool:
    """Whether the wallet or a budget is the reason, so that a page about it is where to go."""
    return isinstance(error, BudgetExceeded | InsufficientFunds | WalletFrozen)


def refusal_told(error: DomainError, back: str) -> str:
    """A refusal as a message; one about money leads to the wallet, for want of money from there to `back`."""
    if short := shortfall_of(error, back):
        return _leading(short.text, short.href, _("Top up"))
    if isinstance(error, WalletFrozen):
        words = _("A card payment is disputed; until that is decided nothing new can be ordered.")
        return _leading(words, reverse("wallet"), _("See the wallet"))
    if isinstance(error, BudgetExceeded):
        left, needed = (money(error.facts[name], error.facts["asset"]) for name in ("left", "needed"))
        words = _("%(needed)s is needed, and a budget has %(left)s left.") % {"needed": needed, "left": left}
        return _leading(words, reverse("budgets"), _("See the budgets"))
    return refusal_text(error)


def _leading(words: str, href: str, link: str) -> str:
    return format_html('{} <a href="{}">{}</a>', words, href, link)
