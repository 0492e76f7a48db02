"""Check that a model can answer requests; one that cannot is neither published nor served."""

import math

from clinical.contract import patient_of
from clinical.errors import ModelUnanswerable
from clinical.params import Params
from clinical.reference import Reference, example_request
from pydantic import ValidationError

from model.scorer import UNREADABLE, Scorer


def check_answers(scorer: Scorer, reference: Reference, params: Params) -> None:
    """Raise ModelUnanswerable unless the model can score a recorded row, sent as a request."""
    try:
        asked = patient_of(params).model_validate(example_request(reference, params)).values
        (score,) = scorer.predict([params.features_of(asked)])
    except ValidationError as error:
        fields = ", ".join(sorted({str(wrong["loc"][0]) for wrong in error.errors()}))
        raise ModelUnanswerable(f"the contract refuses {fields} of a recorded row") from error
    except (KeyError, IndexError, *UNREADABLE) as error:
        raise ModelUnanswerable(
            f"a recorded row cannot be scored: {type(error).__name__}"
        ) from error
    if not math.isfinite(score):
        raise ModelUnanswerable(f"the score of a recorded row is {score}")
