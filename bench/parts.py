"""What a process goes through to its first prediction; `bench.start` reads its times.

argv: when it was started (Unix time), "serve" or "train", and where its libraries are. It imports
nothing of this project but what was built, and prints milliseconds by part as one line of JSON.
"""

import time

began = time.time()

import json  # noqa: E402 - what comes before the first timestamp would not be counted
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from http import HTTPStatus  # noqa: E402
from importlib import import_module  # noqa: E402


class Context:
    function_name = "predict"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:predict"
    aws_request_id = "00000000-0000-0000-0000-000000000000"


def in_lambda[Result](act: Callable[[], Result]) -> Result:
    """Do what the function does as it starts in Lambda, and nowhere else."""
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] = Context.function_name
    try:
        return act()
    finally:
        del os.environ["AWS_LAMBDA_FUNCTION_NAME"]


def begin_to_read() -> None:
    """Begin as the function does first of all, which then finds that begun."""
    ahead, places = import_module("clinical.ahead"), import_module("clinical.places")
    begun = in_lambda(lambda: ahead.champion(places.MODEL, places.REFERENCE))
    vars(ahead)["champion"] = lambda *_: begun


def main(started: float, what: str, event: str) -> dict[str, float]:
    """Go through the parts in order; milliseconds of each."""
    parts = {"Python itself": (began - started) * 1e3}

    def timed[Result](part: str, act: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        result = act()
        parts[part] = (time.perf_counter() - start) * 1e3
        return result

    if what == "train":
        timed(
            "import scikit-learn and pandas",
            lambda: [*map(import_module, ("sklearn.ensemble", "pandas"))],
        )
        return parts
    timed("import obstore, begin to read", begin_to_read)
    timed("import pydantic and Powertools", lambda: import_module("clinical.api"))
    timed("import ONNX Runtime and NumPy", lambda: import_module("onnxruntime"))
    app = timed("our modules, routes, params", lambda: import_module("app"))
    timed("what is left of reading, load the champion", lambda: in_lambda(app.follower.warm))
    answer = timed("first request", lambda: app.handler(json.loads(event), Context()))
    if answer["statusCode"] != HTTPStatus.OK:
        raise SystemExit(f"the handler answered {answer}")
    return parts


if __name__ == "__main__":
    sys.path += sys.argv[3].split(os.pathsep)
    sys.stdout.write("\n" + json.dumps(main(float(sys.argv[1]), sys.argv[2], sys.argv[4])) + "\n")
