"""The deployed dashboard's own body, drawn from what CloudWatch answers to it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from nicegui import ui

from local.console import widgets
from local.console.widgets import Line, Widget
from local.stack import Stack

ROW_REM = 3.2  # a row of CloudWatch's grid, of which 24 columns make the width
LOOK_AGAIN_SECONDS = 6.0
QUERY_SECONDS = 10
STATES = {"OK": "positive", "ALARM": "negative", "INSUFFICIENT_DATA": "grey-8"}


def page(stack: Stack) -> Callable[[], Awaitable[None]]:
    """Build the page, and return what refreshes it."""
    chips = ui.row().classes("w-full gap-2")
    grid = (
        ui.element("div")
        .classes("w-full")
        .style(
            f"display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); "
            f"grid-auto-rows: {ROW_REM}rem; gap: .5rem; min-width: 60rem"
        )
    )
    looked = 0.0

    async def refresh() -> None:
        nonlocal looked
        if time.monotonic() - looked < LOOK_AGAIN_SECONDS:
            return
        looked = time.monotonic()
        body = await asyncio.to_thread(body_of, stack)
        alarms = await asyncio.to_thread(alarms_of, stack)
        answers = [
            await asyncio.to_thread(answer, stack, widget, body) for widget in body["widgets"]
        ]
        chips.clear()
        with chips:
            for name, state, why in alarms:
                ui.chip(f"{name}: {state.lower().replace('_', ' ')}", color=STATES[state]).props(
                    "square text-color=white"
                ).tooltip(why)
        grid.clear()
        with grid:
            for widget, answered in zip(body["widgets"], answers, strict=True):
                show(widget, answered, body)

    return refresh


def body_of(stack: Stack) -> dict[str, Any]:
    found = stack.cloudwatch.get_dashboard(DashboardName=stack.outputs.dashboard_name)
    body: dict[str, Any] = json.loads(found["DashboardBody"])
    return body


def alarms_of(stack: Stack) -> list[tuple[str, str, str]]:
    """Name every alarm, with its state and why it is in that."""
    prefix = f"{stack.outputs.stack_name}-"
    found = stack.cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return [
        (
            alarm["AlarmName"].removeprefix(prefix).rsplit("-", 1)[0],
            alarm["StateValue"],
            alarm.get("StateReason", ""),
        )
        for alarm in found
    ]


def answer(stack: Stack, widget: Widget, body: dict[str, Any]) -> list[Line] | list[list[str]]:
    """Ask CloudWatch what a widget shows: lines of a metric widget, rows of a log widget."""
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
    """Run a log widget's query by Logs Insights; its fields first, then its rows."""
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


def show(widget: Widget, answered: list[Any], body: dict[str, Any]) -> None:
    """Draw a widget where its body puts it."""
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
                numbers(answered)
            case "metric", _:
                chart(properties, answered, widgets.span(widget, body))
            case "log", _:
                rows(answered)
            case kind, _:
                ui.label(f"This console draws no widgets of type {kind}; CloudWatch does.")


def numbers(lines: list[Line]) -> None:
    with ui.row().classes("gap-6"):
        for line in lines:
            with ui.column().classes("gap-0"):
                ui.label(number(line.latest)).classes("text-2xl font-semibold")
                ui.label(line.label).classes("text-xs")


def number(value: float | None) -> str:
    """Write a number as short as it can be told; a dash where there is none yet."""
    if value is None:
        return "none yet"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}"


def chart(properties: dict[str, Any], lines: list[Line], back: timedelta) -> None:
    until = widgets.now()
    thresholds = properties.get("annotations", {}).get("horizontal", [])
    ui.echart(
        {
            "animation": False,
            "textStyle": {"color": "#888"},
            "grid": {"left": 48, "right": 12, "top": 10, "bottom": 52},
            "legend": {"bottom": 0, "type": "scroll", "textStyle": {"color": "#888"}},
            "tooltip": {"trigger": "axis"},
            "xAxis": {
                "type": "time",
                "axisLabel": {"hideOverlap": True},
                "min": (until - back).isoformat(),
                "max": until.isoformat(),
            },
            "yAxis": {"type": "value", "splitLine": {"lineStyle": {"opacity": 0.3}}},
            "series": [
                {
                    "name": line.label,
                    "type": "line",
                    "symbolSize": 5,
                    "data": [[when.isoformat(), value] for when, value in line.points],
                    "markLine": {
                        "silent": True,
                        "symbol": "none",
                        "data": [{"yAxis": one["value"]} for one in thresholds],
                    },
                }
                for line in lines
            ],
        }
    ).classes("w-full grow min-h-0")


def rows(answered: list[list[str]]) -> None:
    fields, *found = answered
    ui.table(
        columns=[
            {"name": str(at), "label": field, "field": str(at), "align": "left"}
            for at, field in enumerate(fields)
        ],
        rows=[{str(at): value for at, value in enumerate(row)} for row in found],
    ).props("flat dense").classes("w-full")
