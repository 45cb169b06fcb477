"""Sessions that edit and save as fast as they can until they are killed at random moments.

Run as a script by test_killed.py: `MODEL FOLDER ROUNDS`. Each round forks, so that torch is loaded
once, and leaves in FOLDER/<round>: `told`, a line per step; `work.qviz`; and the state folder.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from pathlib import Path
from typing import BinaryIO

from qviz.app.session import Session

LINES = 24  # told at most before the moment of the kill …
LONGEST = 0.02  # … and so many seconds later


def edit(session: Session, rng: random.Random) -> None:
    """One edit of any kind."""
    slot = rng.choice(("fc1.weight", "fc2.weight", "fc1.input", "fc2.input"))
    layer, role = slot.split(".")
    count = len(session.rules().rules)
    kind = rng.choice(("bits", "rule", "remove", "note", "tags", "branch", "undo"))
    if kind == "rule":
        session.set(
            f"{rng.choice((layer, 'op:Gemm', 'at:last'))}.{role}", f"int{rng.randint(2, 9)}"
        )
    elif kind == "remove" and count:
        session.remove_rule(rng.randrange(count))
    elif kind == "note":
        session.set_note(layer, "x" * rng.randrange(5000))
    elif kind == "tags":
        session.set_tags([layer], rng.sample("abcdef", 2))
    elif kind == "branch":
        names = [branch.name for branch in session.branches()]
        if len(names) < 4:
            session.create_branch(f"branch {len(names)}")
        else:
            session.switch_branch(rng.choice(names))
    elif kind == "undo":
        session.undo()
    else:
        session.set_bits([slot], rng.randint(2, 9))


def state(session: Session) -> str:
    """All that edits change, as one line."""
    from qviz.plan.branches import branches_to_json
    from qviz.plan.plan import to_json

    document = session.current()
    return repr((to_json(document.plan), branches_to_json(document.branches)))


def work(model: str, folder: Path, seed: int, told: BinaryIO) -> None:
    """Edit until killed: tell the state, then keep it, then tell that it is kept."""
    os.environ["QVIZ_STATE"] = str(folder / "state")
    rng, session, project = random.Random(seed), Session(), folder / "work.qviz"
    session.open(model)
    session.save_project(project)
    told.write(f"state {state(session)}\nkept\n".encode())
    while True:
        edit(session, rng)
        told.write(f"state {state(session)}\n".encode())
        if rng.random() < 0.2:
            session.save_project(project)
        else:
            session.autosave()
        told.write(b"kept\n")


def killed(model: str, folder: Path, seed: int) -> None:
    """One round: a child that works, killed a random time after a random number of steps."""
    folder.mkdir()
    rng = random.Random(f"kill {seed}")
    enough, delay = rng.randint(1, LINES), rng.uniform(0, LONGEST)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "wb", buffering=0) as told:
            work(model, folder, seed, told)
    os.close(writing)
    lines = bytearray()
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if select.select([reading], [], [], left)[0]:
            piece = os.read(reading, 1 << 16)
            if not piece:
                break  # it failed by itself, which its state will show
            lines += piece
            if deadline is None and lines.count(b"\n") >= enough:
                deadline = time.monotonic() + delay
    os.kill(child, signal.SIGKILL)
    while piece := os.read(reading, 1 << 16):
        lines += piece
    os.close(reading)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        raise SystemExit(f"round {seed} ended by itself")
    (folder / "told").write_bytes(lines)


if __name__ == "__main__":
    for number in range(int(sys.argv[3])):
        killed(sys.argv[1], Path(sys.argv[2]) / str(number), number)
