"""Files of green certificates of China (`gec`), in a template of our own; the official export is to be confirmed.

A certificate is of 1,000 kWh made in one month at UTC+8. None is issued for a separate store, nor for energy whose
emission reductions were sold (CCER).
"""

import difflib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial
from typing import NamedTuple

from marketplace.energy import schemes
from marketplace.energy.imports.cells import WrongCell, day, label, one_of, plain_heading, positive, yes
from marketplace.energy.imports.certificates import Certified
from marketplace.energy.imports.sheets import Column
from marketplace.energy.models import GridZone, Scheme, Technology
from marketplace.energy.zones import KNOWN_ZONES

REGISTRY = "green certificates of China"
ISSUER = "National Energy Administration"
MOST = 9_000_000_000  # certificates in one row: their Wh still fit
COLUMNS_OF = {
    "wh": "quantity", "interval": "production_month", "zone": "province", "issuance": "certificate_no",
    "device": "plant", "expiry": "production_month", "underlying": "certificate_no",
}  # fmt: skip
OPTIONAL = {"self_use", "ccer"}


class GecRow(NamedTuple):
    """One row, in the order of `columns`."""

    certificate_no: str
    quantity: int
    production_month: tuple[datetime, datetime]
    plant: str
    province: str
    technology: str
    commissioned_on: date
    tradable: bool
    holder: str
    self_use: bool | None
    ccer: bool | None

    def certified(self, line: int) -> Certified:
        start, end = self.production_month
        may = schemes.gec_is_tradable(self.technology, self.commissioned_on, self_use=bool(self.self_use))
        return Certified(
            line, Scheme.GEC.value, REGISTRY, self.certificate_no, 0, self.quantity * schemes.MWH, self.plant,
            self.technology, None, self.commissioned_on, start, end, self.province, ISSUER,
            tradable=self.tradable and may,
        )  # fmt: skip


def columns(holder: str) -> list[Column]:
    """The columns of the file of certificates that `holder` holds."""
    reads: dict[str, Callable[[str], object]] = {
        "certificate_no": partial(label, most=80),
        "quantity": partial(positive, most=MOST),
        "production_month": month,
        "plant": partial(label, most=60),
        "province": partial(province, known=provinces()),
        "technology": technology,
        "commissioned_on": day,
        "tradable": yes,
        "holder": partial(held_by, holder=holder),
        "self_use": yes,
        "ccer": not_ccer,
    }
    return [Column(name, (name,), read, needed=name not in OPTIONAL) for name, read in reads.items()]


def month(text: str) -> tuple[datetime, datetime]:
    """The month `text` at UTC+8 as [start, end); raises WrongCell."""
    found = schemes.month_of(text)
    if found is None:
        raise WrongCell("not_on_grid", f"{text!r} is no month" if text else "the cell is empty", "write it as 2026-03")
    return found


def technology(text: str) -> str:
    """What made the energy; raises WrongCell, also for a store."""
    found = one_of(text, known=Technology.values)
    if found == Technology.STORAGE:
        raise WrongCell("scheme_closed", "no green certificate is issued for a separate store", "leave it out")
    return found


def not_ccer(text: str) -> bool:
    """That its emission reductions are not sold; raises WrongCell."""
    if yes(text):
        raise WrongCell("scheme_closed", "its emission reductions are sold (CCER): one of the two only", "leave it out")
    return False


def held_by(text: str, holder: str) -> str:
    """The name of the `holder`; raises WrongCell for anybody else's."""
    if plain_heading(text) != plain_heading(holder):
        raise WrongCell("bad_value", f"the holder is {text!r}" if text else "the cell is empty", f"yours say {holder}")
    return text


def provinces() -> dict[str, str]:
    """{name or code of a province of China, in lower case: the code of its grid zone}."""
    made = GridZone.objects.filter(country=schemes.CHINA).values_list("code", "name", "name_zh")
    known = [(zone.code, zone.name, zone.name_zh) for zone in KNOWN_ZONES if zone.country == schemes.CHINA]
    return {name.lower(): code for code, *names in [*known, *made] for name in (code, *names) if name}


def province(text: str, known: Mapping[str, str]) -> str:
    """The grid zone of a province by its name in Chinese or English, or by its code; raises WrongCell."""
    if text.lower() in known:
        return known[text.lower()]
    close = difflib.get_close_matches(text.lower(), known, n=1)
    raise WrongCell("wrong_zone", f"no province is called {text!r}", f"did you mean {close[0]}?" if close else "")
