"""Exporting: the plan as a file for onnxruntime, written and verified in a lane or at once."""

from __future__ import annotations

from pathlib import Path

from qviz.app.class_table import class_names
from qviz.app.document import Document
from qviz.app.export_view import ExportView, export_view
from qviz.app.pipelines.exporting import Export, Wish, check_calibrated, export_plan
from qviz.app.sensitivity.present import about
from qviz.app.state import complaint
from qviz.app.sweeping import Sweeping
from qviz.errors import QvizError


class Exporting(Sweeping):
    """Exports the plan. Use `Session`."""

    _export: tuple[Document, Export] | None = None  # the latest, and what it was made of
    _export_failed: tuple[Document, str] | None = None  # why the latest was not finished

    def export(
        self,
        path: str | Path,
        opset: int | None = None,
        *,
        verify: bool = False,
        latency: bool = False,
        limit: int | None = None,
    ) -> Export:
        """Write the plan as an ONNX file now; for notebooks and the command line.

        `opset` is the least one of the file. `verify` runs the file in onnxruntime over the part
        (at most `limit` samples) and adds the verdict; `latency` times it beside the float model.

        Raises:
            QvizError: nothing is open, ranges that only samples tell, a graph that cannot be
                written in the opset needed, a file that cannot be.
        """
        if self._live:
            why = "this session works in the background"
            raise QvizError("export", why, "Use start_export() and exported()")
        self.start_export(path, opset, verify=verify, latency=latency, limit=limit)
        found = self.exported()
        if found is None:
            raise QvizError("export", "nothing was written", "Open a model first")
        return found

    def start_export(
        self,
        path: str | Path,
        opset: int | None = None,
        *,
        verify: bool = True,
        latency: bool = False,
        limit: int | None = None,
    ) -> None:
        """Start writing in the lane "export"; `exported()` holds what is known of it so far.

        The arguments and errors are those of `export`.
        """
        executor, document, findings = self._executor, self._document, self._findings
        model = self._require_model()
        if executor is None or not model.runs:
            raise QvizError(model.name, "it has no graph that could be exported", "Open a model")
        if Path(path).resolve() == Path(model.path).resolve():
            why = "it is the open model's own file, which would be lost"
            raise QvizError(Path(path).name, why, "Choose another name")
        check_calibrated(model, document, findings)
        wish = Wish(Path(path), opset, verify, latency, limit)
        self._export, self._export_failed = None, None

        def deliver(payload: object) -> None:
            if isinstance(payload, Export):
                self._export = document, payload
                self._changed("export")

        def failed(error: Exception) -> None:
            self._export_failed = document, complaint(error).text
            self._say_failed(error)
            self._changed("export")

        self._lanes["export"].restart(
            "Exporting",
            lambda token: export_plan(executor, document, findings, wish, token),
            deliver,
            failed,
            lambda: self._changed("export"),
        )

    def exported(self) -> Export | None:
        """The latest export of what is open; of an earlier plan it tells by `export_is_current`."""
        if self._export is None or about(self._export[0]) != about(self._document):
            return None
        return self._export[1]

    @property
    def export_is_current(self) -> bool:
        """Whether the latest export is of the plan as it stands."""
        return self._export is not None and self._export[0].plan.key == self._document.plan.key

    @property
    def export_failure(self) -> str:
        """Why the latest export of what is open was not finished; "" where it was or is at work."""
        failed = self._export_failed
        return failed[1] if failed and about(failed[0]) == about(self._document) else ""

    def export_view(self) -> ExportView | None:
        """What the window shows of the latest export; None without one of what is open."""
        found = self.exported()
        if found is None:
            return None
        samples = self._document.scored
        return export_view(
            found,
            current=self.export_is_current,
            checking=not self._idle("export"),
            classes=() if samples is None else class_names(samples, 0),
        )
