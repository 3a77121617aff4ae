#!/bin/bash
# SPDX-License-Identifier: MIT
# Makes a bootable raw disk image of a small Debian i386 system from Debian packages: no mounting, no loop device,
# no root rights beyond installing the tools. Prints the image's path on standard output, progress on standard error.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/image.sh"

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
image_check_size "$size" 128

[ -z "$extra_root" ] || [ -d "$extra_root" ] || fail "--extra $extra_root: no such folder"

root_start=41 # MiB
key=$( (cat "$here/make-disk.sh" "$here/image.sh" "$here/set-run.sh" "$here"/root/* "$here"/workload/*
    [ -z "$extra_root" ] || (cd "$extra_root" && find . -type f | sort && find . -type f | sort | tr '\n' '\0' | xargs -0 cat)
    printf '%s\n' "$kernel" "$loader" "$size" "$run" "$append") | sha256sum | cut -c 1-16)
image=$cache/images/debian-$kernel-$loader-$key.img

image_open
if [ -z "$fresh" ] && [ -f "$image" ]; then
    image_finish "$image"
fi
packages_install $PACKAGES_GUEST >&2 || fail "the tools that make images are missing"
image_work

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
cp "$here/root/rcS" "$here/root/rcK" "$here/root/run-list" "$root/etc/init.d/"
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
image_write_boot "$disk" "$size" "$root_start" "$loader" "$vmlinuz" "$work/initrd.img"
arguments=()
[ -z "$append" ] || arguments+=(--append "$append")
[ -z "$run" ] || arguments+=("$run")
"$here/set-run.sh" "$disk" "${arguments[@]}"

image_write_root "$disk" "$size" "$root_start" "$root"
mv "$disk" "$image.part"
mv "$image.part" "$image"
say "made $image"
image_finish "$image"
