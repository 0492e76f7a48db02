"""Set the requests of the window beside the data of the model that serves."""

from clinical.artefacts import Artefacts
from clinical.captures import Captures
from clinical.params import Params
from clinical.population import read_population
from clinical.registry import POPULATION
from stage import stage

from monitor.drift import drift_of, without_population
from monitor.requests import asked, counted
from monitor.state import Begun, Drifted


@stage(cached=False)  # captures are not among its inputs
def drift(begun: Begun, artefacts: Artefacts, params: Params) -> Drifted:
    """Tell whether features and scores are like the version's data, and what moved."""
    version, window = begun.serving, begun.window
    captures = Captures(artefacts.bucket).between(window.since, window.until)
    if file := version.files.get(POPULATION):
        population = read_population(artefacts.bucket, file)
        found = drift_of(counted(captures, population, version.version, params), population, params)
    else:
        requests = sum(1 for _ in asked(captures, params))
        found = without_population(requests, version.version, params)
    return Drifted(
        drift=artefacts.write_json("drift.json", found), drifted=found.drifted, says=found.says
    )
