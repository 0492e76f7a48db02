"""Write a run's findings: its report, the version's monitoring, and the card."""

from datetime import datetime

from clinical.artefacts import Artefact, Artefacts, read_verified, sealed_json, sha256
from clinical.captures import Captures
from clinical.monitored import MONITORING, Drift, Monitored, Monitoring, Observed
from clinical.params import Params
from clinical.registry import CARD_TEXT, Champion, Registry
from stage import Run, stage

from monitor.reporting import card_with, revised
from monitor.state import Begun, Drifted, Joined, Reported


@stage(cached=False)
def report(  # noqa: PLR0913, PLR0917 - all that a run found, and where it goes
    begun: Begun,
    drifted: Drifted,
    joined: Joined,
    artefacts: Artefacts,
    registry: Registry,
    run: Run,
    params: Params,
) -> Reported:
    """Write the run's report, add it to the version's annex, and update its card.

    A repeated date has one report, the last one, and one point. Raises ArtefactMissing, and
    ArtefactCorrupted if anything was altered, including the annex.
    """
    champion = begun.serving
    monitored = Monitored(
        execution=run.execution,
        model_version=champion.version,
        window=begun.window,
        drift=Drift.model_validate_json(artefacts.read(drifted.drift)),
        outcomes=Observed.model_validate_json(artefacts.read(joined.observed)),
        notes=begun.notes,
    )
    written = _written(registry, f"monitor/{begun.window.date}.json", sealed_json(monitored))
    captures = Captures(registry.bucket)

    def answered(since: datetime, until: datetime) -> int:
        return sum(
            one.model_version == champion.version and one.source in params.monitoring.sources
            for one in captures.between(since, until)
        )

    monitoring = registry.revise(
        champion.version,
        MONITORING,
        Monitoring,
        lambda before: revised(
            before, monitored, champion.promoted_at, answered, params.monitoring.shown_days
        ),
    )
    card = card_with(_published_card(registry, champion), monitoring)
    return Reported(
        report=written,
        card=_written(registry, f"models/{champion.version}/{CARD_TEXT}", card.encode()),
    )


def _published_card(registry: Registry, champion: Champion) -> str:
    return read_verified(registry.bucket, champion.files[CARD_TEXT]).decode()


def _written(registry: Registry, key: str, body: bytes) -> Artefact:
    registry.bucket.put(key, body)
    return Artefact(key=key, sha256=sha256(body))
