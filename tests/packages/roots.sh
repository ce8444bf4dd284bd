# shellcheck shell=bash
# The packages under test, and roots to try them in.

# Two releases of the same program, for upgrades. Sets $dist, $version, $arch, $machine.
see_to_packages() {
    [ -z "${dist-}" ] || return 0
    dist=$work/dist
    mkdir -p "$dist"
    rm -f "$dist"/*
    DIST=$dist RELEASE=1 packaging/build
    DIST=$dist RELEASE=2 STATICLET=${STATICLET:-$(echo target/package/*-linux-gnu/release/staticlet)} packaging/build
    version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
    arch=$(dpkg --print-architecture)
    machine=$(uname -m)
}

deb_file() { echo "$dist/staticlet_$version-$1_$arch.deb"; }
rpm_file() { echo "$dist/staticlet-$version-$1.$machine.rpm"; }

see_to_command() {
    command -v "$1" >/dev/null && return
    say "installing $2"
    if command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null
    else
        dnf install -y -q "$2"
    fi
}

# root KIND NAME: a fresh copy of a Debian, its path in $root. KIND: minimal is debootstrap's minbase; full has systemd, Docker
# and the other init systems as well; initramfs a kernel and the tools that make one. Made once, kept in target.
root() {
    local kind=$1 base=$work/$1.base
    root=$work/$2
    rm -rf --one-file-system "$root"
    if [ ! -e "$base/ready" ]; then
        see_to_command debootstrap debootstrap
        local include=()
        case $kind in
            full) include=("--include=systemd,systemd-sysv,docker.io,busybox-static,iproute2,openrc,runit,s6") ;;
            # dracut itself and initramfs-tools exclude each other; the tool is in dracut-core.
            initramfs) include=("--include=initramfs-tools,dracut-core,busybox-static,linux-image-cloud-amd64") ;;
        esac
        say "debootstrap, once: $kind"
        rm -rf --one-file-system "$base"
        debootstrap --variant=minbase "${include[@]}" "${SUITE:-bookworm}" "$base" >"$work/debootstrap.log" 2>&1 ||
            { tail -n 5 "$work/debootstrap.log"; return 1; }
        touch "$base/ready"
    fi
    cp -a "$base" "$root"
    echo box >"$root/etc/hostname"
    cp "$dist"/* "$root/root/"
}

# within ROOT COMMAND...: runs it there as in a chroot of a machine of its own: no other processes, no network but lo.
within() { (become "$@"); }

# The same in place of this shell, so that a signal to it ends all of it.
become() {
    local at=$1
    shift
    # shellcheck disable=SC2016  # for the inner shell
    exec unshare --mount --pid --net --uts --ipc --fork --kill-child --propagation private bash -c '
        ip link set lo up
        hostname testbox
        mount -t proc proc "$0/proc"
        mount -t tmpfs tmpfs "$0/run"
        mount --bind /dev "$0/dev"
        exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
    ' "$at" "$@"
}
