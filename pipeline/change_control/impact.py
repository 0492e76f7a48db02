"""What a change may do, what stands against it, and what nothing stands against."""

from collections.abc import Iterator

from clinical.report.markup import Markup, said, tag
from clinical.report.wording import level

from change_control.claims import Row, claim, claims, lead, row, sourced
from change_control.sources import SIMULATED, TEMPLATE, Decisions, Source, machine

JUDGED = Source("pipeline/retrain/gate.py", "judged")
REGISTRY = "layers/clinical/clinical/registry.py"


def assessed(decisions: Decisions) -> Iterator[Markup]:
    """Write the third element: benefits and risks of the changes, alone and together."""
    yield lead("What the changes of section 1 may do to whoever uses the model's answers.")
    yield tag("h3", "With a change and without it")
    yield claims(_beside(decisions))
    yield tag("h3", "Risks")
    yield sourced(
        "Risks, what stands against them, and what remains",
        ("Risk", "What stands against it", "What remains"),
        _risks(decisions),
    )
    yield tag("h3", "One change beside another, and all of them together")
    yield claims(_together())
    yield tag("h3", "Limits of the protocol")
    yield claims(_limits(decisions))
    yield tag("h3", "Limits that the study states of every model")
    yield claims(
        claim(said(one), of=[decisions.source("study.limits")])
        for one in decisions.params.study.limits
    )


def _beside(decisions: Decisions) -> Iterator[Markup]:
    yield claim(
        "Each candidate is set beside the model without the change, the champion: on held-out rows "
        "that are new to both, and on captured requests with what came of them.",
        of=[machine("retrain").source("Evaluate"), machine("retrain").source("Replay"), JUDGED],
    )
    yield claim(
        "What is gained is told in the verdict, in the target's own units and with its "
        f"{level(decisions.params.evaluation.confidence)} interval; a gain that cannot be told "
        "from chance is told as that.",
        of=[decisions.source("evaluation.confidence"), JUDGED],
    )


def _risks(decisions: Decisions) -> Iterator[Row]:
    params, retrain = decisions.params, machine("retrain")
    gate, monitoring = params.gate, params.monitoring
    yield row(
        "A worse model serves",
        "It is compared with the champion on held-out rows and on outcomes of requests, new to "
        "both, and rejected where it is worse beyond chance.",
        "What is worse by less than these rows can tell may serve.",
        of=[JUDGED, retrain.source("Gate")],
    )
    yield row(
        "A model without any skill serves",
        "It is rejected."
        if gate.without_skill == "rejected"
        else "It never replaces one that beats the average, and every answer says what it is "
        "worth.",
        "Where no champion beats the average, it may serve with its warning."
        if gate.without_skill != "rejected"
        else "Nothing serves until one does.",
        of=[decisions.source("gate.without_skill"), JUDGED],
    )
    yield row(
        "Patients who could be answered no longer are",
        f"A candidate that loses more than {level(gate.max_lost_combinations)} of the recorded "
        "combinations is withheld.",
        "Fewer may be lost; the verdict counts them.",
        of=[decisions.source("gate.max_lost_combinations"), JUDGED],
    )
    yield row(
        "A subgroup is served worse",
        "Errors and coverage of the study's subgroups are measured for every candidate, and of "
        "the champion by outcomes.",
        "The gate does not decide on them, so it takes a person who reads them.",
        of=[decisions.source("roles.subgroups"), JUDGED],
    )
    yield row(
        "Bad, old or doubled data change the model",
        "Rows are held to the contract before anything is computed; older data and events that "
        "came twice end a run.",
        "Rows that keep the contract and are wrong are learned from.",
        of=[retrain.source("Validate"), retrain.source("Admit")],
    )
    yield row(
        "What serves is not what was judged",
        "Versions are written once, and each file is checked against its digest before it is "
        "opened; what was altered is refused, and an alarm tells of it.",
        "Whoever may write into the bucket can stop a model from loading.",
        of=[Source(REGISTRY, "verified"), Source(TEMPLATE, "Resources.ArtefactRefusedAlarm")],
    )
    yield row(
        "The world changes after the verdict",
        "Requests and outcomes are looked at by schedule, with alarms of known false alarms.",
        f"Under {monitoring.min_requests:,} requests or {monitoring.min_outcomes:,} outcomes "
        "nobody can tell, and some changes take weeks to find.",
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
        "Who, when and why is in the ledger, which nobody can rewrite; a rollback is one command.",
        "Nobody judges a promotion by name.",
        of=[
            retrain.source("Wanted"),
            Source(TEMPLATE, "Resources.ArtifactsBucketPolicy"),
            Source(REGISTRY, "ledger"),
        ],
    )


def _together() -> Iterator[Markup]:
    retrain = machine("retrain")
    yield claim(
        "Of two changes at once, one comes second: it is judged anew against the champion that "
        "came first.",
        of=[retrain.source("Promote"), retrain.source("Overtaken")],
    )
    yield claim(
        "A candidate is compared with the champion, and with no earlier version: losses that "
        "cannot be told from chance one by one may add up over many changes.",
        of=[JUDGED],
    )
    yield claim(
        "Each candidate is also compared with always answering the average, on its own held-out "
        "rows; that does not move with the champions.",
        of=[JUDGED, retrain.source("Evaluate")],
    )
    yield claim(
        "A change by hand forbids that what it replaced comes back by itself.",
        of=[retrain.source("Withdrawn"), Source(REGISTRY, "Withdrawal")],
    )


def _limits(decisions: Decisions) -> Iterator[Markup]:
    retrain = machine("retrain")
    yield claim(
        "Held-out rows are a random part of the upload: the verdict speaks of patients like these, "
        "and of no other place or time.",
        of=[retrain.source("Preprocess"), decisions.source("split.test_fraction")],
    )
    yield claim(
        "Monitoring takes requests as independent; the same patients asked about day after day "
        "alarm sooner than is said here.",
        of=[Source(SIMULATED, "How often monitoring alarms, and how soon")],
    )
    yield claim(
        "An approval is one person's: nothing asks for a second. And whoever may start the machine "
        "can have a version serve by its name, without any.",
        of=[Source("layers/clinical/clinical/approvals.py", "decide"), retrain.source("Wanted")],
    )
    yield claim(
        "Thresholds, schedules and retention are given as the template has them; a deployment may "
        "have set others, and its stack says so.",
        of=[Source(TEMPLATE, "Parameters")],
    )
    yield claim(
        "Benefits to patients are nobody's to read from these files: no run measures what came of "
        "a decision that was made with an answer.",
        of=[machine("monitor").source("JoinOutcomes")],
    )
