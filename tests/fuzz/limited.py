"""A program that opens files through the real entry point, each in a process of its own.

Reads one JSON list of command-line arguments a line and answers with one JSON object a line. Each
is run in a fork of this process, which has imported everything, under limits of memory and time:
what crashes, hangs or fills the memory ends alone.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import torch

import qviz.cli.headless
import qviz.model.read_python
from qviz.cli import main

SECONDS = 20  # of the processor; a busy machine may take longer
PATIENCE = 6
BYTES = 4 << 30  # of address space, above what the imports take


def _status(field: str) -> int:
    """A line of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(field))) << 10


def _child(arguments: list[str], errors: int) -> NoReturn:
    code = 99
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(errors, 2)
        limit = _status("VmSize") + BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))  # its signal ends the process
        signal.setitimer(signal.ITIMER_REAL, PATIENCE * SECONDS)  # and so does this one's
        main(arguments)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


def run(arguments: list[str]) -> dict[str, Any]:
    """How one command ended: its code (negative: a signal), errors, seconds and bytes."""
    base = _status("VmRSS")
    with tempfile.TemporaryFile() as errors:
        child = os.fork()
        if not child:
            _child(arguments, errors.fileno())
        _, status, usage = os.wait4(child, 0)
        errors.seek(0)
        text = errors.read().decode("utf-8", errors="replace")
    return {
        "code": os.waitstatus_to_exitcode(status),
        "errors": text,
        "seconds": usage.ru_utime + usage.ru_stime,
        "growth": max((usage.ru_maxrss << 10) - base, 0),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    assert qviz.cli.headless
    assert qviz.model.read_python
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(json.loads(line))) + "\n")
        sys.stdout.flush()
