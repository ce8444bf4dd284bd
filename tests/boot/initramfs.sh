# shellcheck shell=bash
# The initramfs: a root made from nothing, packed for the kernel.

# What a bridge, the rules of a published port and layered images need.
modules=(overlay bridge br_netfilter veth nf_tables nft_compat nft_chain_nat nf_nat nf_conntrack xt_conntrack xt_MASQUERADE
    xt_addrtype xt_nat xt_tcpudp xt_comment nf_conntrack_netlink)

make_initramfs() {
    room=$work/room
    rm -rf "$room"
    mkdir -p "$room"/{bin,sbin,usr/bin,usr/sbin,lib64,lib/x86_64-linux-gnu,proc,sys,dev,run,tmp,var/lib/staticlet/images}
    cp -r tests/boot/root/. "$room"
    mknod -m 600 "$room/dev/console" c 5 1
    put_busybox
    put_docker
    put_modules
    put_image "$room/var/lib/staticlet/images/hello.tar"
    cp "$program" "$room/usr/bin/staticlet"
    # Our own lines for this init, with what is to be asked at the end.
    sed 's|--pod-manifest-path=[^ ]*|& --image-preload-dir=/var/lib/staticlet/images|' packaging/init/busybox/inittab |
        cat tests/boot/root/etc/inittab - >"$room/etc/inittab"
    (cd "$room" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$work/initramfs"
}

put_busybox() {
    local applet
    cp "$debian/bin/busybox" "$room/bin/"
    for applet in $("$debian/bin/busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$room/bin/$applet"
    done
    ln -s /bin/busybox "$room/init"
    # Where the kernel looks for it.
    ln -s /bin/busybox "$room/sbin/modprobe"
}

put_docker() {
    local name
    cp "$debian"/usr/sbin/dockerd "$debian"/usr/sbin/xtables-nft-multi "$debian"/usr/sbin/runc "$room/usr/sbin/"
    cp "$debian"/usr/bin/containerd "$debian"/usr/bin/containerd-shim-runc-v2 "$room/usr/bin/"
    for name in iptables ip6tables; do ln -s xtables-nft-multi "$room/usr/sbin/$name"; done
    mkdir -p "$room/usr/lib/x86_64-linux-gnu"
    cp -r "$debian/usr/lib/x86_64-linux-gnu/xtables" "$room/usr/lib/x86_64-linux-gnu/"
    cp -L "$debian/lib64/ld-linux-x86-64.so.2" "$room/lib64/"
    put_libraries "$room"/usr/sbin/{dockerd,xtables-nft-multi,runc} "$room"/usr/bin/containerd*
}

# put_libraries FILE...: the libraries that these name, and those that they name.
put_libraries() {
    local file name at
    for file in "$@"; do
        for name in $(LC_ALL=C readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
            [ ! -e "$room/lib/x86_64-linux-gnu/$name" ] || continue
            at=$(find "$debian/lib" "$debian/usr/lib" -name "$name" -not -path '*/xtables/*' | head -n 1)
            [ -n "$at" ] || { echo "$file wants $name, which is in none of the packages"; return 1; }
            cp -L "$at" "$room/lib/x86_64-linux-gnu/$name"
            put_libraries "$room/lib/x86_64-linux-gnu/$name"
        done
    done
}

put_modules() {
    local from=$debian/lib/modules/$release to=$room/lib/modules/$release module
    [ -e "$from/modules.dep" ] || depmod -b "$debian" "$release"
    mkdir -p "$to"
    cp "$from/modules.order" "$from/modules.builtin" "$from/modules.builtin.modinfo" "$to/"
    for module in "${modules[@]}"; do
        # One line for each: the module, and all that it depends on.
        sed -n "s|\(.*/$module\.ko\):|\1|p" "$from/modules.dep"
    done | tr ' ' '\n' | sort -u | (cd "$from" && xargs cp --parents -t "$to")
    depmod -b "$room" "$release"
    printf '%s\n' "${modules[@]}" >"$room/etc/modules"
}

# put_image FILE: an archive as of `docker save`, made without Docker: BusyBox alone.
put_image() {
    local at=$work/image digest
    rm -rf "$at"
    mkdir -p "$at/layer/bin" "$at/save/1"
    cp "$debian/bin/busybox" "$at/layer/bin/"
    ln -s busybox "$at/layer/bin/sh"
    tar -C "$at/layer" --owner=0 --group=0 -cf "$at/save/1/layer.tar" .
    digest=$(sha256sum <"$at/save/1/layer.tar" | cut -d' ' -f1)
    printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$digest" >"$at/save/config.json"
    echo '[{"Config":"config.json","RepoTags":["hello:1"],"Layers":["1/layer.tar"]}]' >"$at/save/manifest.json"
    tar -C "$at/save" --owner=0 --group=0 -cf "$1" .
}
