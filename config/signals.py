"""Which sources of grid signals serve which zones, and what would be wrong about it: a bad setting stops the start."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from config.env import BadSetting, env
from marketplace.energy.signals.sources import SOURCES, Account, FeedSetting, Signals, Source

EXAMPLE = "SIGNALS='entsoe: DE FR; watttime: US-CAL-CISO=CAISO_NORTH'"
LOCAL = {"127.0.0.1", "localhost", "::1"}
LONGEST_ZONE, LONGEST_REGION = 20, 40


def signals() -> Signals:
    """SIGNALS and the accounts of the sources it names. Raises BadSetting.

    A zone takes its averages from one source: two of them, changing places by the hour, would make a step that is in no
    grid. A source of marginal rates may stand beside it.
    """
    feeds = tuple(_feeds(env.str("SIGNALS", "")))
    averages: dict[str, str] = {}
    for feed in feeds:
        if SOURCES[feed.provider].marginal:
            continue
        if feed.zone in averages:
            raise _bad(f"names {feed.zone} at both {averages[feed.zone]} and {feed.provider}")
        averages[feed.zone] = feed.provider
    names = sorted({feed.provider for feed in feeds})
    return Signals(feeds=feeds, accounts={name: _account(SOURCES[name]) for name in names})


def _feeds(text: str) -> Iterator[FeedSetting]:
    """`provider: ZONE ZONE=REGION; provider: …`."""
    seen: set[tuple[str, str]] = set()
    for part in filter(str.strip, text.split(";")):
        name, colon, zones = (piece.strip() for piece in part.partition(":"))
        if not colon or name not in SOURCES:
            raise _bad(f"has {part.strip()!r}: it must begin with one of {', '.join(sorted(SOURCES))} and a colon")
        for word in zones.split():
            zone, _, region = word.partition("=")
            feed = FeedSetting(name, zone, region or SOURCES[name].region_of(zone))
            if not feed.zone or not feed.region or len(zone) > LONGEST_ZONE or len(feed.region) > LONGEST_REGION:
                raise _bad(f"does not say what {name} calls {word!r}")
            if (name, zone) in seen:
                raise _bad(f"names {zone} twice at {name}")
            seen.add((name, zone))
            yield feed
        if not zones:
            raise _bad(f"names no zone at {name}")


def _account(source: Source) -> Account:
    """`<SOURCE>_BASE`, `_KEY` and `_USER`; a key goes nowhere but over TLS, or to this machine."""
    prefix = source.name.upper()
    base = env.str(f"{prefix}_BASE", "").rstrip("/") or source.base
    told: Mapping[str, str] = {need: env.str(f"{prefix}_{need.upper()}", "") for need in source.needs}
    missing = [f"{prefix}_{need.upper()}" for need, value in told.items() if not value]
    if missing:
        raise BadSetting(f"SIGNALS names {source.name}, which needs {', '.join(missing)}. Mend: set what is missing.")
    if not all(value.isascii() and value.isprintable() for value in told.values()):
        raise BadSetting(f"The account of {source.name} has characters that no header can carry. Mend: copy it anew.")
    parts = urlsplit(base)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
        raise BadSetting(f"{prefix}_BASE is {base}. Mend: an address that begins with https://.")
    return Account(base=base, **told)


def _bad(what: str) -> BadSetting:
    return BadSetting(f"SIGNALS {what}. Mend: {EXAMPLE}.")
