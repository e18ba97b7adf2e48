#!/bin/sh
# Written by `spinenode install-service`. What looks at the installed service or steers it runs as
# the service's user, so that what it writes stays the service's own, and with its configuration.
umask 0077
program=@PREFIX@/current/venv/bin/spinenode
case "${1:-}" in
    serve | worker | check | jobs | fetch) ;;
    *) exec "$program" "$@" ;;
esac
case " $* " in
    *" --config"* | *" --help "* | *" -h "*) ;;
    *) set -- "$@" --config /etc/spinenode/config.yaml ;;
esac
case "$(id -un)" in
    root) cd /var/lib/spinenode && exec runuser -u spinenode -- "$program" "$@" ;;
    spinenode) cd /var/lib/spinenode && exec "$program" "$@" ;;
esac
echo "spinenode $1: run it as root, or as the user spinenode" >&2
exit 2
