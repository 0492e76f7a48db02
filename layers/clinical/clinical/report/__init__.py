"""The TRIPOD+AI report of a model: every item of the checklist, answered or marked.

Source: Collins et al., TRIPOD+AI statement, BMJ 2024;385:e078378. Imported only where a report is
written: no prediction waits for it.
"""

from clinical.report.items import ITEMS, Item, unstated
from clinical.report.page import render

__all__ = ["ITEMS", "Item", "render", "unstated"]
