"""Decide whether a candidate needs approval, and say why in sentences."""

from clinical.params import ApprovalRule, ApprovalWhen, Gate
from clinical.verdict import Replayed, Verdict


def approval_needed(verdict: Verdict, gate: Gate) -> tuple[str, ...]:
    """Return the reasons why a candidate needs approval before it serves; empty if it needs none.

    A candidate that the gate does not promote needs none: the person who promotes it by name is
    responsible.
    """
    if verdict.decision in {"rejected", "withheld"}:
        return ()
    match gate.approval:
        case "none":
            return ()
        case "always":
            return ("Every candidate needs approval (gate.approval: always).",)
        case ApprovalWhen(when=rules):
            return tuple(dict.fromkeys(filter(None, (_asked_by(one, verdict) for one in rules))))


def _asked_by(rule: ApprovalRule, verdict: Verdict) -> str:
    """Say why a rule requires approval; "" if it does not."""
    champion = verdict.champion
    match rule:
        case "with_warning":
            if verdict.decision != "promoted_with_warning":
                return ""
            return "It does not beat the average baseline, and would serve with a warning."
        case "loses_combinations":
            if champion is None or not champion.lost_combinations:
                return ""
            return (
                f"Its data lack {champion.lost_combinations:,} of the {champion.combinations:,} "
                "combinations recorded in the champion's data; requests for them would be refused."
            )
    return _of_moved(verdict.replay, rule.replay_moves_more_than) if champion else ""


def _of_moved(replay: Replayed | None, most: float) -> str:
    """Say so if too many replayed scores change, or if there is no replay to judge by.

    A request that the candidate would refuse counts as changed.
    """
    if replay is None or replay.void or not replay.requests or replay.moved is None:
        why = f": {replay.void.rstrip('.')}" if replay and replay.void else ""
        return f"There is no replay to show how its scores differ from the champion's{why}."
    asked = replay.requests + replay.refused
    moved = replay.moved * replay.requests + replay.refused
    if moved <= most * asked:
        return ""
    return (
        f"Of {asked:,} replayed requests, {moved / asked:.1%} change by more than the half-width "
        f"of their interval, or would be refused; more than {most:.1%} needs approval."
    )
