"""How a request names a zone. Sites are known above this app, so whoever mounts a view may name zones by more."""

from collections.abc import Callable

from marketplace.common.errors import FieldProblem, InvalidParameter, NotFound
from marketplace.energy.models import GridZone

FindZone = Callable[[str], GridZone]


def zone_of(code: str) -> GridZone:
    """The zone, or NotFound."""
    zone = GridZone.objects.filter(code=code).first()
    if zone is None:
        raise NotFound(f"there is no grid zone {code}", hint="GET /api/v1/energy/zones lists them")
    return zone


def invalid(name: str, detail: str, hint: str) -> InvalidParameter:
    """One parameter that cannot be used."""
    return InvalidParameter([FieldProblem(name, "invalid_parameter", detail, hint)])
