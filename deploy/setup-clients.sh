#!/bin/sh
# Install the foreign clients that the examples are tested with, from the system's packages, where they are missing:
# Node.js with npm, and amqp-tools for the shell.
set -eu
. "$(dirname "$0")/privileges.sh"

missing=
command -v node >/dev/null && command -v npm >/dev/null || missing="nodejs npm"
command -v amqp-publish >/dev/null || missing="$missing amqp-tools"
if [ -z "$missing" ]; then
    exit 0
fi
echo "Installing $missing from the system's packages, for the tests of the examples ..."
# shellcheck disable=SC2086 # one word a package
apt_install $missing
