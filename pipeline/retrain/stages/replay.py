"""Replay the last captured requests against candidate and champion, and judge again."""

from clinical import telemetry
from clinical.artefacts import Artefacts, Bucket
from clinical.captured import Captured
from clinical.captures import Captures
from clinical.errors import (
    ArtefactCorrupted,
    ArtefactMissing,
    ModelOfAnotherStudy,
    ModelUnanswerable,
)
from clinical.outcomes import Outcomes
from clinical.params import Params
from clinical.reference import read_reference
from clinical.registry import Champion, Registry, version_name
from clinical.verdict import Evaluation, Figures, Replayed, ReplayedGroup
from model.loader import opened, ready
from model.scorer import UNREADABLE, Scorer
from requested import newest
from stage import stage

from retrain.against import UNREADABLE_NOW, seen_by
from retrain.gate import judged
from retrain.replaying import Asked, nothing, replayed
from retrain.state import Evaluated, Preprocessed, Seen, Trained

NOT_ASKED = "replay.requests is 0 in params.yaml"
ANOTHER_CONTRACT = "it was trained under a different data contract from the one now in force"

type Found = tuple[Replayed | None, tuple[ReplayedGroup, ...]]


@stage(cached=False)  # neither the champion nor captures and outcomes are among its inputs
def replay(  # noqa: PLR0913, PLR0917 - what is asked, who asked it before, and whose the rows were
    preprocessed: Preprocessed,
    trained: Trained,
    evaluated: Evaluated,
    artefacts: Artefacts,
    registry: Registry,
    params: Params,
) -> Evaluated:
    """Compare the candidate with the champion on requests, and let the gate decide again.

    Raises ArtefactMissing, and ArtefactCorrupted if captures or outcomes were altered.
    """
    evaluation = Evaluation.model_validate_json(artefacts.read(evaluated.report))
    found, groups = beside_champion(preprocessed, trained, evaluated, artefacts, registry, params)
    before = evaluation.verdict
    figures = {name: getattr(before, name) for name in Figures.model_fields} | {"replay": found}
    evaluation = evaluation.model_copy(
        update={"verdict": judged(Figures.model_validate(figures), params), "replayed": groups}
    )
    if evaluation.verdict.decision == "rejected":  # then the execution ends; else `promote` knows
        telemetry.count_execution("rejected")
    telemetry.note(decision=evaluation.verdict.decision, replayed=found.requests if found else 0)
    return Evaluated(
        verdict=evaluation.verdict, report=artefacts.write_json("evaluation.json", evaluation)
    )


def beside_champion(  # noqa: PLR0913, PLR0917 - likewise
    preprocessed: Preprocessed,
    trained: Trained,
    evaluated: Evaluated,
    artefacts: Artefacts,
    registry: Registry,
    params: Params,
) -> Found:
    """Replay the last requests against the champion that the candidate was evaluated against.

    Returns nothing if there is none. If the champion cannot answer, the replay is void and has no
    effect.
    """
    pointer, against = registry.champion(), evaluated.verdict.champion
    if pointer is None or against is None:
        return None, ()
    told = Replayed(champion=against.version)
    if params.replay.requests == 0:
        return told.model_copy(update={"void": nothing(NOT_ASKED)}), ()
    if pointer.champion.sequence != against.sequence:  # then `promote` sends it back to `evaluate`
        why = f"{pointer.champion.version} now serves instead of {against.version}"
        return told.model_copy(update={"void": nothing(why)}), ()
    try:
        champion = champion_of(pointer.champion, registry, params)
    except (
        ArtefactCorrupted,
        ArtefactMissing,
        ModelOfAnotherStudy,
        ModelUnanswerable,
        KeyError,
        ValueError,
        *UNREADABLE,
    ) as error:
        telemetry.logger().error("The champion cannot be replayed.", error=type(error).__name__)
        why = ANOTHER_CONTRACT if isinstance(error, ModelOfAnotherStudy) else UNREADABLE_NOW
        void = nothing(f"the champion {against.version} cannot answer them, because {why}")
        return told.model_copy(update={"void": void}), ()
    captures = newest(Captures(registry.bucket), params.replay.requests, params)
    return replayed(
        captures,
        outcomes_of(captures, registry.bucket),
        candidate_of(preprocessed, trained, artefacts, params),
        champion,
        params,
    )


def champion_of(champion: Champion, registry: Registry, params: Params) -> Asked:
    forms = {name: kind.form for name, kind in params.read.items() if not kind.is_unique}
    return Asked(opened(registry.bucket, champion, params), seen_by(champion, registry, forms))


def candidate_of(
    preprocessed: Preprocessed, trained: Trained, artefacts: Artefacts, params: Params
) -> Asked:
    """Load the candidate as it would serve; it is not published yet."""
    onnx = artefacts.read(trained.onnx)
    reference = read_reference(artefacts.bucket, trained.reference)
    seen = Seen.model_validate_json(artefacts.read(preprocessed.training_rows))
    return Asked(ready(version_name(onnx), Scorer(onnx), reference, params), seen)


def outcomes_of(captures: list[Captured], bucket: Bucket) -> dict[str, float]:
    """Return outcomes of requests by id, except those observed before the request."""
    told = Outcomes(bucket).find([one.prediction_id for one in captures])
    return {
        one.prediction_id: outcome.value
        for one in captures
        if (outcome := told.get(one.prediction_id)) and not outcome.is_before(one.predicted_at)
    }
