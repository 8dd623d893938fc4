"""The operators' view of jobs, agents and match rounds.

What a buyer runs (command, environment, log) is not shown: operators decide about rounds and machines, not about work.
"""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.decorators import action

from accounts.admin import LookOnly
from scheduler.core.scoring import PFLOP_HOUR
from scheduler.core.types import CORE_VERSION
from scheduler.cycle import replay
from scheduler.hints import wake_carefully
from scheduler.models import (
    Agent,
    Allocation,
    Attempt,
    Gang,
    Job,
    Lease,
    MatchRound,
    QueueEntry,
    SegmentReference,
    SegmentUse,
)
from scheduler.recording import SnapshotGone
from scheduler.roundview import round_page
from scheduler.shards import Shard, all_shards


@admin.register(Job)
class JobAdmin(LookOnly):
    list_display = ("public_id", "name", "state", "reason", "buyer", "segment", "region_group", "units", "created_at")
    list_filter = ("state", "reason", "segment", "created_at")
    list_select_related = ("buyer",)
    search_fields = ("public_id", "name", "buyer__name")
    fields = (
        "public_id", "name", "buyer", "created_by", "api_key", "state", "reason", "version", "segment", "region_group",
        "units", "time_limit_s", "retries", "attempts_made", "excluded_sites", "gang", "ask", "unplaced", "start_after",
        "finish_by", "due_at", "next_attempt_at", "cancel_requested_at", "created_at", "started_at", "finished_at",
    )  # fmt: skip


@admin.register(Gang)
class GangAdmin(LookOnly):
    list_display = ("public_id", "name", "size", "buyer", "segment", "created_at", "ended_at")
    list_filter = ("segment", "created_at")
    list_select_related = ("buyer",)
    search_fields = ("public_id", "name", "buyer__name", "jobs__public_id")


@admin.register(Attempt)
class AttemptAdmin(LookOnly):
    list_display = ("public_id", "job", "number", "state", "reason", "exit_code", "started_at", "ended_at")
    list_filter = ("state", "reason", "created_at")
    list_select_related = ("job",)
    search_fields = ("public_id", "job__public_id")
    ordering = ("-pk",)


@admin.register(Allocation)
class AllocationAdmin(LookOnly):
    list_display = ("public_id", "job", "offer", "units", "start", "end", "live", "round", "reservation")
    list_filter = ("live", "start")
    list_select_related = ("job", "offer", "round", "reservation")
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
        "public_id", "now", "segment", "region_group", "mode", "jobs_seen", "placed", "conflicts", "ratio",
        "ms_read", "ms_core", "ms_write", "core_version",
    )  # fmt: skip
    list_filter = ("segment", "region_group", "mode", "core_version", "now")
    search_fields = ("public_id",)
    fields = ("public_id",)  # the page has a form of its own: scheduler.roundview
    actions = ("decide_again",)
    actions_list = ("ask_for_quality",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[MatchRound]:
        """Without the markets that the rounds saw: a page of them would weigh megabytes."""
        rows: QuerySet[MatchRound] = super().get_queryset(request)
        return rows.defer("snapshot", "result")

    @admin.display(description=gettext_lazy("of the bound"), ordering="ratio_bp")
    def ratio(self, row: MatchRound) -> str:
        """The plan's part of what no plan could exceed."""
        return "—" if row.ratio_bp is None else f"{row.ratio_bp / 100:.2f} %"

    def get_urls(self) -> list[URLPattern]:
        """The pages of the framework, and the replay of one round."""
        again = self.admin_site.admin_view(require_POST(self.replay_one))
        path_to = path("<path:object_id>/replay/", again, name="scheduler_matchround_replay")
        return [path_to, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The round's page."""
        round_ = MatchRound.objects.select_related("reference", "base").filter(pk=_key_of(object_id)).first()
        told = round_page(round_) | {"round": round_, "title": round_.public_id} if round_ else {}
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **told})
        return answer

    def replay_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Decide the round again and say on its page whether the bytes agree."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        round_ = get_object_or_404(MatchRound, pk=_key_of(object_id))
        self._tell_replay(request, round_)
        return HttpResponseRedirect(reverse("admin:scheduler_matchround_change", args=[round_.pk]))

    def _tell_replay(self, request: HttpRequest, round_: MatchRound) -> None:
        level, text = told(round_)
        self.message_user(request, text % {"round": round_.public_id, "core": round_.core_version}, level)

    @action(  # type: ignore[untyped-decorator]  # the package is untyped
        description=gettext_lazy("Quality round…"), url_path="quality", permissions=["ask_for_quality"]
    )
    def ask_for_quality(self, request: HttpRequest) -> HttpResponse:
        """Ask which segment, and then its worker for a quality round."""
        shards, segment = {shard.name: shard for shard in all_shards()}, request.POST.get("segment")
        if segment in shards:
            wake_carefully(segment)
            asked = _("A quality round of %(segment)s was asked for; it appears here when it placed or refused a job.")
            self.message_user(request, asked % {"segment": segment})
            return HttpResponseRedirect(reverse("admin:scheduler_matchround_changelist"))
        waiting = QueueEntry.objects.values_list("segment", "region_group").annotate(jobs=Count("pk"))
        queued = {Shard(family, group).name: jobs for family, group, jobs in waiting.order_by()}
        busiest = max(shards, key=lambda each: queued.get(each, 0))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Run a quality round"),
            "opts": self.opts,
            "segments": [{"name": each, "jobs": queued.get(each, 0), "chosen": each == busiest} for each in shards],
        }
        return render(request, "admin/scheduler/matchround/quality.html", context)

    def has_ask_for_quality_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Operators, not auditors: a round allocates."""
        return bool(request.user.has_perm("scheduler.change_matchround"))

    @admin.action(description=gettext_lazy("Replay the selected rounds"), permissions=["view"])
    def decide_again(self, request: HttpRequest, queryset: QuerySet[MatchRound]) -> None:
        """Decide each stored snapshot again and compare; nothing is written, so auditors may do it too."""
        for round_ in queryset:
            self._tell_replay(request, round_)


def _key_of(object_id: str) -> int:
    """The key in an address; none is 0."""
    return int(object_id) if object_id.isascii() and object_id.isdigit() else 0


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
