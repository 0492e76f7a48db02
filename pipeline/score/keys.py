"""Keys of scored files, their answers, counts and predictions."""

from score.marker import MARKERS
from score.state import FormatName

IN = "score/in/"
OUT = "score/out/"


def part_key(execution: str, number: int, format_name: FormatName) -> str:
    """Return the key of a part of the answer; keys sort like parts."""
    return f"{OUT}{execution}/part-{number:05}.{format_name}"


def summary_key(execution: str) -> str:
    return f"{OUT}{execution}/summary.json"


def counts_key(execution: str, number: int) -> str:
    """Return the key of a part's counts, in the artefacts bucket."""
    return f"runs/{execution}/score_part/{number:05}.json"


def predictions_key(execution: str, number: int) -> str:
    """Return the key of a part's predictions, which are kept as long as captures."""
    return f"{MARKERS}{execution}/{number:05}.npz"
