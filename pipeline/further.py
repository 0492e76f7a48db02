"""Outcomes reported since an upload, as additional training rows.

An upload is assumed to contain everything that was known when it was made, so that earlier reports
are not added a second time.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from clinical.artefacts import Bucket
from clinical.captures import Captures
from clinical.outcomes import Outcomes
from clinical.params import Params
from clinical.upload import Upload
from exporting import LeftOut, joined_csv, told
from wording import counted


@dataclass(frozen=True)
class Further:
    """Outcomes to train on, each with its prediction.

    lines: of a CSV, the header first. left_out: how many outcomes were left out, and why.
    """

    lines: list[str]
    left_out: tuple[str, ...]

    @property
    def rows(self) -> int:
        return len(self.lines) - 1

    @property
    def csv(self) -> bytes:
        return "".join(self.lines).encode()


def further(bucket: Bucket, upload: Upload, until: datetime, params: Params) -> Further:
    """Join outcomes that were reported after an upload, and observed before `until`.

    Only the outcome that counts for a prediction is used: the one observed last, which is left out
    if it was observed too late. Raises ArtefactCorrupted if a capture or an outcome was altered.
    """
    outcomes = {
        one: outcome
        for one, outcome in Outcomes(bucket).all().items()
        if outcome.received_at > upload.uploaded_at and outcome.observed_at < until
    }
    found = Captures(bucket).find(outcomes)
    early = {
        one for one, captured in found.items() if outcomes[one].is_before(captured.predicted_at)
    }
    left_out: LeftOut = Counter()
    lines = joined_csv(
        sorted(
            (captured for one, captured in found.items() if one not in early),
            key=lambda captured: (captured.predicted_at, captured.prediction_id),
        ),
        {one: outcome for one, outcome in outcomes.items() if one not in early},
        params,
        left_out,
    )
    before = f"{counted(len(early), 'outcome')} left out: observed before the prediction."
    return Further(list(lines), (*([before] if early else []), *told(left_out)))
