"""The environment variables that the template sets for a function."""

import os
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clinical.errors import EnvironmentInvalid


class Environment(BaseModel):
    """Resource names, as template.yaml sets them in `Environment.Variables`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    artifacts_bucket: str = Field(alias="ARTIFACTS_BUCKET", min_length=1)
    raw_bucket: str = Field(alias="RAW_BUCKET", default="")  # where a stage reads uploads
    state_machine_arn: str = Field(
        alias="STATE_MACHINE_ARN", default=""
    )  # what is watched or started
    # how many outcomes that the model was not trained on start a retrain; 0 for never
    retrain_after_outcomes: int = Field(alias="RETRAIN_AFTER_OUTCOMES", default=0, ge=0)
    api_log_group: str = Field(alias="API_LOG_GROUP", default="")  # of requests
    allowed_origins: str = Field(alias="ALLOWED_ORIGINS", default="")


@cache
def environment() -> Environment:
    """Read the environment; raises EnvironmentInvalid, which names what is missing."""
    try:
        return Environment.model_validate(dict(os.environ))
    except ValidationError as error:
        missing = ", ".join(str(wrong["loc"][0]) for wrong in error.errors())
        raise EnvironmentInvalid(
            f"environment variables are missing or invalid: {missing}; template.yaml sets them"
        ) from error


def in_lambda() -> bool:
    """Whether this process is a Lambda environment, and not a test or a build."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ
