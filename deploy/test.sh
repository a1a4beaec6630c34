#!/bin/sh
# Run all tests: first side by side, then one by one those that need the machine for themselves. In CI, and with an argument
# `compose`, those of the containers as well. Goes on after a failure, and says so in the end.
# usage: test.sh FOLDER_OF_TOOLS [compose]
set -u
pytest=$1/pytest
status=0

# Most tests wait, for brokers and for processes to start: one worker more than there are processors keeps these busy. Each
# worker has a broker of its own, so there is an end to it.
processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
workers=$((processors < 5 ? processors + 1 : 6))
"$pytest" --numprocesses "$workers" --dist loadfile --no-loadscope-reorder -m "not compose and not alone" || status=1
"$pytest" -m "alone and not compose" || status=1
if [ -n "${CI:-}" ] || [ "${2:-}" = compose ]; then
    "$pytest" -m compose || status=1
fi
exit $status
