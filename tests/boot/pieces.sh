# shellcheck shell=bash
# What goes into the initramfs: Debian's kernel, Docker and BusyBox, unpacked and never installed, and our program.

see_to_tools() {
    local pair
    for pair in qemu-system-x86_64:qemu-system-x86 depmod:kmod cpio:cpio readelf:binutils; do
        see_to_command "${pair%:*}" "${pair#*:}"
    done
}

# Sets $program.
see_to_program() {
    program=${STATICLET-}
    if [ -z "$program" ]; then
        cargo build --release
        program=$(ls -t target/*/release/staticlet target/release/staticlet 2>/dev/null | head -n 1)
    fi
    check "the program is static" not sh -c "LC_ALL=C readelf -lW '$program' | grep INTERP"
}

# Unpacks the packages into $debian, once for each set of versions; sets $kernel and $release as well.
see_to_debian() {
    local image packages list
    [ -n "$(apt-cache show linux-image-cloud-amd64 2>/dev/null)" ] || apt-get update -qq
    image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)
    # Of what Docker depends on, that which it loads or starts: the rest is for its installation.
    packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
        docker.io iptables | grep -E '^(lib|zlib|docker.io|containerd|runc|iptables)' | sort -u)
    # shellcheck disable=SC2086  # several packages
    list=$(apt-cache policy $image $packages busybox-static | grep -E '^[a-z]|Candidate')
    debian=$work/debian
    if [ "$(cat "$debian/list" 2>/dev/null)" != "$list" ]; then
        say "kernel and Docker from Debian's packages"
        rm -rf "$debian" "$work/debs"
        mkdir -p "$debian" "$work/debs"
        # shellcheck disable=SC2086
        (cd "$work/debs" && apt-get download -qq $image $packages busybox-static 2>/dev/null)
        for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$debian"; done
        rm -r "$work/debs"
        echo "$list" >"$debian/list"
    fi
    kernel=$(ls "$debian"/boot/vmlinuz-*)
    release=${kernel##*/vmlinuz-}
}
