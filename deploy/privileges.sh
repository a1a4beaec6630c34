# shellcheck shell=sh
# Sourced by the setup scripts: `as_root` runs a command as root, through sudo only where we aren't root already.

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "This needs root: run \`$*\` as root, then try again." >&2
        return 1
    fi
}

apt_install() {
    if ! command -v apt-get >/dev/null; then
        echo "Please install $* with this system's package manager, then try again." >&2
        return 1
    fi
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
