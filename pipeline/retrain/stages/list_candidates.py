"""List the candidates for tuning."""

from clinical.params import Params
from stage import stage

from retrain.state import Asked, Listed


@stage()
def list_candidates(asked: Asked, params: Params) -> Listed:
    """List the candidates of the requested grid, which `admit` has checked, or of the default."""
    grid = asked.tune if isinstance(asked.tune, str) else params.tuning.grid
    return Listed(grid=grid, candidates=params.tuning.candidates(grid))
