# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
# What the scripts that make guest disks share: the cache, packages of the i386 archive, partitions, boot loaders.
# The script that sources this file sets: here (this folder), fresh (not empty: ask the archive again) and output
# (-o's file or nothing).
#
#   sector 0        MBR: SYSLINUX's or GRUB's boot code, partition 1 active
#   1..2047         GRUB's core image, with --loader grub
#   1 MiB..         partition 1, FAT16: kernel, initrd, boot loader and its configuration
#   ..              partition 2, ext4: the root
export PATH=$PATH:/sbin:/usr/sbin LC_ALL=C MTOOLS_SKIP_CHECK=1
. "$here/../packages.sh"

program=${0##*/}
fail() { echo "$program: $*" >&2; exit 1; }
say() { echo "$program: $*" >&2; }

suite=bookworm
fat_start=1 # MiB
cache=${XDG_CACHE_HOME:-$HOME/.cache}/emu
packages=$cache/packages

# image_check_size MB LEAST
image_check_size() {
    case $1 in '' | *[!0-9]*) fail "--size $1: a number of megabytes" ;; esac
    [ "$1" -ge "$2" ] && [ "$1" -le 8192 ] || fail "--size $1: from $2 to 8192 megabytes"
}

# image_open [NAME]: makes the cache; from here on this is the only builder of that kind (tests start several).
image_open() {
    mkdir -p "$packages" "$cache/images" || fail "$cache: cannot be made; set XDG_CACHE_HOME"
    exec 9>"$cache/lock${1:-}"
    if command -v flock >/dev/null && ! flock -n 9; then
        say "waiting for another builder of images in $cache"
        flock 9
    fi
}

# image_finish IMAGE: hands the cached image out and ends.
image_finish() {
    local image=$1
    if [ -n "$output" ]; then
        cp --sparse=always "$image" "$output.part" && mv "$output.part" "$output" ||
            fail "$output: cannot be written"
        image=$output
    fi
    echo "$image"
    exit 0
}

# --- packages: an apt of our own for i386 and the main suite, which leaves the system's settings alone -------------
# image_work: the scratch folder $work, and the archive's address $mirror.
image_work() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mirror=${EMU_DEBIAN_MIRROR:-}
    if [ -z "$mirror" ]; then
        mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(SITE)' 'Created-By: Packages' 2>/dev/null |
            sed -n "s/^$suite main //p" | head -n 1)
    fi
    mirror=${mirror:-http://deb.debian.org/debian}
}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
apt_ready=
apt_own() {
    local name=$1
    shift
    "$name" -o Dir::State="$work/apt" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt/cache" \
        -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- -o APT::Architecture=i386 \
        -o APT::Architectures::=i386 -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" \
        -o Debug::NoLocking=1 -o Acquire::Retries=3 "$@"
}
apt_index() {
    [ -z "$apt_ready" ] || return 0
    mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
    : >"$work/apt/status"
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

# --- the disk ------------------------------------------------------------------------------------------------------
# image_write_boot DISK SIZE ROOT_START LOADER KERNEL INITRD: partitions, boot loader, kernel (sizes in MiB).
image_write_boot() {
    local disk=$1 size=$2 root_start=$3 loader=$4 fat fat_size mbr lib
    fat_size=$((root_start - fat_start))
    fat="$disk@@${fat_start}M"
    truncate -s "${size}M" "$disk"
    sfdisk -q "$disk" <<TEXT
label: dos
label-id: 0x656d7531
start=$((fat_start * 2048)), size=$((fat_size * 2048)), type=e, bootable
start=$((root_start * 2048)), size=$(((size - root_start) * 2048)), type=83
TEXT
    mformat -i "$fat" -T $((fat_size * 2048)) -h 255 -s 63 -H $((fat_start * 2048)) -N 656d7531 -v EMUBOOT ::
    mcopy -i "$fat" "$5" ::/vmlinuz
    mcopy -i "$fat" "$6" ::/initrd.img
    : >"$work/empty"
    case $loader in
    syslinux)
        mbr=/usr/lib/syslinux/mbr/mbr.bin
        [ -f "$mbr" ] || fail "$mbr is missing; install syslinux-common"
        dd if="$mbr" of="$disk" bs=440 count=1 conv=notrunc status=none
        mcopy -i "$fat" "$work/empty" ::/syslinux.cfg
        syslinux --install --offset $((fat_start * 1048576)) "$disk"
        ;;
    grub)
        lib=/usr/lib/grub/i386-pc
        [ -f "$lib/boot.img" ] || fail "$lib/boot.img is missing; install grub-pc-bin"
        echo 'set root=(hd0,msdos1)
configfile /grub.cfg' >"$work/early.cfg"
        grub-mkimage -O i386-pc -d "$lib" -p '(hd0,msdos1)/' -c "$work/early.cfg" -o "$work/core.img" biosdisk \
            part_msdos fat configfile normal linux serial terminal echo test minicmd
        [ "$(stat -c %s "$work/core.img")" -le $((2047 * 512)) ] ||
            fail "GRUB's core image does not fit before partition 1"
        # boot.img loads sector 1 and core.img's first sector the ones after it: no block list has to be changed.
        dd if="$lib/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
        dd if="$work/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
        mcopy -i "$fat" "$work/empty" ::/grub.cfg
        ;;
    esac
}

# image_write_root DISK SIZE ROOT_START TREE [SUDO]: the ext4 file system with what is in TREE. Its owners are kept when
# SUDO is there (and may be empty); otherwise root owns all.
image_write_root() {
    local ext4=$work/root.img sudo=${5-}
    truncate -s "$(($2 - $3))M" "$ext4"
    $sudo env E2FSPROGS_FAKE_TIME=1700000000 mke2fs -q -F -t ext4 -L emu-root -U 656d7500-0000-4000-8000-000000000001 \
        -E root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,hash_seed=656d7500-0000-4000-8000-000000000002 \
        -d "$4" "$ext4" || fail "the root file system could not be made; is --size $2 enough?"
    if [ $# -lt 5 ] && [ "$(id -u)" != 0 ]; then
        (cd "$4" && find . -mindepth 1 | sed 's/^\.//' | while read -r path; do
            printf 'sif "%s" uid 0\nsif "%s" gid 0\n' "$path" "$path"
        done) | debugfs -w "$ext4" >/dev/null 2>&1
    fi
    dd if="$ext4" of="$1" bs=1M seek="$3" conv=notrunc,sparse status=none
}
