"""A model that serves, and what the stages before found out about it."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from clinical.artefacts import Artefacts, Bucket
from clinical.monitored import Monitored
from clinical.obstore_bucket import ObstoreBucket
from clinical.registry import Champion
from monitor.state import Begun, Drifted, Joined

from tests.monitored import LAST, troubled, window
from tests.pipeline import own_store
from tests.unit.conftest import Candidate

type Inputs = dict[str, Any]


@pytest.fixture
def champion(candidate: Candidate, promote: Callable[[Candidate], Champion]) -> Champion:
    return promote(candidate)


@pytest.fixture
def found(bucket: Bucket, champion: Champion) -> Callable[..., Inputs]:
    """Write what a run found up to its report, and give what that is told."""

    def find(run: Monitored | None = None, day: date = LAST) -> Inputs:
        run = run or troubled(day=day)
        artefacts = Artefacts(bucket, f"runs/{run.execution}")
        begun = Begun(
            decision="monitor", window=window(day), champion=champion, captured=7, notes=run.notes
        )
        drifted = Drifted(
            drift=artefacts.write_json("drift/drift.json", run.drift),
            drifted=run.drift.drifted,
            says=run.drift.says,
        )
        joined = Joined(
            observed=artefacts.write_json("outcomes/observed.json", run.outcomes),
            degraded=run.outcomes.degraded,
            says=run.outcomes.says,
        )
        inputs = {"begun": begun, "drifted": drifted, "joined": joined}
        return {name: one.model_dump(mode="json") for name, one in inputs.items()}

    return find


@pytest.fixture
def memory() -> Iterator[ObstoreBucket]:
    """The artefacts bucket in this process's memory, empty: many small writes take no time."""
    with own_store() as empty:
        yield empty
