"""The alarms of a stack, coloured by their states."""

from nicegui import ui

from local.stack import Stack

STATES = {"OK": "positive", "ALARM": "negative", "INSUFFICIENT_DATA": "grey-8"}

type Alarm = tuple[str, str, str]


class Alarms:
    """A row of alarms, redrawn when one of them changes."""

    def __init__(self) -> None:
        self._shown: list[Alarm] = []
        self._row = ui.row().classes("gap-2")

    def show(self, alarms: list[Alarm]) -> None:
        """Show alarms with their names, states and reasons."""
        if alarms == self._shown:
            return
        self._shown = alarms
        self._row.clear()
        with self._row:
            for name, state, why in alarms:
                ui.chip(f"{name}: {state.lower().replace('_', ' ')}", color=STATES[state]).props(
                    "square text-color=white"
                ).tooltip(why)


def alarms_of(stack: Stack) -> list[Alarm]:
    """List every alarm with its state and the reason for it."""
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
