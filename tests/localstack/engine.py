"""Start LocalStack without Docker, with a few things put right; in an environment of its own.

- It evaluates JSONata in a Java library, which it downloads with a Java runtime of its own. Here
  the port of that library to Python does it, which comes from PyPI with the rest. LocalStack writes
  the variables' values into each expression, where that port would parse them for most of a minute:
  they are read as the JSON that they are, and an expression is parsed once.
- Of a mocked state it counts invocations without a lock: two items of a map at the same time could
  get the same answer.
- On AWS a distributed Map fails when more of its items do than are tolerated. LocalStack takes each
  that failed for a null.
- On AWS what a function answers that is handed a token is nobody's: the state waits for the token.
  LocalStack takes the answer of a mocked one for what it waits for.
- On AWS a token is of the task that is handed it. LocalStack's branches share it, and whichever
  task of any of them ends takes it away.
- Each execution parses its state machine's definition anew, which takes a second of a core in
  Python's ANTLR, and each state generates a parser for its ResultPath. Here each definition and
  each path is parsed once.
- It sends each event of a history to CloudWatch Logs as well, in a request of its own to itself,
  which takes a third of its time. Here it sends none: a log has nothing that the history has not.
- The events of what a distributed Map runs are told nowhere. Here they are in the history of the
  execution itself, as those of an inline Map are; on AWS each item is an execution of its own.
"""

import json
import re
import threading
from contextvars import ContextVar
from functools import cache
from typing import Any

from antlr4 import ParserRuleContext
from jsonata import Jsonata, utils
from localstack.aws.api.stepfunctions import HistoryEventType, MapRunFailedEventDetails
from localstack.runtime import main
from localstack.services.stepfunctions.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name_type import (  # noqa: E501
    StatesErrorNameType,
)
from localstack.services.stepfunctions.asl.component.common.path import result_path
from localstack.services.stepfunctions.asl.component.eval_component import EvalComponent
from localstack.services.stepfunctions.asl.component.state.state_execution.state_map.iteration.distributed_iteration_component import (  # noqa: E501
    DistributedIterationComponent,
    DistributedIterationComponentEvalInput,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service.resource import (  # noqa: E501
    ResourceCondition,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service.state_task_service import (  # noqa: E501
    StateTaskService,
)
from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service.state_task_service_callback import (  # noqa: E501
    StateTaskServiceCallback,
)
from localstack.services.stepfunctions.asl.eval.environment import Environment
from localstack.services.stepfunctions.asl.eval.event.event_detail import EventDetails
from localstack.services.stepfunctions.asl.eval.event.event_manager import EventManager
from localstack.services.stepfunctions.asl.eval.event.logging import CloudWatchLoggingSession
from localstack.services.stepfunctions.asl.jsonata import jsonata
from localstack.services.stepfunctions.asl.parse.asl_parser import AmazonStateLanguageParser
from localstack.services.stepfunctions.asl.parse.preprocessor import Preprocessor
from localstack.services.stepfunctions.local_mocking.mock_config import LocalMockedResponse

_mocked_response = Environment.get_current_local_mocked_response
_eval_distributed = DistributedIterationComponent._eval_body
_map_run = DistributedIterationComponent._map_run
_eval_task = StateTaskServiceCallback._eval_body
_after_eval = StateTaskServiceCallback._after_eval_execution
_parse = cache(AmazonStateLanguageParser.parse)
_parsed_expression = cache(Jsonata)
_alone, _evaluating = threading.Lock(), threading.Lock()
_history: ContextVar[EventManager] = ContextVar("history")

_OPENED = re.compile(r"(?:\$(?:exists|type)\()?\(")  # also where the result is only looked at
_SET = re.compile(r"\$(\w+):=")
_JSON = json.JSONDecoder()
TOO_MANY_FAILED = StatesErrorNameType.StatesExceedToleratedFailureThreshold


def evaluate(expression: str) -> Any:
    text, variables = without_variables(expression)
    try:
        with _evaluating:
            Jsonata.CURRENT.jsonata = parsed = _parsed_expression(text)  # this thread's
            return json.loads(json.dumps(parsed.evaluate(None, variables)))
    except Exception as error:
        raise jsonata.JSONataException("UNKNOWN", str(error)) from error


def without_variables(expression: str) -> tuple[str, dict[str, Any]]:
    """Take out of an expression the variables that LocalStack set at its start.

    Those that are no JSON, such as functions, stay with all that follow them.
    """
    opened = _OPENED.match(expression)
    begin = position = opened.end() if opened else 0
    variables = {}
    while opened and (name := _SET.match(expression, position)):
        try:
            value, end = _JSON.raw_decode(expression, name.end())
        except ValueError:
            break
        if not expression.startswith(";", end):
            break
        variables[name[1]] = with_nulls(value)
        position = end + 1
    return expression[:begin] + expression[position:], variables


def with_nulls(value: Any) -> Any:
    """Give a value as JSONata has it, to which Python's None is nothing at all."""
    match value:
        case None:
            return utils.Utils.NULL_VALUE
        case dict():
            return {name: with_nulls(one) for name, one in value.items()}
        case list():
            return [with_nulls(one) for one in value]
    return value


def one_at_a_time(environment: Environment) -> LocalMockedResponse:
    with _alone:
        return _mocked_response(environment)


def parse_once(definition: str) -> tuple[EvalComponent, ParserRuleContext]:
    """Parse a definition once; what is run of it is each execution's own."""
    with _alone:
        _, tree = _parse(definition)
    return Preprocessor().visit(tree), tree


def waits(task: StateTaskServiceCallback) -> bool:
    return bool(task.resource.condition == ResourceCondition.WaitForTaskToken)


def eval_task(task: StateTaskServiceCallback, env: Environment) -> None:
    if waits(task):
        _eval_task(task, env)
    else:
        StateTaskService._eval_body(task, env)


def wait_though_mocked(task: StateTaskServiceCallback, env: Environment, **given: Any) -> None:
    if waits(task):
        env.is_local_mocked_mode = lambda: False
    try:
        _after_eval(task, env, **given)
    finally:
        if waits(task):
            del env.is_local_mocked_mode


def eval_distributed(component: DistributedIterationComponent, env: Environment) -> None:
    _history.set(env.event_manager)
    _eval_distributed(component, env)


def map_run(
    component: DistributedIterationComponent,
    env: Environment,
    eval_input: DistributedIterationComponentEvalInput,
) -> None:
    env.event_manager = _history.get()
    _map_run(component, env, eval_input)
    if eval_input.map_run_record.item_counter.failed.get() > eval_input.tolerated_failure_count:
        details = MapRunFailedEventDetails(
            error=TOO_MANY_FAILED.to_name(),
            cause="The specified tolerated failure threshold was exceeded",
        )
        raise FailureEventException(
            FailureEvent(
                env=env,
                error_name=StatesErrorName(TOO_MANY_FAILED),
                event_type=HistoryEventType.MapRunFailed,
                event_details=EventDetails(mapRunFailedEventDetails=details),
            )
        )


if __name__ == "__main__":
    jsonata._eval_jsonata = evaluate
    Environment.get_current_local_mocked_response = one_at_a_time
    AmazonStateLanguageParser.parse = parse_once
    StateTaskServiceCallback._eval_body = eval_task
    StateTaskServiceCallback._after_eval_execution = wait_though_mocked
    DistributedIterationComponent._eval_body = eval_distributed
    DistributedIterationComponent._map_run = map_run
    result_path.parse = cache(result_path.parse)
    CloudWatchLoggingSession.log_level_filter = lambda *_, **__: False
    main.main()
