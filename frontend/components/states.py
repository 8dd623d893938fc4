"""The words for states and end reasons, in the reader's language."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

NAMES = {
    "draft": pgettext_lazy("state", "Draft"),
    "live": pgettext_lazy("state", "Live"),
    "paused": pgettext_lazy("state", "Paused"),
    "retired": pgettext_lazy("state", "Retired"),
    "held": pgettext_lazy("state", "Held"),
    "confirmed": pgettext_lazy("state", "Confirmed"),
    "active": pgettext_lazy("state", "Active"),
    "completed": pgettext_lazy("state", "Completed"),
    "expired": pgettext_lazy("state", "Expired"),
    "cancelled": pgettext_lazy("state", "Cancelled"),
    "failed": pgettext_lazy("state", "Failed"),
    "queued": pgettext_lazy("state", "Queued"),
    "allocated": pgettext_lazy("state", "Allocated"),
    "starting": pgettext_lazy("state", "Starting"),
    "running": pgettext_lazy("state", "Running"),
    "succeeded": pgettext_lazy("state", "Succeeded"),
    "pending": pgettext_lazy("state", "Pending"),
    "due": pgettext_lazy("state", "Due"),
    "sending": pgettext_lazy("state", "On its way"),
    "paid": pgettext_lazy("state", "Paid"),
    "reversed": pgettext_lazy("state", "Taken back"),
    "ended": pgettext_lazy("state", "Ended"),
    "connected": pgettext_lazy("state", "Connected"),
    "silent": pgettext_lazy("state", "Silent"),
}
TONES = {
    "live": "good",
    "confirmed": "good",
    "active": "good",
    "running": "good",
    "succeeded": "good",
    "completed": "good",
    "connected": "good",
    "paid": "good",
    "held": "warn",
    "paused": "warn",
    "queued": "warn",
    "due": "warn",
    "silent": "bad",
    "failed": "bad",
    "expired": "bad",
    "reversed": "bad",
    "allocated": "info",
    "starting": "info",
    "sending": "info",
}
REASONS = {
    "succeeded": _("ended well"),
    "exit_nonzero": _("the program ended with an error"),
    "time_limit": _("the time limit was reached"),
    "budget_limit": _("the budget was reached"),
    "out_of_memory": _("it ran out of memory"),
    "cancelled": _("cancelled"),
    "preempted": _("interrupted by the provider"),
    "replanned": _("moved to a better hour"),
    "piece_over": _("piece over"),
    "lease_lost": _("the agent was lost"),
    "node_failed": _("the machine failed"),
    "image_failed": _("the image could not be loaded"),
    "input_missing": _("an input was missing"),
    "output_failed": _("an output could not be stored"),
    "agent_error": _("the agent had an error"),
    "hardware_failed": _("the hardware failed"),
    "power_lost": _("the power was lost"),
    "network_lost": _("the network was lost"),
    "maintenance": _("maintenance that cannot wait"),
    "withdrawn": _("the provider took the hours back"),
    "reservation_over": _("its reservation was over"),
}


def name(state: str) -> str:
    """The state's word; an unknown one is shown as it is."""
    return str(NAMES.get(state, state))


def tone(state: str) -> str:
    """good, warn, bad, info or nothing."""
    return TONES.get(state, "")


def reason(code: str) -> str:
    """The end reason as a clause."""
    return str(REASONS.get(code, code))
