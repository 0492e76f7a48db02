"""What prevents a nomination regardless of its verdict: a withdrawal, or newer data."""

from typing import Literal

from clinical.registry import Champion, Registry, Withdrawal
from clinical.upload import superseded

from retrain.state import Nominated, Promoted


def is_newer(nominated: Nominated, champion: Champion) -> bool:
    """Whether a nomination is the champion's own version, from newer data."""
    before, now = champion.upload, nominated.upload
    return before is not None and now is not None and before.is_older_than(now)


def is_settled(nominated: Nominated, registry: Registry) -> bool:
    """Whether a nomination changes nothing: its version serves already, or cannot be promoted."""
    pointer = registry.champion()
    champion = pointer.champion if pointer else None
    if champion and champion.version == nominated.version:
        return True
    return standing(nominated, champion, registry.withdrawn(pointer)) is not None


def standing(
    nominated: Nominated, champion: Champion | None, withdrawn: dict[str, Withdrawal]
) -> Promoted | None:
    """Say what prevents a nomination, regardless of its verdict."""
    name, taken_back = nominated.version, withdrawn.get(nominated.version)
    if taken_back:
        reason = (
            f"{name} was withdrawn by {taken_back.who} on {taken_back.withdrawn_at:%Y-%m-%d %H:%M} "
            f'UTC ("{taken_back.why}"); to restore it, promote it by name: '
            f'{{"promote": "{name}"}}.'
        )
        return unmoved("withdrawn", reason, name, champion, nominated)
    if champion is None or nominated.even_if_older:
        return None
    older = superseded(nominated.upload, by=champion.upload)
    return unmoved("superseded", older, name, champion, nominated) if older else None


def unmoved(
    decision: Literal["already_champion", "superseded", "withdrawn"],
    reason: str,
    name: str,
    champion: Champion | None,
    nominated: Nominated,
) -> Promoted:
    return Promoted(
        decision=decision,
        reason=reason,
        version=name,
        previous=champion.previous if champion else None,
        sequence=champion.sequence if champion else 0,
        verdict=nominated.verdict or (champion.verdict if champion else None),
    )
