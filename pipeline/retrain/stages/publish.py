"""Publish an evaluated candidate in the registry, with its card."""

from clinical import telemetry
from clinical.artefacts import Artefacts, canonical_json
from clinical.params import Params
from clinical.population import Population
from clinical.reference import Reference
from clinical.registry import (
    CARD,
    CARD_TEXT,
    MODEL,
    POPULATION,
    REFERENCE,
    TRAINING_ROWS,
    Registry,
    version_name,
)
from clinical.report import render
from clinical.verdict import Evaluation
from stage import Run, stage

from retrain.approval import approval_needed
from retrain.card import card_of, markdown
from retrain.standing import is_settled
from retrain.state import (
    Admitted,
    Chosen,
    Evaluated,
    Ingested,
    Nominated,
    Preprocessed,
    Trained,
    Validated,
)


@stage(cached=False)
def publish(  # noqa: PLR0913, PLR0917 - all that a version is made of, and where it goes
    admitted: Admitted,
    ingested: Ingested,
    validated: Validated,
    preprocessed: Preprocessed,
    chosen: Chosen,
    trained: Trained,
    evaluated: Evaluated,
    artefacts: Artefacts,
    registry: Registry,
    run: Run,
    params: Params,
) -> Nominated:
    """Write the version once, and nominate it; `promote` decides whether it serves.

    After a crash in between, the old champion serves, and the next try finds the version. No
    approval is requested for a version that would not be promoted anyway.
    """
    onnx = artefacts.read(trained.onnx)
    lineage = run.lineage.read()
    evaluation = artefacts.read(evaluated.report)
    reference = artefacts.read(trained.reference)
    card = card_of(
        version_name(onnx),
        ingested,
        validated,
        preprocessed,
        trained,
        Evaluation.model_validate_json(evaluation),
        Reference.model_validate_json(reference),
        artefacts.read(chosen.tuning) if chosen.tuning else None,
        lineage,
        params,
    )
    version = registry.publish(
        {
            MODEL: onnx,
            "model.joblib": artefacts.read(trained.model),
            REFERENCE: reference,
            TRAINING_ROWS: artefacts.read(preprocessed.training_rows),
        },
        {
            "evaluation.json": evaluation,
            "lineage.json": lineage,
            CARD: canonical_json(card),
            CARD_TEXT: markdown(card).encode(),
            "report.html": render(card, params).encode(),
        },
        evaluated.verdict,
        run.execution,
        run.now,
        admitted.upload,
    )
    if trained.population:
        population = Population.model_validate_json(artefacts.read(trained.population))
        registry.annotate(version.version, POPULATION, population)
    verdict = evaluated.verdict
    if verdict.decision == "withheld":  # then the execution ends; else `promote` counts it
        telemetry.count_execution(verdict.decision)
    nominated = Nominated(
        version=version.version,
        over=verdict.champion.sequence if verdict.champion else 0,
        who=admitted.who,
        why=admitted.why or verdict.reasons[0],
        verdict=verdict,
        upload=admitted.upload,
        even_if_older=admitted.even_if_older,
    )
    needed = approval_needed(verdict, params.gate)
    if not needed or is_settled(nominated, registry):
        return nominated
    seconds = max(1, round(params.gate.approval_days * 24 * 60 * 60))
    return nominated.model_copy(update={"approval": needed, "approval_seconds": seconds})
