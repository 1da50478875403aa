#!/usr/bin/env bash
# Starts a MongoDB replica set of three in containers, on ports 27017 to 27019 of this machine, for tests:
#
#   scripts/mongo-containers.sh mongo:8
#   export ROLLCALL_TEST_MONGODB_URI='mongodb://127.0.0.1:27017,127.0.0.1:27018,127.0.0.1:27019/?replicaSet=rollcall'
#   scripts/mongo-containers.sh stop
set -euo pipefail

ports=(27017 27018 27019)
if [ "${1:?usage: mongo-containers.sh IMAGE|stop}" = stop ]; then
  docker rm -f -v "${ports[@]/#/rollcall-test-mongo-}"
  exit
fi
for p in "${ports[@]}"; do
  # In memory: what tests write is not for keeping. On the host's network, as the members tell clients their addresses.
  docker run -d --name "rollcall-test-mongo-$p" --network host --tmpfs /data/db "$1" \
    mongod --replSet rollcall --bind_ip 127.0.0.1 --port "$p" --wiredTigerCacheSizeGB 0.5 >/dev/null
done
shell() { docker exec "rollcall-test-mongo-${ports[0]}" mongosh --quiet --port "${ports[0]}" --eval "$1"; }

for _ in $(seq 60); do
  if shell 'db.hello().ok' >/dev/null 2>&1; then break; fi
  sleep 1
done
shell "rs.initiate({_id: 'rollcall', members: '${ports[*]}'.split(' ').map((port, i) => ({_id: i, host: '127.0.0.1:' + port}))})"
shell 'for (let i = 0; i < 120 && rs.status().members.some((m) => !["PRIMARY", "SECONDARY"].includes(m.stateStr)); i++) sleep(500);
  const states = rs.status().members.map((m) => m.stateStr); print(states.join(" "));
  if (states.filter((s) => s === "PRIMARY").length !== 1) quit(1);'
