"""How a change is judged: data, training, evaluation, promotion and monitoring."""

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
    """Render which data a change is based on, and how they are validated."""
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
                f"seed {params.seed}; no model that is evaluated on them was trained on them.",
                of=[
                    decisions.source("split.test_fraction"),
                    decisions.source("seed"),
                    machine("retrain").source("Preprocess"),
                ],
            ),
            claim(
                "Each run records the version of the upload that it is about, and the digests of "
                "everything that each state read and wrote.",
                of=[Source("pipeline/lineage.py", "Lineage")],
            ),
            *_identifier(decisions),
        ]
    )
    yield by_state(machine("retrain"), *STATES[DATA])
    yield tag("h4", "Columns and retention")
    yield sourced(
        "The contract of rows and requests",
        ("Column", "Kind", "Role in the model"),
        [
            (
                (params.label(name), kind.kind.replace("_", " "), _part(name, decisions)),
                [_of_column(name, decisions)],
            )
            for name, kind in params.columns.items()
        ],
    )
    yield sourced(
        "Default retention periods",
        ("What", "Days"),
        [*_lifecycles(template), *_log_retention(template)],
    )


def _identifier(decisions: Decisions) -> Iterator[Markup]:
    if name := decisions.params.identifier:
        yield claim(
            f"{decisions.params.label(name)} identifies a patient: it is not in any model, and not "
            "in the digests of rows.",
            of=[_of_column(name, decisions), Source("pipeline/retrain/state.py", "Seen")],
        )


def _of_column(name: str, decisions: Decisions) -> Source:
    schema = decisions.source("schema")
    return Source(schema.file, f"{schema.key}.{name}")


def _part(name: str, decisions: Decisions) -> str:
    params = decisions.params
    if name == params.target.column:
        return "target"
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
            rest = f"{name}: everything else" if rules else name
            yield (rest, "indefinitely"), [Source(TEMPLATE, f"Resources.{name}")]


def _log_retention(template: Template) -> Iterator[Row]:
    for name, group in template.of_type("AWS::Logs::LogGroup").items():
        days = group["RetentionInDays"]
        yield (name, template.value(days)), template.sources(days, f"Resources.{name}")


def training(decisions: Decisions) -> Iterator[Markup]:
    """Render how a model is retrained, and when a run ends without one."""
    params = decisions.params
    yield claims(
        [
            claim(
                f"The model is a {params.model.family.replace('_', ' ')}; its hyperparameters are "
                "those in params.yaml unless a run tunes them.",
                of=[decisions.source("model")],
            ),
            claim(
                f"Prediction intervals are based on the residuals of {params.intervals.folds}-fold "
                f"cross-validation, with a target coverage of {level(params.intervals.coverage)}.",
                of=[
                    decisions.source("intervals.folds"),
                    decisions.source("intervals.coverage"),
                ],
            ),
            claim(
                "A stage whose data, params and code are unchanged is answered from the cache; the "
                "same data give the same model.",
                of=[Source("pipeline/cache.py", "fingerprint")],
            ),
        ]
    )
    retrain = machine("retrain")
    yield by_state(retrain, *STATES[TRAINING])
    yield tag("h4", "How a run ends")
    yield sourced(
        "All end states of the retrain state machine",
        ("State", "Type", "Meaning"),
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
    """Render what is measured, the required values, and their uncertainty."""
    params = decisions.params
    yield claims(
        [
            claim(
                f"Every figure has a {level(params.evaluation.confidence)} interval from "
                f"{params.evaluation.resamples:,} bootstrap resamples; two models are compared on "
                "the same rows, resampled together.",
                of=[
                    decisions.source("evaluation.confidence"),
                    decisions.source("evaluation.resamples"),
                    Source("pipeline/bootstrap.py"),
                ],
            ),
            claim(
                "Errors are reported for subgroups by ",
                enumerated(map(params.label, params.roles.subgroups))
                if params.roles.subgroups
                else "no column",
                f", with at least {params.evaluation.min_subgroup_rows} held-out rows each. The "
                "gate does not decide on them.",
                of=[
                    decisions.source("roles.subgroups"),
                    decisions.source("evaluation.min_subgroup_rows"),
                    JUDGED,
                ],
            ),
            claim(
                "The rates of false alarms and of detection for calibration, subgroups and win "
                "probabilities were simulated with known truth.",
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
        yield claim("No captured requests are replayed.", of=[decisions.source("replay.requests")])
        return
    yield claim(
        f"The last {requests:,} captured requests, if any, are replayed against candidate and "
        "champion; if the champion does not reproduce what it served, the replay is void.",
        of=[decisions.source("replay.requests"), Source("pipeline/retrain/replaying.py")],
    )


def _shadow(decisions: Decisions) -> Markup:
    shadow = decisions.params.serving.shadow
    said = (
        f"{shadow} scores live requests in parallel with the champion, only into the log."
        if shadow
        else "No version scores live requests in parallel with the champion."
    )
    return claim(said, of=[decisions.source("serving.shadow")])


def _criteria(decisions: Decisions) -> Markup:
    params, gate = decisions.params, decisions.params.gate
    skill = (
        "rejected"
        if gate.without_skill == "rejected"
        else "serves, and every answer says so; rejected if the champion does beat the average"
    )
    rows = [
        (
            "The serving ONNX model and the fitted scikit-learn model agree",
            f"within {gate.max_parity_error * params.width:.0e} {params.unit} on held-out rows",
            "rejected",
            ["gate.max_parity_error"],
        ),
        (
            "Prediction intervals have the target coverage",
            _within(params),
            "rejected",
            ["intervals.coverage", "gate.coverage_tolerance"],
        ),
        (
            "It is not worse than the champion",
            (
                "the interval of the difference in RMSE is not entirely above 0, on held-out rows "
                "or on outcomes of replayed requests; with both, each interval is wider"
            ),
            "rejected",
            ["evaluation.confidence"],
        ),
        (
            "It beats the average baseline",
            "the interval of the difference in RMSE is entirely below 0",
            skill,
            ["gate.without_skill"],
        ),
        (
            "It could be compared with a champion that beats the average",
            (
                f"on at least {gate.min_champion_rows} held-out rows, or outcomes of replayed "
                "requests, that neither was trained on"
            ),
            "withheld: published, and serves once a person promotes it by name",
            ["gate.min_champion_rows"],
        ),
        (
            "It covers the champion's recorded combinations",
            f"except at most {level(gate.max_lost_combinations)} of them",
            "withheld",
            ["gate.max_lost_combinations"],
        ),
    ]
    return sourced(
        "The gate: conditions for a candidate",
        ("Criterion", "Limit", "Otherwise"),
        [
            ((criterion, limit, otherwise), [*map(decisions.source, keys), JUDGED])
            for criterion, limit, otherwise, keys in rows
        ],
    )


def update(decisions: Decisions, template: Template) -> Iterator[Markup]:
    """Render what a promotion requires, and what follows it."""
    params = decisions.params
    yield tag("h4", "Approval, promotion and rollback")
    yield claims(
        [
            _approval(decisions),
            claim(
                f"Warm functions serve a promoted version within "
                f"{params.serving.refresh_seconds:g} seconds.",
                of=[decisions.source("serving.refresh_seconds")],
            ),
            claim(
                "A rollback promotes the version before the champion, or a named one, after the "
                "digest of each of its files was checked. The replaced version comes back only by "
                "name.",
                of=[
                    Source("pipeline/retrain/stages/promote.py", "previous_of"),
                    Source("layers/clinical/clinical/registry.py", "verified"),
                    machine("retrain").source("Withdrawn"),
                ],
            ),
        ]
    )
    yield by_state(machine("retrain"), *STATES[UPDATE])
    yield tag("h4", "Permissions")
    yield claims(_signed(template))
    yield sourced(
        "Who may write models and approvals, and who may not",
        ("Who", "May", "On"),
        _writers(template),
    )
    yield tag("h4", "Monitoring")
    yield from _monitoring(decisions, template)
    yield tag("h4", "Notifications")
    yield claims(
        [
            parameter(template, "AlarmEmail"),
            parameter(template, "ApproverEmail"),
            *_topics(template),
        ]
    )
    yield tag("h4", "Alarms, with their default thresholds")
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
            "A candidate that passes the gate needs no approval: it is promoted automatically.",
            of=[rule],
        )
    waits = f"It waits {gate.approval_days:g} days; after that it counts as not approved."
    if gate.approval == "always":
        return claim(f"Every candidate needs approval. {waits}", of=of)
    said = enumerated(_rule(one) for one in gate.approval.when)
    return claim("Approval is required for a candidate ", said, f". {waits}", of=of)


def _rule(rule: str | MovesMoreThan) -> str:
    if isinstance(rule, MovesMoreThan):
        return (
            f"whose replayed scores change by more than their interval's half-width in more than "
            f"{level(rule.replay_moves_more_than)} of the requests"
        )
    return {
        "with_warning": "that does not beat the average",
        "loses_combinations": "that loses recorded combinations",
    }[rule]


def _signed(template: Template) -> Iterator[Markup]:
    """Render the routes that require IAM authorisation."""
    for name, function in template.of_type("AWS::Serverless::Function").items():
        for key, event in function.get("Events", {}).items():
            route = event["Properties"]
            if route.get("Auth", {}).get("Authorizer") == "AWS_IAM":
                yield claim(
                    code(f"{route['Method'].upper()} {route['Path']}"),
                    " is only for callers that IAM authorises, and any of them may decide.",
                    of=[Source(TEMPLATE, f"Resources.{name}.Properties.Events.{key}")],
                )


def _writers(template: Template) -> Iterator[Row]:
    """Yield who may write models and approvals, and who may not, from all policies."""
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
                "Everyone, including administrators" if by_all else name,
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
                f"Requests and outcomes of the last {monitoring.window_days} days are evaluated; "
                f"with fewer than {counted(monitoring.min_requests, 'request')} or "
                f"{counted(monitoring.min_outcomes, 'outcome')}, no conclusion is drawn.",
                of=[
                    decisions.source(f"monitoring.{key}")
                    for key in ("window_days", "min_requests", "min_outcomes")
                ],
            ),
            claim(
                f"If nothing has changed, the probability of a false alarm in one run is "
                f"{level(monitoring.false_alarms.drift)} for drift and "
                f"{level(monitoring.false_alarms.outcomes)} for outcomes.",
                of=[
                    decisions.source("monitoring.false_alarms.drift"),
                    decisions.source("monitoring.false_alarms.outcomes"),
                ],
            ),
        ]
    )
    yield sourced(
        "Scheduled runs, with their default schedules",
        ("What", "When (UTC)", "State"),
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
    """Yield every schedule, a function's own or a rule's, with its resource."""
    for name, one in template.resources.items():
        given = one.get("Properties", {})
        for event in given.get("Events", {}).values():
            if event["Type"] == "Schedule":
                schedule = event["Properties"]
                yield name, {**schedule, "ScheduleExpression": schedule["Schedule"]}
        if "ScheduleExpression" in given:
            yield name, given


def false_alarms() -> Iterator[Markup]:
    """Render the simulated rates of false alarms, with the figures of their table."""
    for heading, of_a_day in (
        ("Drift: a clean year", "requests a day"),
        ("Outcomes: a clean year", "outcomes a day"),
    ):
        yield sourced(
            f"{heading}: rate of false alarms",
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
