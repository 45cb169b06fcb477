"""Repaints go on whatever one of them does."""

from __future__ import annotations

from functools import partial

from pytestqt.qtbot import QtBot

from qviz.app.session import Session
from qviz.ui.refresh import Refresh


def broken() -> None:
    raise ValueError("this handler fails")


def test_a_handler_that_fails_does_not_stop_the_others(qtbot: QtBot) -> None:
    session, seen = Session(), list[str]()
    refresh = Refresh(session)
    refresh.on("document", broken)
    refresh.on("document", lambda: seen.append(session.current().part))
    with qtbot.capture_exceptions() as failures:
        for part in ("tune", "confirm"):
            session.set_part(part)
            qtbot.waitUntil(partial(seen.__contains__, part), timeout=2000)
    assert seen == ["tune", "confirm"]
    assert [kind for kind, _, _ in failures] == [ValueError, ValueError]
    refresh.stop()
