"""The items of TRIPOD+AI, numbered as published, in our own words."""

from dataclasses import dataclass

from clinical.params import Params


@dataclass(frozen=True)
class Item:
    """An item that a report must answer.

    key: in `study.report`, for what only people can state; "" if the card answers it completely.
    """

    number: str
    section: str
    topic: str
    asks: str
    key: str = ""

    @property
    def anchor(self) -> str:
        return f"item-{self.number}"


ITEMS = (
    Item("1", "Title", "Title", "The kind of study, the population and the outcome"),
    Item("2", "Abstract", "Abstract", "A summary of the study"),
    Item(
        "3a", "Introduction", "Background", "Rationale for the model, existing models", "background"
    ),
    Item("3b", "Introduction", "Background", "Intended population and use", "intended_use"),
    Item("3c", "Introduction", "Background", "Known health inequalities", "inequalities"),
    Item("4", "Introduction", "Objectives", "The aims of the study", "objectives"),
    Item("5a", "Methods", "Data", "Source and representativeness of the data", "data_source"),
    Item("5b", "Methods", "Data", "Dates of the data", "dates"),
    Item("6a", "Methods", "Participants", "Setting and centres", "setting"),
    Item("6b", "Methods", "Participants", "Eligibility criteria", "eligibility"),
    Item("6c", "Methods", "Participants", "Treatments received", "treatments_received"),
    Item(
        "7", "Methods", "Data preparation", "How the data were cleaned, checked", "data_preparation"
    ),
    Item("8a", "Methods", "Outcome", "Definition and assessment", "outcome_assessment"),
    Item("8b", "Methods", "Outcome", "Assessors of the outcome", "outcome_assessors"),
    Item("8c", "Methods", "Outcome", "Blinding of the assessors", "outcome_blinding"),
    Item("9a", "Methods", "Predictors", "How they were chosen", "predictor_choice"),
    Item("9b", "Methods", "Predictors", "Definition and measurement", "predictor_measurement"),
    Item("9c", "Methods", "Predictors", "Assessors of the predictors", "predictor_assessors"),
    Item("10", "Methods", "Sample size", "Sample size and its rationale", "sample_size_rationale"),
    Item("11", "Methods", "Missing data", "How missing data are handled"),
    Item("12a", "Methods", "Analytical methods", "How the data were divided and used"),
    Item("12b", "Methods", "Analytical methods", "How predictors enter the model"),
    Item("12c", "Methods", "Analytical methods", "Type of model, fitting, tuning and validation"),
    Item("12d", "Methods", "Analytical methods", "How differences between clusters were handled"),
    Item("12e", "Methods", "Analytical methods", "Performance measures and plots"),
    Item("12f", "Methods", "Analytical methods", "Model updating after the evaluation"),
    Item("12g", "Methods", "Analytical methods", "How predictions were calculated"),
    Item("13", "Methods", "Class imbalance", "Methods for class imbalance"),
    Item("14", "Methods", "Fairness", "The approach to fairness", "fairness_approach"),
    Item("15", "Methods", "Model output", "The model's output"),
    Item("16", "Methods", "Training versus evaluation", "Differences between the two data sets"),
    Item("17", "Methods", "Ethical approval", "Approval and consent", "ethics"),
    Item("18a", "Open science", "Funding", "Source of funding, role of funders", "funding"),
    Item("18b", "Open science", "Conflicts of interest", "Of all authors", "conflicts"),
    Item("18c", "Open science", "Protocol", "Where it can be found", "protocol"),
    Item("18d", "Open science", "Registration", "Where the study is registered", "registration"),
    Item("18e", "Open science", "Data sharing", "Availability of the data", "data_sharing"),
    Item("18f", "Open science", "Code sharing", "Availability of the code", "code_sharing"),
    Item(
        "19",
        "Patient and public involvement",
        "Patient and public involvement",
        "How patients and the public were involved",
        "patient_involvement",
    ),
    Item("20a", "Results", "Participants", "Flow of participants", "participant_flow"),
    Item("20b", "Results", "Participants", "Characteristics", "characteristics"),
    Item("20c", "Results", "Participants", "Training rows compared with held-out rows"),
    Item("21", "Results", "Model development", "Number of patients in each analysis"),
    Item("22", "Results", "Model specification", "The full model, and how to use it"),
    Item("23a", "Results", "Model performance", "Overall and by subgroup"),
    Item("23b", "Results", "Model performance", "Differences between clusters", "clusters"),
    Item("24", "Results", "Model updating", "Results of any updating"),
    Item("25", "Discussion", "Interpretation", "Interpretation of the results", "interpretation"),
    Item("26", "Discussion", "Limitations", "Limitations of the study"),
    Item("27a", "Discussion", "Usability", "Missing or poor-quality input"),
    Item("27b", "Discussion", "Usability", "User interaction and expertise", "intended_users"),
    Item("27c", "Discussion", "Usability", "Next steps and applicability", "next_steps"),
)


def stated(item: Item, params: Params) -> str:
    """Return what people state for an item; "" if nothing yet."""
    text: str = getattr(params.study.report, item.key) if item.key else ""
    return text.strip()


def unstated(params: Params) -> tuple[Item, ...]:
    """List the items that only people can state and that are missing."""
    return tuple(one for one in ITEMS if one.key and not stated(one, params))
