"""What a caller hands over to submit a job, read from disk and checked before anything is sent."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .workdir import Workdir, read_job_file, scan


@dataclass(frozen=True)
class Submission:
    """A job's text and, when it names one, the folder whose files become inputs."""

    text: str
    workdir: Workdir | None


def prepare(*, file: str | Path | None, text: str | None, tree: Mapping[str, Any] | None) -> Submission:
    """The submission of exactly one of: a job file's path, its text, its normal form.

    Raises ValueError for none or several, OSError for an unreadable file, WorkdirRefused.
    """
    if sum(given is not None for given in (file, text, tree)) != 1:
        raise ValueError("give one of file, text or tree")
    if file is not None:
        read = read_job_file(Path(file))
        return Submission(read.text, scan(read.workdir) if read.workdir is not None else None)
    if text is not None:
        return Submission(text, None)
    return Submission(json.dumps(tree), None)  # JSON is YAML
