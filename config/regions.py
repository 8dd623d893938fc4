"""Which countries make a group of regions, and which shards a market has: read by the settings and by the launcher.

A shard is a hardware family, or one group of regions of it. Pure text in, names out: no settings, no Django.
"""

import re
from collections.abc import Mapping

Groups = dict[str, tuple[str, ...]]
FAMILIES = ("accelerator", "cpu", "edge", "orbital")
REST = "rest"  # the group of every country that no other group names
BY_FAMILY, BY_REGION = "family", "family,region"
DEFAULT = (
    "asia-pacific: AU BD BN BT CN FJ HK ID IN JP KH KR LA LK MM MN MO MY NP NZ PG PH PK SG TH TW VN;"
    "europe: AL AT BA BE BG BY CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT"
    " RO RS SE SI SK UA XK;"
    "americas: AR BO BR BS CA CL CO CR CU DO EC GT HN JM MX NI PA PE PR PY SV TT US UY VE"
)
SLUG = re.compile(r"[a-z][a-z0-9-]{0,29}")
COUNTRY = re.compile(r"[A-Z]{2}")


def read_groups(shards: str, mapping: str = "") -> Groups:
    """{group: its countries} of a market with these `SHARDS` and `REGION_GROUPS`; empty where families are not split.

    `mapping` is `europe: DE FR; americas: US CA`, empty for the default one; `rest` is added. Raises ValueError, which
    says what is wrong.
    """
    split = (shards.replace(" ", "") or BY_FAMILY) == BY_REGION
    if not split and shards.strip() not in {"", BY_FAMILY}:
        raise ValueError(f"SHARDS is {shards!r}: it must be {BY_FAMILY} or {BY_REGION}")
    groups: Groups = {}
    for part in filter(str.strip, (mapping.strip() or DEFAULT).split(";")):
        name, colon, countries = (text.strip() for text in part.partition(":"))
        if not colon or not SLUG.fullmatch(name) or name == REST or name in groups:
            raise ValueError(f"REGION_GROUPS has {part.strip()!r}: it must be like `europe: DE FR`, each name once")
        groups[name] = tuple(sorted(countries.split()))
    _refuse_bad_countries(groups)
    return groups | {REST: ()} if split else {}


def _refuse_bad_countries(groups: Groups) -> None:
    seen: set[str] = set()
    for name, countries in groups.items():
        for country in countries:
            if not COUNTRY.fullmatch(country):
                raise ValueError(f"REGION_GROUPS names {country!r} in {name}: a country is two capital letters, as DE")
            if country in seen:
                raise ValueError(f"REGION_GROUPS names {country} twice")
            seen.add(country)
        if not countries:
            raise ValueError(f"REGION_GROUPS names no country in {name}")


def shard_names(groups: Mapping[str, tuple[str, ...]]) -> list[str]:
    """`cpu`, or `cpu.europe` where families are split, of every shard."""
    return [f"{family}.{group}" if group else family for family in FAMILIES for group in (groups or [""])]
