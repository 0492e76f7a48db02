"""What changes automatically, what a person changes, and what no run changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clinical.report.markup import Markup, code, joined, tag
from clinical.report.wording import enumerated, level

from change_control.claims import by_name, claim, claims, lead, sourced, told
from change_control.sources import TEMPLATE, Decisions, Source, Template, machine

DATA, TRAINING, EVALUATION, UPDATE = "data", "training", "evaluation", "update"
PROTOCOL = {
    DATA: ("2.1", "Data management practices"),
    TRAINING: ("2.2", "Re-training practices"),
    EVALUATION: ("2.3", "Performance evaluation"),
    UPDATE: ("2.4", "Update procedures"),
}
# The states of the retrain state machine, by part of the protocol.
STATES = {
    DATA: ("Admit", "Ingest", "Validate", "Preprocess", "ExtractCombinations"),
    TRAINING: (
        *("Prepared", "ListCandidates", "Tune", "CrossValidate", "Choose"),
        *("Train", "LearningCurve", "Annotate"),
    ),
    EVALUATION: ("Evaluate", "Replay", "Gate"),
    UPDATE: (
        *("Publish", "Published", "TellApprovers", "AwaitApproval", "CloseApproval", "Decided"),
        *("Promote", "Overtaken", "VoidApproval", "Ended", "Document"),
    ),
}
TUNING = {"ListCandidates", "Tune", "CrossValidate", "Choose"}
SECONDS_A_DAY = 86_400
BY_HAND = ("Admit", "Wanted", "Promote", "Document")


@dataclass(frozen=True)
class Modification:
    """A kind of change to the model.

    started: who starts it. steps: the states that it passes, by part of the protocol.
    """

    number: str
    name: str
    started: str
    steps: Mapping[str, Sequence[str]] = field(hash=False)

    @property
    def anchor(self) -> str:
        return f"modification-{self.number.lower()}"


def _without(states: Sequence[str], left_out: set[str]) -> list[str]:
    return [one for one in states if one not in left_out]


FITTED = {**STATES, TRAINING: _without(STATES[TRAINING], TUNING)}
RETRAINED = Modification(
    "M1",
    "The model is retrained on an upload",
    "an upload, automatically",
    FITTED,
)
WITH_OUTCOMES = Modification(
    "M2",
    "The model is retrained on an upload and on the outcomes of its predictions",
    "a person or, if a parameter of the stack allows it, an alarm or a schedule",
    FITTED,
)
TUNED = Modification(
    "M3",
    "The model is retrained with other hyperparameters from the declared grid",
    "a person",
    STATES,
)
NAMED = Modification(
    "M4",
    "A published version replaces the champion: a promotion by name, or a rollback",
    "a person",
    {UPDATE: BY_HAND},
)
REDEPLOYED = Modification(
    "M5",
    "The params or the program change",
    "a person, with a deployment",
    FITTED,
)
MODIFICATIONS = (RETRAINED, WITH_OUTCOMES, TUNED, NAMED, REDEPLOYED)


def described(decisions: Decisions, template: Template) -> Iterator[Markup]:
    """Render the first element: each modification, and what none of them changes."""
    yield lead("Every change that the system can make to the serving model, and who starts it.")
    about = {
        RETRAINED: _retrained(template),
        WITH_OUTCOMES: _with_outcomes(template),
        TUNED: _tuned(decisions),
        NAMED: _named(),
        REDEPLOYED: _redeployed(template),
    }
    for number, one in enumerate(MODIFICATIONS, 1):
        yield tag(
            "article",
            tag("h3", tag("span", one.number, class_="number"), " ", one.name),
            claims([_started(one), *about[one]]),
            id=one.anchor,
        )
        assert one.number == f"M{number}"  # noqa: S101
    yield tag(
        "article",
        tag("h3", "What no run changes"),
        lead("These need a change to params.yaml or to the program, and a deployment (M5)."),
        _fixed(decisions),
        id="fixed",
    )


def _started(one: Modification) -> Markup:
    judged = EVALUATION in one.steps
    then = (
        "The protocol decides whether the result serves"
        if judged
        else "It is not judged again; it serves once all its files have been verified"
    )
    return claim(
        tag("strong", "Who starts it"),
        f": {one.started}. {then}.",
        of=[
            machine("retrain").source("Gate" if judged else "Wanted"),
            *([] if judged else [Source("pipeline/retrain/stages/promote.py", "moved")]),
        ],
    )


def _retrained(template: Template) -> Iterator[Markup]:
    pattern = template.resources["RetrainOnUpload"]["Properties"]["EventPattern"]
    prefix = pattern["detail"]["object"]["$or"][0]["key"][0]["prefix"]
    yield claim(
        "An object under ",
        code(prefix),
        " in the upload bucket starts the retrain state machine.",
        of=[Source(TEMPLATE, "Resources.RetrainOnUpload.Properties.EventPattern")],
    )
    yield from told(machine("retrain"), "Admitted", "Train", "ExtractCombinations")
    days = machine("retrain").definition["TimeoutSeconds"] / SECONDS_A_DAY
    yield claim(
        f"It happens as often as data are uploaded. One run may take up to {days:g} days, "
        "including the wait for an approval.",
        of=[machine("retrain").source("TimeoutSeconds")],
    )


def _with_outcomes(template: Template) -> Iterator[Markup]:
    yield from told(machine("monitor"), "Act")
    for name in ("RetrainAfterOutcomes", "Retraining", "RetrainSchedule"):
        yield parameter(template, name)


def parameter(template: Template, name: str) -> Markup:
    """Describe a parameter of the stack, with its default."""
    return claim(
        tag("strong", name),
        f": {template.parameters[name]['Description'].strip()} Default: ",
        code(template.default(name) or "empty"),
        ".",
        of=[Source(TEMPLATE, f"Parameters.{name}")],
    )


def _tuned(decisions: Decisions) -> Iterator[Markup]:
    yield from told(machine("retrain"), "Prepared", "Choose")
    grid = decisions["tuning.grid"]
    candidates = decisions.params.tuning.candidates(grid)
    yield claim(
        f"The default grid is {grid}, with {len(candidates)} candidates: ",
        enumerated(one.replace("_", " ") for one in decisions["tuning.families"]),
        f"; each is cross-validated with {decisions['tuning.folds']} folds.",
        of=[decisions.source(f"tuning.{key}") for key in ("grid", "grids", "families", "folds")],
    )


def _named() -> Iterator[Markup]:
    yield from told(machine("retrain"), "Wanted", "Withdrawn")
    yield claim(
        "The promotion and the ledger record who named it and why.",
        of=[Source("layers/clinical/clinical/registry.py", "Promotion")],
    )


def _redeployed(template: Template) -> Iterator[Markup]:
    yield claim(
        "Anything that changes a trained model changes the digest of the params, so that no "
        "earlier result is mistaken for the new one.",
        of=[
            Source("layers/clinical/clinical/params.py", "pipeline_digest"),
            Source("pipeline/cache.py", "fingerprint"),
        ],
    )
    yield claim(
        "A version that was trained on other columns does not serve under the new ones.",
        of=[
            Source("layers/clinical/clinical/errors.py", "ModelOfAnotherStudy"),
            Source("pipeline/retrain/stages/promote.py", "moved"),
        ],
    )
    yield parameter(template, "CanaryDeployment")


def _fixed(decisions: Decisions) -> Markup:
    params = decisions.params
    model = params.model.model_dump(exclude={"family"})
    held = [
        ("Columns, their kinds and ranges", f"{len(params.columns)} columns", ["schema"]),
        ("Target", params.target.column, ["target"]),
        ("Treatment", ", ".join(params.roles.treatment), ["roles.treatment"]),
        ("Family of models", params.model.family.replace("_", " "), ["model.family"]),
        (
            "Hyperparameters without tuning",
            ", ".join(f"{name} {value}" for name, value in model.items()),
            ["model"],
        ),
        ("Held-out rows", level(params.split.test_fraction), ["split.test_fraction"]),
        ("Random seed", f"{params.seed}", ["seed"]),
        ("Coverage of intervals", level(params.intervals.coverage), ["intervals.coverage"]),
        ("Gate", "its limits are in section 2.3", ["gate"]),
    ]
    return sourced(
        "Fixed by the study's params.yaml",
        ("Parameter", "Value"),
        [((what, said), [decisions.source(one) for one in keys]) for what, said, keys in held],
    )


def traced() -> Iterator[Markup]:
    """Render which parts of the protocol each modification passes."""
    yield lead("Which parts of the protocol each modification passes, by the states it enters.")
    rows = []
    for one in MODIFICATIONS:
        passed = [_passed(one, part) for part in PROTOCOL]
        rows.append(((_linked(one), *passed), [machine("retrain").source()]))
    yield sourced(
        "Modifications and the parts of the protocol",
        ("Modification", *(f"{number} {name}" for number, name in PROTOCOL.values())),
        rows,
    )


def _linked(one: Modification) -> Markup:
    return tag("a", one.number, href=f"#{one.anchor}")


def _passed(one: Modification, part: str) -> Markup:
    states = [machine("retrain").source(state) for state in one.steps.get(part, ())]
    return by_name(states) if states else joined(("not passed",))
