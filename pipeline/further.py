"""What came of predictions since an upload was made, as rows to train on beside it.

An upload is taken to hold all that was known when it was made, so that what was told before is not
brought in a second time.
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
    """Outcomes that can be trained on, each with its prediction.

    lines: of a CSV, the header first. left_out: how many outcomes are not among them, and why.
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
    """Join outcomes that were told after an upload was made, and observed before `until`.

    Of a prediction it is the outcome that counts now: one that was observed later takes the place
    of those before it, and is left out where it was observed too late.
    Raises ArtefactCorrupted where a capture or an outcome is not as it was written.
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
    before = f"{counted(len(early), 'outcome')} left out: observed before they were predicted."
    return Further(list(lines), (*([before] if early else []), *told(left_out)))
