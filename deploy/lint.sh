#!/bin/sh
# Every check that needs no running program; stops at the first that finds something.
# usage: lint.sh FOLDER_OF_TOOLS
set -eu
bin=$1

"$bin/ruff" format --check --quiet .
"$bin/ruff" check --quiet .
"$bin/mypy" --no-error-summary
"$bin/lint-imports" --no-cache
"$bin/deptry" .
"$bin/codespell"
