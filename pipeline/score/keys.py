"""Where files that are scored, and their answers, lie in the raw bucket; and what stays of them."""

from score.marker import MARKERS
from score.state import FormatName

IN = "score/in/"
OUT = "score/out/"


def part_key(execution: str, number: int, format_name: FormatName) -> str:
    """Name a part of an answer; keys sort as parts do."""
    return f"{OUT}{execution}/part-{number:05}.{format_name}"


def summary_key(execution: str) -> str:
    return f"{OUT}{execution}/summary.json"


def counts_key(execution: str, number: int) -> str:
    """Name what became of a part's rows, in the artefacts bucket."""
    return f"runs/{execution}/score_part/{number:05}.json"


def predictions_key(execution: str, number: int) -> str:
    """Name what was predicted for a part's rows: with captures, which expire as they do."""
    return f"{MARKERS}{execution}/{number:05}.npz"
