"""Joulemart: search green computing power, reserve it, run jobs on it.

`Client` (or `AsyncClient`) is the way in; the command `joulemart` does the same from a shell.
"""

from .aio import AsyncClient
from .aio_jobs import AsyncJob, AsyncOutput
from .client import Client
from .errors import (
    ApiError,
    ConfigError,
    Conflict,
    ConnectionLost,
    Expired,
    FieldError,
    Forbidden,
    Invalid,
    JoulemartError,
    MoneyRefused,
    NotFound,
    NothingFits,
    NotSignedIn,
    RateLimited,
    ReceiptRejected,
    ReceiptUnreadable,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    VerificationFailed,
    WaitTimedOut,
    WorkdirRefused,
)
from .job_objects import LogLine, MeterReading, StateChange
from .jobs import Job, Output
from .meter_objects import MeterImport
from .objects import Offer, Quote, Why
from .receipt_objects import EvidenceFile, KeySet, Receipt
from .reservation_objects import Reservation, SoldReservation
from .retry import RetryPolicy
from .standing_objects import Decision, StandingOrder
from .wait_objects import Wait
from .wallet_objects import Movement, Refund, Topup, Wallet
from .wire import __version__

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncJob",
    "AsyncOutput",
    "Client",
    "ConfigError",
    "Conflict",
    "ConnectionLost",
    "Decision",
    "EvidenceFile",
    "Expired",
    "FieldError",
    "Forbidden",
    "Invalid",
    "Job",
    "JoulemartError",
    "KeySet",
    "LogLine",
    "MeterImport",
    "MeterReading",
    "MoneyRefused",
    "Movement",
    "NotFound",
    "NotSignedIn",
    "NothingFits",
    "Offer",
    "Output",
    "Quote",
    "RateLimited",
    "Receipt",
    "ReceiptRejected",
    "ReceiptUnreadable",
    "Refund",
    "Reservation",
    "RetryPolicy",
    "SoldReservation",
    "StandingOrder",
    "StateChange",
    "Topup",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "VerificationFailed",
    "Wait",
    "WaitTimedOut",
    "Wallet",
    "Why",
    "WorkdirRefused",
    "__version__",
]
