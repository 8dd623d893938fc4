"""What the desk says of evidence in the reader's language: each check as a sentence with its figures, states, kinds."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from frontend.components.formats import day_moment, energy, grouped, percent_down
from marketplace.common.units import PPM
from marketplace.energy.lotchecks import BAD, GOOD, NOTE, Check, worst
from marketplace.energy.receipts.words import evidence_name, resolution_name, share

Facts = Mapping[str, Any]


def told(checks: Iterable[Check]) -> list[dict[str, str]]:
    """Each check as {title, words, tone, tone_words}, what speaks against accepting first."""
    order = {BAD: 0, NOTE: 1, GOOD: 2}
    rows = sorted(checks, key=lambda check: order[check.tone])
    return [
        {"title": title_of(check.code), "words": words_of(check), "tone": tone_class(check.tone),
         "tone_words": tone_name(check.tone)}
        for check in rows
    ]  # fmt: skip


def verdict(checks: Sequence[Check]) -> dict[str, str]:
    """The tone of all checks together, in one word."""
    tone = worst(checks)
    return {"tone": tone_class(tone), "words": tone_name(tone)}


def tone_class(tone: str) -> str:
    return {BAD: "bad", NOTE: "warn", GOOD: "good"}[tone]


def tone_name(tone: str) -> str:
    """What a tone means, so that no colour says it alone."""
    return {BAD: _("Speaks against"), NOTE: _("To weigh"), GOOD: pgettext("check", "Holds")}[tone]


def title_of(code: str) -> str:
    """What a check looks at."""
    if code in {"plant_unknown", "plant_keeps", "plant_sold", "own_sold", "own_plant", "certificates_sold"}:
        return _("Whose energy it is")
    titles = {
        "no_capacity": _("Against the capacity"), "capacity": _("Against the capacity"),
        "beyond_capacity": _("Against the capacity"), "same_time": _("Other intervals of the plant"),
        "not_metered": _("Against the meter"), "production": _("Against the meter"),
        "claimed": _("Claimed against generated"), "registry_alone": _("Against the meter"),
        "no_hours": _("Against the meter"), "underlying": _("Made of another certificate"),
        "remade": _("Made into another certificate"), "market": _("Market boundary"),
        "resolution": _("Time of production"), "not_tradable": _("Trade"), "expiry": _("Expiry"),
        "held_by_others": _("Held by others"), "shares": _("Shares"),
    }  # fmt: skip
    return titles[code]


def words_of(check: Check) -> str:
    """A check as a sentence."""
    say: Callable[[Facts], str] = WORDS.get((check.code, check.tone)) or WORDS[check.code, ""]
    return say(check.facts)


def _capacity(facts: Facts) -> str:
    part = facts["held_wh"] * PPM // facts["most_wh"]
    return _("%(held)s are certified of it in that time, %(share)s of what it can make (%(most)s).") % {
        "held": energy(facts["held_wh"]), "share": share(part), "most": energy(facts["most_wh"]),
    }  # fmt: skip


def _over_capacity(facts: Facts) -> str:
    return _("%(held)s are certified of it in that time, and it can make %(most)s: the same energy is told twice.") % {
        "held": energy(facts["held_wh"]), "most": energy(facts["most_wh"]),
    }  # fmt: skip


def _same_time(facts: Facts) -> str:
    return ngettext(
        "%(wh)s of the same plant are certified for %(count)d other interval that meets this one.",
        "%(wh)s of the same plant are certified for %(count)d other intervals that meet this one.",
        facts["intervals"],
    ) % {"wh": energy(facts["wh"]), "count": facts["intervals"]}


def _production(facts: Facts) -> str:
    return _("Its meter saw %(wh)s in that hour, and %(claimed)s of it are claimed, these among them.") % {
        "wh": energy(facts["wh"]), "claimed": energy(facts["claimed_wh"]),
    }  # fmt: skip


def _claimed(facts: Facts) -> str:
    return _("Its meter saw %(wh)s in all; %(claimed)s are claimed, and lots hold %(lots)s.") % {
        "wh": energy(facts["wh"]), "claimed": energy(facts["claimed_wh"]), "lots": energy(facts["lots_wh"]),
    }  # fmt: skip


def _beyond(facts: Facts) -> str:
    return ngettext(
        "In %(count)s of %(all)s metered hours it made more than its capacity.",
        "In %(count)s of %(all)s metered hours it made more than its capacity.",
        facts["hours"],
    ) % {"count": grouped(facts["hours"]), "all": grouped(facts["of"])}


def _others(facts: Facts) -> str:
    return ngettext(
        "Another organization holds %(wh)s of certificates of this device in %(count)s lot.",
        "Other organizations hold %(wh)s of certificates of this device in %(count)s lots.",
        facts["lots"],
    ) % {"wh": energy(facts["wh"]), "count": grouped(facts["lots"])}


def _shares(facts: Facts) -> str:
    return ngettext(
        "%(count)d share serves a point now, %(ppm)s of its output. The database lets no two slices overlap.",
        "%(count)d shares serve points now, %(ppm)s of its output. The database lets no two slices overlap.",
        facts["shares"],
    ) % {"count": facts["shares"], "ppm": percent_down(facts["ppm"])}


def _coarse(facts: Facts) -> str:
    return _("Known as %(resolution)s only: it counts as volume, never as matched by the hour.") % {
        "resolution": resolution_name(facts["resolution"])
    }


# By code and tone; a tone of "" stands for every other.
WORDS: dict[tuple[str, str], Callable[[Facts], str]] = {
    ("plant_unknown", ""): lambda facts: _("%(device)s is not registered here: the registry's word is all there is.")
    % facts,
    ("plant_keeps", ""): lambda facts: _("%(owner)s meters this plant here and has not sold its certificates.") % facts,
    ("plant_sold", ""): lambda facts: _("The plant is %(owner)s's, which has sold its certificates.") % facts,
    ("own_sold", ""): lambda facts: _("The holder says that %(device)s's certificates are sold to others.") % facts,
    ("own_plant", ""): lambda facts: _("The holder's own plant; its evidence: %(evidence)s.")
    % {"evidence": evidence_name(facts["evidence"])},
    ("no_capacity", ""): lambda facts: _("The registry tells no capacity; %(held)s are certified in that time.")
    % {"held": energy(facts["held_wh"])},
    ("capacity", ""): _capacity,
    ("capacity", BAD): _over_capacity,
    ("same_time", ""): lambda _facts: _("No other interval of the plant meets this one."),
    ("same_time", NOTE): _same_time,
    ("not_metered", ""): lambda _facts: _("The plant is metered here, but not in that hour."),
    ("production", ""): _production,
    ("underlying", ""): lambda facts: _("%(serial)s, from which it was made, is used up or not on record.") % facts,
    ("underlying", BAD): lambda facts: _("%(serial)s, from which it was made, is still alive.") % facts,
    ("remade", ""): lambda _facts: _("A certificate that is alive was made of this one."),
    ("market", ""): lambda facts: _("Issued in %(there)s, for a point in %(here)s.") % facts,
    ("resolution", ""): lambda _facts: _("Known by the hour: it can be matched by the hour."),
    ("resolution", NOTE): _coarse,
    ("not_tradable", ""): lambda _facts: _("It is not tradable: only who holds it may use it."),
    ("expiry", ""): lambda facts: _("It expires on %(day)s UTC.") % {"day": day_moment(facts["at"])},
    ("expiry", BAD): lambda facts: _("It expired on %(day)s UTC.") % {"day": day_moment(facts["at"])},
    ("certificates_sold", ""): lambda _facts: _("Its owner says that its certificates are not sold to anybody else."),
    ("certificates_sold", BAD): lambda _facts: _("Its certificates are sold: its hours back no claim here."),
    ("held_by_others", ""): lambda _facts: _("No other organization holds certificates of this device."),
    ("held_by_others", BAD): _others,
    ("registry_alone", ""): lambda _facts: _("It is not metered here: a registry's word is all there is."),
    ("no_hours", ""): lambda _facts: _("No hour of it has been metered yet."),
    ("beyond_capacity", ""): _beyond,
    ("beyond_capacity", GOOD): lambda facts: _("None of %(all)s metered hours is above its capacity.")
    % {"all": grouped(facts["of"])},
    ("claimed", ""): _claimed,
    ("shares", ""): _shares,
    ("shares", NOTE): lambda _facts: _("It serves no metering point now."),
}  # fmt: skip
