"""The job file: a subset of SkyPilot's task YAML with a block of our own, `config.joulemart`."""

from scheduler.jobfile.ask import JobAsk, JobFile
from scheduler.jobfile.parsing import parse, parse_tree
from scheduler.jobfile.problems import JobFileInvalid, Problem, ReportLine

__all__ = ["JobAsk", "JobFile", "JobFileInvalid", "Problem", "ReportLine", "parse", "parse_tree"]
