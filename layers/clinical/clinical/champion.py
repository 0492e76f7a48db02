"""Follow the champion: load what a function serves, and notice when another is promoted."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from snapshot_restore_py import register_after_restore

from clinical import ahead, telemetry
from clinical.environment import in_lambda
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    ClinicalError,
    ModelOfAnotherStudy,
    ModelUnanswerable,
    ModelUnavailable,
    StorageDenied,
    StorageUnavailable,
)
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import Champion, Pointer, Registry
from clinical.sam_local import what_to_run

UNLOADED_RETRY_SECONDS = 1.0  # a first promotion is noticed soon, an outage is not hammered

# The reasons that a client may see if something cannot be read: no bucket, no key.
REASONS: dict[type[ClinicalError], str] = {
    StorageUnavailable: "{what} cannot be read because S3 is not responding properly; retry "
    "shortly.",
    StorageDenied: "S3 denies this function access to {what}; allow its role, and the bucket's "
    "policy, to read under models/.",
    ArtefactCorrupted: "{what} is corrupted in S3 and is not used; restore the object's previous "
    "version, or promote another model version.",
    ModelOfAnotherStudy: "ModelOfAnotherStudy: {what} was trained on columns other than those that "
    "requests have now; start the retrain state machine.",
    ModelUnanswerable: "ModelUnanswerable: {what} cannot score rows of its own training data; "
    "promote another model version.",
    ArtefactMissing: "{what} is missing from S3; restore it, or promote another model version.",
}
UNFORESEEN = "{what} cannot be read because of an unexpected error; see the function's log."
NOTHING_PROMOTED = "No model has been promoted yet; start the retrain state machine."


class ChampionFollower[Served]:
    """Keeps the loaded champion, and checks S3 for a newer one at regular intervals.

    bucket: of artefacts; each check, with everything it loads, has one deadline.
    load: turns a champion into what the function serves; may raise anything.
    beside: loads what accompanies the champion, after each successful check and within the rest of
    its time; if it fails, the failure is logged and the champion keeps serving.
    clock: monotonic seconds.
    """

    def __init__(
        self,
        bucket: Callable[[], ObstoreBucket],
        load: Callable[[ObstoreBucket, Champion], Served],
        clock: Callable[[], float] = time.monotonic,
        beside: Callable[[ObstoreBucket, Served], None] = lambda _, __: None,
    ) -> None:
        self._bucket = bucket
        self._load = load
        self._beside = beside
        self._clock = clock
        self._pointer: Pointer | None = None
        self._served: Served | None = None
        self._reason = NOTHING_PROMOTED
        self._next_look = float("-inf")

    def current(self) -> Served:
        """Return what serves now, checked at most every `serving.refresh_seconds`.

        A failed refresh keeps what is loaded, and is logged and counted in a metric.
        Raises ModelUnavailable, with the reason, if nothing has been loaded yet.
        """
        if self._clock() >= self._next_look:
            try:
                self._refresh()
            finally:  # from its end: a slow S3 must not make the next request wait again
                self._next_look = self._clock() + (
                    UNLOADED_RETRY_SECONDS
                    if self._served is None
                    else params().serving.refresh_seconds
                )
        if self._served is None:
            raise ModelUnavailable(self._reason, math.ceil(UNLOADED_RETRY_SECONDS))
        return self._served

    def warm(self) -> None:
        """Load the champion while the environment starts; a failure does not fail the start.

        With SnapStart the environment started when the function was deployed, and its champion may
        have been replaced since: once restored, it checks again before its first request.
        """
        if not in_lambda():
            return
        self._load_without_fail()
        ahead.imported()
        register_after_restore(self._look_again)

    def _look_again(self) -> None:
        self._next_look = float("-inf")
        self._load_without_fail()

    def _load_without_fail(self) -> None:
        try:
            self.current()
        except ModelUnavailable:
            telemetry.logger().warning(
                "No champion could be loaded; the function starts without one."
            )

    def _refresh(self) -> None:
        serving = params().serving
        seconds = (
            serving.load_timeout_seconds
            if self._served is None
            else serving.refresh_timeout_seconds
        )
        try:
            bucket = self._bucket().within(seconds)
            registry = Registry(bucket)
            newer = registry.champion_after(self._pointer) if self._pointer else registry.champion()
            if newer is None:
                self._reason = NOTHING_PROMOTED
            else:
                self._served = self._load(bucket, newer.champion)
                self._pointer = newer
                telemetry.write_event(
                    "champion_loaded",
                    model_version=newer.champion.version,
                    promotion=newer.champion.sequence,
                )
        except Exception as error:  # noqa: BLE001 - whatever it is, what is loaded can serve
            self._reason = _reason("the champion", error)
            _tell(
                "The champion could not be refreshed; the loaded model keeps serving.",
                error,
                model_loaded=self._served is not None,
            )
            telemetry.count(telemetry.Metric.CHAMPION_REFRESH_FAILURES)
        else:
            if self._served is not None:
                self._look_beside(bucket, self._served)

    def _look_beside(self, bucket: ObstoreBucket, served: Served) -> None:
        try:
            self._beside(bucket, served)
        except Exception as error:  # noqa: BLE001 - whatever it is, the champion can serve
            _tell("The shadow could not be loaded; requests are answered without it.", error)


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Turn any failure to read `what` into ModelUnavailable with the reason."""
    try:
        yield
    except ClinicalError as error:
        _tell(
            "A request could not be answered because something it needs is unavailable.",
            error,
            needed=what,
        )
        raise ModelUnavailable(_reason(what, error)) from error


def _reason(what: str, error: Exception) -> str:
    sentence = next(
        (said for kind, said in REASONS.items() if isinstance(error, kind)), UNFORESEEN
    ).format(what=what)
    if isinstance(error, StorageUnavailable):
        sentence += what_to_run()
    return sentence[0].upper() + sentence[1:]


def _tell(sentence: str, error: Exception, **facts: object) -> None:
    """Log a failure: with its message if it is one of ours, otherwise with its stack frames."""
    known = isinstance(error, ClinicalError)
    facts |= {"reason": str(error)} if known else {"frames": telemetry.frames(error)}
    telemetry.logger().error(sentence, extra={"error": type(error).__name__, **facts})
    if isinstance(error, ArtefactCorrupted):
        telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED)
