# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2086
# The Debian packages that building, testing and making guest images need, and how they are installed.
# Sourced by examples/quickstart.sh, examples/guests/make-disk.sh and tests/run.sh.

PACKAGES_BUILD="cmake ninja-build gcc g++ pkg-config libcmocka-dev libffi-dev libxxhash-dev
    libjson-c-dev libedit-dev libzydis-dev libpng-dev uthash-dev seabios"
PACKAGES_GUEST="syslinux syslinux-common mtools grub-pc-bin grub-common e2fsprogs fdisk cpio kmod
    gcc libc6-dev gcc-multilib debian-archive-keyring"
PACKAGES_TEST="clang clang-format libclang-rt-14-dev bochs bochsbios strace genisoimage isolinux nasm qemu-system-x86 qemu-utils util-linux gcc-mingw-w64-i686 binutils python3"

# packages_missing NAME...: prints those that are not installed.
packages_missing() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# packages_try COMMAND...: some attempts (EMU_PACKAGES_ATTEMPTS, default 3), for what a network may break.
packages_try() {
    attempt=1
    until "$@"; do
        [ "$attempt" -lt "${EMU_PACKAGES_ATTEMPTS:-3}" ] || return 1
        echo "attempt $attempt failed, again in $((attempt * 5)) s: $*" >&2
        sleep $((attempt * 5))
        attempt=$((attempt + 1))
    done
}

# packages_install NAME...: installs what is missing; ends the script with one clear line if it cannot.
packages_install() {
    command -v dpkg-query >/dev/null || {
        echo "this is not a Debian system: please install by hand: $*" >&2
        return 1
    }
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    echo "installing: $missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "cannot install packages without root or sudo; please install: $missing" >&2
            return 1
        }
        as_root=sudo
    fi
    log=$(mktemp)
    packages_try $as_root apt-get update -q >"$log" 2>&1 || tail -n 3 "$log" >&2
    if ! packages_try $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends $missing >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        echo "these packages could not be installed: $missing" >&2
        return 1
    fi
    rm -f "$log"
}
