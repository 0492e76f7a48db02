"""The history of changes, as HTML."""

from collections.abc import Iterator
from datetime import datetime

from clinical.monitored import Monitoring
from clinical.params import Params
from clinical.report import wording
from clinical.report.markup import Markup, code, joined, said, tag
from clinical.verdict import AgainstChampion, Replayed, Verdict

from change_control.claims import claim, claims, lead, sourced
from change_control.history import Change, History, Refused
from change_control.sources import Source


def told(history: History, params: Params) -> Iterator[Markup]:
    """Render the ledger: an overview, then each change."""
    if not history.changes:
        yield lead("No version has been promoted yet.")
        return
    yield lead(
        "All promotions in the ledger, newest first, with the verdicts from the runs that judged "
        "them."
    )
    if history.lost:
        named = wording.enumerated(f"{one}" for one in history.lost)
        yield lead(tag("strong", "The ledger has no entry for promotion ", named, "."))
    yield sourced(
        "Completed changes",
        ("Change", "When (UTC)", "Version", "Verdict", "By", "Approval"),
        [
            (
                (
                    tag("a", f"{one.entry.sequence}", href=f"#{_anchor(one)}"),
                    _at(one.entry.promoted_at),
                    code(one.entry.version),
                    _decision(one.verdict),
                    said(one.entry.promotion.who),
                    _approved(one),
                ),
                [Source(one.key)],
            )
            for one in history.changes
        ],
    )
    yield from _not_made(history.refused)
    newer: Change | None = None
    for one in history.changes:
        yield _article(one, newer, params)
        newer = one


def _anchor(change: Change) -> str:
    return f"change-{change.entry.sequence}"


def _at(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _decision(verdict: Verdict) -> str:
    return verdict.decision.replace("_", " ")


def _approved(change: Change) -> Markup:
    approval = change.entry.promotion.approval
    if approval:
        return joined((approval.decision, " by ", said(approval.who)))
    return joined(("by name" if change.entry.promotion.by_hand else "not required",))


def _not_made(refused: tuple[Refused, ...]) -> Iterator[Markup]:
    if not refused:
        yield lead("No change that required approval was rejected or has expired.")
        return
    yield sourced(
        "Changes that were not approved",
        ("Execution", "Version", "Decided (UTC)", "Decision", "By", "Reason", "Required because"),
        [
            (
                (
                    one.waiting.execution,
                    code(one.waiting.version),
                    _at(one.decision.decided_at),
                    one.decision.decision,
                    said(one.decision.who),
                    said(one.decision.why),
                    " ".join(one.waiting.because),
                ),
                [Source(one.key), Source(f"approvals/{one.waiting.execution}.json", "because")],
            )
            for one in refused
        ],
    )


def _article(change: Change, newer: Change | None, params: Params) -> Markup:
    entry = change.entry
    return tag(
        "article",
        tag(
            "h3",
            f"Change {entry.sequence}: ",
            code(entry.version),
            f", {_at(entry.promoted_at)} UTC",
        ),
        claims([*_promotion(change, newer), *_verdict(change, params), *_replay(change, params)]),
        tag("h4", "The verdict's reasons"),
        claims(
            claim(said(one), of=[_source(change, f"{change.verdict_key}.reasons")])
            for one in change.verdict.reasons
        ),
        tag("h4", "Monitoring since"),
        claims(_monitoring(change, params)),
        id=_anchor(change),
        class_="change",
        data_sequence=entry.sequence,
        data_decision=change.verdict.decision,
    )


def _source(change: Change, key: str) -> Source:
    return Source(change.key, key)


def _promotion(change: Change, newer: Change | None) -> Iterator[Markup]:
    entry, promotion = change.entry, change.entry.promotion
    yield claim(
        tag("strong", "Promoted"),
        " by ",
        said(promotion.who),
        ": ",
        said(promotion.why),
        of=[_source(change, "promotion.who"), _source(change, "promotion.why")],
    )
    yield claim(
        tag("strong", "Approval"),
        ": ",
        *_approval(change),
        of=[_source(change, "promotion.approval")],
    )
    if upload := entry.upload:
        outcomes = (
            f", with outcomes observed up to {_at(upload.outcomes_until)}"
            if upload.outcomes_until
            else ""
        )
        yield claim(
            tag("strong", "Data"),
            ": ",
            code(upload.key),
            f", uploaded {_at(upload.uploaded_at)}{outcomes}.",
            of=[_source(change, "upload.key"), _source(change, "upload.uploaded_at")],
        )
    if newer is None:
        yield claim(
            tag("strong", "Serves"),
            " as of this page.",
            of=[_source(change, "sequence")],
        )
    else:
        yield claim(
            tag("strong", "Served"),
            f" until {_at(newer.entry.promoted_at)}, when ",
            tag("a", f"change {newer.entry.sequence}", href=f"#{_anchor(newer)}"),
            " replaced it.",
            of=[_source(newer, "promoted_at")],
        )


def _approval(change: Change) -> Iterator[object]:
    promotion = change.entry.promotion
    if approval := promotion.approval:
        yield from (approval.decision, " by ", said(approval.who))
        yield from (f" on {_at(approval.decided_at)}: ", said(approval.why))
    elif promotion.by_hand:
        yield "not required, because a person named the version."
    else:
        yield "not required."


def _verdict(change: Change, params: Params) -> Iterator[Markup]:
    found, decimals = change.verdict, params.target.decimals + 1
    by_hand = change.entry.promotion.by_hand
    yield claim(
        tag("strong", "Verdict"),
        f": {_decision(found)}",
        ", from its publication; it was not judged for this promotion." if by_hand else ".",
        of=[_source(change, f"{change.verdict_key}.decision")],
    )
    measured = wording.level(found.confidence)
    yield claim(
        tag("strong", "Figures"),
        f": on {found.rows:,} held-out rows, its RMSE is "
        f"{wording.estimate(found.candidate.rmse, decimals)} {params.unit} and the average "
        f"baseline's {wording.estimate(found.average.rmse, decimals)}, a difference of "
        f"{wording.estimate(found.rmse_difference, decimals, signed=True)}; R² "
        f"{wording.estimate(found.candidate.r2)}. {measured} intervals in brackets.",
        of=[
            _source(change, f"{change.verdict_key}.{key}")
            for key in ("candidate.rmse", "average.rmse", "rmse_difference", "candidate.r2")
        ],
    )
    yield claim(
        tag("strong", "Coverage"),
        f": {wording.percent(found.coverage.measured)} of recorded scores are within their "
        f"{wording.level(found.coverage.target)} intervals.",
        of=[_source(change, f"{change.verdict_key}.coverage")],
    )
    if champion := found.champion:
        yield claim(
            tag("strong", "Compared with the champion"),
            " ",
            code(champion.version),
            ": ",
            _compared(champion, decimals),
            of=[_source(change, f"{change.verdict_key}.champion")],
        )


def _compared(champion: AgainstChampion, decimals: int) -> str:
    if champion.rmse_difference is None:
        few = f"{champion.rows:,} rows that neither was trained on are too few for a comparison."
        return f"{champion.not_compared}." if champion.not_compared else few
    return (
        f"its RMSE less the champion's is "
        f"{wording.estimate(champion.rmse_difference, decimals, signed=True)} on "
        f"{champion.rows:,} rows that neither was trained on."
    )


def _replay(change: Change, params: Params) -> Iterator[Markup]:
    of = [_source(change, f"{change.verdict_key}.replay")]
    yield claim(tag("strong", "Replay"), ": ", _replayed(change.verdict.replay, params), of=of)


def _replayed(found: Replayed | None, params: Params) -> str:
    if found is None:
        return "none."
    if found.void:
        return found.void
    if not found.requests:
        return f"there were no captured requests to replay against {found.champion}."
    return " ".join(_told_of(found, params.target.decimals))


def _told_of(found: Replayed, decimals: int) -> Iterator[str]:
    yield (
        f"In a replay of the last {wording.counted(found.requests, 'captured request')}, the "
        f"candidate would refuse {found.refused:,} that {found.champion} answers."
    )
    if found.moved is not None:
        yield (
            f"{wording.percent(found.moved)} of the scores change by more than the half-width of "
            "the champion's interval."
        )
    if found.change is not None:
        low, middle, high = (
            wording.number(one, decimals, signed=True)
            for one in (found.change.p05, found.change.p50, found.change.p95)
        )
        yield f"The median change is {middle}; nine in ten changes are between {low} and {high}."
    if found.rmse_difference is not None:
        yield (
            f"On {found.outcomes:,} of them with a known outcome, its RMSE less the champion's is "
            f"{wording.estimate(found.rmse_difference, decimals + 1, signed=True)}."
        )
    yield from found.notes
    yield (
        f"Of {wording.counted(found.reproduced, 'answer')} by the champion among them, "
        f"{found.mismatches:,} differ from what was served."
    )


def _monitoring(change: Change, params: Params) -> Iterator[Markup]:
    annex = f"models/{change.entry.version}/monitoring.json"
    if change.monitoring is None:
        yield claim(
            "The monitor has not run for this version yet.",
            of=[Source(f"models/{change.entry.version}/manifest.json", "version")],
        )
        return
    yield from _since(change.monitoring, annex, params)


def _since(found: Monitoring, annex: str, params: Params) -> Iterator[Markup]:
    drifted = sum(one.drifted for one in found.points)
    degraded = sum(one.degraded for one in found.points)
    yield claim(
        f"The version has answered {wording.counted(found.requests, 'captured request')} since "
        f"{_at(found.served_since)}. Of {wording.counted(len(found.points), 'monitored day')}, "
        f"{drifted:,} had a drift alarm, and {degraded:,} an alarm on outcomes.",
        of=[Source(annex, "requests"), Source(annex, "served_since"), Source(annex, "points")],
    )
    last = found.last
    yield claim(
        f"Requests up to {last.window.date}: ",
        said(last.drift.says),
        of=[Source(annex, "last.drift")],
    )
    yield claim(
        f"Outcomes up to {last.window.date}: ",
        said(last.outcomes.says),
        of=[Source(annex, "last.outcomes")],
    )
    if rmse := last.outcomes.rmse:
        yield claim(
            f"On {wording.counted(last.outcomes.outcomes, 'outcome')}, its RMSE is "
            f"{wording.estimate(rmse, params.target.decimals + 1)} {params.unit}, and "
            f"{wording.share(last.outcomes.coverage)} of the intervals contain the outcome.",
            of=[Source(annex, "last.outcomes.rmse"), Source(annex, "last.outcomes.coverage")],
        )
