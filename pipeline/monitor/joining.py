"""Join predictions with their outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass

from clinical.captures import Captures
from clinical.monitored import Window
from clinical.outcomes import Outcome
from wording import counted

from monitor.degraded import Came

MOST_JOINED = 50_000  # newest outcomes of a window, whose predictions are looked up


@dataclass(frozen=True)
class Matched:
    """A version's predictions with their outcomes, newest outcome first.

    unknown: outcomes whose prediction should have been captured by now, but was not. waiting: those
    whose prediction may still be captured. notes: on other outcomes, in sentences.
    """

    came: list[Came]
    unknown: int
    waiting: int
    notes: tuple[str, ...]


def joined(
    outcomes: Mapping[str, Outcome], captures: Captures, window: Window, version: str
) -> Matched:
    """Find the predictions of outcomes that were observed in a window.

    outcomes: by the id of their prediction.
    """
    newest = sorted(
        (one for one in outcomes.values() if window.since <= one.observed_at < window.until),
        key=lambda one: (one.observed_at, one.prediction_id),
        reverse=True,
    )
    looked_up = newest[:MOST_JOINED]
    found = captures.find([one.prediction_id for one in looked_up])
    captured_until = captures.captured_until()
    came: list[Came] = []
    unknown = waiting = too_early = of_others = 0
    for outcome in looked_up:
        prediction = found.get(outcome.prediction_id)
        if prediction is None:
            is_late = captured_until is not None and outcome.received_at < captured_until
            unknown, waiting = unknown + is_late, waiting + (not is_late)
        elif outcome.is_before(prediction.predicted_at):
            too_early += 1
        elif prediction.model_version != version:
            of_others += 1
        else:
            came.append(Came(prediction, outcome.value))
    left = len(newest) - len(looked_up)
    notes = {
        f"Only the newest {MOST_JOINED:,} of {len(newest):,} outcomes are used.": left,
        f"{counted(of_others, 'outcome')} of other versions' predictions.": of_others,
        f"{counted(too_early, 'outcome')} left out: observed before the prediction.": too_early,
        f"{counted(unknown, 'outcome')} of predictions that were not captured.": unknown,
        f"{counted(waiting, 'outcome')} of predictions that are not yet captured.": waiting,
    }
    said = tuple(note for note, number in notes.items() if number)
    return Matched(came, unknown, waiting, said)
