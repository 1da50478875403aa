#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, each for as long as $1 says.
set -euo pipefail
time=${1:-10s}
found=0
while IFS=: read -r file func; do
	found=1
	echo "fuzz $(dirname "$file") $func ($time)"
	go test -run '^$' -fuzz "^$func\$" -fuzztime "$time" "./$(dirname "$file")"
done < <(git ls-files '*_test.go' | xargs grep -o '^func Fuzz[A-Za-z0-9_]*' | sed 's/:func /:/')
if [ "$found" -eq 0 ]; then
	echo "no fuzz target found" >&2
	exit 1
fi
