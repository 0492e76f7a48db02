"""What came of predictions, as researchers tell it: kept under `outcomes/` of the artefacts bucket.

outcomes/received/<time>-<digest>.jsonl  what was told at once, one outcome a line, never rewritten
"""

from datetime import datetime

from clinical.frozen import Frozen


class Outcome(Frozen):
    """What was observed of a patient who was predicted.

    value: of the target, in its units. observed_at: when; a day alone is its beginning (UTC).
    received_at: when this system was told. told_by: `api`, or the key of the file that said so.
    Of several outcomes of one prediction, the one observed last is the outcome; of several observed
    at the same time, the one received last.
    """

    prediction_id: str
    value: float
    observed_at: datetime
    received_at: datetime
    told_by: str
