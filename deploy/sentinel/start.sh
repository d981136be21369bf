#!/bin/sh
# Starts a Redis or a Sentinel: start.sh redis|sentinel NAME [PRIMARY], with its name in the network
# and that of the first primary.
# Each notes its role in its configuration, so it has one of its own, which outlives the container.
# If there is a secret redis_password, or REDISCLI_AUTH as for redis-cli, both require it.
set -eu
umask 077
kind=$1 name=$2 primary=${3:-redis} file=/data/$1.conf
secret=/run/secrets/redis_password
password=${REDISCLI_AUTH:-$(if [ -e "$secret" ]; then cat "$secret"; fi)}

redis() {
  cat /etc/redis/redis.conf
  echo "dir /data
protected-mode no
replica-announce-ip $name
repl-backlog-size 64mb
repl-diskless-sync-delay 0"
  [ -z "$password" ] || echo "requirepass $password
masterauth $password"
  [ "$name" = "$primary" ] || echo "replicaof $primary 6379"
}

# If all Sentinels noticed a dead primary at once, each might vote for itself. An election is repeated
# only after seconds.
sentinel() {
  number=${name#sentinel-}
  echo "dir /data
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $name
sentinel monitor shared-state $primary 6379 2
sentinel down-after-milliseconds shared-state $((1100 + 200 * ${number%%.*}))
sentinel failover-timeout shared-state 5000"
  [ -z "$password" ] || echo "requirepass $password
sentinel auth-pass shared-state $password"
}

[ -e "$file" ] || "$kind" > "$file"
if [ "$kind" = sentinel ]; then
  exec redis-server "$file" --sentinel
fi
exec redis-server "$file"
