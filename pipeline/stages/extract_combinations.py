"""Find which conditions, drugs, dosages and side effects were recorded together."""

import csv
import io

from clinical.artefacts import Artefacts
from clinical.params import Level, Params
from pydantic import JsonValue
from stage import stage
from state import Combined, Validated

type Combination = dict[str, JsonValue]


@stage()
def extract_combinations(validated: Validated, artefacts: Artefacts, params: Params) -> Combined:
    """Write the combinations that the data set records, each once, in a stable order."""
    found = valid_combinations(artefacts.read(validated.dataset).decode(), params)
    return Combined(
        combinations=artefacts.write_json("valid_combinations.json", [*found]), distinct=len(found)
    )


def valid_combinations(text: str, params: Params) -> list[Combination]:
    """List the distinct combinations in the rows that validate wrote, sorted."""
    columns = params.features.combination
    levels = {name for name in columns if isinstance(params.columns[name], Level)}
    recorded = {
        tuple(int(row[name]) if name in levels else row[name] for name in columns)
        for row in csv.DictReader(io.StringIO(text, newline=""))
    }
    return [dict(zip(columns, one, strict=True)) for one in sorted(recorded)]
