#!/bin/sh
# Create a virtual environment and install overspill into it, editable, with the optional dependencies asked for.
# usage: setup-venv.sh PYTHON FOLDER EXTRAS
set -eu
. "$(dirname "$0")/privileges.sh"

python=$1
venv=$2
extras=$3

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "overspill needs Python 3.11 or newer; $python is $("$python" -V 2>&1). Try: make PYTHON=python3.11 ..." >&2
    exit 1
fi

# Debian keeps the module that makes environments in a package of its own.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    echo "Installing $package, which Python needs for virtual environments ..."
    apt_install "$package"
fi

if [ ! -x "$venv/bin/python" ]; then
    echo "Creating $venv ..."
    "$python" -m venv "$venv"
fi
echo "Installing overspill and what it needs into $venv; the first time takes minutes ..."
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --editable ".[$extras]"
echo "Installed."
