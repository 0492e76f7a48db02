"""Compare the window's requests with the champion's data."""

from clinical.artefacts import Artefacts
from clinical.captures import Captures
from clinical.params import Params
from clinical.population import Population
from clinical.registry import POPULATION, Registry
from requested import asked
from stage import stage

from monitor.drift import drift_of, without_population
from monitor.requests import counted
from monitor.state import Begun, Drifted


@stage(cached=False)  # captures are not among its inputs
def drift(begun: Begun, artefacts: Artefacts, registry: Registry, params: Params) -> Drifted:
    """Test whether features and scores resemble the version's data, and say what moved."""
    version, window = begun.serving, begun.window
    captures = Captures(artefacts.bucket).between(window.since, window.until)
    if population := registry.annex(version.version, POPULATION, Population):
        found = drift_of(counted(captures, population, version.version, params), population, params)
    else:
        requests = sum(1 for _ in asked(captures, params))
        found = without_population(requests, version.version, params)
    return Drifted(
        drift=artefacts.write_json("drift.json", found), drifted=found.drifted, says=found.says
    )
