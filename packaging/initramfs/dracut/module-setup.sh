#!/bin/bash
# For dracut: `dracut --add staticlet`, or add_dracutmodules+=" staticlet " in /etc/dracut.conf.d/staticlet.conf
# It puts in the program, its settings, the manifests, and the kernel modules that Docker wants. Who starts it, and Docker, is the
# business of the initramfs it goes into.

check() {
    require_binaries staticlet || return 1
    # Only when somebody asks for it.
    return 255
}

depends() { return 0; }

installkernel() {
    hostonly='' instmods overlay bridge br_netfilter veth nft_compat nft_chain_nat xt_conntrack xt_MASQUERADE xt_addrtype xt_nat xt_tcpudp
}

install() {
    inst_binary staticlet /usr/bin/staticlet
    inst_dir /etc/kubelet.d
    inst_multiple -o /etc/staticlet/config.yaml /etc/kubelet.d/*.yaml /etc/kubelet.d/*.yml /etc/kubelet.d/*.json
}
