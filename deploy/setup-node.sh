#!/bin/sh
# Install Node.js and npm from the system's packages if there are none: a test runs the JavaScript example.
set -eu
. "$(dirname "$0")/privileges.sh"

if command -v node >/dev/null && command -v npm >/dev/null; then
    exit 0
fi
echo "Installing Node.js and npm from the system's packages, for the test of the JavaScript example ..."
apt_install nodejs npm
