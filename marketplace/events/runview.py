"""What the desk shows of the independent checker's runs, in words of the reader's language."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from marketplace.events.models import InvariantRun

SHOWN = 10  # broken rows of a promise that the page lists


@dataclass(frozen=True, slots=True)
class Subject:
    """Promises about one subject."""

    name: str
    checks: list[dict[str, Any]]


def run_page(run: InvariantRun | None, *, now: datetime) -> dict[str, Any]:
    """Everything on the page of a run; without one, that nothing was checked."""
    if run is None:
        return {"run": None}
    age = max(timedelta(0), now - run.finished_at)
    return {
        "run": run,
        "late": run.is_late(now),
        "seconds": int(age.total_seconds()),
        "minutes": int(age.total_seconds() // 60),
        "subjects": subjects(run),
        "held": len(run.findings) - len(run.broken),
        "rows": sum(each["rows"] for each in run.findings),
    }


def subjects(run: InvariantRun) -> list[Subject]:
    """The findings under the names of what they are about; broken promises first."""
    names = {"M": _("Money"), "C": _("Capacity"), "J": _("Jobs")}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in (*names.values(), _("Records"))}
    for each in sorted(run.findings, key=lambda finding: not finding["anomalies_total"]):
        shown = each | {"promise": _(each["promise"]), "anomalies": each["anomalies"][:SHOWN]}
        found[names.get(each["id"][0], _("Records"))].append(shown)
    return [Subject(name, checks) for name, checks in found.items() if checks]
