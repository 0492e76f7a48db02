"""How a change is judged: data, training, evaluation, and what it takes to serve and to go on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clinical.params import MovesMoreThan, Params
from clinical.report.markup import Markup, code, joined, tag, ticked
from clinical.report.wording import counted, enumerated, level, points

from change_control.claims import Row, by_state, claim, claims, sourced
from change_control.modifications import DATA, EVALUATION, STATES, TRAINING, UPDATE, parameter
from change_control.sources import (
    SIMULATED,
    TEMPLATE,
    Decisions,
    Source,
    Template,
    machine,
    simulated,
)

JUDGED = Source("pipeline/retrain/gate.py", "judged")
WRITES = {"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}
KEPT = ("LogRetentionDays", "ScoreRetentionDays", "CaptureRetentionDays")
GUARDED = ("/models/", "/approvals/")  # in the ARN of what only a few may write


def data(decisions: Decisions, template: Template) -> Iterator[Markup]:
    """Say which data a change is made of, and how they are held to what was agreed."""
    params = decisions.params
    most = params.dataset.max_bytes / 1024**2
    yield claims(
        [
            claim(
                f"A data set has at least {params.dataset.min_rows:,} rows and at most "
                f"{most:g} MB.",
                of=[decisions.source("dataset.min_rows"), decisions.source("dataset.max_bytes")],
            ),
            claim(
                f"{level(params.split.test_fraction)} of the rows are held out, drawn with the "
                f"seed {params.seed}; no model that is judged on them was fitted to them.",
                of=[
                    decisions.source("split.test_fraction"),
                    decisions.source("seed"),
                    machine("retrain").source("Preprocess"),
                ],
            ),
            claim(
                "Which version of which upload a run was about, and the digest of all that each "
                "state read and wrote, is kept with the run.",
                of=[Source("pipeline/lineage.py", "Lineage")],
            ),
            *_identifier(decisions),
        ]
    )
    yield by_state(machine("retrain"), *STATES[DATA])
    yield tag("h4", "Columns, and how long what is recorded is kept")
    yield sourced(
        "What rows and requests are held to",
        ("Column", "Kind", "Part in the model"),
        [
            (
                (params.label(name), kind.kind.replace("_", " "), _part(name, decisions)),
                [_of_column(name, decisions)],
            )
            for name, kind in params.columns.items()
        ],
    )
    yield sourced(
        "How long what is recorded is kept, where no parameter says otherwise",
        ("What", "Days"),
        [*_lifecycles(template), *_log_retention(template)],
    )


def _identifier(decisions: Decisions) -> Iterator[Markup]:
    if name := decisions.params.identifier:
        yield claim(
            f"{decisions.params.label(name)} names a patient: it is in no model, and the digests "
            "of rows are made without it.",
            of=[_of_column(name, decisions), Source("pipeline/retrain/state.py", "Seen")],
        )


def _of_column(name: str, decisions: Decisions) -> Source:
    schema = decisions.source("schema")
    return Source(schema.file, f"{schema.key}.{name}")


def _part(name: str, decisions: Decisions) -> str:
    params = decisions.params
    if name == params.target.column:
        return "what is predicted"
    if name in params.roles.treatment:
        return "treatment, a predictor"
    if name in params.roles.known_after_treatment:
        return "known after treatment, a predictor"
    return "a predictor" if name in params.features else "none"


def _lifecycles(template: Template) -> Iterator[Row]:
    for name, bucket in template.of_type("AWS::S3::Bucket").items():
        rules = bucket.get("LifecycleConfiguration", {}).get("Rules", ())
        for rule in rules:
            days, where = rule["ExpirationInDays"], rule.get("Prefix", "")
            yield (
                (joined((name, *([": ", code(where)] if where else []))), template.value(days)),
                template.sources(days, f"Resources.{name}"),
            )
        if all(rule.get("Prefix") for rule in rules):
            rest = f"{name}: all else" if rules else name
            yield (rest, "without end"), [Source(TEMPLATE, f"Resources.{name}")]


def _log_retention(template: Template) -> Iterator[Row]:
    for name, group in template.of_type("AWS::Logs::LogGroup").items():
        days = group["RetentionInDays"]
        yield (name, template.value(days)), template.sources(days, f"Resources.{name}")


def training(decisions: Decisions) -> Iterator[Markup]:
    """Say how a model is fitted anew, and when a run ends without one."""
    params = decisions.params
    yield claims(
        [
            claim(
                f"Fitted is a {params.model.family.replace('_', ' ')}; its hyperparameters are the "
                "study's unless a run tunes.",
                of=[decisions.source("model")],
            ),
            claim(
                f"Intervals come from residuals of {params.intervals.folds} folds that were left "
                f"out of the fit, and are made to hold {level(params.intervals.coverage)}.",
                of=[
                    decisions.source("intervals.folds"),
                    decisions.source("intervals.coverage"),
                ],
            ),
            claim(
                "A stage whose data, decisions and code are unchanged is answered from the cache; "
                "the same data train the same model.",
                of=[Source("pipeline/cache.py", "fingerprint")],
            ),
        ]
    )
    retrain = machine("retrain")
    yield by_state(retrain, *STATES[TRAINING])
    yield tag("h4", "How a run ends")
    yield sourced(
        "Every end of the machine that retrains",
        ("State", "Is a", "What it means"),
        [
            (
                (
                    name,
                    "failure" if state["Type"] == "Fail" else "success",
                    ticked(state["Comment"]),
                ),
                [retrain.source(name)],
            )
            for name, state in retrain.ends.items()
        ],
    )


def evaluation(decisions: Decisions) -> Iterator[Markup]:
    """Say what is measured, what it has to be, and how sure that is."""
    params = decisions.params
    yield claims(
        [
            claim(
                f"Every figure has a {level(params.evaluation.confidence)} interval of "
                f"{params.evaluation.resamples:,} bootstrap resamples; two models are compared on "
                "the same rows, resampled together.",
                of=[
                    decisions.source("evaluation.confidence"),
                    decisions.source("evaluation.resamples"),
                    Source("pipeline/bootstrap.py"),
                ],
            ),
            claim(
                "Errors are told of subgroups by ",
                enumerated(map(params.label, params.roles.subgroups))
                if params.roles.subgroups
                else "no column",
                f", of at least {params.evaluation.min_subgroup_rows} held-out rows each. The gate "
                "does not decide on them.",
                of=[
                    decisions.source("roles.subgroups"),
                    decisions.source("evaluation.min_subgroup_rows"),
                    JUDGED,
                ],
            ),
            claim(
                "How often calibration, subgroups and win probabilities are called off where "
                "nothing is, and how often a true fault is found, was simulated where the truth is "
                "known.",
                of=[
                    Source("docs/explanation/statistics.md", "Calibration"),
                    Source("docs/explanation/statistics.md", "Errors by subgroup"),
                    Source("docs/explanation/statistics.md", "Win probabilities"),
                ],
            ),
            *_replay(decisions),
            _shadow(decisions),
        ]
    )
    yield _criteria(decisions)
    yield by_state(machine("retrain"), *STATES[EVALUATION])


def _replay(decisions: Decisions) -> Iterator[Markup]:
    requests = decisions["replay.requests"]
    if not requests:
        yield claim("No captured request is replayed.", of=[decisions.source("replay.requests")])
        return
    yield claim(
        f"Candidate and champion are asked the last {requests:,} captured requests once more, "
        "where there are any; a champion that does not reproduce what it served makes the replay "
        "void.",
        of=[decisions.source("replay.requests"), Source("pipeline/retrain/replaying.py")],
    )


def _shadow(decisions: Decisions) -> Markup:
    shadow = decisions.params.serving.shadow
    said = (
        f"{shadow} scores live requests beside the champion; what it says goes into the log alone."
        if shadow
        else "No version scores live requests beside the champion."
    )
    return claim(said, of=[decisions.source("serving.shadow")])


def _criteria(decisions: Decisions) -> Markup:
    params, gate = decisions.params, decisions.params.gate
    skill = (
        "rejected"
        if gate.without_skill == "rejected"
        else "serves, and every answer says so; rejected where the champion does beat it"
    )
    rows = [
        (
            "ONNX, which serves, and scikit-learn, which was fitted, agree",
            f"to {gate.max_parity_error * params.width:.0e} {params.unit} on every held-out row",
            "rejected",
            ["gate.max_parity_error"],
        ),
        (
            "Intervals hold what they promise",
            _within(params),
            "rejected",
            ["intervals.coverage", "gate.coverage_tolerance"],
        ),
        (
            "It is not worse than the champion",
            (
                "the interval of the difference in RMSE is not wholly above 0, on held-out rows or "
                "on outcomes of replayed requests; of two comparisons, each takes a wider interval"
            ),
            "rejected",
            ["evaluation.confidence"],
        ),
        (
            "It beats always answering the average",
            "the interval of the difference in RMSE is wholly below 0",
            skill,
            ["gate.without_skill"],
        ),
        (
            "It could be compared with a champion that beats the average",
            (
                f"on at least {gate.min_champion_rows} held-out rows, or outcomes of replayed "
                "requests, that are new to both"
            ),
            "withheld: published, and served once a person names it",
            ["gate.min_champion_rows"],
        ),
        (
            "It keeps the champion's recorded combinations",
            f"but for {level(gate.max_lost_combinations)} of them",
            "withheld",
            ["gate.max_lost_combinations"],
        ),
    ]
    return sourced(
        "The gate: what a candidate has to be",
        ("Criterion", "Limit", "Otherwise"),
        [
            ((criterion, limit, otherwise), [*map(decisions.source, keys), JUDGED])
            for criterion, limit, otherwise, keys in rows
        ],
    )


def update(decisions: Decisions, template: Template) -> Iterator[Markup]:
    """Say what it takes to serve, and what is done afterwards."""
    params = decisions.params
    yield tag("h4", "Approval, promotion and rollback")
    yield claims(
        [
            _approval(decisions),
            claim(
                f"Functions that are warm serve a promoted version within "
                f"{params.serving.refresh_seconds:g} seconds.",
                of=[decisions.source("serving.refresh_seconds")],
            ),
            claim(
                "A rollback promotes the version before the champion, or one that somebody names, "
                "after the digest of each of its files was checked. What it replaced comes back by "
                "name alone.",
                of=[
                    Source("pipeline/retrain/stages/promote.py", "previous_of"),
                    Source("layers/clinical/clinical/registry.py", "verified"),
                    machine("retrain").source("Withdrawn"),
                ],
            ),
        ]
    )
    yield by_state(machine("retrain"), *STATES[UPDATE])
    yield tag("h4", "Who may do what")
    yield claims(_signed(template))
    yield sourced(
        "Who may write models and approvals, and who may not",
        ("Who", "May", "On"),
        _writers(template),
    )
    yield tag("h4", "Monitoring")
    yield from _monitoring(decisions, template)
    yield tag("h4", "Who is told")
    yield claims(
        [
            parameter(template, "AlarmEmail"),
            parameter(template, "ApproverEmail"),
            *_topics(template),
        ]
    )
    yield tag("h4", "Alarms, with their thresholds where no parameter says otherwise")
    yield claims(_alarms(template))


def _within(params: Params) -> str:
    tolerance = points(params.gate.coverage_tolerance)
    return f"{level(params.intervals.coverage)}, within {tolerance} or what chance allows"


def _approval(decisions: Decisions) -> Markup:
    gate = decisions.params.gate
    rule, days = (decisions.source(f"gate.{key}") for key in ("approval", "approval_days"))
    of = [rule, days, Source("pipeline/retrain/approval.py", "approval_needed")]
    if gate.approval == "none":
        return claim(
            "Nobody has to approve of a candidate that the gate lets pass: it serves by itself.",
            of=[rule],
        )
    waits = f"It waits {gate.approval_days:g} days for that, and is not approved after them."
    if gate.approval == "always":
        return claim(f"Somebody has to approve of every candidate. {waits}", of=of)
    said = enumerated(_rule(one) for one in gate.approval.when)
    return claim("Somebody has to approve of a candidate ", said, f". {waits}", of=of)


def _rule(rule: str | MovesMoreThan) -> str:
    if isinstance(rule, MovesMoreThan):
        return (
            f"whose replayed scores move by more than their interval's half-width in more than "
            f"{level(rule.replay_moves_more_than)} of the requests"
        )
    return {
        "with_warning": "that does not beat the average",
        "loses_combinations": "that loses recorded combinations",
    }[rule]


def _signed(template: Template) -> Iterator[Markup]:
    """Find the routes that answer only callers whom IAM knows."""
    for name, function in template.of_type("AWS::Serverless::Function").items():
        for key, event in function.get("Events", {}).items():
            route = event["Properties"]
            if route.get("Auth", {}).get("Authorizer") == "AWS_IAM":
                yield claim(
                    code(f"{route['Method'].upper()} {route['Path']}"),
                    " is for callers whom IAM lets in alone, and whoever is let in may decide.",
                    of=[Source(TEMPLATE, f"Resources.{name}.Properties.Events.{key}")],
                )


def _writers(template: Template) -> Iterator[Row]:
    """Read from every policy who may write models and approvals, and who may not."""
    for name, function in template.of_type("AWS::Serverless::Function").items():
        for policy in function.get("Policies", ()):
            yield from _writing(template, name, policy["Statement"])
    for name, policy in template.of_type("AWS::S3::BucketPolicy").items():
        yield from _writing(template, name, policy["PolicyDocument"]["Statement"])


def _writing(
    template: Template, name: str, statements: Iterable[Mapping[str, Any]]
) -> Iterator[Row]:
    for one in statements:
        actions = WRITES.intersection(_listed(one.get("Action", ())))
        where = [template.value(each) for each in _listed(one.get("Resource", ()))]
        where = [each for each in where if any(part in each for part in GUARDED)]
        if not actions or not where:
            continue
        denied, by_all = one["Effect"] == "Deny", one.get("Principal") == "*"
        unless = " unless it is new" if "s3:if-none-match" in str(one) else ""
        said = enumerated(code(each) for each in sorted(actions))
        yield (
            (
                "Everybody, administrators too" if by_all else name,
                joined(("no " if denied else "", said, unless)),
                joined((code(each.split("/", 1)[1]) for each in where), ", "),
            ),
            [Source(TEMPLATE, f"Resources.{name}")],
        )


def _listed(value: Any) -> Sequence[Any]:  # noqa: ANN401 - as the template has it
    return value if isinstance(value, list) else [value]


def _monitoring(decisions: Decisions, template: Template) -> Iterator[Markup]:
    monitoring = decisions.params.monitoring
    watch = machine("monitor")
    tasks = [name for name, one in watch.states.items() if one["Type"] == "Task"]
    yield claims(
        [
            claim(
                f"Requests and outcomes of the last {monitoring.window_days} days are looked at; "
                f"of fewer than {counted(monitoring.min_requests, 'request')} or "
                f"{counted(monitoring.min_outcomes, 'outcome')}, nobody can tell.",
                of=[
                    decisions.source(f"monitoring.{key}")
                    for key in ("window_days", "min_requests", "min_outcomes")
                ],
            ),
            claim(
                f"Where nothing changed, a run says that requests moved with a probability of "
                f"{level(monitoring.false_alarms.drift)}, and that outcomes are worse with "
                f"{level(monitoring.false_alarms.outcomes)}.",
                of=[
                    decisions.source("monitoring.false_alarms.drift"),
                    decisions.source("monitoring.false_alarms.outcomes"),
                ],
            ),
        ]
    )
    yield sourced(
        "What looks by itself, and how often, where no parameter says otherwise",
        ("What", "When (UTC)", "Is"),
        _schedules(template),
    )
    yield from false_alarms()
    yield by_state(watch, *tasks)


def _schedules(template: Template) -> Iterator[Row]:
    for name, given in _scheduled(template):
        when, state = given["ScheduleExpression"], given.get("State", "ENABLED")
        resource = f"Resources.{name}"
        yield (
            (
                given.get("Description", name),
                code(template.value(when)),
                template.value(state).lower(),
            ),
            list(dict.fromkeys([Source(TEMPLATE, resource), *template.sources(when, resource)])),
        )


def _scheduled(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Find every schedule, a function's own or a rule, as a rule, with the resource it is of."""
    for name, one in template.resources.items():
        given = one.get("Properties", {})
        for event in given.get("Events", {}).values():
            if event["Type"] == "Schedule":
                schedule = event["Properties"]
                yield name, {**schedule, "ScheduleExpression": schedule["Schedule"]}
        if "ScheduleExpression" in given:
            yield name, given


def false_alarms() -> Iterator[Markup]:
    """Give what was simulated of the alarms, in the table's own figures."""
    for heading, of_a_day in (
        ("Drift: a clean year", "requests a day"),
        ("Outcomes: a clean year", "outcomes a day"),
    ):
        yield sourced(
            f"{heading}: how often anything alarms though nothing changed",
            (of_a_day.capitalize(), "Years with an alarm (95% interval)", "Years simulated"),
            [
                ((row[of_a_day], row["years with an alarm"], row["years"]), [_simulated(heading)])
                for row in simulated(heading)
            ],
        )


def _simulated(heading: str) -> Source:
    return Source(SIMULATED, heading)


def _topics(template: Template) -> Iterator[Markup]:
    for name in template.of_type("AWS::SNS::Topic"):
        yield claim(
            f"{name} is where it is sent.",
            of=[Source(TEMPLATE, f"Resources.{name}")],
        )


def _alarms(template: Template) -> Iterator[Markup]:
    words = {
        "GreaterThanThreshold": "above",
        "GreaterThanOrEqualToThreshold": "at least",
        "LessThanThreshold": "below",
        "LessThanOrEqualToThreshold": "at most",
    }
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items():
        limit, beyond = alarm["Threshold"], words[alarm["ComparisonOperator"]]
        resource = f"Resources.{name}"
        yield claim(
            tag("strong", name.removesuffix("Alarm")),
            ", where ",
            code(alarm["MetricName"]),
            f" is {beyond} {template.value(limit)}: ",
            ticked(alarm["AlarmDescription"]),
            of=[Source(TEMPLATE, resource), *template.sources(limit, resource)],
        )
