#!/usr/bin/env bash
# Asks the installation that deploy/compose.yaml has started whether its parts work together: a user is made through the proxy
# and found through both processes, one process may stop, Prometheus has its targets, Grafana its dashboard.
set -euo pipefail
cd "$(dirname "$0")/.."

site=https://localhost:${ROLLCALL_HTTPS_PORT:-443}
prometheus=http://127.0.0.1:${PROMETHEUS_PORT:-9090}
grafana=http://127.0.0.1:${GRAFANA_PORT:-3000}
secret() { cat "deploy/compose/secrets/$1"; }
compose() { docker compose -f deploy/compose.yaml "$@"; }
scim() {
  curl -sS -k -f --max-time 20 -H "Authorization: Bearer $(secret rollcall-bootstrap-token)" -H 'Content-Type: application/scim+json' "$@"
}

name=smoke-$RANDOM-$$@example.com
location=$(scim "$site/scim/v2/Users" -d '{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"'"$name"'"}' |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["meta"]["location"])')
echo "made $location"
find_it() {
  scim -G "$site/scim/v2/Users" --data-urlencode "filter=userName eq \"$name\"" |
    python3 -c 'import json, sys; n = json.load(sys.stdin)["totalResults"]; sys.exit(0 if n == 1 else f"found {n} times")'
}
for _ in 1 2 3 4; do find_it; done

compose stop rollcall-1
for _ in $(seq 20); do find_it; done
compose start rollcall-1
echo "20 of 20 requests were answered while one process was stopped"

compose exec -T rollcall-2 /rollcall token list --org default

up() {
  curl -sS -f "$prometheus/api/v1/targets" | python3 -c '
import json, sys
targets = json.load(sys.stdin)["data"]["activeTargets"]
down = [t["labels"]["instance"] for t in targets if t["health"] != "up"]
sys.exit(0 if len(targets) == 5 and not down else f"{len(targets)} targets, down: {down}")'
}
for i in $(seq 60); do
  if up; then break; fi
  [ "$i" -lt 60 ] || exit 1
  sleep 2
done
curl -sS -f -u "admin:$(secret grafana-admin-password)" "$grafana/api/dashboards/uid/rollcall" >/dev/null
echo "Prometheus has 5 targets, Grafana the dashboard"
