#!/bin/sh
# Starts the server as a pod would and looks at what it answers.
set -eu
mkdir -p /tmp/pages
echo '<p>@GREETING@ from @POD@</p>' >/tmp/pages/index.html
PAGES=/tmp/pages PORT=8081 GREETING=Moin /app/server.sh &
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  answer=$(wget -q -O - http://127.0.0.1:8081/ 2>/dev/null) && break
  sleep 0.2
done
case "$answer" in
  *"Moin from "*) echo "ok: the page greets" ;;
  *) echo "the page does not greet: $answer" && exit 1 ;;
esac
