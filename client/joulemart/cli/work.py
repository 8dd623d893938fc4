"""Commands of jobs: plan, submit, jobs ls|show|logs|cancel|retry|raise|outputs, relax."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from ..job_objects import LogLine, StateChange
from ..jobs import Job, Output, state_of
from ..submission import Submission, prepare
from . import columns, figures
from .exits import JOB_FAILED, USAGE
from .filters import limits_of
from .job_text import job_lines, plan_lines, spent, totals_line
from .session import PAGE_LIMIT, Format, Session, command
from .shelf import Limit

app = typer.Typer()
jobs_app = typer.Typer(help="Your jobs.", no_args_is_help=True)
app.add_typer(jobs_app, name="jobs")

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Job id.")]
FileOption = Annotated[str, typer.Option("-f", "--file", help="Job file; - reads standard input.")]
QuoteOption = Annotated[str | None, typer.Option("--quote", help="Take this quote's price and offer.")]
ReservationOption = Annotated[str | None, typer.Option("--reservation", help="Run on this reservation.")]
Folder = Annotated[Path | None, typer.Option("--download", help="Store outputs under this folder, verified.")]


@command(app, "plan")
def plan(session: Session, file: FileOption, quote: QuoteOption = None, reservation: ReservationOption = None) -> None:
    """Check a job file and show where, when and at what price it would run. Nothing is stored."""
    _plan(session, _source(session, file), quote, reservation)


@command(app, "submit", writes=True)
def submit(
    session: Session,
    *,
    file: FileOption,
    quote: QuoteOption = None,
    reservation: ReservationOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended; exit 1 when it failed.")] = False,
    download: Folder = None,
) -> None:
    """Submit a job file; its workdir is uploaded. With --download, wait and store the outputs."""
    source = _source(session, file)
    if session.options.dry_run:
        _plan(session, source, quote, reservation)
        return
    if session.asks:
        _plan(session, source, quote, reservation)
    session.confirm("Submit it?")
    with _uploading(session, source.get("file")) as on_upload:
        job = session.client.jobs.create(**source, quote=quote, reservation=reservation, on_upload=on_upload)
    if wait or download is not None:
        _see_through(session, job, download)
    else:
        session.show_one(job, _accepted(job), columns.jobs(session.now))


@command(jobs_app, "ls")
def jobs_ls(
    session: Session,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    name: Annotated[str | None, typer.Option(help="Only with this name.")] = None,
    limit: Limit = 20,
) -> None:
    """List your jobs, newest first."""
    pager = session.client.jobs.list(state=state, name=name, limit=min(limit, PAGE_LIMIT))
    empty = "no jobs yet: start with `joulemart submit -f job.yaml`"
    session.show_list(pager, columns.jobs(session.now), limit=limit, empty=empty)


@command(jobs_app, "show")
def jobs_show(session: Session, job: JobId) -> None:
    """Show where a job stands, its attempts, cost, energy and outputs."""
    found = session.client.jobs.get(job)
    session.show_one(found, job_lines(found, session.now), columns.jobs(session.now))


@command(jobs_app, "logs")
def jobs_logs(
    session: Session,
    job: JobId,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until the job ends.")] = False,
) -> None:
    """Print a job's log. Following survives cut connections without a gap or a repeated line."""
    for line in session.client.jobs.get(job).logs(follow=follow):
        typer.echo(_log_text(session, line))
        sys.stdout.flush()


@command(jobs_app, "cancel", writes=True)
def jobs_cancel(session: Session, job: JobId) -> None:
    """Stop a job."""
    if _only_checked(session, "cancel", job):
        return
    session.confirm(f"Cancel {job}?")
    ended = session.client.jobs.cancel(job)
    session.show_one(ended, [f"{ended.id} {ended.state}"], columns.jobs(session.now))


@command(jobs_app, "retry", writes=True)
def jobs_retry(session: Session, job: JobId) -> None:
    """Submit an ended job again as a new one."""
    if _only_checked(session, "submit again", job):
        return
    session.confirm(f"Submit {job} again?")
    again = session.client.jobs.retry(job)
    session.show_one(again, _accepted(again), columns.jobs(session.now))


@command(jobs_app, "raise", writes=True)
def jobs_raise(
    session: Session, job: JobId, amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="As 15 or 15.50.")]
) -> None:
    """Give a job that stops by its budget a larger one; what runs goes on until that is used up."""
    current = session.client.jobs.get(job)
    try:
        minor = figures.minor_units(amount, current.currency)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="AMOUNT") from error
    said = figures.money(minor, current.currency)
    if session.options.dry_run:
        session.would(f"raise the budget of {current.id}, which is {current.state}, to {said}", current)
        return
    session.confirm(f"Raise the budget of {job} to {said}?")
    raised = session.client.jobs.raise_budget(job, minor)
    session.show_one(raised, job_lines(raised, session.now), columns.jobs(session.now))


@command(jobs_app, "outputs")
def jobs_outputs(session: Session, job: JobId, download: Folder = None) -> None:
    """List the files a job left behind, or download them, each checked by size and SHA-256."""
    if download is None:
        session.show_list(session.client.jobs.outputs(job), columns.outputs(), limit=10_000, empty="no outputs")
        return
    for output in session.client.jobs.outputs(job):
        _store(session, output, download)


@command(app, "relax", writes=True)
def relax(
    session: Session,
    job: JobId,
    changes: Annotated[list[str], typer.Argument(metavar="LIMIT=VALUE…", help="E.g. latency-ms=40 region=none.")],
) -> None:
    """Change limits of a queued job. A limit set to none is dropped; money as 1.64."""
    current = session.client.jobs.get(job)
    limits = limits_of(changes, current.currency)
    said = ", ".join(f"{name} {'dropped' if value is None else value}" for name, value in limits.items())
    if session.options.dry_run:
        session.would(f"relax {job}: {said}", current)
        return
    session.confirm(f"Relax {job}: {said}?")
    relaxed = session.client.jobs.relax(job, limits)
    session.show_one(relaxed, [f"{relaxed.id} {relaxed.state}  {said}"], columns.jobs(session.now))


def _only_checked(session: Session, deed: str, job: str) -> bool:
    """With --dry-run: show the job and what would be done to it."""
    if session.options.dry_run:
        found = session.client.jobs.get(job)
        session.would(f"{deed} {found.id}, which is {found.state}", found)
    return session.options.dry_run


def _source(session: Session, file: str) -> dict[str, Any]:
    """The `file` or `text` argument of a submission; ends the command when the file cannot be read."""
    session.file = "standard input" if file == "-" else file
    if file == "-":
        return {"text": sys.stdin.read()}
    try:
        prepare(file=file, text=None, tree=None)
    except (OSError, UnicodeDecodeError) as error:
        reason = (
            "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else (error.strerror or str(error)).lower()
        )
        typer.echo(f"file_unreadable  {file}: {reason}  [exit {USAGE}]", err=True)
        raise typer.Exit(USAGE) from error
    return {"file": file}


def _plan(session: Session, source: dict[str, Any], quote: str | None, reservation: str | None) -> None:
    with session.working("planning"):
        planned = session.client.jobs.plan(**source, quote=quote, reservation=reservation)
    session.show_one(planned, plan_lines(planned, session.now), columns.jobs(session.now))
    workdir = _prepared(source).workdir
    if workdir is not None:
        session.note(_sent(len(workdir.files), workdir.size, workdir.skipped, "would be uploaded"))


def _prepared(source: dict[str, Any]) -> Submission:
    return prepare(file=source.get("file"), text=source.get("text"), tree=None)


def _sent(files: int, size: int, skipped: int, verb: str) -> str:
    hidden = f"; {skipped} hidden or linked left out" if skipped else ""
    return f"workdir: {files} {'file' if files == 1 else 'files'}, {figures.size(size)} {verb}{hidden}"


@contextmanager
def _uploading(session: Session, file: str | None) -> Iterator[Callable[[str, int], None] | None]:
    """A bar over the workdir's bytes, and one line on what was sent."""
    workdir = prepare(file=file, text=None, tree=None).workdir if file is not None else None
    if workdir is None:
        yield None
        return
    bar = Progress(
        TextColumn("uploading"),
        BarColumn(),
        DownloadColumn(),
        console=session.progress,
        transient=True,
        disable=not session.shows_progress,
    )
    task = bar.add_task("uploading", total=workdir.size)
    with bar:
        yield lambda path, size: bar.advance(task, size)
    session.note(_sent(len(workdir.files), workdir.size, workdir.skipped, "uploaded"))


def _accepted(job: Job) -> list[str]:
    """A job just submitted: its state, and why it has no place yet if so."""
    site = columns.site_of(job)
    sentence = (job.unplaced.sentence if job.unplaced else "") or job.sentence
    return [f"{job.id} {job.state}" + (f" ({site})" if site else "")] + ([sentence] if sentence else [])


def _log_text(session: Session, line: LogLine) -> str:
    if session.format is Format.JSON:
        return json.dumps(line.raw, ensure_ascii=False)
    return line.text


def _see_through(session: Session, job: Job, download: Path | None) -> None:
    """Wait for the end, showing each state as it comes, then totals and outputs. Exits 1 unless it succeeded."""
    shows_states = session.format is Format.TABLE and not session.options.quiet
    trail = _Trail() if shows_states else None
    if trail:
        trail.begin(job)
    try:
        with nullcontext() if trail else session.working(f"waiting for {job.id}"):
            ended = job.wait(on_state=trail.step if trail else None)
    except KeyboardInterrupt:
        session.note(f"\n{job.id} goes on; see it with `joulemart jobs logs -f {job.id}`")
        raise
    if trail:
        trail.finish(ended)
    else:
        session.show_one(ended, [], columns.jobs(session.now))
    if download is not None:
        for output in ended.outputs:
            _store(session, output, download)
    if ended.state != "succeeded":
        raise typer.Exit(JOB_FAILED)


class _Trail:
    """`job_4f21 queued → allocated (Huaihe Solar Park) → starting → …`, written as it happens."""

    def __init__(self) -> None:
        self._site = ""

    def begin(self, job: Job) -> None:
        self._write(f"{job.id} {job.state}{self._where(state_of(job))}")

    def step(self, change: StateChange) -> None:
        self._write(f" → {change.state}{self._where(change)}")

    def finish(self, job: Job) -> None:
        self._write(f"  {figures.duration(job.usage.seconds)}  {spent(job)}\n{totals_line(job)}\n")
        if job.state != "succeeded" and job.sentence:
            self._write(f"{job.sentence}\n")

    def _where(self, change: StateChange) -> str:
        """The site, the first time it is known and whenever it is another one."""
        site = change.allocation.site if change.allocation else None
        name = (site.name or site.id) if site else ""
        if name in ("", self._site):
            return ""
        self._site = name
        return f" ({name})"

    def _write(self, text: str) -> None:
        typer.echo(text, nl=False)
        sys.stdout.flush()


def _store(session: Session, output: Output, folder: Path) -> None:
    with session.working(f"downloading {output.path}"):
        output.download(folder)
    place = folder / output.path
    if session.format is Format.JSON:
        session.note(f"{place}  {output.size} bytes, SHA-256 verified")
    else:
        session.say(str(place) if session.options.quiet else f"{place}  {figures.size(output.size)}  SHA-256 verified")
