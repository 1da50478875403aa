#!/usr/bin/env bash
# Runs third-party SCIM checkers against a freshly built and started Rollcall, and compares what they find with
# docs/conformance.md: a finding that is not listed there fails the run, and so does a listed one that is gone.
#
# Needs Go, Python 3.11 or newer with venv, and a package index for pip on the first run.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.tools/conformance
requirements=scripts/conformance-requirements.txt
mkdir -p "$tools"

if ! cmp -s "$requirements" "$tools/installed.txt"; then
  rm -rf "$tools/venv" "$tools/installed.txt"
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$tools/installed.txt"
fi

# make conformance has built it already.
[ -n "${MAKELEVEL:-}" ] || make build

work=$(mktemp -d)
server=""
stop() {
  # Only the process started here is ended, by its id.
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A token is rc_ and 32 random bytes in base64url. This one has the compatibility profile auto.
token=rc_$(head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')

# The kernel chooses the ports; the server writes what it got.
ROLLCALL_BOOTSTRAP_TOKEN="$token" bin/rollcall serve \
  --data "$work/data" --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 \
  --addr-file "$work/addr" --log-level warn >"$work/server.log" 2>&1 &
server=$!

address=$(python3 scripts/conformance.py wait --addr-file "$work/addr" --pid "$server") || {
  cat "$work/server.log" >&2
  exit 1
}
url="http://$address/scim/v2"

# A checker's exit status says no more than that something was found; the comparison below decides.
run() {
  local out=$1
  shift
  "$@" >"$work/$out" 2>"$work/$out.err" </dev/null || true
}
bin="$tools/venv/bin"
tester() {
  SCIM_CLI_HEADERS="Authorization: Bearer $2" run "$1" "$bin/python3" scripts/scim2.py --url "$url" test --verbose
}
# The catalogues are read by the scope scim and written by others: a checker that tries to write all it is shown is
# shown what it may write.
two="--scope scim:users --scope scim:groups"
create() {
  # shellcheck disable=SC2086 # two options and their values
  bin/rollcall token create --data "$work/data" --name "$1" --profile "$1" $two --json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'
}
auto=$(create auto)
strict=$(create strict)
tester scim2-tester-auto.txt "$auto"
tester scim2-tester-strict.txt "$strict"
sanity() {
  run "$1" "$bin/scim-sanity" probe "$url" --token "$token" --json-output --i-accept-side-effects "${@:2}"
}
sanity scim-sanity-strict.json --strict
sanity scim-sanity-compat.json --compat
# The payloads of Microsoft's own SCIM endpoint: extensions that Rollcall does not know.
sanity scim-sanity-entra.json --strict --profile entra

kill -0 "$server" 2>/dev/null || {
  echo "conformance: the server ended while it was checked" >&2
  cat "$work/server.log" >&2
  exit 1
}

mkdir -p "$tools/last"
rm -f "$tools/last"/*
cp "$work"/*.txt "$work"/*.json "$work"/*.err "$work/server.log" "$tools/last/"
# A checker that gives up early reports few checks and no failure: the least number of them is part of the verdict.
python3 scripts/conformance.py compare --accepted docs/conformance.md \
  --scim2-tester auto="$work/scim2-tester-auto.txt" \
  --scim2-tester strict="$work/scim2-tester-strict.txt" \
  --scim2-tester-least 148 --scim-sanity-least 31 \
  --scim-sanity strict="$work/scim-sanity-strict.json" \
  --scim-sanity compat="$work/scim-sanity-compat.json" \
  --scim-sanity entra="$work/scim-sanity-entra.json"
