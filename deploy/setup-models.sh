#!/bin/sh
# Fetch the default model of each operation whose packages are installed. What can't be fetched is no failure: the rest
# works without.
# usage: setup-models.sh OVERSPILL_COMMAND
set -eu
echo "Fetching the models of the operations that are installed ..."
if ! "$1" models pull; then
    echo "Not every model could be fetched. Operations without one are not served; the others are." >&2
    echo "Try again at any time: $1 models pull" >&2
fi
echo "Loading each operation once; what is compiled on first use is then ready ..."
"$1" doctor >/dev/null 2>&1 || true # `make up` may come before a broker: only the loading matters here
