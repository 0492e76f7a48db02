"""The impact of changes: benefits, risks, mitigations, and residual risks."""

from collections.abc import Iterator

from clinical.report.markup import Markup, said, tag
from clinical.report.wording import level

from change_control.claims import Row, claim, claims, lead, row, sourced
from change_control.sources import SIMULATED, TEMPLATE, Decisions, Source, machine

JUDGED = Source("pipeline/retrain/gate.py", "judged")
REGISTRY = "layers/clinical/clinical/registry.py"


def assessed(decisions: Decisions) -> Iterator[Markup]:
    """Render the third element: benefits and risks of the changes, alone and together."""
    yield lead("What the changes in section 1 may mean for users of the model's answers.")
    yield tag("h3", "With and without a change")
    yield claims(_beside(decisions))
    yield tag("h3", "Risks")
    yield sourced(
        "Risks, mitigations and residual risks",
        ("Risk", "Mitigation", "Residual risk"),
        _risks(decisions),
    )
    yield tag("h3", "Several changes together")
    yield claims(_together())
    yield tag("h3", "Limitations of the protocol")
    yield claims(_limits(decisions))
    yield tag("h3", "Limitations that the study states for every model")
    yield claims(
        claim(said(one), of=[decisions.source("study.limits")])
        for one in decisions.params.study.limits
    )


def _beside(decisions: Decisions) -> Iterator[Markup]:
    yield claim(
        "Each candidate is compared with the model without the change, the champion: on held-out "
        "rows that neither was trained on, and on captured requests with their outcomes.",
        of=[machine("retrain").source("Evaluate"), machine("retrain").source("Replay"), JUDGED],
    )
    yield claim(
        "The verdict states the gain in the target's units with its "
        f"{level(decisions.params.evaluation.confidence)} interval; a gain within chance is "
        "reported as such.",
        of=[decisions.source("evaluation.confidence"), JUDGED],
    )


def _risks(decisions: Decisions) -> Iterator[Row]:
    params, retrain = decisions.params, machine("retrain")
    gate, monitoring = params.gate, params.monitoring
    yield row(
        "A worse model serves",
        "It is compared with the champion on held-out rows and on outcomes of requests that "
        "neither was trained on, and rejected if it is significantly worse.",
        "A model that is worse by less than these rows can show may serve.",
        of=[JUDGED, retrain.source("Gate")],
    )
    yield row(
        "A model without skill serves",
        "It is rejected."
        if gate.without_skill == "rejected"
        else "It never replaces a model that beats the average, and every answer states its lack "
        "of skill.",
        "If no champion beats the average, it may serve with a warning."
        if gate.without_skill != "rejected"
        else "Nothing serves until one does.",
        of=[decisions.source("gate.without_skill"), JUDGED],
    )
    yield row(
        "Some patients can no longer be answered",
        f"A candidate that loses more than {level(gate.max_lost_combinations)} of the recorded "
        "combinations is withheld.",
        "Fewer combinations may be lost; the verdict counts them.",
        of=[decisions.source("gate.max_lost_combinations"), JUDGED],
    )
    yield row(
        "Predictions are worse for a subgroup",
        "Errors and coverage by subgroup are measured for every candidate, and for the champion on "
        "outcomes.",
        "The gate does not decide on them, so a person has to read them.",
        of=[decisions.source("roles.subgroups"), JUDGED],
    )
    yield row(
        "Invalid, outdated or duplicate data change the model",
        "Rows are validated against the contract before anything is computed; older data and "
        "repeated events end a run.",
        "Wrong rows that meet the contract are used for training.",
        of=[retrain.source("Validate"), retrain.source("Admit")],
    )
    yield row(
        "The serving model is not the one that was judged",
        "Versions are written once, and each file is checked against its digest before it is "
        "opened; an altered file is refused and raises an alarm.",
        "Anyone with write access to the bucket can stop a model from loading.",
        of=[Source(REGISTRY, "verified"), Source(TEMPLATE, "Resources.ArtefactRefusedAlarm")],
    )
    yield row(
        "Conditions change after the verdict",
        "Requests and outcomes are monitored on a schedule, with known rates of false alarms.",
        f"With fewer than {monitoring.min_requests:,} requests or {monitoring.min_outcomes:,} "
        "outcomes no conclusion is drawn, and some changes take weeks to detect.",
        of=[
            machine("monitor").source("Drift"),
            machine("monitor").source("JoinOutcomes"),
            decisions.source("monitoring.min_requests"),
            decisions.source("monitoring.min_outcomes"),
            Source(SIMULATED, "Drift: how soon a shift is found"),
            Source(SIMULATED, "Outcomes: how soon a change is found"),
        ],
    )
    yield row(
        "A person promotes the wrong version",
        "The ledger records who, when and why, and cannot be rewritten; a rollback is one command.",
        "A promotion by name is not judged by the gate.",
        of=[
            retrain.source("Wanted"),
            Source(TEMPLATE, "Resources.ArtifactsBucketPolicy"),
            Source(REGISTRY, "ledger"),
        ],
    )


def _together() -> Iterator[Markup]:
    retrain = machine("retrain")
    yield claim(
        "If two changes happen at once, the second is judged again, against the champion from the "
        "first.",
        of=[retrain.source("Promote"), retrain.source("Overtaken")],
    )
    yield claim(
        "A candidate is compared only with the champion, not with earlier versions: losses that "
        "are each within chance may add up over many changes.",
        of=[JUDGED],
    )
    yield claim(
        "Each candidate is also compared with the average baseline, on its own held-out rows, "
        "independent of earlier champions.",
        of=[JUDGED, retrain.source("Evaluate")],
    )
    yield claim(
        "A version that was replaced by a person does not come back automatically.",
        of=[retrain.source("Withdrawn"), Source(REGISTRY, "Withdrawal")],
    )


def _limits(decisions: Decisions) -> Iterator[Markup]:
    retrain = machine("retrain")
    yield claim(
        "Held-out rows are a random part of the upload: the verdict applies to patients like "
        "these, and not to other places or times.",
        of=[retrain.source("Preprocess"), decisions.source("split.test_fraction")],
    )
    yield claim(
        "Monitoring treats requests as independent; repeated requests about the same patients "
        "raise alarms sooner than stated here.",
        of=[Source(SIMULATED, "How often monitoring alarms, and how soon")],
    )
    yield claim(
        "An approval needs only one person. Anyone who may start the state machine can promote a "
        "version by name without approval.",
        of=[Source("layers/clinical/clinical/approvals.py", "decide"), retrain.source("Wanted")],
    )
    yield claim(
        "Thresholds, schedules and retention are the template's defaults; a deployment may have "
        "set others, which its stack shows.",
        of=[Source(TEMPLATE, "Parameters")],
    )
    yield claim(
        "Benefits to patients cannot be read from these files: no run measures the results of "
        "decisions that were made with an answer.",
        of=[machine("monitor").source("JoinOutcomes")],
    )
