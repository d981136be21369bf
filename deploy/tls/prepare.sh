#!/bin/sh
# Fills the folder that nginx reads. Only the owner of the key can read it, which nginx is not; and
# nginx knows no environment variables.
set -eu
install -o 101 -m 400 /given/certificate.pem /given/key.pem /tls
install -m 444 /given/tls.conf /tls
{
  echo "listen $HTTPS_PORT ssl;"
  echo "listen $HTTPS_PORT quic reuseport;"
  echo 'http2 on;'
  echo "add_header Alt-Svc 'h3=\":$HTTPS_PORT\"' always;"
  [ "$HSTS_SECONDS" = 0 ] || echo "add_header Strict-Transport-Security max-age=$HSTS_SECONDS always;"
  echo 'include tls/tls.conf;'
} > /tls/listen.conf
