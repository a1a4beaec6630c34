#!/bin/sh
# Push a sample photograph through a stack and write its sketch into demo/. A stack that we start is stopped again.
# usage: demo.sh OVERSPILL_COMMAND
set -eu
overspill=$1

if ! "$overspill" env >/dev/null 2>&1; then
    trap '"$overspill" down' EXIT
    trap 'exit 130' INT TERM
    "$overspill" up --wait
fi
mkdir -p demo
"$overspill" submit tests/data/photographs/coffee.jpg -o sketch --out demo
