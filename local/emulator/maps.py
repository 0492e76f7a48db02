"""Run the items of a Map as AWS does: a correction before ministack starts.

- On AWS the fields of a distributed Map may be JSONata, like those of an inline one. Ministack
  reads its Items, ItemSelector, Output and Assign as JSONPath.
- On AWS an item of a distributed Map is an execution with a name of its own, which does not see the
  variables of its parent. Ministack's items see them.
- On AWS a Map that fails, or whose execution is stopped, starts no further items. Ministack runs
  all of them to their end.
- On AWS a hundred concurrent items each find an environment for their function. Here a function has
  a few processes, and an item's timeout would run while it waits for one: a Map runs as many items
  at once as a function has processes.
"""

import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.services import stepfunctions

type Json = Any
type State = dict[str, Any]

NUMBERS = ("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage")

_run_sub_machine = stepfunctions._run_sub_machine  # noqa: SLF001
_run_map_items = stepfunctions._run_map_items  # noqa: SLF001
_run_distributed_map = stepfunctions._run_distributed_map  # noqa: SLF001
_failed = stepfunctions._ExecutionError  # noqa: SLF001
_evaluated = stepfunctions._apply_jsonata_template  # noqa: SLF001


class UnderWay:
    """A running Map: whether another of its items may start."""

    def __init__(self, state: State, execution: State) -> None:
        self._execution = execution
        self._tolerant = any(state.get(name) for name in NUMBERS[1:])
        self._broken = threading.Event()

    def admit(self) -> None:
        """Let an item start; raises the error that ends it if its Map has already ended."""
        if self._broken.is_set() or self._execution["status"] != "RUNNING":
            raise _failed("States.Runtime", "the Map had ended before this item began")

    def failed(self) -> None:
        if not self._tolerant:
            self._broken.set()


# Of the items of this Map, whose threads have a copy of what was before them.
_under_way: contextvars.ContextVar[UnderWay] = contextvars.ContextVar("under way")


def run_map_items(
    state: State, given: Json, execution: State, ctx: State
) -> tuple[Json, str | None]:
    """Run all items, until one fails or the execution is stopped."""
    before = _under_way.set(UnderWay(state, execution))
    try:
        done: tuple[Json, str | None] = _run_map_items(state, given, execution, ctx)
    except _failed:
        if execution["status"] == "RUNNING":
            raise
        return given, None  # it was stopped: nothing comes of its items
    finally:
        _under_way.reset(before)
    return done


def run_item(states: State, start: str, given: Json, execution: State, ctx: State) -> Json:
    """Run an item, in its own execution or in its Map's."""
    under_way = _under_way.get()
    under_way.admit()
    if execution["executionArn"] != ctx["Execution"]["Id"]:
        own = {"Id": execution["executionArn"], "Name": execution["name"], "Input": given}
        ctx = {**ctx, "Execution": {**own, "StartTime": execution["startDate"]}}
    try:
        return _run_sub_machine(states, start, given, execution, ctx)
    except Exception:
        under_way.failed()
        raise


def run_distributed_map(  # noqa: PLR0913, PLR0917 - the signature is ministack's
    state: State, given: Json, effective: Json, iterator: State, execution: State, ctx: State
) -> tuple[Json, str | None]:
    """Select the items and process their results; ministack runs them."""
    language = stepfunctions._state_query_language(state, ctx)  # noqa: SLF001
    if language != "JSONata" or "ItemReader" in state:
        return _run_distributed_map(  # type: ignore[no-any-return]
            state, given, effective, iterator, execution, ctx
        )
    items = _evaluated(state.get("Items", given), given, ctx)
    if "ItemSelector" in state:
        items = [
            _evaluated(
                state["ItemSelector"],
                given,
                {**ctx, "Map": {"Item": {"Index": index, "Value": item}}},
            )
            for index, item in enumerate(items)
        ]
    said: State = {name: state[name] for name in ("Label", "Next", "End") if name in state}
    said |= {name: _evaluated(state[name], given, ctx) for name in NUMBERS if name in state}
    results, following = _run_distributed_map(
        said, given, items, iterator, execution, {**ctx, "variables": {}}
    )
    output = stepfunctions._apply_jsonata_output(  # noqa: SLF001
        state, given, ctx, result=results, default=results
    )
    stepfunctions._apply_state_assign(state, given, ctx, result=results)  # noqa: SLF001
    return output, following


def install(at_once: int) -> None:
    """Install the corrections; fails if ministack now runs distributed Maps differently.

    at_once: the number of a function's processes.
    """
    names = stepfunctions._run_distributed_map.__code__.co_names  # noqa: SLF001
    if "_apply_jsonata_output" in names or "_resolve_path_or_ctx" not in names:
        raise SystemExit(
            "ministack has changed: check whether its distributed Maps now support JSONata"
        )

    def few_threads(max_workers: int) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(min(max_workers, at_once))

    stepfunctions.ThreadPoolExecutor = few_threads
    stepfunctions._run_map_items = run_map_items  # noqa: SLF001
    stepfunctions._run_distributed_map = run_distributed_map  # noqa: SLF001
