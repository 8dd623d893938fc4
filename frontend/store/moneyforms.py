"""Forms about money: amounts are typed as people write them and become minor units."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import ApiKey
from frontend.components.formats import money
from marketplace.common.currencies import exponent_of, to_major, to_minor
from marketplace.ledger.models.budgets import EVER, MONTH

EVERYTHING = "organization"
PRESETS = (2_000, 5_000, 10_000, 25_000)  # minor units


class AmountField(forms.CharField):
    """Money as people write it, cleaned to minor units of `currency`."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def __init__(self, *, currency: str = "", **kwargs: Any) -> None:
        super().__init__(max_length=20, **kwargs)
        self.currency = currency

    def clean(self, value: Any) -> Any:
        """Minor units. Raises ValidationError for what is no amount above 0."""
        text = super().clean(value)
        if not text:
            return None
        try:
            minor = to_minor(text, self.currency)
        except ValueError as error:
            raise ValidationError(self._mend()) from error
        if not minor:
            raise ValidationError(_("It must be more than nothing."))
        return minor

    def _mend(self) -> str:
        example = to_major(2_500, self.currency)
        if not exponent_of(self.currency):
            return _("Write a whole amount, such as %(example)s.") % {"example": example}
        return _("Write an amount such as %(example)s.") % {"example": example}


class MoneyForm(forms.Form):
    """A form with amounts of one currency; `name` keeps its ids apart from those of the page's other forms."""

    name = ""

    def __init__(self, data: Any = None, *, currency: str, initial: Any = None) -> None:
        super().__init__(data, auto_id=f"{self.name}_%s", initial=initial)
        self.currency = currency
        for field in self.fields.values():
            if isinstance(field, AmountField):
                field.currency = currency
                field.label = f"{field.label} ({currency})"


class TopupForm(MoneyForm):
    """What is paid in by card."""

    name = "topup"
    amount = AmountField(label=gettext_lazy("Amount"))
    save = forms.BooleanField(
        label=gettext_lazy("Save the card for automatic top-ups"), required=False,
        help_text=gettext_lazy("The processor keeps it; nothing is charged by itself before you switch that on."),
    )  # fmt: skip


class BudgetForm(MoneyForm):
    """What a job may cost now; `least` is what it might cost so far."""

    name = "budget"
    amount = AmountField(label=gettext_lazy("A larger budget"))

    def __init__(self, data: Any = None, *, currency: str, least: int) -> None:
        super().__init__(data, currency=currency, initial={"amount": to_major(least, currency)})
        self.least = least

    def clean_amount(self) -> Any:
        """More than it might cost so far."""
        amount = self.cleaned_data["amount"]
        if amount <= self.least:
            words = _("It may cost %(amount)s already: write a larger amount.")
            raise ValidationError(words % {"amount": money(self.least, self.currency)})
        return amount


class BudgetLimitForm(MoneyForm):
    """The most that may be held and spent in a period."""

    name = "limit"
    limit = AmountField(label=gettext_lazy("At most"))


class BudgetSetForm(BudgetLimitForm):
    """What is capped, and for how long its limit is: the organization, or one of `keys`."""

    name = "set"
    whose = forms.ChoiceField(label=gettext_lazy("Whose"))
    period = forms.ChoiceField(
        label=gettext_lazy("In"),
        choices=[(MONTH, gettext_lazy("each calendar month, UTC")), (EVER, gettext_lazy("all time from now on"))],
    )
    field_order = ("whose", "limit", "period")

    def __init__(self, data: Any = None, *, currency: str, keys: Sequence[ApiKey]) -> None:
        super().__init__(data, currency=currency)
        self.keys = {each.public_id: each for each in keys}
        named = [(each.public_id, _("the key %(name)s") % {"name": each.name}) for each in keys]
        cast("forms.ChoiceField", self.fields["whose"]).choices = [(EVERYTHING, _("the whole organization")), *named]

    def key(self) -> ApiKey | None:
        """The key that was chosen; None for the organization."""
        return self.keys.get(self.cleaned_data["whose"])


class RefundForm(MoneyForm):
    """What goes back to the cards that paid."""

    name = "refund"
    amount = AmountField(label=gettext_lazy("Amount"))
