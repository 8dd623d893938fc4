"""The one filter set of the shelf: the same names on the page and in the API.

Filters on facts of an offer narrow the rows; filters on what changes by the hour (price, shares, free units, latency)
are checked here and decided by the ranking, which sees the whole run. `limits()` hands all of them to the matcher's
objective, so a page, a quote and a round refuse for the same reasons.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Self

import django_filters as filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import QueryDict

from marketplace.catalog.models import Family, HardwareClass, Offer, Place, SiteKind, Term, Tier
from marketplace.common.errors import DomainError, FieldProblem, InvalidParameter, UnknownParameter
from marketplace.energy.pointsources import FINEST_FIRST, WORDS

EVIDENCE = ("declared", "documents", "metered", "audited")
SHARES = frozenset({"renewable_share__gte", "matched_share__gte", "carbon_free_share__gte", "reliability__gte"})
MONEY = frozenset({"price__lte", "price_pflop__lte", "total__lte"})
# Names that shape the question rather than limit an offer.
REQUEST = frozenset({
    "units", "hours", "start__gte", "finish__lte", "near", "sort", "w_price", "w_latency", "w_green", "when",
})  # fmt: skip
PAGING = frozenset({"limit", "starting_after", "ending_before", "facets", "fields", "view", "page", "currency_display"})


class NearRequired(DomainError):
    """A latency limit needs a place to count from."""

    code = "near_required"


def accelerator_choices() -> list[tuple[str, str]]:
    """Every accelerator on record."""
    names = HardwareClass.objects.order_by("accelerator").values_list("accelerator", flat=True).distinct()
    return [(name, name) for name in names]


def _choices(values: Iterable[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in values]


class WholeField(forms.IntegerField):
    """Django's own field would take `2.00` for 2 without a word."""

    re_decimal = re.compile(r"(?!)")


class WholeFilter(filters.Filter):  # type: ignore[misc]  # django-filter has no types
    """A whole number; `2.00` is refused with the value that was meant."""

    field_class = WholeField


class Words(forms.Field):
    """The texts of a name that may be repeated; with `commas`, one value may hold several."""

    widget = forms.MultipleHiddenInput  # reads every value, where others read the last

    def __init__(self, *, commas: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.commas = commas

    def clean(self, value: Any) -> list[str]:
        """Without repeats and empty ones."""
        given = value or []
        texts = ",".join(given).split(",") if self.commas else given
        return list(dict.fromkeys(text.strip() for text in texts if text.strip()))


class AnyOf(filters.Filter):  # type: ignore[misc]  # django-filter has no types
    """Offers with one of these texts."""

    field_class = Words

    def __init__(self, field_name: str, **kwargs: Any) -> None:
        super().__init__(field_name, lookup_expr="in", **kwargs)


class OfferFilter(filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    """Filters of `/` and of `GET /api/v1/offers`."""

    q = filters.CharFilter(method="text", max_length=100)
    family = filters.MultipleChoiceFilter(field_name="hardware__family", choices=Family.choices)
    accelerator = filters.MultipleChoiceFilter(field_name="hardware__accelerator", choices=accelerator_choices)
    memory_gb__gte = WholeFilter(field_name="hardware__memory_gb", lookup_expr="gte", min_value=0)
    interconnect = AnyOf("hardware__interconnect")
    kind = filters.MultipleChoiceFilter(field_name="site__kind", choices=SiteKind.choices)
    residency = AnyOf("site__country", method="in_any_case", commas=True)
    region = AnyOf("site__region")
    site = AnyOf("site__public_id")
    provider = AnyOf("site__provider__public_id")
    currency = AnyOf("currency")
    term = filters.MultipleChoiceFilter(field_name="term", choices=Term.choices)
    tier = filters.MultipleChoiceFilter(field_name="tier", choices=Tier.choices)
    energy_source = filters.MultipleChoiceFilter(method="by_the_hour", choices=_choices(WORDS))
    temporal_resolution = filters.ChoiceFilter(method="by_the_hour", choices=_choices(FINEST_FIRST))
    evidence = filters.ChoiceFilter(method="at_least_evidence", choices=_choices(EVIDENCE))
    notice_s__gte = WholeFilter(field_name="notice_s", lookup_expr="gte", min_value=0)
    boot_s__lte = WholeFilter(field_name="boot_s", lookup_expr="lte", min_value=0)
    reliability__gte = filters.NumberFilter(method="by_the_hour", min_value=0, max_value=1)

    latency_ms__lte = WholeFilter(method="by_the_hour", min_value=0)
    price__lte = WholeFilter(method="by_the_hour", min_value=0)
    price_pflop__lte = WholeFilter(method="by_the_hour", min_value=0)
    total__lte = WholeFilter(method="by_the_hour", min_value=0)
    renewable_share__gte = filters.NumberFilter(method="by_the_hour", min_value=0, max_value=1)
    matched_share__gte = filters.NumberFilter(method="by_the_hour", min_value=0, max_value=1)
    carbon_free_share__gte = filters.NumberFilter(method="by_the_hour", min_value=0, max_value=1)
    carbon_g_per_kwh__lte = WholeFilter(method="by_the_hour", min_value=0)
    free__gte = WholeFilter(method="by_the_hour", min_value=0)

    units = WholeFilter(method="by_the_hour", min_value=1, max_value=100_000)
    hours = WholeFilter(method="by_the_hour", min_value=1, max_value=168)
    start__gte = filters.IsoDateTimeFilter(method="by_the_hour")
    finish__lte = filters.IsoDateTimeFilter(method="by_the_hour")
    near = filters.CharFilter(method="by_the_hour")
    w_price = WholeFilter(method="by_the_hour", min_value=0, max_value=100)
    w_latency = WholeFilter(method="by_the_hour", min_value=0, max_value=100)
    w_green = WholeFilter(method="by_the_hour", min_value=0, max_value=100)

    class Meta:
        model = Offer
        fields: list[str] = []

    def text(self, queryset: QuerySet[Offer], _name: str, value: str) -> QuerySet[Offer]:
        """Every word stands somewhere in title, site, locality (either language), provider or hardware."""
        for word in value.split():
            queryset = queryset.filter(
                Q(title__icontains=word)
                | Q(site__name__icontains=word)
                | Q(site__name_zh__icontains=word)
                | Q(site__locality__icontains=word)
                | Q(site__locality_zh__icontains=word)
                | Q(site__provider__name__icontains=word)
                | Q(hardware__accelerator__icontains=word)
                | Q(hardware__vendor__icontains=word)
            )
        return queryset

    def in_any_case(self, queryset: QuerySet[Offer], _name: str, value: list[str]) -> QuerySet[Offer]:
        return queryset.filter(site__country__in=[each.upper() for each in value])

    def at_least_evidence(self, queryset: QuerySet[Offer], _name: str, value: str) -> QuerySet[Offer]:
        return queryset.filter(evidence__in=EVIDENCE[EVIDENCE.index(value) :])

    def by_the_hour(self, queryset: QuerySet[Offer], _name: str, _value: Any) -> QuerySet[Offer]:
        """Decided by the ranking over the whole run."""
        return queryset

    @classmethod
    def read(cls, query: QueryDict) -> Self:
        """A valid filter set of `query`.

        Raises UnknownParameter with the nearest name, InvalidParameter for each bad value with its mend, NearRequired.
        """
        for name in query:
            if name not in cls.base_filters and name not in PAGING | REQUEST:
                nearest = difflib.get_close_matches(name, cls.base_filters, 1)
                raise UnknownParameter(f"there is no filter {name}", hint=nearest[0] if nearest else "", name=name)
        filterset = cls(query, queryset=Offer.objects.live())
        if not filterset.is_valid():
            raise InvalidParameter([_problem(name, text, query) for name, text in _errors(filterset)])
        if filterset.form.cleaned_data.get("latency_ms__lte") is not None and not filterset.place:
            raise NearRequired("latency_ms__lte needs a place to count from", hint="near=shanghai")
        if filterset.place and not Place.objects.filter(slug=filterset.place).exists():
            places = ", ".join(Place.objects.values_list("slug", flat=True))
            raise InvalidParameter([FieldProblem("near", "invalid_parameter", f"no place {filterset.place}", places)])
        return filterset

    @property
    def place(self) -> str | None:
        """The slug of the place that latency is counted from."""
        return self.form.cleaned_data.get("near") or None

    def limits(self) -> dict[str, Any]:
        """The filters as limits in API units; those that shape the request are left out."""
        found = {}
        for name, value in self.form.cleaned_data.items():
            if name in REQUEST or value in (None, "", []):
                continue
            found[name] = _plain(name, value)
        return found


def _plain(name: str, value: Any) -> Any:
    return [each.upper() for each in value] if name == "residency" else value


def _errors(filterset: OfferFilter) -> list[tuple[str, str]]:
    return [(name, str(text)) for name, texts in filterset.errors.items() for text in texts]


def _problem(name: str, text: str, query: Mapping[str, Any]) -> FieldProblem:
    """A share given in per cent, or money with a point, gets the value that was meant."""
    given = str(query.get(name, ""))
    hint = ""
    if given.replace(".", "", 1).isdigit() and name in SHARES:
        hint = str(float(Decimal(given) / 100))
    elif given.replace(".", "", 1).isdigit() and name in MONEY:
        hint = str(int(Decimal(given) * 100))
    return FieldProblem(name, "invalid_parameter", text, hint)
