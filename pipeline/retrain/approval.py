"""Say whether somebody has to approve of a candidate, and why, in sentences."""

from clinical.params import ApprovalRule, ApprovalWhen, Gate
from clinical.verdict import Replayed, Verdict


def approval_needed(verdict: Verdict, gate: Gate) -> tuple[str, ...]:
    """Say why somebody has to approve of a candidate before it serves; nothing where nobody has to.

    What the gate does not let serve by itself needs none: whoever names it, answers for it.
    """
    if verdict.decision in {"rejected", "withheld"}:
        return ()
    match gate.approval:
        case "none":
            return ()
        case "always":
            return ("Somebody has to approve of every candidate (gate.approval: always).",)
        case ApprovalWhen(when=rules):
            return tuple(dict.fromkeys(filter(None, (_asked_by(one, verdict) for one in rules))))


def _asked_by(rule: ApprovalRule, verdict: Verdict) -> str:
    """Say of one rule why it asks for an approval; "" where it does not."""
    champion = verdict.champion
    match rule:
        case "with_warning":
            if verdict.decision != "promoted_with_warning":
                return ""
            return "It does not beat the plain average, and would serve with a warning."
        case "loses_combinations":
            if champion is None or not champion.lost_combinations:
                return ""
            return (
                f"Its data lack {champion.lost_combinations:,} of the {champion.combinations:,} "
                "combinations that the champion's recorded; requests for them would be refused."
            )
    return _of_moved(verdict.replay, rule.replay_moves_more_than) if champion else ""


def _of_moved(replay: Replayed | None, most: float) -> str:
    """Say so where too many replayed scores move, or none tell: no evidence is no evidence of it.

    A request that the candidate would refuse moves.
    """
    if replay is None or replay.void or not replay.requests or replay.moved is None:
        why = f": {replay.void.rstrip('.')}" if replay and replay.void else ""
        return f"No replayed requests tell how its scores differ from the champion's{why}."
    asked = replay.requests + replay.refused
    moved = replay.moved * replay.requests + replay.refused
    if moved <= most * asked:
        return ""
    return (
        f"Of {asked:,} replayed requests, {moved / asked:.1%} move by more than the half-width of "
        f"their interval, or would be refused; {most:.1%} may without an approval."
    )
