#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes a bootable raw disk image of a whole Debian i386 system (Debian's own kernel package, initrd and systemd) with
# debootstrap: no mounting, no loop device. Root or sudo is needed for debootstrap, whose programs run natively.
# Prints the image's path on standard output, progress on standard error.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/image.sh"

usage() {
    cat <<'TEXT'
usage: make-debian.sh [options]

  --kernel 686|686-pae      which Debian kernel (default 686, without PAE)
  --loader syslinux|grub    which boot loader (default syslinux)
  --size MB                 size of the disk (default 2048)
  --include PACKAGES        more packages, with commas between them
  --run COMMANDS            shell text the guest runs in place of Debian's init, then powers off
  --append WORDS            more words for the kernel's command line
  --tree                    prints the path of the folder that holds the root's files, for runs under chroot
  -o FILE                   copies the image there; without it the cached image's path is printed
  --fresh                   makes the root again instead of using the cached one

Without --run Debian boots to a login on ttyS0 and on the screen; root has no password. Packages, roots and images are
kept in ${XDG_CACHE_HOME:-~/.cache}/emu. EMU_DEBIAN_MIRROR names another archive than the one that this system uses.
set-run.sh changes the command list of a finished image.
TEXT
}

kernel=686 loader=syslinux size=2048 include=""
run="" append="" output="" fresh="" only_tree=""
while [ $# -gt 0 ]; do
    case $1 in
    --kernel | --loader | --size | --include | --run | --append | -o)
        [ $# -gt 1 ] || fail "$1 needs a value (see --help)"
        case $1 in
        --kernel) kernel=$2 ;; --loader) loader=$2 ;; --size) size=$2 ;; --include) include=$2 ;;
        --run) run=$2 ;; --append) append=$2 ;; -o) output=$2 ;;
        esac
        shift ;;
    --tree) only_tree=1 ;;
    --fresh) fresh=1 ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option $1 (see --help)" ;;
    esac
    shift
done
case $kernel in 686 | 686-pae) ;; *) fail "--kernel $kernel: 686 or 686-pae" ;; esac
case $loader in syslinux | grub) ;; *) fail "--loader $loader: syslinux or grub" ;; esac
case $include in *[!a-z0-9.,+-]*) fail "--include $include: package names with commas between them" ;; esac
image_check_size "$size" 1280

names=systemd-sysv,udev,e2fsprogs,kmod,initramfs-tools,linux-image-$kernel,procps,iproute2
names=$names,gcc,libc6-dev,python3,libpython3.11-testsuite,openssl,perl,stress-ng${include:+,$include}
root_start=81 # MiB
# A root changes with what goes into it, an image also with how it is booted.
root_key=$( (cat "$here"/debian/* "$here/root/run-list"
    printf '%s\n' "$names" "${EMU_DEBIAN_MIRROR:-}") | sha256sum | cut -c 1-16)
key=$( (cat "$here/make-debian.sh" "$here/image.sh" "$here/set-run.sh"
    printf '%s\n' "$root_key" "$loader" "$size" "$run" "$append") | sha256sum | cut -c 1-16)
tree=$cache/roots/debian-$kernel-$root_key
image=$cache/images/debootstrap-$kernel-$loader-$key.img

image_open -debian
mkdir -p "$cache/roots" "$cache/debs"
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo

if [ -n "$fresh" ] || [ ! -d "$tree" ]; then
    packages_install $PACKAGES_GUEST debootstrap >&2 || fail "the tools that make images are missing"
    [ -z "$as_root" ] || command -v sudo >/dev/null || fail "debootstrap needs root or sudo"
    image_work
    say "installing Debian $suite (i386) from $mirror"
    part=$tree.part
    $as_root rm -rf "$part"
    # In name spaces of its own: what debootstrap mounts goes with it.
    $as_root unshare --mount --pid --fork debootstrap --arch=i386 --variant=minbase --components=main \
        --cache-dir="$cache/debs" --keyring="$keyring" --include="$names" "$suite" "$part" "$mirror" \
        >"$work/debootstrap.log" 2>&1 || {
        grep -E "^(E|W):|Couldn't|Failure" "$work/debootstrap.log" | tail -n 5 >&2
        [ ! -f "$part/debootstrap/debootstrap.log" ] || tail -n 5 "$part/debootstrap/debootstrap.log" >&2
        $as_root rm -rf "$part"
        fail "could not fetch or install the packages from $mirror $suite main (i386)"
    }
    echo guest | $as_root tee "$part/etc/hostname" >/dev/null
    echo '/dev/sda2 / ext4 errors=remount-ro 0 1' | $as_root tee "$part/etc/fstab" >/dev/null
    $as_root chroot "$part" passwd -q -d root
    $as_root install -D -m 644 "$here/root/run-list" "$part/usr/local/lib/emu/run-list"
    $as_root install -D -m 755 "$here/debian/emu-init" "$part/sbin/emu-init"
    $as_root sh -c 'rm -rf "$0"/var/cache/apt/archives/*.deb "$0"/var/lib/apt/lists/* "$0"/debootstrap' "$part"
    $as_root chmod a+r "$part"/boot/*
    $as_root rm -rf "$tree"
    $as_root mv "$part" "$tree"
    rm -rf "$work"
    say "made $tree"
fi
if [ -n "$only_tree" ]; then
    echo "$tree"
    exit 0
fi
if [ -z "$fresh" ] && [ -f "$image" ]; then
    image_finish "$image"
fi
packages_install $PACKAGES_GUEST >&2 || fail "the tools that make images are missing"
image_work

vmlinuz=$(echo "$tree"/boot/vmlinuz-*)
initrd=$(echo "$tree"/boot/initrd.img-*)
[ -f "$vmlinuz" ] && [ -f "$initrd" ] || fail "$tree holds no kernel; try --fresh"
say "writing the $size MB disk with $loader"
disk=$work/disk.img
image_write_boot "$disk" "$size" "$root_start" "$loader" "$vmlinuz" "$initrd"
echo "init=/sbin/emu-init" >"$work/words"
mcopy -i "$disk@@${fat_start}M" "$work/words" ::/words
arguments=()
[ -z "$append" ] || arguments+=(--append "$append")
[ -z "$run" ] || arguments+=("$run")
"$here/set-run.sh" "$disk" "${arguments[@]}"
image_write_root "$disk" "$size" "$root_start" "$tree" "$as_root"
mv "$disk" "$image.part"
mv "$image.part" "$image"
say "made $image"
image_finish "$image"
