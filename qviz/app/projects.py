"""Projects: opening a model by itself or with all that a project says of it, and saving one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from qviz.app.jobs import Step, Token
from qviz.app.opening import SamplesWish
from qviz.app.pipelines.opening import ModelRead, open_model
from qviz.app.project_file import SUFFIX, Project, read_project, write_project
from qviz.app.recovery import Recovery
from qviz.app.taking import EVERYTHING, check_fits
from qviz.data.bundled import demo_model, demo_samples
from qviz.data.reading import Reading
from qviz.plan.plan import Plan
from qviz.plan.stored import measured_instead


class Projects(Recovery):
    """Opens models and projects, and saves what is open as a project. Use `Session`."""

    def open_demo(self) -> None:
        """Open the bundled model and its samples."""
        self.open(demo_model(), demo_samples())

    def open(
        self,
        model: str | Path,
        samples: str | Path | None = None,
        plan: str | Path | None = None,
        *,
        reading: Reading | None = None,
        values: Mapping[str, float] | None = None,
        run_code: bool = False,
        seed: int | None = None,
    ) -> None:
        """Open a model, then samples and a plan if given. What is open stays if it fails.

        `reading` says how files become samples, `values` feed inputs that are the same for all.
        A Python program is opened by running it, which needs `run_code`. `seed` splits the samples.
        A project opens what it names; what is given besides takes the place of its own. One that
        was kept for recovery opens as the unsaved work that it is.
        """
        wish = SamplesWish(samples, reading, values)
        if Path(model).suffix.lower() == SUFFIX:
            self._open_project(Path(model), wish, plan, run_code, seed)
            return

        def opened(payload: object) -> None:
            self._opened(payload)
            if isinstance(payload, ModelRead) and seed is not None:
                self._document = replace(self._document, seed=seed)

        split_by = self._own_choice()[1] if seed is None else seed
        given = None if samples is None else Path(samples)
        work = partial(open_model, Path(model), given, split_by, run_code)
        self._open_model(Path(model).name, work, opened, plan, wish)

    def _open_project(
        self,
        path: Path,
        given: SamplesWish,
        plan: str | Path | None,
        run_code: bool,
        seed: int | None,
    ) -> None:
        """All of a project or, where its plan does not fit its model, nothing of it."""
        project = read_project(path)
        split_by = project.seed if seed is None else seed
        wish = SamplesWish(
            given.samples or project.samples,
            given.reading or project.reading,
            given.values or project.values,
            project.metric,
            project.output,
        )

        def work(token: Token) -> Iterator[Step]:
            samples = None if wish.samples is None else Path(wish.samples)
            for step in open_model(project.model, samples, split_by, run_code, token):
                if isinstance(step.payload, ModelRead) and plan is None:
                    known, _ = measured_instead(step.payload.model, project.plan)
                    check_fits(known, step.payload.model)
                yield step

        def opened(payload: object) -> None:
            own = self._own_choice()
            self._opened(payload)
            if not isinstance(payload, ModelRead):
                return
            self._before_project = own
            self._document = replace(
                self._document,
                part=project.part,
                seed=split_by,
                looks=project.looks,
                branches=project.branches,
                saved_branches=project.branches,
                project_path=str(path.absolute()),
            )
            if plan is None:
                self._take_project_plan(project)
            self._recovered(path, project)
            self._changed(*EVERYTHING)

        self._open_model(project.model.name, work, opened, plan, wish)

    def _take_project_plan(self, project: Project) -> None:
        self._document = replace(
            self._document,
            plan=self._with_known_scales(project.plan),
            saved_plan=project.plan.key,
            saved_remarks=project.plan.remarks,
        )

    def _take_plan(self, path: Path) -> Plan:
        plan = super()._take_plan(path)
        self._document = replace(self._document, saved_remarks=plan.remarks)
        return plan

    def save_project(self, path: str | Path) -> None:
        """Save what is open, how it is read and measured, and the plan, as one `.qviz` file.

        Raises:
            QvizError: nothing is open, or the file cannot be written or would not stay.
        """
        self._check_place(Path(path))
        write_project(Path(path), self._document)
        document = self._document
        self._document = replace(
            document,
            saved_plan=document.plan.key,
            saved_remarks=document.plan.remarks,
            saved_branches=document.branches,
            project_path=str(Path(path).absolute()),
        )
        self._saved_as(Path(path))
        self._changed("document")
