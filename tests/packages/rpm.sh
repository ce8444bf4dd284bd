# shellcheck shell=bash
# The RPM in a root that has nothing but a shell: no systemd, then one that only writes down what it is told.

try_rpm() {
    see_to_command rpm rpm
    local root=$work/rpm said=$work/rpm/var/systemctl.said
    rm -rf --one-file-system "$root"
    mkdir -p "$root/var" "$root/proc" "$root/dev" "$root/run"
    rpm --root "$root" --initdb
    pack_shell
    check "the RPM is smaller than 2 MB" [ "$(stat -c %s "$(rpm_file 1)")" -lt 2000000 ]
    check "a shell for the scriptlets is all that it requires" into -U "$work/shell.rpm"
    check "rpm installs it" into -i "$(rpm_file 1)"
    check "its files are as packed" silent into -V staticlet
    check "the program runs" chroot "$root" /usr/bin/staticlet --version
    check "there are completions and a man page" ls -l "$root"/usr/share/{man/man8/staticlet.8.gz,zsh/site-functions/_staticlet} \
        "$root"/usr/share/{bash-completion/completions/staticlet,fish/vendor_completions.d/staticlet.fish}
    check "Docker is recommended" sh -c "rpm -qp --recommends '$(rpm_file 1)' | grep moby-engine"

    echo '# mine' | tee -a "$root/etc/sysconfig/staticlet" "$root/etc/staticlet/config.yaml" >/dev/null
    echo '# mine' >"$root/etc/kubelet.d/pod.yaml"
    check "an upgrade" into -U "$(rpm_file 2)"
    check "keeps the settings" grep -q mine "$root/etc/sysconfig/staticlet" "$root/etc/staticlet/config.yaml"
    check "rpm removes it" into -e staticlet
    check "and takes the program" [ ! -e "$root/usr/bin/staticlet" ]
    check "and keeps the manifests" [ -e "$root/etc/kubelet.d/pod.yaml" ]

    # shellcheck disable=SC2016  # for that shell
    printf '#!/bin/sh\necho "$*" >>/var/systemctl.said\n' >"$root/bin/systemctl"
    chmod 755 "$root/bin/systemctl"
    check "installed while systemd does not run" into -i "$(rpm_file 1)"
    check "it is enabled by its preset, and not started" same "$(cat "$said")" "--no-reload preset staticlet.service"
    into -e staticlet
    rm "$said"
    mkdir -p "$root/run/systemd/system"
    check "installed while systemd runs" into -i "$(rpm_file 1)"
    check "it is started" same "$(tail -n 1 "$said")" "start staticlet.service"
    check "an upgrade" into -U "$(rpm_file 2)"
    check "restarts it if it runs" same "$(tail -n 1 "$said")" "try-restart staticlet.service"
    rm "$said"
    check "and a removal" into -e staticlet
    check "stops it" same "$(tr '\n' ';' <"$said")" "--no-reload disable staticlet.service;stop staticlet.service;daemon-reload;"
}

into() { rpm --root "$root" "$@"; }

# A package that is nothing but a shell with its usual commands, so that nothing has to be forced.
pack_shell() {
    see_to_command busybox busybox-static
    mkdir -p "$work/shell"
    cat >"$work/shell/shell.spec" <<END
Name: shell
Version: 1
Release: 1
Summary: A shell
License: GPL-2.0-only
Provides: /bin/sh
AutoReqProv: no
%global debug_package %{nil}
%global __os_install_post %{nil}
%description
A shell.
%install
mkdir -p %{buildroot}/bin
cp "$(command -v busybox)" %{buildroot}/bin/busybox
for command in sh cat echo grep; do ln -s busybox %{buildroot}/bin/\$command; done
%files
/bin/*
END
    rpmbuild -bb --quiet --define "_topdir $work/shell" "$work/shell/shell.spec"
    mv "$work"/shell/RPMS/*/shell-1-1.*.rpm "$work/shell.rpm"
}
