"""The items of TRIPOD+AI, numbered as published and told in our own words."""

from dataclasses import dataclass

from clinical.params import Params


@dataclass(frozen=True)
class Item:
    """What a report must tell.

    key: under which `study.report` has what only people can state; "" where the card knows all.
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
    Item("1", "Title", "Title", "What was done, for whom, to predict what"),
    Item("2", "Abstract", "Abstract", "The study in short"),
    Item(
        "3a", "Introduction", "Background", "Why a model, and which there are already", "background"
    ),
    Item("3b", "Introduction", "Background", "For whom it is meant, and where", "intended_use"),
    Item("3c", "Introduction", "Background", "Known inequalities in health", "inequalities"),
    Item("4", "Introduction", "Objectives", "What the study set out to do", "objectives"),
    Item(
        "5a", "Methods", "Data", "Where the data come from, and whom they stand for", "data_source"
    ),
    Item("5b", "Methods", "Data", "When they were recorded", "dates"),
    Item("6a", "Methods", "Participants", "Setting and centres", "setting"),
    Item("6b", "Methods", "Participants", "Who was eligible", "eligibility"),
    Item("6c", "Methods", "Participants", "Treatments received", "treatments_received"),
    Item(
        "7", "Methods", "Data preparation", "How data were cleaned and checked", "data_preparation"
    ),
    Item(
        "8a", "Methods", "Outcome", "What is predicted, and how it was found", "outcome_assessment"
    ),
    Item("8b", "Methods", "Outcome", "Who judged it", "outcome_assessors"),
    Item("8c", "Methods", "Outcome", "What those who judged it did not know", "outcome_blinding"),
    Item("9a", "Methods", "Predictors", "How they were chosen", "predictor_choice"),
    Item(
        "9b", "Methods", "Predictors", "What they are, how and when found", "predictor_measurement"
    ),
    Item("9c", "Methods", "Predictors", "Who judged them", "predictor_assessors"),
    Item("10", "Methods", "Sample size", "How many, and why so many", "sample_size_rationale"),
    Item("11", "Methods", "Missing data", "What is done with what is missing"),
    Item("12a", "Methods", "Analytical methods", "How the data were divided and used"),
    Item("12b", "Methods", "Analytical methods", "How predictors enter the model"),
    Item("12c", "Methods", "Analytical methods", "What model, how built, tuned and validated"),
    Item("12d", "Methods", "Analytical methods", "How differences between clusters were looked at"),
    Item("12e", "Methods", "Analytical methods", "By which measures and plots it was judged"),
    Item("12f", "Methods", "Analytical methods", "Whether it was updated after the evaluation"),
    Item("12g", "Methods", "Analytical methods", "How predictions were made for the evaluation"),
    Item("13", "Methods", "Class imbalance", "Whether classes were balanced"),
    Item("14", "Methods", "Fairness", "What was done for fairness", "fairness_approach"),
    Item("15", "Methods", "Model output", "What the model answers"),
    Item(
        "16", "Methods", "Training versus evaluation", "How their data differ by the way they arose"
    ),
    Item("17", "Methods", "Ethical approval", "Approval and consent", "ethics"),
    Item("18a", "Open science", "Funding", "Who paid for the study", "funding"),
    Item("18b", "Open science", "Conflicts of interest", "Of all authors", "conflicts"),
    Item("18c", "Open science", "Protocol", "Where it is", "protocol"),
    Item("18d", "Open science", "Registration", "Where the study is registered", "registration"),
    Item("18e", "Open science", "Data sharing", "Who can have the data", "data_sharing"),
    Item("18f", "Open science", "Code sharing", "Who can have the code", "code_sharing"),
    Item(
        "19",
        "Patient and public involvement",
        "Patient and public involvement",
        "What patients and the public had to say",
        "patient_involvement",
    ),
    Item("20a", "Results", "Participants", "From recruitment to these rows", "participant_flow"),
    Item("20b", "Results", "Participants", "Who they are", "characteristics"),
    Item("20c", "Results", "Participants", "Training rows beside held-out rows"),
    Item("21", "Results", "Model development", "How many patients each analysis had"),
    Item("22", "Results", "Model specification", "The model itself, and how to ask it"),
    Item("23a", "Results", "Model performance", "How well it predicts, overall and by group"),
    Item("23b", "Results", "Model performance", "Differences between clusters", "clusters"),
    Item("24", "Results", "Model updating", "What became of updates"),
    Item("25", "Discussion", "Interpretation", "What the results mean", "interpretation"),
    Item("26", "Discussion", "Limitations", "What limits them"),
    Item("27a", "Discussion", "Usability", "Input that is missing or poor"),
    Item("27b", "Discussion", "Usability", "What users do and must know", "intended_users"),
    Item("27c", "Discussion", "Usability", "What comes next, and where it applies", "next_steps"),
)


def stated(item: Item, params: Params) -> str:
    """Give what people state of an item; empty where they have not yet."""
    text: str = getattr(params.study.report, item.key) if item.key else ""
    return text.strip()


def unstated(params: Params) -> tuple[Item, ...]:
    """List the items that only people can state, and have not."""
    return tuple(one for one in ITEMS if one.key and not stated(one, params))
