#!/bin/sh
# Starts a member of the replica set. mongod insists that the key file is its own and closed to others, which a mounted
# secret is not: it gets a copy in memory. What a Rollcall that was killed has left open ends after 15 seconds instead of 60.
set -eu
umask 077
cat /run/secrets/mongodb-keyfile >/tmp/keyfile
exec mongod --replSet rollcall --keyFile /tmp/keyfile --bind_ip_all --dbpath /data/db \
  --wiredTigerCacheSizeGB "$MONGODB_CACHE_GB" --setParameter transactionLifetimeLimitSeconds=15
