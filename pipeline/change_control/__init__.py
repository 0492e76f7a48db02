"""The change-control page: what may change, how changes are judged, and the history of changes.

Its sections follow the elements of the FDA's guidance on predetermined change control plans for
AI-enabled device software functions (docket FDA-2022-D-2628). All statements are read from
params.yaml, the state machines, the template, the simulations and the registry, with their source.
Imported only if a page is written.
"""

from change_control.history import History, history
from change_control.page import render

__all__ = ["History", "history", "render"]
