#!/bin/sh
# Starts nginx with the files that nginx.conf includes from site/. nginx itself reads neither
# /etc/resolv.conf nor environment variables.
set -eu
dns='' domain=''
while read -r key value _; do
  case $key:$value in
    nameserver:*:*) dns="$dns [$value]" ;; # IPv6
    nameserver:*) dns="$dns $value" ;;
    search:*) domain=$value ;; # NAMESPACE.svc.cluster.local comes first
  esac
done < /etc/resolv.conf

# The ready pods, resolved every second, as in nginx/compose/upstream.conf.
upstream() {
  echo "upstream $1 {
    zone $1 256k;
    $2
    keepalive 64;
    keepalive_timeout 60s;
}"
}

cd /tmp
mkdir -p site
cp /etc/shared-state/nginx.conf .
echo 'listen 8080;' > site/listen.conf
{
  echo "resolver$dns valid=1s ipv6=off;"
  upstream app "least_conn;
    server app.$domain:3000 resolve fail_timeout=1s;"
  upstream app-in-turn "server app.$domain:3000 resolve max_fails=0;"
  upstream dashboard "server dashboard.$domain:3000 resolve max_fails=0;"
} > site/upstream.conf
IFS=,
for proxy in ${TRUSTED_PROXIES:-}; do echo "$proxy 1;"; done > site/trusted-proxies.conf
exec nginx -p /tmp/ -c /tmp/nginx.conf -e stderr
