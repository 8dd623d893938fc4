"""States and kinds of certified energy in the reader's language: one word for each, on every page."""

from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def supply_name(state: str) -> str:
    """What is the case with some Wh."""
    names = {
        "available": pgettext("energy", "available"),
        "reserved": pgettext("energy", "reserved"),
        "cancelled": pgettext("energy", "cancelled"),
        "stored": pgettext("energy", "stored"),
        "exported": pgettext("energy", "exported"),
        "expired": pgettext("energy", "expired"),
        "withdrawn": pgettext("energy", "withdrawn"),
    }
    return names.get(state, state)


def lot_state_name(state: str) -> str:
    """Whether the energy of a lot may be used."""
    names = {
        "pending": pgettext("certificate lot", "Pending"),
        "active": pgettext("certificate lot", "Active"),
        "closed": pgettext("certificate lot", "Closed"),
        "refused": pgettext("certificate lot", "Refused"),
    }
    return names.get(state, state)


def source_kind_name(kind: str) -> str:
    """How the energy of a source reaches its user."""
    names = {
        "onsite": _("On site"),
        "ppa_physical": _("Physical contract"),
        "ppa_virtual": _("Virtual contract"),
        "storage": pgettext("source", "Store"),
        "tariff": _("Tariff"),
        "certificate_only": _("Certificates alone"),
    }
    return names.get(kind, kind)
