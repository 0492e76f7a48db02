"""Files that speak of each other say the same: template, state machines, code, events."""

import importlib
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from clinical import api, errors
from clinical.contract import Patient
from clinical.hyperparameters import Model
from clinical.params import Gate, Params, params
from retrain.families import Family, family_of
from retrain.stages import cross_validate, learning_curve

from events.generate import events, inputs_of, stages
from functions.openapi import document
from tests import state_machine
from tests.unit.conftest import load_function, routes_of

ROOT = Path(__file__).parent.parent.parent
MACHINES = sorted(path.parent.name for path in ROOT.glob("pipeline/*/*.asl.json"))
STAGES = stages()
WHOLE = "{% $states.input %}"  # which a Map made
SO_LONG = "{% $nominated.approval_seconds %}"
OF_ONE_STAGE = {"LogUnavailable", "MachineUnavailable"}  # which no other can meet
FROM_ITS_INPUT = "{% $states.input.error %}"  # where a branch told of it
ALL_STAGES = [(machine, name) for machine in MACHINES for name in stages(machine)]


@pytest.fixture(scope="module", params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    """The name of each state machine: what is asked of one is asked of all."""
    return str(request.param)


@pytest.fixture(scope="module")
def states(machine: str) -> dict[str, Any]:
    return state_machine.states(state_machine.definition(machine))


@pytest.fixture(scope="module")
def tasks(states: dict[str, Any]) -> dict[str, Any]:
    return tasks_of(states)


@pytest.fixture(scope="module")
def deployed(template: dict[str, Any], machine: str) -> dict[str, Any]:
    """What the template says of the machine."""
    found: dict[str, Any] = template["Resources"][f"{camel(machine)}StateMachine"]["Properties"]
    return found


def tasks_of(states: dict[str, Any]) -> dict[str, Any]:
    """The tasks that invoke a function."""
    return {
        name: state
        for name, state in states.items()
        if state["Type"] == "Task" and ":lambda:invoke" in state["Resource"]
    }


def waits(task: dict[str, Any]) -> bool:
    """Whether a task goes on when somebody wakes it, and not when its function answers."""
    return bool(task["Resource"].endswith(".waitForTaskToken"))


def function_of(task: dict[str, Any]) -> str:
    """The logical name of the function that a task invokes."""
    return str(task["Arguments"]["FunctionName"]).removeprefix("${").removesuffix("Arn}")


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def test_every_machine_lies_beside_its_stages(template: dict[str, Any]) -> None:
    deployed = {
        name: resource["Properties"]["DefinitionUri"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::StateMachine"
    }

    assert deployed == {
        f"{camel(name)}StateMachine": f"pipeline/{name}/{name}.asl.json" for name in MACHINES
    }


def test_every_stage_has_a_function_a_state_and_a_test(
    functions: dict[str, Any], machine: str, tasks: dict[str, Any]
) -> None:
    files = [ROOT / "tests/pipeline.py", *ROOT.glob("tests/unit/**/*.py")]
    tests = "".join(path.read_text() for path in files)

    assert {function_of(task) for task in tasks.values()} == {
        f"{camel(name)}Function" for name in stages(machine)
    }
    for name, task in tasks.items():
        assert name.startswith(function_of(task).removesuffix("Function")) or waits(task)
    for name in stages(machine):
        handler = functions[f"{camel(name)}Function"]["Handler"]
        assert handler == f"{machine}.stages.{name}.{name}"
        assert f"{machine}.stages.{name} import" in tests


@pytest.mark.parametrize(("machine", "name"), ALL_STAGES)
def test_no_stage_imports_another_whose_change_its_cache_would_not_notice(
    machine: str, name: str
) -> None:
    source = (ROOT / f"pipeline/{machine}/stages/{name}.py").read_text()

    assert not re.search(r"^(from|import) \w+\.stages", source, re.MULTILINE)


def test_every_handler_can_be_imported(functions: dict[str, Any]) -> None:
    for properties in functions.values():
        module, function = properties["Handler"].rsplit(".", 1)
        if properties["CodeUri"] == "pipeline":
            assert callable(getattr(importlib.import_module(module), function))
        else:
            loaded = load_function(Path(properties["CodeUri"]).name)
            assert callable(getattr(loaded, function))


def test_every_substitution_is_made(machine: str, deployed: dict[str, Any]) -> None:
    text = json.dumps(state_machine.definition(machine))

    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(deployed["DefinitionSubstitutions"])


def test_a_state_machine_may_invoke_its_stages_and_tell_approvers_and_nothing_else(
    machine: str, deployed: dict[str, Any]
) -> None:
    said = [one.get("Fn::If", (None, one, None)) for one in deployed["Policies"][0]["Statement"]]
    statements = {one["Sid"]: one for _, one, _ in said}

    allowed = statements["InvokeTheStages"]["Resource"]
    named = deployed["DefinitionSubstitutions"].values()
    assert {one["Fn::GetAtt"][0] for one in allowed} == {
        one["Fn::GetAtt"][0] for one in named if "Fn::GetAtt" in one
    }
    tells = [one for one in named if "Ref" in one]
    assert tells == ([{"Ref": "ApprovalTopic"}] if machine == "retrain" else [])
    assert set(statements) == {
        *("InvokeTheStages", "DeliverLogs"),
        *(("TellApprovers", "EncryptWhatTheyAreTold") if tells else ()),
    }
    if tells:
        assert statements["TellApprovers"]["Resource"] == tells[0]
    assert {
        one["Sid"]: (condition, otherwise) for condition, one, otherwise in said if condition
    } == ({"EncryptWhatTheyAreTold": ("TopicsEncrypted", {"Ref": "AWS::NoValue"})} if tells else {})


def test_a_machine_whose_maps_are_distributed_may_start_itself_and_no_other(
    template: dict[str, Any], machine: str, states: dict[str, Any]
) -> None:
    modes = {
        state["ItemProcessor"]["ProcessorConfig"]["Mode"]
        for state in states.values()
        if state["Type"] == "Map"
    }
    name = f"{camel(machine)}StateMachine"
    own = [
        resource["Properties"]["PolicyDocument"]["Statement"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy"
        and resource["Properties"]["Roles"] == [{"Ref": f"{name}Role"}]
    ]

    assert len(own) == ("DISTRIBUTED" in modes)
    for statements in own:
        start, *rest = statements
        assert (start["Action"], start["Resource"]) == ("states:StartExecution", {"Ref": name})
        assert set(re.findall(r"execution:(.*?)[:/]\*", json.dumps(rest))) == {f"${{{name}.Name}}"}


def test_every_state_says_why_it_is_there(states: dict[str, Any]) -> None:
    for name, state in states.items():
        assert state.get("Comment") or state["Type"] == "Pass", name


def test_every_machine_and_every_state_that_waits_has_a_timeout(
    machine: str, states: dict[str, Any]
) -> None:
    """A task has one of its own, and what else there is takes as long as the tasks in it."""
    assert state_machine.definition(machine)["TimeoutSeconds"] > 0
    at_once = {"Choice", "Pass", "Succeed", "Fail"}
    for name, state in states.items():
        kind = state["Type"]
        assert kind in {"Map", "Parallel", *at_once} or state["TimeoutSeconds"], name


def test_every_task_has_a_timeout_and_retries_with_backoff_and_jitter(
    states: dict[str, Any],
) -> None:
    for name, task in states.items():
        if task["Type"] != "Task":
            continue
        limit = task["TimeoutSeconds"]
        assert limit == SO_LONG if waits(task) else limit > 0, name
        retries = [retry for retry in task["Retry"] if retry["MaxAttempts"]]
        assert retries, name
        for retry in retries:
            assert retry["JitterStrategy"] == "FULL", name
            assert retry["BackoffRate"] > 1, name


@pytest.mark.parametrize("whatever", [False, True], ids=["what may help", "whatever it is"])
def test_every_task_retries_as_the_others_do(whatever: bool) -> None:
    """JSON has no name for what stands more than once.

    whatever: of the tasks that are tried again whatever befell them, or of the others.
    """
    retries = [
        [{**rule, "ErrorEquals": set(rule["ErrorEquals"]) - OF_ONE_STAGE} for rule in task["Retry"]]
        for machine in MACHINES
        for task in tasks_of(state_machine.states(state_machine.definition(machine))).values()
        if (task["Retry"][-1]["ErrorEquals"] == ["States.ALL"]) == whatever
    ]

    assert all(retry == retries[0] for retry in retries)


def test_a_function_gives_up_before_its_state_does(
    tasks: dict[str, Any], functions: dict[str, Any]
) -> None:
    for name, task in tasks.items():
        least = 60 * 60 if waits(task) else task["TimeoutSeconds"]  # by params.yaml, days
        assert functions[function_of(task)]["Timeout"] < least, name


def test_an_approval_is_waited_for_as_long_as_params_may_say_within_the_machines_own_limit(
    states: dict[str, Any], machine: str
) -> None:
    waiting = [name for name, state in states.items() if state["Type"] == "Task" and waits(state)]
    limits = [one.le for one in Gate.model_fields["approval_days"].metadata if hasattr(one, "le")]

    assert waiting == (["AwaitApproval"] if machine == "retrain" else [])
    if waiting:
        assert state_machine.definition()["TimeoutSeconds"] > limits[0] * 24 * 60 * 60 + 60 * 60


def test_every_error_that_is_matched_is_raised_by_somebody(tasks: dict[str, Any]) -> None:
    matched = {
        error
        for task in tasks.values()
        for rule in (*task.get("Retry", []), *task.get("Catch", []))
        for error in rule["ErrorEquals"]
    }

    ours = {error for error in matched if not error.startswith(("Lambda.", "States."))}
    assert ours
    for error in ours:
        assert issubclass(getattr(errors, error), errors.ClinicalError)


def test_every_failure_has_the_name_of_the_error_that_leads_to_it(
    tasks: dict[str, Any], states: dict[str, Any]
) -> None:
    caught = [catch for task in tasks.values() for catch in task.get("Catch", [])]

    named = set()
    for catch in caught:
        name = states[catch["Next"]].get("Error") or told_by(catch)
        if name:
            assert name in catch["ErrorEquals"]
            named.add(name)
    fails = {name: state["Error"] for name, state in states.items() if state["Type"] == "Fail"}
    told = {name for name, error in fails.items() if error.startswith("{%")}
    assert fails == {name: name for name in named} | dict.fromkeys(told, FROM_ITS_INPUT)


def told_by(catch: dict[str, Any]) -> str | None:
    """The name under which a branch tells of an error, where it is not the error's own."""
    output = catch.get("Output")
    name = output.get("error", "") if isinstance(output, dict) else ""
    return name if name and not name.startswith("{%") else None


@pytest.mark.parametrize("machine", ["retrain"], indirect=True)
def test_what_a_branch_tells_of_ends_under_that_name(
    tasks: dict[str, Any], states: dict[str, Any]
) -> None:
    told = {told_by(catch) for task in tasks.values() for catch in task.get("Catch", [])} - {None}

    rules = {rule["Condition"]: rule["Next"] for rule in states["Ended"]["Choices"]}
    assert told
    for name in told:
        assert rules[f"{{% $concluded.error = '{name}' %}}"] == name


@pytest.mark.parametrize("machine", ["retrain"], indirect=True)
def test_nothing_fails_the_branch_beside_a_promotion_nor_that_promotion(
    states: dict[str, Any],
) -> None:
    """A branch that fails has the others cut short: so both catch whatever can be caught."""
    for branch in states["Release"]["Branches"]:
        for name, state in branch["States"].items():
            assert state["Type"] != "Fail", name
            if state["Type"] == "Task":
                assert state["Catch"][-1]["ErrorEquals"] == ["States.ALL"], name


def test_no_branch_assigns_what_is_assigned_outside_of_it() -> None:
    """AWS refuses such a machine: a name is of one scope."""

    def assigned(state: dict[str, Any]) -> set[str]:
        rules = (state, *state.get("Choices", []), *state.get("Catch", []))
        return {name for rule in rules for name in rule.get("Assign", {})}

    machine = state_machine.definition()
    outside = {name for state in machine["States"].values() for name in assigned(state)}
    inside = {
        name
        for state in machine["States"].values()
        for branch in (*state.get("Branches", []), *filter(None, [state.get("ItemProcessor")]))
        for one in state_machine.states(branch).values()
        for name in assigned(one)
    }

    assert {"concluded", "measured"} <= outside
    assert "nominated" in inside
    assert outside.isdisjoint(inside)


@pytest.mark.parametrize(("machine", "name"), ALL_STAGES, indirect=["machine"])
def test_the_state_hands_a_stage_what_its_signature_asks_for(
    machine: str, states: dict[str, Any], name: str
) -> None:
    payloads = [
        set(item_of(states, task) if task["Arguments"]["Payload"] == WHOLE else payload)
        for task in tasks_of(states).values()
        if function_of(task) == f"{camel(name)}Function"
        for payload in [task["Arguments"]["Payload"]]
    ]

    assert payloads
    for payload in payloads:
        assert payload == {"execution", *inputs_of(name, machine)}


def item_of(states: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """What a Map hands to the one task that it runs."""
    (selected,) = (
        state["ItemSelector"]
        for state in states.values()
        if state["Type"] == "Map" and task in state["ItemProcessor"]["States"].values()
    )
    found: dict[str, Any] = selected
    return found


@pytest.mark.parametrize("name", STAGES)
def test_the_event_of_every_stage_validates(name: str) -> None:
    event = json.loads((ROOT / f"events/{name}.json").read_text())

    assert set(event) == {"execution", *inputs_of(name)}
    for parameter, kind in inputs_of(name).items():
        kind.model_validate(event[parameter])


@pytest.mark.slow
def test_the_events_name_what_this_code_makes_of_the_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stale digests would be refused by the stages that `sam local invoke` runs."""
    # No event names a forest that tuning tried, or the curve is of: small ones will do.
    monkeypatch.setattr(cross_validate, "family_of", of_few_trees)
    monkeypatch.setattr(
        learning_curve, "cheaper", lambda _, params: params.model.with_at_most(TREES)
    )

    made = events()

    assert json.loads((ROOT / "events/predict.json").read_text()) == made["predict"]
    for name in STAGES:
        written = json.loads((ROOT / f"events/{name}.json").read_text())
        for artefact in ("onnx", "reference"):
            assert _digest(written, artefact) == _digest(made[name], artefact), "run `make events`"


TREES = 5


def of_few_trees(hyperparameters: Model, params: Params) -> Family[Any]:
    return family_of(hyperparameters.model_copy(update={"n_estimators": TREES}), params)


def _digest(event: dict[str, Any], artefact: str) -> object:
    return event.get("trained", {}).get(artefact)


def test_every_function_has_an_event(functions: dict[str, Any]) -> None:
    names = {path.stem for path in (ROOT / "events").glob("*.json")} - {"env", "env-sample"}

    of_stages = {name for _, name in ALL_STAGES}
    assert names == {*of_stages, "predict", "dropdown", "outcomes", "approvals", "watch"}
    assert len(names) == len(functions)


def test_the_sample_patient_keeps_the_contract() -> None:
    event = json.loads((ROOT / "events/predict.json").read_text())

    Patient.model_validate_json(event["body"])


def test_the_requests_fields_are_the_features_and_the_id() -> None:
    asked = Patient.columns

    assert asked == tuple(params().asked)
    assert set(asked) == {params().identifier, *params().features}
    assert set(Patient.model_json_schema()["properties"]) == set(asked)


def test_every_route_is_reached_through_the_gateway(functions: dict[str, Any]) -> None:
    for name in ("predict", "dropdown", "outcomes", "approvals"):
        routes = routes_of(load_function(name))
        events = functions[f"{name.capitalize()}Function"]["Events"].values()
        reached = {
            (one["Properties"]["Method"].upper(), one["Properties"]["Path"])
            for one in events
            if one["Type"] == "Api"
        }

        assert reached == {
            *routes,
            *(("HEAD", path) for method, path in routes if method == "GET"),
            *(("OPTIONS", path) for _, path in routes),
        }


@pytest.mark.parametrize(
    ("cloudfront", "origins", "readable_by"),
    [
        ("false", "", {"Fn::Sub": "'${SiteBucket.WebsiteURL}'"}),  # the stack's own site
        ("true", "", {"Ref": "AWS::NoValue"}),  # which is of the API's own origin then
        ("false", "https://a.example, https://b.example", "'*'"),
        ("true", "https://a.example", "'*'"),
        ("true", "*", "'*'"),
    ],
)
def test_pages_that_may_read_answers_may_read_the_gateways_errors_too(
    template: dict[str, Any], cloudfront: str, origins: str, readable_by: object
) -> None:
    given = {"CloudFront": cloudfront, "AllowedOrigins": origins}

    def holds(condition: dict[str, Any]) -> bool:
        if "Fn::Not" in condition:
            return not holds(condition["Fn::Not"][0])
        parameter, value = condition["Fn::Equals"]
        return bool(given[parameter["Ref"]] == value)

    def chosen(value: Any) -> Any:
        if not isinstance(value, dict) or "Fn::If" not in value:
            return value
        condition, then, otherwise = value["Fn::If"]
        return chosen(then if holds(template["Conditions"][condition]) else otherwise)

    responses = template["Resources"]["Api"]["Properties"]["GatewayResponses"]
    assert responses
    for response in responses.values():
        headers = response["ResponseParameters"]["Headers"]
        assert chosen(headers["Access-Control-Allow-Origin"]) == readable_by


def test_the_served_documentation_is_what_the_routes_say() -> None:
    served = (ROOT / "functions/predict/openapi.json").read_text()

    assert served == document(), "run `make openapi`"


def test_every_status_that_a_problem_may_have_is_documented_of_some_route() -> None:
    served = json.loads((ROOT / "functions/predict/openapi.json").read_text())
    documented = {
        int(status)
        for operations in served["paths"].values()
        for operation in operations.values()
        for status in operation["responses"]
    }

    assert set(api._STATUS.values()) <= documented


def test_the_template_leaves_nothing_of_the_environment_unset(
    functions: dict[str, Any], template: dict[str, Any]
) -> None:
    shared = template["Globals"]["Function"]["Environment"]["Variables"]

    assert "ARTIFACTS_BUCKET" in shared
    for name, properties in functions.items():
        own = properties["Environment"]["Variables"]
        assert "POWERTOOLS_SERVICE_NAME" in own, name
        of_retraining = {"AdmitFunction", "IngestFunction", "WatchFunction"}
        reads_uploads = {*of_retraining, "JoinOutcomesFunction"}
        touches_uploads = name in reads_uploads or own["POWERTOOLS_SERVICE_NAME"] == "score"
        assert ("RAW_BUCKET" in own) == touches_uploads, name
        assert ("API_LOG_GROUP" in own) == (name == "CaptureFunction"), name
        asks_a_machine = {"WatchFunction", "ActFunction"}
        assert ("STATE_MACHINE_ARN" in own) == (name in asks_a_machine), name
        retrains = {"JoinOutcomesFunction", "ActFunction"}
        assert ("RETRAIN_AFTER_OUTCOMES" in own) == (name in retrains), name
        events = properties.get("Events", {}).values()
        answers = any(event["Type"] == "Api" for event in events)
        assert ("ALLOWED_ORIGINS" in own) == answers, name


def test_the_local_deployment_gives_what_samconfig_gives(template: dict[str, Any]) -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    given = shlex.split(config["default"]["deploy"]["parameters"]["parameter_overrides"])

    assert {one.split("=")[0] for one in given} <= set(template["Parameters"])


def test_no_requirements_name_an_index_and_all_are_pinned_by_hash() -> None:
    compiled = re.findall(r"-o (\S+\.txt)", (ROOT / "Makefile").read_text())

    assert len(compiled) == 11
    for file in compiled:
        text = (ROOT / file).read_text()
        assert "://" not in text, file
        for requirement in re.findall(r"^\S+==.*?(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL):
            assert "--hash=sha256:" in requirement, (file, requirement)


def test_layers_run_what_the_tests_run() -> None:
    def pins(file: Path) -> set[str]:
        return set(re.findall(r"^([a-z0-9-]+==\S+)", file.read_text(), re.MULTILINE))

    tested = pins(ROOT / "requirements-dev.txt")
    for file in ROOT.glob("layers/*/requirements.txt"):
        assert pins(file) <= tested, file


def test_no_property_is_taken_over_and_then_given_another_value() -> None:
    """Whoever reads the template for weaknesses takes it for written twice, and reads no more."""

    def keys_of(mapping: yaml.MappingNode) -> set[str]:
        merged = [value for key, value in mapping.value if key.value == "<<"]
        own = {key.value for key, _ in mapping.value} - {"<<"}
        taken_over: set[str] = set().union(*map(keys_of, merged))
        assert not own & taken_over, f"line {mapping.start_mark.line + 1}"
        return own | taken_over

    def look_at(node: yaml.Node | None) -> None:
        if isinstance(node, yaml.MappingNode):
            keys_of(node)
            for key, value in node.value:
                if key.value != "<<":
                    look_at(value)
        elif isinstance(node, yaml.SequenceNode):
            for one in node.value:
                look_at(one)

    look_at(yaml.compose((ROOT / "template.yaml").read_text()))
