#!/bin/sh
# Serves the page of the ConfigMap; the greeting of the Secret stands in for what a page must not hold.
set -eu
: "${PAGES:=/pages}" "${ROOT:=/tmp/www}" "${PORT:=8080}" "${GREETING:=Hello}"
mkdir -p "$ROOT"
sed -e "s/@GREETING@/$GREETING/" -e "s/@POD@/$(hostname)/" "$PAGES/index.html" >"$ROOT/index.html"
exec httpd -f -p "$PORT" -h "$ROOT"
