"""Jobs and how they came to run: what was asked, what was decided, who ran it, what it left behind."""

from scheduler.models.fairness import SegmentUse
from scheduler.models.files import Artifact, JobInput, LogChunk, Upload
from scheduler.models.gangs import Gang
from scheduler.models.jobs import Allocation, Attempt, Job
from scheduler.models.leases import Agent, Lease
from scheduler.models.pieces import Piece
from scheduler.models.queue import QueueEntry
from scheduler.models.rounds import MatchRound, SegmentReference, ShadowPriceDay

__all__ = [
    "Agent",
    "Allocation",
    "Artifact",
    "Attempt",
    "Gang",
    "Job",
    "JobInput",
    "Lease",
    "LogChunk",
    "MatchRound",
    "Piece",
    "QueueEntry",
    "SegmentReference",
    "SegmentUse",
    "ShadowPriceDay",
    "Upload",
]
