"""Every error that this system raises on purpose; state machines and API match them by name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinical.contract import Violation


class ClinicalError(Exception):
    """The base class of all errors of this system."""


class ParamsInvalid(ClinicalError):
    """When params.yaml is missing, is not valid YAML, or breaks a rule."""


class EnvironmentInvalid(ClinicalError):
    """When an environment variable that the template should set is missing or invalid."""


class InputInvalid(ClinicalError):
    """When an execution's input is invalid; names each invalid member and what is allowed."""


class DatasetUnreadable(ClinicalError):
    """When an upload is not a readable, non-empty file; retrying cannot help."""


class DatasetRejected(ClinicalError):
    """When rows violate the data contract; retrying cannot help."""


class ArtefactMissing(ClinicalError):
    """When an object that should exist is missing from S3."""


class ArtefactCorrupted(ClinicalError):
    """When an object's bytes do not match the recorded digest."""


class PreconditionFailed(ClinicalError):
    """When an object changed between the read and the conditional write."""


class StorageDenied(ClinicalError):
    """When S3 denies the function access; retrying cannot help."""


class StorageUnavailable(ClinicalError):
    """When S3 fails or does not respond in time; retrying can help."""


class MachineUnavailable(ClinicalError):
    """When Step Functions fails to start or describe an execution; retrying can help."""


class LogUnavailable(ClinicalError):
    """When CloudWatch Logs fails to return the API's log; retrying can help."""


class LogUnreadable(ClinicalError):
    """When the API's log does not exist, may not be read, or is returned incomplete."""


class VersionConflict(ClinicalError):
    """When a model version is already published with different bytes."""


class VersionUnknown(ClinicalError):
    """When the registry has no version of that name."""


class ChampionMoved(ClinicalError):
    """When another promotion moved the champion first; judging against the new one can help."""


class NotApproved(ClinicalError):
    """When a candidate that needs approval is about to be promoted without it."""


class ApprovalSettled(ClinicalError):
    """When a request for approval was already decided the other way, or is no longer open."""


class TuningFailed(ClinicalError):
    """When params.yaml has no such grid, or more of its candidates failed than it tolerates."""


class ModelOfAnotherStudy(ClinicalError):
    """When a version was trained under a different data contract from the one now in force."""


class ModelUnanswerable(ClinicalError):
    """When a version cannot score a row of its own training data, sent as a request."""


class Unavailable(ClinicalError):
    """When a request cannot be answered at present: why, and when to retry."""

    def __init__(self, reason: str, retry_after_seconds: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class ModelUnavailable(Unavailable):
    """When there is no champion, or it cannot be loaded completely."""


class RecordsUnavailable(Unavailable):
    """When captures, outcomes or approvals cannot be read or written."""


class NotFound(ClinicalError):
    """When the resource that a request names does not exist."""


class PredictionUnknown(NotFound):
    """When no captured prediction has the requested id."""


class ApprovalUnknown(NotFound):
    """When no execution of that name has requested approval."""


class CallerUnknown(ClinicalError):
    """When a request that must be signed has no identified caller."""


class BodyTooLarge(ClinicalError):
    """When a request's body exceeds the size limit."""


class BodyUnreadable(ClinicalError):
    """When a request's body is not valid JSON in UTF-8."""


class MediaTypeUnsupported(ClinicalError):
    """When a request's body is declared as something other than JSON."""


class RequestInvalid(ClinicalError):
    """When a request's fields violate the data contract; carries every violation."""

    def __init__(self, violations: Sequence["Violation"]) -> None:
        super().__init__(f"{len(violations)} violations")
        self.violations = tuple(violations)


class RouteUnknown(NotFound):
    """When no route matches a method and path."""
