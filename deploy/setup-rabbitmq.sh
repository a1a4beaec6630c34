#!/bin/sh
# Install RabbitMQ from the system's packages if there is none. Its programs are all we want: `overspill up` starts a
# private node from them, so a new installation's system service is not started, and an existing one is left alone.
set -eu
. "$(dirname "$0")/privileges.sh"

if [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null; then
    exit 0
fi

echo "Installing RabbitMQ from the system's packages (its system service stays off; overspill runs a node of its own) ..."

# Debian's way to say "start nothing": while this file exits with 101, packages don't start their services.
policy=/usr/sbin/policy-rc.d
ours=
if [ -d /usr/sbin ] && [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
fi
cleanup() { if [ -n "$ours" ]; then as_root rm -f "$policy"; fi; }
trap cleanup EXIT
trap 'exit 130' INT TERM

apt_install rabbitmq-server

# Nor at the next boot.
if [ -d /run/systemd/system ] && [ -n "$ours" ]; then
    as_root systemctl disable --quiet rabbitmq-server 2>/dev/null || true
fi
echo "RabbitMQ is installed."
