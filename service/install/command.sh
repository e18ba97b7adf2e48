#!/bin/sh
# Written by `spinenode install-service`. As root, act as the service's user, so that what is
# written to the spool stays its own, and find /etc/spinenode/config.yaml without --config.
program=@PREFIX@/current/venv/bin/spinenode
case "${1:-}" in
    install-service | uninstall-service | upgrade | rollback) exec "$program" "$@" ;;
esac
if [ "$(id -u)" = 0 ]; then
    cd /etc/spinenode && exec runuser -u spinenode -- "$program" "$@"
fi
exec "$program" "$@"
