# shellcheck shell=bash
# The DEB in a Debian that has neither systemd nor Docker: a chroot, as of an image build.

try_deb() {
    local root one two unit=etc/systemd/system/multi-user.target.wants/staticlet.service
    root minimal deb
    one=/root/$(basename "$(deb_file 1)") two=/root/$(basename "$(deb_file 2)")

    check "the DEB is smaller than 2 MB" [ "$(stat -c %s "$(deb_file 1)")" -lt 2000000 ]
    check "apt would install Docker with it" sh_within "apt-get install -s $one | grep '^Inst docker.io '"
    check "apt installs it, and starts nothing" sh_within "apt-get install -y --no-install-recommends $one && ! ls -l /proc/*/exe | grep staticlet"
    check "its files are as packed" silent within "$root" dpkg -V staticlet
    check "the service is enabled for the next boot" [ -L "$root/$unit" ]
    check "the program runs" within "$root" staticlet --version
    check "the examples are good" within "$root" staticlet check /usr/share/doc/staticlet/examples
    check "the settings are good" sh_within ". /etc/default/staticlet; staticlet config --config=/etc/staticlet/config.yaml \$STATICLET_ARGS"
    check "there is a man page" sh_within "zcat /usr/share/man/man*/staticlet.*.gz | grep '^.TH STATICLET'"
    check "bash completes it" sh_within "bash -c '. /usr/share/bash-completion/completions/staticlet && complete -p staticlet'"
    check "so do zsh and fish" grep -l -w staticlet "$root/usr/share/zsh/vendor-completions/_staticlet" \
        "$root/usr/share/fish/vendor_completions.d/staticlet.fish"

    echo '# mine' | tee -a "$root/etc/default/staticlet" "$root/etc/staticlet/config.yaml" >/dev/null
    echo '# mine' >"$root/etc/kubelet.d/pod.yaml"
    check "an upgrade asks nothing" within "$root" apt-get install -y --no-install-recommends "$two"
    check "and keeps the settings" sh_within "grep -q mine /etc/default/staticlet && grep mine /etc/staticlet/config.yaml"
    check "a service that was disabled" sh_within "rm /$unit && apt-get install -y --allow-downgrades --no-install-recommends $one"
    check "stays disabled" [ ! -e "$root/$unit" ]

    check "removing it asks nothing" within "$root" apt-get remove -y staticlet
    check "takes the program" [ ! -e "$root/usr/bin/staticlet" ]
    check "and keeps settings and manifests" [ -e "$root/etc/staticlet/config.yaml" -a -e "$root/etc/kubelet.d/pod.yaml" ]

    mkdir -p "$root"/var/lib/staticlet/{manifests,pods/uid/volumes}
    touch "$root"/var/lib/staticlet/{agent.lock,manifests/a,pods/uid/volumes/a,config.json}
    check "where Docker does not tell whether pods run, purge says that their volumes stay" \
        sh_within "apt-get purge -y staticlet | grep '/var/lib/staticlet/pods stays'"
    check "and they do, with the credentials alone" same "$(cd "$root/var/lib/staticlet" && find . -type f | sort | paste -sd' ')" \
        "./config.json ./pods/uid/volumes/a"
    check "the settings are gone" [ ! -e "$root/etc/staticlet" -a ! -e "$root/etc/default/staticlet" ]
    check "the manifests are not" [ -e "$root/etc/kubelet.d/pod.yaml" ]

    rm -r "$root/var/lib/staticlet"
    check "installed and purged without pods" sh_within "apt-get install -y --no-install-recommends $one && apt-get purge -y staticlet"
    check "it leaves nothing" same "$(find "$root" -xdev -name '*staticlet*' -not -path '*/root/*')" ""
}

sh_within() { within "$root" sh -c "$1"; }
