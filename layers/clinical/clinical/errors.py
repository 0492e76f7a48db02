"""Every error this system raises on purpose; the state machine and the API match them by name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinical.contract import Violation


class ClinicalError(Exception):
    """The root of them all."""


class ParamsInvalid(ClinicalError):
    """When params.yaml cannot be read as the decisions that the code expects."""


class EnvironmentInvalid(ClinicalError):
    """When the function's environment variables lack what the template should have set."""


class InputInvalid(ClinicalError):
    """When an execution is asked for what it cannot do; says each wrong member and what may be."""


class DatasetUnreadable(ClinicalError):
    """When an upload is no readable, non-empty CSV; retrying cannot help."""


class DatasetRejected(ClinicalError):
    """When rows break the data contract; retrying cannot help."""


class ArtefactMissing(ClinicalError):
    """When S3 holds no object under a key that should exist."""


class ArtefactCorrupted(ClinicalError):
    """When an object's bytes are not those whose digest was recorded."""


class PreconditionFailed(ClinicalError):
    """When an object changed between being read and being written."""


class StorageDenied(ClinicalError):
    """When the function's role may not do what it tried; retrying cannot help."""


class StorageUnavailable(ClinicalError):
    """When S3 does not answer as it should; retrying can help."""


class MachineUnavailable(ClinicalError):
    """When Step Functions starts or tells of no execution as it should; retrying can help."""


class LogUnavailable(ClinicalError):
    """When CloudWatch does not hand out the API's log as it should; retrying can help."""


class LogUnreadable(ClinicalError):
    """When the API's log is not there, may not be read, or is not handed out whole."""


class VersionConflict(ClinicalError):
    """When a model version is already published with other bytes."""


class VersionUnknown(ClinicalError):
    """When the registry holds no version of that name."""


class ChampionMoved(ClinicalError):
    """When another promotion moved the champion first; judging against it anew can help."""


class NotApproved(ClinicalError):
    """When a nomination that somebody has to approve of is to serve without that."""


class ApprovalSettled(ClinicalError):
    """When an approval is to be decided that was decided otherwise, or waits no more."""


class TuningFailed(ClinicalError):
    """When more candidates of a grid failed than params.yaml tolerates, or it has no such grid."""


class ModelOfAnotherStudy(ClinicalError):
    """When a version was trained under another contract than requests are held to."""


class ModelUnanswerable(ClinicalError):
    """When a version cannot predict a row of its own data as a request would ask for it."""


class Unavailable(ClinicalError):
    """When a request cannot be answered for now: why, and when to ask again."""

    def __init__(self, reason: str, retry_after_seconds: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class ModelUnavailable(Unavailable):
    """When no champion, or not all of it, can be served."""


class RecordsUnavailable(Unavailable):
    """When what was captured, told or decided cannot be read or kept."""


class NotFound(ClinicalError):
    """When there is nothing where a request looks."""


class PredictionUnknown(NotFound):
    """When no capture holds a prediction of an id."""


class ApprovalUnknown(NotFound):
    """When no execution of that name ever asked for an approval."""


class CallerUnknown(ClinicalError):
    """When nobody is named as the caller of what only somebody known may ask for."""


class BodyTooLarge(ClinicalError):
    """When a request's body is larger than the API reads."""


class BodyUnreadable(ClinicalError):
    """When a request's body is no JSON in UTF-8."""


class MediaTypeUnsupported(ClinicalError):
    """When a request's body claims to be something else than JSON."""


class RequestInvalid(ClinicalError):
    """When a request's fields break the contract; carries every violation."""

    def __init__(self, violations: Sequence["Violation"]) -> None:
        super().__init__(f"{len(violations)} violations")
        self.violations = tuple(violations)


class RouteUnknown(NotFound):
    """When no route answers a method and path."""
