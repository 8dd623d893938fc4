"""The operators' view of jobs, agents and match rounds.

What a buyer runs (command, environment, log) is not shown: operators decide about rounds and machines, not about work.
"""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin import LookOnly
from scheduler.core.scoring import PFLOP_HOUR
from scheduler.core.types import CORE_VERSION
from scheduler.cycle import replay
from scheduler.models import Agent, Allocation, Attempt, Job, Lease, MatchRound, SegmentReference, SegmentUse
from scheduler.recording import SnapshotGone


@admin.register(Job)
class JobAdmin(LookOnly):
    list_display = ("public_id", "name", "state", "reason", "buyer", "segment", "region_group", "units", "created_at")
    list_filter = ("state", "reason", "segment", "created_at")
    list_select_related = ("buyer",)
    search_fields = ("public_id", "name", "buyer__name")
    fields = (
        "public_id", "name", "buyer", "created_by", "api_key", "state", "reason", "version", "segment", "region_group",
        "units", "time_limit_s", "retries", "attempts_made", "excluded_sites", "ask", "unplaced", "start_after",
        "finish_by", "due_at", "next_attempt_at", "cancel_requested_at", "created_at", "started_at", "finished_at",
    )  # fmt: skip


@admin.register(Attempt)
class AttemptAdmin(LookOnly):
    list_display = ("public_id", "job", "number", "state", "reason", "exit_code", "started_at", "ended_at")
    list_filter = ("state", "reason", "created_at")
    list_select_related = ("job",)
    search_fields = ("public_id", "job__public_id")
    ordering = ("-pk",)


@admin.register(Allocation)
class AllocationAdmin(LookOnly):
    list_display = ("public_id", "job", "offer", "units", "start", "end", "live", "round")
    list_filter = ("live", "start")
    list_select_related = ("job", "offer", "round")
    search_fields = ("public_id", "job__public_id", "offer__public_id", "round__public_id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Allocation]:
        """Without the markets that their rounds saw."""
        rows: QuerySet[Allocation] = super().get_queryset(request)
        return rows.defer("round__snapshot", "round__result")


@admin.register(Agent)
class AgentAdmin(LookOnly):
    list_display = ("name", "public_id", "site", "engine", "agent_version", "units", "clock_skew_ms", "last_seen_at")
    list_filter = ("engine", "agent_version", "last_seen_at")
    list_select_related = ("site",)
    search_fields = ("public_id", "name", "site__name")


@admin.register(Lease)
class LeaseAdmin(LookOnly):
    list_display = ("public_id", "attempt", "agent", "epoch", "granted_at", "expires_at", "ended_at")
    list_filter = ("agent", "granted_at")
    list_select_related = ("attempt", "agent")
    search_fields = ("public_id", "attempt__public_id", "agent__name")
    ordering = ("-pk",)


@admin.register(MatchRound)
class MatchRoundAdmin(LookOnly):
    list_display = (
        "public_id", "now", "segment", "region_group", "mode", "core_version", "jobs_seen", "placed", "conflicts",
        "ms_read", "ms_core", "ms_write",
    )  # fmt: skip
    list_filter = ("segment", "region_group", "mode", "core_version", "now")
    search_fields = ("public_id",)
    fields = (
        "public_id", "segment", "region_group", "mode", "core_version", "reference", "now", "jobs_seen", "placed",
        "conflicts", "utility", "unplaced_reasons", "ms_read", "ms_core", "ms_write", "snapshot_sha256",
        "result_sha256",
    )  # fmt: skip
    actions = ("decide_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[MatchRound]:
        """Without the markets that the rounds saw: a page of them would weigh megabytes."""
        rows: QuerySet[MatchRound] = super().get_queryset(request)
        return rows.defer("snapshot", "result")

    @admin.action(description=gettext_lazy("Replay the selected rounds"), permissions=["view"])
    def decide_again(self, request: HttpRequest, queryset: QuerySet[MatchRound]) -> None:
        """Decide each stored snapshot again and compare; nothing is written, so auditors may do it too."""
        for round_ in queryset:
            level, text = told(round_)
            self.message_user(request, text % {"round": round_.public_id, "core": round_.core_version}, level)


def told(round_: MatchRound) -> tuple[int, str]:
    """(level of the message, its text) of a replay."""
    if round_.core_version != CORE_VERSION:
        return messages.WARNING, _("%(round)s: decided by version %(core)s of the matcher, which is not this one.")
    try:
        same = replay(round_)
    except SnapshotGone:
        return messages.WARNING, _("%(round)s: its snapshot is gone, only its figures were kept.")
    if same:
        return messages.SUCCESS, _("%(round)s: the same plan, byte for byte.")
    return messages.ERROR, _("%(round)s: another plan; manage.py replay_round shows the first difference.")


@admin.register(SegmentReference)
class SegmentReferenceAdmin(LookOnly):
    list_display = ("segment", "day", "p_lo", "p_mid", "p_hi", "offers", "created_at")
    list_filter = ("segment", "day")


@admin.register(SegmentUse)
class SegmentUseAdmin(LookOnly):
    list_display = ("segment", "organization", "weight", "pflop_hours", "day")
    list_filter = ("segment",)
    list_select_related = ("organization",)
    search_fields = ("organization__name", "organization__public_id")

    @admin.display(description=gettext_lazy("weight"), ordering="organization__weight")
    def weight(self, row: SegmentUse) -> int:
        """That of the organization, where it is changed."""
        return row.organization.weight

    @admin.display(description=gettext_lazy("PFLOP-hours"), ordering="work")
    def pflop_hours(self, row: SegmentUse) -> str:
        """Work in the unit of the buyers, to a thousandth."""
        return f"{row.work / PFLOP_HOUR:,.3f}"
