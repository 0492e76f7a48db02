"""The page Dashboard: the deployed CloudWatch dashboard, drawn from CloudWatch's data."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from nicegui import ui

from local.console import widgets
from local.console.alarms import Alarms, alarms_of
from local.console.tables import columns
from local.console.widgets import Line, Widget
from local.stack import Stack

ROW_REM = 3.2  # the height of a row of CloudWatch's grid, which has 24 columns
LOOK_AGAIN_SECONDS = 6.0
QUERY_SECONDS = 10
RANGES = {"-PT15M": "15 min", "-PT1H": "1 h", "-PT3H": "3 h", "-P1D": "1 day"}

# Takes CloudWatch's answer to a widget, and how far back the widget looks
type Update = Callable[[list[Any], timedelta], None]


class Page:
    """The dashboard's widgets and alarms, over the chosen time range."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.drawn: list[Widget] = []
        self.updates: list[Update] = []
        self.start = ""
        self.due = 0.0
        with ui.row().classes("w-full no-wrap items-start justify-between gap-6"):
            self.alarms = Alarms()
            self.range = ui.toggle(RANGES, on_change=self.refresh)
            self.range.classes("shrink-0 whitespace-nowrap").props("no-caps")
        self.grid = (
            ui.element("div")
            .classes("w-full")
            .style(
                f"display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); "
                f"grid-auto-rows: {ROW_REM}rem; gap: .5rem; min-width: 60rem"
            )
        )

    async def refresh(self) -> None:
        """Query CloudWatch again if it is time, or if another range was chosen."""
        chosen = self.range.value
        if chosen == self.start and time.monotonic() < self.due:
            return
        self.due = time.monotonic() + LOOK_AGAIN_SECONDS
        body = await asyncio.to_thread(body_of, self.stack)
        start = chosen or body["start"]  # the dashboard's own, until one is chosen
        body["start"] = start
        alarms = await asyncio.to_thread(alarms_of, self.stack)
        answers = [
            await asyncio.to_thread(answer, self.stack, widget, body) for widget in body["widgets"]
        ]
        if self.range.value != chosen:
            return  # the range has changed meanwhile, which refreshes again
        self.start = self.range.value = start
        self.alarms.show(alarms)
        self._show_widgets(body, answers)

    def _show_widgets(self, body: dict[str, Any], answers: list[list[Any]]) -> None:
        """Draw the widgets once, and then only update them, so that nothing flickers."""
        if body["widgets"] != self.drawn:
            self.drawn = body["widgets"]
            self.grid.clear()
            with self.grid:
                self.updates = [draw(widget) for widget in body["widgets"]]
        for widget, update, answered in zip(body["widgets"], self.updates, answers, strict=True):
            update(answered, widgets.span(widget, body))


def body_of(stack: Stack) -> dict[str, Any]:
    found = stack.cloudwatch.get_dashboard(DashboardName=stack.outputs.dashboard_name)
    body: dict[str, Any] = json.loads(found["DashboardBody"])
    return body


def answer(stack: Stack, widget: Widget, body: dict[str, Any]) -> list[Line] | list[list[str]]:
    """Fetch a widget's data from CloudWatch: lines of a metric widget, rows of a log widget."""
    match widget["type"]:
        case "metric":
            back = widgets.span(widget, body)
            until = widgets.now()
            results = stack.cloudwatch.get_metric_data(
                MetricDataQueries=widgets.queries(widget, back),  # type: ignore[arg-type]
                StartTime=until - back,
                EndTime=until,
            )["MetricDataResults"]
            return widgets.lines(widget, results)  # type: ignore[arg-type]
        case "log":
            return logged(stack, widget, body)
        case _:
            return []


def logged(stack: Stack, widget: Widget, body: dict[str, Any]) -> list[list[str]]:
    """Run a log widget's query in Logs Insights; returns its fields, then its rows."""
    group, query = widgets.log_group_and_query(widget)
    until = widgets.now()
    started = stack.logs.start_query(
        logGroupName=group,
        queryString=query,
        startTime=int((until - widgets.span(widget, body)).timestamp()),
        endTime=int(until.timestamp()),
    )
    deadline = time.monotonic() + QUERY_SECONDS
    while True:
        found = stack.logs.get_query_results(queryId=started["queryId"])
        if found["status"] not in {"Scheduled", "Running"} or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    rows = [
        {one["field"]: one["value"] for one in row if one["field"] != "@ptr"}
        for row in found["results"]
    ]
    fields = list(rows[0]) if rows else []
    return [fields, *([row.get(field, "") for field in fields] for row in rows)]


def draw(widget: Widget) -> Update:
    """Draw a widget in its place on the grid, and return the function that updates it."""
    properties = widget["properties"]
    place = (
        f"grid-column: {widget['x'] + 1} / span {widget['width']}; "
        f"grid-row: {widget['y'] + 1} / span {widget['height']}; overflow: auto"
    )
    with ui.card().classes("p-3 gap-1").style(place).props("tabindex=0"):  # to scroll by keyboard
        if title := properties.get("title"):
            ui.label(title).classes("text-sm font-semibold")
        match widget["type"], properties.get("view"):
            case "text", _:
                ui.markdown(properties["markdown"]).classes("text-sm")
            case "metric", "singleValue":
                return numbers()
            case "metric", _:
                return chart(properties)
            case "log", "timeSeries":
                return chart_of_rows(properties)
            case "log", "bar":
                return bars()
            case "log", _:
                return rows()
            case kind, _:
                ui.label(f"This console does not draw widgets of type {kind}; CloudWatch does.")
    return lambda *_: None


def numbers() -> Update:
    """Draw the latest value of each line."""
    values: dict[str, ui.label] = {}
    place = ui.row().classes("gap-6")

    def update(lines: list[Line], _: timedelta) -> None:
        for line in lines:
            if line.label not in values:
                with place, ui.column().classes("gap-0"):
                    values[line.label] = ui.label().classes("text-4xl font-semibold")
                    ui.label(line.label).classes("text-xs")
            values[line.label].text = number(line.latest)

    return update


def number(value: float | None) -> str:
    """Write a number in its shortest form, and None as a dash."""
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"


def chart(properties: dict[str, Any]) -> Update:
    """Draw lines over time."""
    thresholds = properties.get("annotations", {}).get("horizontal", [])
    drawn = ui.echart(
        {
            "animation": False,
            "grid": {"left": 48, "right": 12, "top": 10, "bottom": 52},
            "legend": {"bottom": 0, "type": "scroll"},
            "tooltip": {"trigger": "axis"},
            "yAxis": {"type": "value", "splitLine": {"lineStyle": {"opacity": 0.3}}},
            "series": [],
        },
        renderer="svg",  # takes the page's colours
    ).classes("w-full grow min-h-0")
    marks = {
        "silent": True,
        "symbol": "none",
        "label": {"formatter": "{b}", "position": "insideStartTop"},
        "data": [{"name": one["label"], "yAxis": one["value"]} for one in thresholds],
    }

    def update(lines: list[Line], back: timedelta) -> None:
        until = widgets.now()
        drawn.options["xAxis"] = {
            "type": "time",
            "axisLabel": {"hideOverlap": True},
            "min": (until - back).isoformat(),
            "max": until.isoformat(),
        }
        drawn.options["series"] = [
            {
                "name": line.label,
                "type": "line",
                "symbolSize": 5,
                "data": [[when.isoformat(), value] for when, value in line.points],
                "markLine": marks,
            }
            for line in lines
        ]

    return update


def chart_of_rows(properties: dict[str, Any]) -> Update:
    """Draw what a query found as lines over time."""
    drawn = chart(properties)
    return lambda answered, back: drawn(widgets.lines_over_time(answered), back)


def bars() -> Update:
    """Draw what a query found as bars below each other, in its order."""
    drawn = ui.echart(
        {
            "animation": False,
            "grid": {"left": 8, "right": 48, "top": 4, "bottom": 4, "containLabel": True},
            "tooltip": {"trigger": "item"},
            "xAxis": {"type": "value", "show": False},
            "yAxis": {"type": "category", "inverse": True, "axisTick": {"show": False}},
            "series": [],
        },
        renderer="svg",
    ).classes("w-full grow min-h-0")

    def update(answered: list[list[str]], _: timedelta) -> None:
        found = widgets.bars(answered)
        drawn.options["yAxis"]["data"] = [name for name, _ in found]
        drawn.options["series"] = [
            {
                "type": "bar",
                "data": [length for _, length in found],
                "label": {"show": True, "position": "right"},
                "barMaxWidth": 20,
            }
        ]

    return update


def rows() -> Update:
    """Draw the result of a query as a table."""
    drawn = ui.table(rows=[]).props("flat dense").classes("w-full")

    def update(answered: list[list[str]], _: timedelta) -> None:
        fields, *found = answered
        drawn.columns = columns({str(at): field for at, field in enumerate(fields)})
        drawn.rows = [{str(at): value for at, value in enumerate(row)} for row in found]

    return update
