"""List what tuning is to try."""

from clinical.errors import TuningFailed
from clinical.params import Params
from stage import stage
from state import Asked, Listed


@stage()
def list_candidates(asked: Asked, params: Params) -> Listed:
    """List the candidates of the grid asked for, or of the default one.

    Raises TuningFailed where params.yaml has no such grid.
    """
    grid = asked.tune if isinstance(asked.tune, str) else params.tuning.grid
    if grid not in params.tuning.grids:
        raise TuningFailed(
            f"params.yaml has no grid of that name; tuning.grids has "
            f"{', '.join(params.tuning.grids)}"
        )
    return Listed(grid=grid, candidates=params.tuning.grids[grid].candidates())
