"""What every decision, artefact and state is: a model that cannot change."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A model that cannot change, and refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,  # with the first that is made: of most, a start makes none
    )
