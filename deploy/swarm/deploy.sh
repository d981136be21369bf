#!/bin/sh
# Deploys this version to Docker Swarm, or updates what runs there:
#   sh deploy/swarm/deploy.sh
# Without IMAGE the image is built here, for a swarm of one node. STACK is the name, HTTP_PORT the port.
set -eu
cd "$(dirname "$0")"
export STACK="${STACK:-shared-state}"

[ "$(docker info --format '{{.Swarm.LocalNodeState}}')" = active ] || docker swarm init >/dev/null

resolve=always
if [ -z "${IMAGE:-}" ]; then
  # Named by its content: a service is updated only if the name of its image changes.
  id=$(docker build --quiet --file ../../services/app/Dockerfile \
    --build-arg "NODE_IMAGE=${NODE_IMAGE:-node:24-slim}" ../..)
  IMAGE=$STACK:$(echo "${id#sha256:}" | cut -c 1-12)
  docker tag "$id" "$IMAGE"
  resolve=never
fi
export IMAGE

version() { cat "$@" | cksum | cut -d ' ' -f 1; }
NGINX_VERSION=$(version ../../nginx/nginx.conf ../../nginx/compose/listen.conf \
  ../../nginx/compose/trusted-proxies.conf upstream.conf)
REDIS_VERSION=$(version ../../redis/redis.conf ../sentinel/start.sh)
export NGINX_VERSION REDIS_VERSION

for secret in session_secret redis_password; do
  docker secret inspect "${STACK}_$secret" >/dev/null 2>&1 ||
    head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' |
    docker secret create "${STACK}_$secret" - >/dev/null
done

# Spreads the three Redis over the nodes, once: each stays with its data.
nodes=$(docker node ls --quiet | sort)
for i in 1 2 3; do
  label=shared-state.redis-$i
  # shellcheck disable=SC2086 # several words
  labeled=$(docker node inspect --format "{{index .Spec.Labels \"$label\"}}" $nodes)
  case $labeled in *true*) continue ;; esac
  place=$(((i - 1) % $(echo "$nodes" | wc -l) + 1))
  docker node update --label-add "$label=true" "$(echo "$nodes" | sed -n "${place}p")" >/dev/null
done

docker stack deploy --compose-file stack.yml --resolve-image "$resolve" "$STACK" >/dev/null

# Waits until every service has all its containers, or an update was rolled back.
services=$(docker stack services --quiet "$STACK")
for _ in $(seq 300); do
  # shellcheck disable=SC2086 # several words
  updates=$(docker service inspect \
    --format '{{.Spec.Name}} {{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}' $services)
  case $updates in
    *rollback* | *paused*)
      echo "$updates" | grep -e rollback -e paused >&2
      echo "The new version did not become healthy. Its log: docker service logs ${STACK}_app" >&2
      exit 1
      ;;
  esac
  missing=$(docker stack services --format '{{.Name}} {{.Replicas}}' "$STACK" |
    sed -E 's/ \(.*//' | grep -vE ' ([0-9]+)/\1$' || true)
  case $updates in *updating*) missing=updating ;; esac
  [ -n "$missing" ] || { docker stack services "$STACK"; exit; }
  sleep 1
done
echo "$missing: not running after 5 minutes; see docker stack ps --no-trunc $STACK" >&2
exit 1
