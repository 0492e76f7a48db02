"""Start LocalStack without Docker, with two things put right; in an environment of its own.

- It evaluates JSONata in a Java library, which it downloads with a Java runtime of its own. Here
  the port of that library to Python does it, which comes from PyPI with the rest.
- Of a mocked state it counts invocations without a lock: two items of a map at the same time could
  get the same answer.
"""

import json
import threading
from typing import Any

from jsonata import Jsonata
from localstack.runtime import main
from localstack.services.stepfunctions.asl.eval.environment import Environment
from localstack.services.stepfunctions.asl.jsonata import jsonata
from localstack.services.stepfunctions.local_mocking.mock_config import LocalMockedResponse

_mocked_response = Environment.get_current_local_mocked_response
_alone = threading.Lock()


def evaluate(expression: str) -> Any:
    try:
        return json.loads(json.dumps(Jsonata(expression).evaluate(None)))
    except Exception as error:
        raise jsonata.JSONataException("UNKNOWN", str(error)) from error


def one_at_a_time(environment: Environment) -> LocalMockedResponse:
    with _alone:
        return _mocked_response(environment)


if __name__ == "__main__":
    jsonata._eval_jsonata = evaluate
    Environment.get_current_local_mocked_response = one_at_a_time
    main.main()
