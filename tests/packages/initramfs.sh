# shellcheck shell=bash
# The hook and the dracut module, each with its tool and a kernel of Debian: what they make has the program, the settings, the
# manifests and the modules, and none of it where nobody has asked.

try_initramfs() {
    local root
    [ "$(uname -m)" = x86_64 ] || { echo "the kernel of this part is an amd64 one"; return; }
    root initramfs initramfs
    check "the DEB is there" within "$root" dpkg -i "/root/$(basename "$(deb_file 1)")"
    cp packaging/examples/static-web.yaml "$root/etc/kubelet.d/"

    # Few drivers: what else is in there is not looked at, and packing it takes minutes.
    echo MODULES=list >"$root/etc/initramfs-tools/conf.d/few"
    check "mkinitramfs without the hook" makes plain "mkinitramfs -o /root/plain.img \$release"
    check "puts nothing of ours in" [ ! -e "$root/root/plain/usr/bin/staticlet" ]
    cp "$root/usr/share/doc/staticlet/examples/initramfs-tools" "$root/etc/initramfs-tools/hooks/staticlet"
    check "mkinitramfs with the hook" makes hooked "mkinitramfs -o /root/hooked.img \$release"
    check "lsinitramfs shows the program" within "$root" sh -c "lsinitramfs /root/hooked.img | grep -x usr/bin/staticlet"
    is_whole hooked

    local dracut="dracut --no-hostonly --gzip --omit 'kernel-modules kernel-modules-extra' --kver \$release"
    check "dracut without the module" makes bare "$dracut /root/bare.img"
    check "puts nothing of ours in" [ ! -e "$root/root/bare/usr/bin/staticlet" ]
    check "dracut with the module" makes added "$dracut --add staticlet /root/added.img"
    check "lsinitrd shows the program" within "$root" sh -c "lsinitrd /root/added.img | grep usr/bin/staticlet"
    is_whole added
}

# makes NAME COMMAND: runs it for the kernel of the root, and unpacks what comes out, /root/NAME.img, into /root/NAME.
makes() {
    within "$root" sh -ec "release=\$(ls /lib/modules); $2
        rm -rf /root/$1; unmkinitramfs /root/$1.img /root/$1
        [ ! -e /root/$1/main ] || { mv /root/$1/main /root/main; rm -r /root/$1; mv /root/main /root/$1; }"
}

is_whole() {
    local inside=$root/root/$1 module
    check "the program runs there, and nothing else has to" chroot "$inside" /usr/bin/staticlet --version
    check "it is the same program" cmp "$root/usr/bin/staticlet" "$inside/usr/bin/staticlet"
    check "the settings are good there" chroot "$inside" /usr/bin/staticlet config --config=/etc/staticlet/config.yaml
    check "the manifest is good there" chroot "$inside" /usr/bin/staticlet check /etc/kubelet.d/static-web.yaml
    for module in overlay veth bridge br_netfilter nft_compat nft_chain_nat xt_MASQUERADE; do
        check "the module $module is there" grep -q "/$module.ko" "$inside"/lib/modules/*/modules.dep
    done
}
