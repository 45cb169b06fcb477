#!/bin/sh
# Finds what qviz needs from the system and does not have: Python's venv, the libraries that Qt
# loads and, with --tests, a virtual screen. As root on Debian or Ubuntu it installs them; otherwise
# it names them, prints the line that installs them and fails. Where nothing is missing it does
# nothing and touches no network.
set -eu

[ "$(uname -s)" = Linux ] || exit 0
cd "$(dirname "$0")/.."

# A library (or program), the package that has it on Debian and Ubuntu, and the one on Fedora.
qt='
libEGL.so.1             libegl1             libglvnd-egl
libGL.so.1              libgl1              libglvnd-glx
libX11.so.6             libx11-6            libX11
libdbus-1.so.3          libdbus-1-3         dbus-libs
libfontconfig.so.1      libfontconfig1      fontconfig
libfreetype.so.6        libfreetype6        freetype
libglib-2.0.so.0        libglib2.0-0        glib2
libgthread-2.0.so.0     libglib2.0-0        glib2
libxkbcommon.so.0       libxkbcommon0       libxkbcommon
'
x11='
libX11-xcb.so.1         libx11-xcb1         libX11-xcb
libxcb-cursor.so.0      libxcb-cursor0      xcb-util-cursor
libxcb-glx.so.0         libxcb-glx0         libxcb
libxcb-icccm.so.4       libxcb-icccm4       xcb-util-wm
libxcb-image.so.0       libxcb-image0       xcb-util-image
libxcb-keysyms.so.1     libxcb-keysyms1     xcb-util-keysyms
libxcb-randr.so.0       libxcb-randr0       libxcb
libxcb-render-util.so.0 libxcb-render-util0 xcb-util-renderutil
libxcb-render.so.0      libxcb-render0      libxcb
libxcb-shape.so.0       libxcb-shape0       libxcb
libxcb-shm.so.0         libxcb-shm0         libxcb
libxcb-sync.so.1        libxcb-sync1        libxcb
libxcb-util.so.1        libxcb-util1        xcb-util
libxcb-xfixes.so.0      libxcb-xfixes0      libxcb
libxcb-xkb.so.1         libxcb-xkb1         libxcb
libxcb.so.1             libxcb1             libxcb
libxkbcommon-x11.so.0   libxkbcommon-x11-0  libxkbcommon-x11
'
wayland='
libwayland-client.so.0  libwayland-client0  libwayland-client
libwayland-cursor.so.0  libwayland-cursor0  libwayland-cursor
libwayland-egl.so.1     libwayland-egl1     libwayland-egl
'
screen='
Xvfb                    xvfb                xorg-x11-server-Xvfb
xauth                   xauth               xorg-x11-xauth
'

# provide NAMES DEBIAN-PACKAGES FEDORA-PACKAGES
provide() {
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "Installing from the system's packages: $2"
        # A third-party source that does not answer must not stop the rest.
        apt-get update -qq || true
        # $2 is unquoted: one word per package.
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $2 \
            </dev/null >/dev/null
        return
    fi
    echo "qviz needs from the system, and does not find: $1" >&2
    if command -v apt-get >/dev/null; then
        echo "Install it with:  sudo apt-get install $2" >&2
    elif command -v dnf >/dev/null; then
        echo "Install it with:  sudo dnf install $3" >&2
    else
        echo "Install it with the system's package manager (on Debian: $2)." >&2
    fi
    exit 1
}

command -v python3 >/dev/null || [ -n "${PYTHON:-}" ] ||
    provide "Python 3.11 or newer" "python3 python3-venv" "python3"
python=$(sh .ci/find-python.sh)

# The loader itself is asked, so that libraries outside the system's folders count too.
find_missing='
import ctypes, shutil, sys

for line in filter(str.strip, sys.stdin):
    name = line.split()[0]
    try:
        found = ctypes.CDLL(name) if ".so" in name else shutil.which(name)
    except OSError:
        found = None
    if not found:
        print(line, end="")
'

needed=$qt
if [ -n "${DISPLAY:-}" ]; then needed="$needed$x11"; fi
if [ -n "${WAYLAND_DISPLAY:-}" ]; then needed="$needed$wayland"; fi
if [ "${1:-}" = --tests ]; then needed="$needed$x11$screen"; fi
missing=$(echo "$needed" | "$python" -c "$find_missing")

if [ ! -x .venv/bin/pip ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    venv=$("$python" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))')
    missing="venv $venv python3
$missing"
fi

column() { echo "$missing" | awk -v "n=$1" 'NF && !seen[$n]++ {printf "%s%s", gap, $n; gap = " "}'; }
[ -z "$missing" ] || provide "$(column 1)" "$(column 2)" "$(column 3)"
