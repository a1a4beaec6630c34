#!/bin/sh
# Install a Chromium for the tests to look at the page in, where there is none: Debian's own package. Elsewhere it is the one
# that Playwright was built with; Ubuntu's package is a stub that fetches a snap, which sees no folder of ours.
# usage: setup-browser.sh FOLDER_OF_TOOLS
set -eu
. "$(dirname "$0")/privileges.sh"
bin=$1

if "$bin/python" -m tests.browsers; then
    exit 0
fi
if grep -qs '^ID=debian' /etc/os-release; then
    echo "Installing chromium from the system's packages, for the tests of the page ..."
    # With a font: without any, all text is boxes, and how it looks could not be tested.
    apt_install chromium fonts-dejavu-core
elif command -v apt-get >/dev/null; then
    echo "Fetching the Chromium that Playwright was built with, and what it needs, for the tests of the page ..."
    "$bin/playwright" install --with-deps --no-progress chromium >/dev/null
else
    echo "Fetching the Chromium that Playwright was built with, for the tests of the page ..."
    "$bin/playwright" install --no-progress chromium
fi
