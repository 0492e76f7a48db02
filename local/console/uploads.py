"""Upload a file from the browser, in parts, to a folder where it starts a state machine."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from nicegui import events, ui

from local import executions, failures, uploading
from local.cloud import CloudFailed
from local.machines import UploadMachine
from local.stack import Stack
from local.uploading import megabytes

SHOW_SECONDS = 0.2


class Upload:
    """A button and a drop zone for a file, and the progress of its upload.

    arrived: called with the ARN of the execution that an upload started.
    limit: the largest size in bytes, and the setting that decides it; None for no limit.
    """

    def __init__(
        self,
        stack: Stack,
        machine: UploadMachine,
        text: str,
        arrived: Callable[[str], Awaitable[None]],
        limit: tuple[int, str] | None = None,
    ) -> None:
        self._stack = stack
        self._machine = machine
        self._arrived = arrived
        picker = ui.upload(
            max_file_size=limit[0] if limit else None,
            auto_upload=True,
            on_begin_upload=lambda: self._show("Receiving the file", None),
            on_upload=self._received,
            on_rejected=lambda: self._refuse(limit),
        )
        picker.classes("hidden")  # the button beside it has a name
        self._picker = picker
        place = ui.column().classes("w-full gap-2 drop")
        place.on("dragover", js_handler="(event) => event.preventDefault()")
        place.on(
            "drop",
            js_handler=f"""(event) => {{
              event.preventDefault();
              runMethod({picker.id}, "addFiles", [event.dataTransfer.files]);
            }}""",
        )
        with place:
            ui.button(text, on_click=lambda: picker.run_method("pickFiles"), color=None).props(
                "no-caps outline"
            )
            ui.label("or drop one here").classes("text-sm")
            self._bar = ui.linear_progress(0, show_value=False).props(
                'aria-label="Upload progress" instant-feedback'
            )
            self._bar.set_visibility(False)
            self._status = ui.label().classes("text-sm").props("role=status")

    def _refuse(self, limit: tuple[int, str] | None) -> None:
        if limit:
            most, decided = limit
            ui.notify(
                f"The file is larger than {megabytes(most)}, the limit in {decided}.",
                type="negative",
            )

    async def _received(self, event: events.UploadEventArguments) -> None:
        """Upload the browser's file, which is on disk because it may be larger than memory."""
        self._picker.reset()  # now: it aborts what is under way, and without it a file is refused
        name = PurePath(event.file.name).name
        try:
            with TemporaryDirectory(prefix="upload-") as folder:
                path = Path(folder) / "file"
                await event.file.save(path)
                arn = await self._sent(path, name)
        except (CloudFailed, *failures.UNREACHABLE) as error:
            ui.notify(f"{name}: {error}", type="negative", multi_line=True)
            self._show(f"{name} was not uploaded.", None, done=True)
            return
        self._show(f"{name} has been uploaded.", None, done=True)
        await self._arrived(arn)

    async def _sent(self, path: Path, name: str) -> str:
        size, sent = uploading.size_of(path), Sent()
        task = asyncio.create_task(
            asyncio.to_thread(uploading.upload, self._stack, path, self._machine, sent.add, name)
        )
        while not task.done():
            self._show(
                f"Uploading {name}: {megabytes(sent.bytes)} of {megabytes(size)}",
                sent.bytes / size if size else None,
            )
            await asyncio.wait({task}, timeout=SHOW_SECONDS)
        uploaded = task.result()
        self._show(f"{name} has been uploaded; starting its execution", None)
        return await asyncio.to_thread(executions.started_by, self._stack, uploaded, self._machine)

    def _show(self, status: str, share: float | None, *, done: bool = False) -> None:
        """Show the progress, or that it is not known."""
        self._status.text = status
        self._bar.set_visibility(not done)
        self._bar.props(add="indeterminate" if share is None else "", remove="indeterminate")
        self._bar.value = share or 0


class Sent:
    """The number of bytes that several threads have sent so far."""

    def __init__(self) -> None:
        self.bytes = 0
        self._turn = threading.Lock()

    def add(self, sent: int) -> None:
        with self._turn:
            self.bytes += sent
