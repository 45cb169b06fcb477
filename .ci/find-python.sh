#!/bin/sh
# Prints the Python to set up with: 3.11 or newer, one that can make virtual environments if any can.
# PYTHON in the environment names it; no other is tried then.
set -eu

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3 python3.13 python3.12 python3.11
fi

recent='import sys; sys.exit(sys.version_info < (3, 11))'
for test in "import ensurepip, venv; $recent" "$recent"; do
    for python in "$@"; do
        if "$python" -c "$test" >/dev/null 2>&1; then
            command -v "$python"
            exit 0
        fi
    done
done

echo "qviz needs Python 3.11 or newer; tried: $*." >&2
echo "Install one, or name it: make PYTHON=/path/to/python3" >&2
exit 1
