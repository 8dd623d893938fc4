"""What happened to a job, in one sentence a person understands."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from scheduler.models import Attempt, Job
from scheduler.preempting import FIRM_WORK, GANG, PROVIDER
from scheduler.states import BUDGET_LIMIT, NOT_FIRM, PIECE_OVER, RESERVATION_OVER

LOST = "lease_lost"
AT_ONCE = timedelta(minutes=1)


def reason_sentence(reason: str) -> str:
    """What an end reason means."""
    return {
        "succeeded": _("It finished without an error."),
        "exit_nonzero": _("The program ended with an error."),
        "time_limit": _("It reached its time limit and was stopped."),
        "budget_limit": _("It spent its budget and was stopped."),
        "out_of_memory": _("It needed more memory than its units have and was stopped."),
        "cancelled": _("It was cancelled."),
        "preempted": _("It made room for firm work."),
        "replanned": _("It was moved to a better hour before it started."),
        "piece_over": _("Its hours were over; the work goes on from its checkpoint."),
        "lease_lost": _("The agent fell silent, so its right to run ended; what was not charged before costs nothing."),
        "node_failed": _("The site did not start it in time."),
        "image_failed": _("The container image could not be started."),
        "input_missing": _("An input file could not be fetched or had another hash."),
        "output_failed": _("An output file could not be stored."),
        "agent_error": _("The agent failed; what was not charged before costs nothing."),
    }.get(reason, reason)


def end_sentence(attempt: Attempt) -> str:
    """How an attempt ended; work that made room says for whom."""
    if attempt.reason == "preempted" and attempt.preempt_cause == PROVIDER:
        return _("The provider took the machines back.")
    if attempt.reason == "preempted" and attempt.preempt_cause == GANG:
        return _("Another job of its gang lost its machine, and they start together anew.")
    if attempt.reason == "node_failed" and attempt.started_at is not None:
        return _("The machine failed under it; what was not charged before costs nothing.")
    return reason_sentence(attempt.reason)


def attempt_sentence(attempt: Attempt) -> str:
    """One attempt in one sentence."""
    site = attempt.allocation.offer.site.name
    if attempt.state != "ended":
        return _underway(attempt) % {"site": site}
    sentence = end_sentence(attempt)
    if attempt.reason == "exit_nonzero" and attempt.exit_code is not None:
        sentence = _("The program ended with exit code %(code)d.") % {"code": attempt.exit_code}
    return _("At %(site)s: %(sentence)s") % {"site": site, "sentence": sentence}


def _underway(attempt: Attempt) -> str:
    if attempt.preempt_by is not None:
        return {
            FIRM_WORK: _("Makes room for firm work at %(site)s: it saves its work, ends and is queued again."),
            PROVIDER: _(
                "The provider takes the machines at %(site)s back: it saves its work, ends and is queued again."
            ),
            GANG: _("Ends at %(site)s: another job of its gang lost its machine, and they start together anew."),
        }[attempt.preempt_cause]
    start, zone = attempt.allocation.start, attempt.allocation.offer.site.zone.timezone
    if attempt.state == "pending" and attempt.job.saved_s and start > attempt.created_at + AT_ONCE:
        # Translators: the clock is the site's
        told = _("Waits for its next piece at %(site)s and costs nothing; it goes on from its checkpoint on {when}.")
        return told.format(when=date_format(start.astimezone(ZoneInfo(zone)), "D H:i"))
    if attempt.state == "pending" and start > attempt.created_at + AT_ONCE:
        # Translators: the clock is the site's
        told = _("Is to start at %(site)s on {when}, the time there.")
        return told.format(when=date_format(start.astimezone(ZoneInfo(zone)), "D H:i"))
    return {
        "pending": _("Waits for the agent at %(site)s."),
        "starting": _("Starts at %(site)s."),
        "running": _("Runs at %(site)s."),
    }[attempt.state]


def job_sentence(job: Job, attempts: list[Attempt]) -> str:
    """The job's whole story in one sentence."""
    last = attempts[-1] if attempts else None
    lost = [attempt for attempt in attempts if attempt.reason == LOST]
    if job.state == "queued":
        return _queued(job, last)
    if job.state == "expired" or job.reason in {RESERVATION_OVER, BUDGET_LIMIT}:
        return _over(job)
    if last is None:
        return _("It was cancelled before it was allocated.")
    if job.state in {"allocated", "starting", "running"}:
        return attempt_sentence(last)
    if job.state == "succeeded" and lost:
        return _("Attempt %(lost)d ended when its agent fell silent; attempt %(number)d at %(site)s finished it.") % {
            "lost": lost[-1].number,
            "number": last.number,
            "site": last.allocation.offer.site.name,
        }
    return attempt_sentence(last)


def _over(job: Job) -> str:
    """Why a job has no place or no money to run any more."""
    if job.reason == BUDGET_LIMIT:
        return reason_sentence(BUDGET_LIMIT)
    if job.reason != RESERVATION_OVER:
        return _("Its window passed before an offer could take it.")
    if job.reservation is not None and job.reservation.state == "failed":
        return _("Its provider gave the reservation up.")
    if job.state == "cancelled":
        return _("Its reservation was cancelled.")
    return _("Its reservation left it no time to run.")


def _queued_inside(job: Job, last: Attempt | None) -> str:
    if last is not None and last.reason:
        return _("Attempt %(number)d ended: %(reason)s It is queued again inside its reservation.") % {
            "number": last.number,
            "reason": end_sentence(last),
        }
    if job.unplaced and job.unplaced["code"] == NOT_FIRM:
        return _("It waits until its reservation is confirmed.")
    return _("The units of its reservation are in use; it starts as soon as enough are free.")


def _rest_planned(job: Job) -> str:
    """Why a job whose piece is over waits for a round rather than for its next piece."""
    if job.saved_s:
        return _("Its piece is over and no other is promised any more: the rest of its work is planned anew.")
    return _("Its piece is over but left no checkpoint: its work is planned anew.")


def _queued(job: Job, last: Attempt | None) -> str:
    if job.reservation_id is not None:
        return _queued_inside(job, last)
    if last is not None and last.reason == "preempted" and last.preempt_cause:
        return _("Attempt %(number)d ended: %(reason)s It is queued again and loses no try.") % {
            "number": last.number,
            "reason": end_sentence(last),
        }
    if last is not None and last.reason == PIECE_OVER:
        return _rest_planned(job)
    if last is not None and last.reason:
        return _("Attempt %(number)d ended: %(reason)s It is queued again, away from that site.") % {
            "number": last.number,
            "reason": end_sentence(last),
        }
    if job.unplaced:
        return {
            "no_capacity": _("Every offer that fits is taken right now; it starts as soon as units are free."),
            "outbid": _("Jobs with a higher bid go first right now."),
            "gang_incomplete": _("Its gang starts together: it waits until all its jobs are here and fit at one time."),
        }.get(job.unplaced["code"], _("No offer fits its limits; relaxing one of them will let it run."))
    return _("It waits for the next match round.")
