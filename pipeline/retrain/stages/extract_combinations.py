"""Find the recorded combinations of the columns in roles.recorded_together."""

from clinical.artefacts import Artefacts
from clinical.kinds import Value
from clinical.params import Params
from rows import Rows
from stage import stage

from retrain.state import Combined, Validated

type Combination = dict[str, Value]


@stage()
def extract_combinations(validated: Validated, artefacts: Artefacts, params: Params) -> Combined:
    """Write the recorded combinations, each once, in a stable order."""
    found = valid_combinations(Rows(artefacts.read(validated.dataset), params), params)
    return Combined(
        combinations=artefacts.write_json("valid_combinations.json", [{**one} for one in found]),
        distinct=len(found),
    )


def valid_combinations(rows: Rows, params: Params) -> list[Combination]:
    """List the distinct combinations in the rows, sorted; missing values come first."""
    columns = params.roles.recorded_together
    recorded = sorted(
        set(rows.together(columns)),
        key=lambda values: [(value is not None, value) for value in values],
    )
    return [dict(zip(columns, one, strict=True)) for one in recorded]
