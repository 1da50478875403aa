#!/usr/bin/env bash
# Makes the secrets of deploy/compose.yaml in deploy/compose/secrets, those that are not there yet. What is there stays as
# it is: the database knows the passwords already.
set -euo pipefail
umask 077
dir=$(cd "$(dirname "$0")" && pwd)/secrets
mkdir -p "$dir"
chmod 0700 "$dir"

random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
urlsafe() { random "$1" | tr '+/' '-_' | tr -d '='; }

# keep NAME TEXT: writes it whole or not at all. Containers with different users read it, hence the mode; the directory keeps
# everybody else out.
keep() {
  [ ! -e "$dir/$1" ] || return 0
  printf '%s\n' "$2" >"$dir/$1.new"
  chmod 0444 "$dir/$1.new"
  mv "$dir/$1.new" "$dir/$1"
  echo "made $dir/$1"
}

keep mongodb-keyfile "$(random 756)"
keep mongodb-root-password "$(urlsafe 24)"
keep mongodb-rollcall-password "$(urlsafe 24)"
keep rollcall-store "mongodb://rollcall:$(cat "$dir/mongodb-rollcall-password")@mongo-1:27017,mongo-2:27017,mongo-3:27017/rollcall?replicaSet=rollcall&authSource=admin"
keep rollcall-bootstrap-token "rc_$(urlsafe 32)"
keep grafana-admin-password "$(urlsafe 18)"
