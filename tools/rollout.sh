#!/bin/sh
# Replaces the containers of the app and of the dashboard one after another, without a failed
# request: for a new image, for changed settings, or as a restart. It needs Docker only.
#   docker compose build
#   sh tools/rollout.sh
#
# First, one trial container of each service must become healthy. It gets no requests, and nothing is
# replaced if it fails. Its label keeps the number of instances, so that an interrupted rollout can
# be run again. nginx and Redis stay: no second container can have their port or their file.
set -eu
cd "$(dirname "$0")/.."
export COMPOSE_PROGRESS=quiet COMPOSE_IGNORE_ORPHANS=1 COMPOSE_REMOVE_ORPHANS=0
services='app dashboard'
config=$(docker compose config)
project=$(echo "$config" | sed -n 's/^name: //p')

# containers SERVICE LABEL
containers() {
  docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$1" --filter "label=$2"
}
instances() { containers "$1" com.docker.compose.oneoff=False; }
trials() { containers "$1" rollout.instances; }
recorded_number() { docker inspect --format '{{index .Config.Labels "rollout.instances"}}' "$1"; }
remove() {
  docker stop "$@" >/dev/null
  docker rm "$@" >/dev/null
}

# Starts or removes containers, the newest first, until there are so many.
scale() {
  docker compose up --detach --no-deps --no-recreate --scale "$1=$2" "$1"
}

# Ends the rollout if the new container does not become healthy.
until_healthy() {
  while state=$(docker inspect --format '{{.State.Status}} {{.State.Health.Status}}' "$1"); do
    case $state in
      'running healthy') return ;;
      'running starting') sleep 0.2 ;;
      *) break ;;
    esac
  done
  docker logs --tail 20 "$1" >&2
  for service in $services; do
    for trial in $(trials "$service"); do
      scale "$service" "$(recorded_number "$trial")"
      remove "$trial"
    done
  done
  echo 'The new container did not become healthy, so it was removed. Its log is above.' >&2
  exit 1
}

for service in $services; do
  number=$(instances "$service" | grep -c .) || {
    echo "$service does not run. Start it first: docker compose up --detach" >&2
    exit 1
  }
  interrupted=$(trials "$service")
  for trial in $interrupted; do number=$(recorded_number "$trial"); done
  new=$(docker compose run --detach --no-deps --label "rollout.instances=$number" "$service")
  for trial in $interrupted; do remove "$trial"; done
  until_healthy "$new"
done

for service in $services; do
  trial=$(trials "$service")
  number=$(recorded_number "$trial")
  old=$(instances "$service")
  for container in $old; do
    scale "$service" $((number + 1))
    for new in $(instances "$service"); do
      case $old in *"$new"*) ;; *) until_healthy "$new" ;; esac
    done
    remove "$container"
    echo "$service: replaced $(echo "$container" | cut -c 1-12)"
  done
  remove "$trial"
done
