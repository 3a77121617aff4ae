#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes a bootable raw disk image of a small Debian i386 system from Debian packages: no mounting, no loop device,
# no root rights beyond installing the tools. Prints the image's path on standard output, progress on standard error.
#
#   sector 0        MBR: SYSLINUX's or GRUB's boot code, partition 1 active
#   1..2047         GRUB's core image, with --loader grub
#   1 MiB..         partition 1, FAT16: kernel, initrd, boot loader and its configuration
#   41 MiB..        partition 2, ext4: the root, with busybox and the self-checking workload
set -euo pipefail
export PATH=$PATH:/sbin:/usr/sbin LC_ALL=C MTOOLS_SKIP_CHECK=1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../packages.sh"

usage() {
    cat <<'TEXT'
usage: make-disk.sh [options]

  --kernel 686|686-pae      which Debian kernel (default 686, without PAE)
  --loader syslinux|grub    which boot loader (default syslinux)
  --size MB                 size of the disk (default 256)
  --run COMMANDS            shell text the guest runs once it is up, then powers off
  --append WORDS            more words for the kernel's command line
  --extra DIR               copies what is in DIR into the guest's root
  -o FILE                   copies the image there; without it the cached image's path is printed
  --fresh                   asks the package archive again instead of using cached packages

Packages and images are kept in ${XDG_CACHE_HOME:-~/.cache}/emu. EMU_DEBIAN_MIRROR names another archive than the one
that this system uses. set-run.sh changes the command list of a finished image.
TEXT
}
fail() { echo "make-disk.sh: $*" >&2; exit 1; }
say() { echo "make-disk.sh: $*" >&2; }

kernel=686 loader=syslinux size=256
run="" append="" extra_root="" output="" fresh=""
while [ $# -gt 0 ]; do
    case $1 in
    --kernel | --loader | --size | --run | --append | --extra | -o)
        [ $# -gt 1 ] || fail "$1 needs a value (see --help)"
        case $1 in
        --kernel) kernel=$2 ;; --loader) loader=$2 ;; --size) size=$2 ;;
        --run) run=$2 ;; --append) append=$2 ;; --extra) extra_root=$2 ;; -o) output=$2 ;;
        esac
        shift ;;
    --fresh) fresh=1 ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown option $1 (see --help)" ;;
    esac
    shift
done
case $kernel in 686 | 686-pae) ;; *) fail "--kernel $kernel: 686 or 686-pae" ;; esac
case $loader in syslinux | grub) ;; *) fail "--loader $loader: syslinux or grub" ;; esac
case $size in '' | *[!0-9]*) fail "--size $size: a number of megabytes" ;; esac
[ "$size" -ge 128 ] && [ "$size" -le 8192 ] || fail "--size $size: from 128 to 8192 megabytes"

[ -z "$extra_root" ] || [ -d "$extra_root" ] || fail "--extra $extra_root: no such folder"

suite=bookworm
fat_start=1 fat_size=40 root_start=41 # MiB
cache=${XDG_CACHE_HOME:-$HOME/.cache}/emu
packages=$cache/packages
mkdir -p "$packages" "$cache/images" || fail "$cache: cannot be made; set XDG_CACHE_HOME"

key=$( (cat "$here/make-disk.sh" "$here/set-run.sh" "$here"/root/* "$here"/workload/*
    [ -z "$extra_root" ] || (cd "$extra_root" && find . -type f | sort && find . -type f | sort | tr '\n' '\0' | xargs -0 cat)
    printf '%s\n' "$kernel" "$loader" "$size" "$run" "$append") | sha256sum | cut -c 1-16)
image=$cache/images/debian-$kernel-$loader-$key.img

finish() {
    if [ -n "$output" ]; then
        cp --sparse=always "$image" "$output.part" && mv "$output.part" "$output" ||
            fail "$output: cannot be written"
        image=$output
    fi
    echo "$image"
    exit 0
}

# One builder at a time: tests start several.
exec 9>"$cache/lock"
if command -v flock >/dev/null; then
    flock 9
fi
if [ -z "$fresh" ] && [ -f "$image" ]; then
    finish
fi
packages_install $PACKAGES_GUEST >&2 || fail "the tools that make images are missing"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- packages: an apt of our own for i386 and the main suite, which leaves the system's settings alone -------------
mirror=${EMU_DEBIAN_MIRROR:-}
if [ -z "$mirror" ]; then
    mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(SITE)' 'Created-By: Packages' 2>/dev/null |
        sed -n "s/^$suite main //p" | head -n 1)
fi
mirror=${mirror:-http://deb.debian.org/debian}
apt_ready=
apt_own() {
    local program=$1
    shift
    "$program" -o Dir::State="$work/apt" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt/cache" \
        -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- -o APT::Architecture=i386 \
        -o APT::Architectures::=i386 -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" \
        -o Debug::NoLocking=1 -o Acquire::Retries=3 "$@"
}
apt_index() {
    [ -z "$apt_ready" ] || return 0
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    : >"$work/apt/status"
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    echo "deb [arch=i386 signed-by=$keyring] $mirror $suite main" >"$work/apt/sources.list"
    say "reading the package index of $mirror $suite main (i386)"
    packages_try apt_own apt-get update -q -o APT::Update::Error-Mode=any >"$work/apt.log" 2>&1 || {
        grep -E '^[EW]:' "$work/apt.log" | head -n 5 >&2
        fail "could not fetch the package index $mirror $suite main (i386)"
    }
    apt_ready=1
}
# fetch LABEL PACKAGE: leaves $packages/LABEL.deb
fetch() {
    [ -z "$fresh" ] && [ -f "$packages/$1.deb" ] && return 0
    apt_index
    say "fetching $2"
    mkdir -p "$work/fetch"
    (cd "$work/fetch" && packages_try apt_own apt-get download -q "$2") >"$work/apt.log" 2>&1 || {
        grep -E '^[EW]:' "$work/apt.log" | head -n 5 >&2
        fail "could not fetch the package $2 (i386) from $mirror $suite main"
    }
    mv "$work"/fetch/*.deb "$packages/$1.deb"
}
if [ -n "$fresh" ] || [ ! -f "$packages/linux-$kernel.deb" ]; then
    apt_index
    real=$(apt_own apt-cache show "linux-image-$kernel" | sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1)
    [ -n "$real" ] || fail "could not find the kernel behind linux-image-$kernel in $mirror $suite main"
    fetch "linux-$kernel" "$real"
fi
fetch busybox busybox-static

# --- kernel, modules and programs --------------------------------------------------------------------------------
say "unpacking the kernel and busybox"
dpkg-deb -x "$packages/linux-$kernel.deb" "$work/kernel" && dpkg-deb -x "$packages/busybox.deb" "$work/busybox" ||
    fail "a cached package is damaged; remove $packages and try again"
vmlinuz=$(echo "$work"/kernel/boot/vmlinuz-*)
version=${vmlinuz##*/vmlinuz-}
modules=$work/kernel/lib/modules/$version
[ -f "$vmlinuz" ] && [ -d "$modules" ] || fail "linux-image-$kernel holds no kernel"
depmod -b "$work/kernel" "$version"

# needed MODULE...: paths of the modules and of what they depend on, in loading order.
needed() {
    local module
    for module in "$@"; do
        modprobe -C /dev/null -d "$work/kernel" -S "$version" --show-depends "$module" 2>/dev/null |
            sed -n 's/^insmod \([^ ]*\).*/\1/p'
    done | awk '!seen[$0]++ && !/crc32c-intel/' # that one needs SSE4.2
}

initrd=$work/initrd
mkdir -p "$initrd/bin" "$initrd/lib"
cp "$here/root/init" "$initrd/init"
cp "$work/busybox/bin/busybox" "$initrd/bin/busybox"
ln -s busybox "$initrd/bin/sh"
for module in $(needed crc32c_generic ata_piix sd_mod ext4); do
    cp "$module" "$initrd/lib/"
    echo "/lib/${module##*/}" >>"$initrd/modules"
done
for name in ata_piix sd_mod ext4; do
    grep -q "/$name.ko" "$initrd/modules" || fail "the kernel package has no module $name"
done
(cd "$initrd" && find . | sort | cpio -o -H newc --owner 0:0 --quiet) >"$work/initrd.img"

# --- the root ------------------------------------------------------------------------------------------------------
say "building the root with the workload"
root=$work/root
mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,etc/init.d,etc/acpi/PWRF,dev,proc,sys,tmp,root,mnt,var/log}
cp "$work/busybox/bin/busybox" "$root/bin/busybox"
chmod 755 "$root/bin/busybox"
# Links for all applets, as far as the host can ask the i386 binary; rcS makes them otherwise.
for applet in bin/sh sbin/init $("$root/bin/busybox" --list-full 2>/dev/null | grep / || true); do
    mkdir -p "$root/${applet%/*}"
    [ -e "$root/$applet" ] || ln -sf /bin/busybox "$root/$applet"
done
cp "$here/root/inittab" "$here/root/profile" "$root/etc/"
cp "$here/root/rcS" "$here/root/rcK" "$root/etc/init.d/"
printf '#!/bin/sh\npoweroff\n' >"$root/etc/acpi/PWRF/00000080"
chmod 755 "$root"/etc/init.d/* "$root/etc/acpi/PWRF/00000080"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo guest >"$root/etc/hostname"
extra="button evdev psmouse cdrom sr_mod isofs fat vfat nls_cp437 nls_iso8859-1 nls_ascii loop 8139cp 8139too e1000
    ne2k-pci floppy parport_pc"
for module in $(needed crc32c_generic ata_piix sd_mod ext4 $extra); do
    target=$root${module#"$work/kernel"}
    mkdir -p "${target%/*}"
    cp "$module" "$target"
done
cp "$modules"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$version/"
depmod -b "$root" "$version"
cp "$here/workload/run.sh" "$root/root/run.sh"
chmod 755 "$root/root/run.sh"
gcc -m32 -static -O2 -march=i686 -std=c17 -o "$root/root/workload" "$here"/workload/*.c -lm -pthread ||
    fail "the workload does not compile; are gcc and gcc-multilib installed?"
[ -z "$extra_root" ] || cp -R "$extra_root/." "$root/"
find "$root" -exec touch -h -d @1700000000 {} +

# --- file systems and boot loader ----------------------------------------------------------------------------------
say "writing the $size MB disk with $loader"
disk=$work/disk.img
truncate -s "${size}M" "$disk"
sfdisk -q "$disk" <<TEXT
label: dos
label-id: 0x656d7531
start=$((fat_start * 2048)), size=$((fat_size * 2048)), type=e, bootable
start=$((root_start * 2048)), size=$(((size - root_start) * 2048)), type=83
TEXT
fat="$disk@@${fat_start}M"
mformat -i "$fat" -T $((fat_size * 2048)) -h 255 -s 63 -H $((fat_start * 2048)) -N 656d7531 -v EMUBOOT ::
mcopy -i "$fat" "$vmlinuz" ::/vmlinuz
mcopy -i "$fat" "$work/initrd.img" ::/initrd.img
case $loader in
syslinux)
    mbr=/usr/lib/syslinux/mbr/mbr.bin
    [ -f "$mbr" ] || fail "$mbr is missing; install syslinux-common"
    dd if="$mbr" of="$disk" bs=440 count=1 conv=notrunc status=none
    : >"$work/empty"
    mcopy -i "$fat" "$work/empty" ::/syslinux.cfg
    syslinux --install --offset $((fat_start * 1048576)) "$disk"
    ;;
grub)
    lib=/usr/lib/grub/i386-pc
    [ -f "$lib/boot.img" ] || fail "$lib/boot.img is missing; install grub-pc-bin"
    echo 'set root=(hd0,msdos1)
configfile /grub.cfg' >"$work/early.cfg"
    grub-mkimage -O i386-pc -d "$lib" -p '(hd0,msdos1)/' -c "$work/early.cfg" -o "$work/core.img" biosdisk part_msdos \
        fat configfile normal linux serial terminal echo test minicmd
    [ "$(stat -c %s "$work/core.img")" -le $((2047 * 512)) ] || fail "GRUB's core image does not fit before partition 1"
    # boot.img loads sector 1 and core.img's first sector the ones after it: no block list has to be changed.
    dd if="$lib/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
    dd if="$work/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
    : >"$work/empty"
    mcopy -i "$fat" "$work/empty" ::/grub.cfg
    ;;
esac
arguments=()
[ -z "$append" ] || arguments+=(--append "$append")
[ -z "$run" ] || arguments+=("$run")
"$here/set-run.sh" "$disk" "${arguments[@]}"

ext4=$work/root.img
truncate -s "$((size - root_start))M" "$ext4"
E2FSPROGS_FAKE_TIME=1700000000 mke2fs -q -F -t ext4 -L emu-root -U 656d7500-0000-4000-8000-000000000001 \
    -E root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,hash_seed=656d7500-0000-4000-8000-000000000002 \
    -d "$root" "$ext4"
if [ "$(id -u)" != 0 ]; then
    (cd "$root" && find . -mindepth 1 | sed 's/^\.//' | while read -r path; do
        printf 'sif "%s" uid 0\nsif "%s" gid 0\n' "$path" "$path"
    done) | debugfs -w "$ext4" >/dev/null 2>&1
fi
dd if="$ext4" of="$disk" bs=1M seek=$root_start conv=notrunc,sparse status=none
mv "$disk" "$image.part"
mv "$image.part" "$image"
say "made $image"
finish
