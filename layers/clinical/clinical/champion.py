"""Follow the champion: load what a function serves, and notice when another one is promoted."""

import time
from collections.abc import Callable

from snapshot_restore_py import register_after_restore

from clinical import telemetry
from clinical.environment import in_lambda
from clinical.errors import ArtefactCorrupted, ClinicalError, ModelUnavailable
from clinical.params import params
from clinical.registry import Champion, Pointer, Registry

UNLOADED_RETRY_SECONDS = 1.0  # a first promotion is noticed soon, an outage is not hammered


class ChampionFollower[Served]:
    """Keeps what `load` makes of the champion, and asks S3 for a newer one now and then.

    load: makes of a champion what the function serves; may raise any ClinicalError.
    clock: seconds that only grow.
    """

    def __init__(
        self,
        registry: Callable[[], Registry],
        load: Callable[[Champion], Served],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._load = load
        self._clock = clock
        self._pointer: Pointer | None = None
        self._served: Served | None = None
        self._next_look = float("-inf")

    def current(self) -> Served:
        """Give what serves now, looked up at most every `serving.refresh_seconds`.

        A refresh that fails keeps what is loaded, and says so in the log and a metric.
        Raises ModelUnavailable while nothing could be loaded yet.
        """
        now = self._clock()
        if now >= self._next_look:
            self._refresh()
            self._next_look = now + (
                UNLOADED_RETRY_SECONDS if self._served is None else params().serving.refresh_seconds
            )
        if self._served is None:
            raise ModelUnavailable("no model is loaded; start the retrain state machine")
        return self._served

    def warm(self) -> None:
        """Load the champion while the environment starts, without failing the start.

        With SnapStart it started when the function was deployed, and what it loaded then may have
        been replaced since: restored, it looks again before its first request.
        """
        if not in_lambda():
            return
        self._load_without_fail()
        register_after_restore(self._look_again)

    def _look_again(self) -> None:
        self._next_look = float("-inf")
        self._load_without_fail()

    def _load_without_fail(self) -> None:
        try:
            self.current()
        except ModelUnavailable:
            telemetry.logger().warning("No champion could be loaded; the function starts without.")

    def _refresh(self) -> None:
        try:
            registry = self._registry()
            newer = registry.champion_after(self._pointer) if self._pointer else registry.champion()
            if newer is None:
                return
            self._served = self._load(newer.champion)
            self._pointer = newer
            telemetry.count(
                telemetry.Metric.MODEL_LOADS,
                model_version=newer.champion.version,
                promotion=newer.champion.sequence,
            )
        except ClinicalError as error:
            telemetry.logger().error(
                "The champion could not be read; what is loaded keeps serving.",
                error=type(error).__name__,
                reason=str(error),
                model_loaded=self._served is not None,
            )
            telemetry.count(telemetry.Metric.CHAMPION_REFRESH_FAILURES)
            if isinstance(error, ArtefactCorrupted):
                telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED)
