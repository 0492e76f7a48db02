"""The answers from card, params and lineage to each item, by number."""

from collections.abc import Callable, Iterator

from clinical.report import methods, results
from clinical.report.facts import Facts
from clinical.report.markup import Markup

type Answer = Callable[[Facts], Iterator[Markup]]

# Items that are not here can only be answered by people.
ANSWERS: dict[str, Answer] = {
    "1": methods.title,
    "2": methods.abstract,
    "3b": methods.intended_use,
    "3c": methods.inequalities,
    "4": methods.objectives,
    "5a": methods.data_source,
    "6b": methods.eligibility,
    "6c": methods.treatments_received,
    "7": methods.data_preparation,
    "8a": methods.outcome,
    "9a": methods.predictor_choice,
    "9b": methods.predictors,
    "10": methods.sample_size,
    "11": methods.missing_data,
    "12a": methods.division,
    "12b": methods.encoding,
    "12c": methods.building,
    "12d": methods.clusters_looked_at,
    "12e": methods.measures,
    "12f": methods.updating,
    "12g": methods.computed,
    "13": methods.imbalance,
    "14": methods.fairness,
    "15": methods.output,
    "16": methods.training_and_evaluation,
    "18e": methods.data_sharing,
    "18f": methods.code_sharing,
    "20a": results.flow,
    "20b": results.characteristics,
    "20c": results.parts,
    "21": results.analyses,
    "22": results.specification,
    "23a": results.performance,
    "23b": results.clusters,
    "24": results.updates,
    "25": results.interpretation,
    "26": results.limitations,
    "27a": results.poor_input,
    "27b": results.users,
    "27c": results.next_steps,
}
