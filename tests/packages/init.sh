# shellcheck shell=bash
# The files for other init systems, each under its own: the agent starts, comes back when it is killed, reads again, ends, and
# where the settings are wrong it is left alone (by those that can). Docker does not run there; the agent waits for it.

try_init() {
    local root examples=/usr/share/doc/staticlet/examples/init
    root full init
    check "the DEB is there" within "$root" dpkg -i "/root/$(basename "$(deb_file 1)")"
    cat >"$root/root/lib" <<'END'
set -e
agent() { cat /var/lib/staticlet/agent.lock; }
lives() { busybox wget -qO- http://127.0.0.1:10248/livez >/dev/null 2>&1; }
is_new() { lives && [ "$(agent)" != "$old" ]; }
is_gone() { ! lives; }
told() { grep -rq "reading everything again" /var/log/staticlet*; }
eventually() {
    for _ in $(seq 100); do if "$@"; then return; fi; sleep 0.2; done
    echo "not within 20 s: $*"
    exit 1
}
killed() {
    old=$(agent)
    kill -9 "$old"
    eventually is_new
}
END
    # What OpenRC's own boot makes first: where it keeps what runs.
    check "OpenRC" run_there "$root" "
        cp $examples/openrc/staticlet /etc/init.d/
        for state in exclusive started starting stopping inactive failed scheduled daemons options; do mkdir -p /run/openrc/\$state; done
        touch /run/openrc/softlevel
        rc-service staticlet start
        eventually lives
        killed
        rc-service staticlet reload
        eventually told
        rc-service staticlet stop
        eventually is_gone"
    check "runit" run_there "$root" "
        mkdir -p /tmp/service
        cp -r $examples/runit /etc/sv/staticlet
        ln -s /etc/sv/staticlet /tmp/service/
        runsvdir -P /tmp/service &
        eventually lives
        killed
        export SVDIR=/tmp/service
        sv hup staticlet
        eventually told
        sv -w 20 down staticlet
        eventually is_gone
        echo STATICLET_ARGS=--nosuch >/etc/default/staticlet
        sv up staticlet
        sleep 8
        sv status staticlet | grep '^down'
        [ \$(grep -c nosuch /var/log/staticlet/current) = 1 ]"
    check "s6" run_there "$root" "
        mkdir -p /tmp/scan
        cp -r $examples/s6 /tmp/scan/staticlet
        s6-svscan /tmp/scan >/var/log/staticlet-s6.log 2>&1 &
        eventually lives
        killed
        s6-svc -h /tmp/scan/staticlet
        eventually told
        s6-svc -d /tmp/scan/staticlet
        eventually is_gone
        echo STATICLET_ARGS=--nosuch >/etc/default/staticlet
        s6-svc -u /tmp/scan/staticlet
        sleep 8
        s6-svstat /tmp/scan/staticlet | grep '^down'
        [ \$(grep -c nosuch /var/log/staticlet-s6.log) = 1 ]"
    # The first process of a namespace is its init; the line that starts dockerd finds none, which is tried again as well.
    cp "$root$examples/busybox/inittab" "$root/etc/inittab"
    # shellcheck disable=SC2016  # for that shell
    printf '#!/bin/sh\n. /root/lib\nif eventually lives && killed; then echo yes; fi >/root/busybox-init\n' >"$root/root/ask"
    chmod 755 "$root/root/ask"
    echo '::once:/root/ask' >>"$root/etc/inittab"
    check "BusyBox init" eventually_said "$root"
}

# run_there ROOT SCRIPT: with a clean slate before it.
run_there() {
    rm -rf "$1"/var/log/staticlet* "$1"/var/lib/staticlet/* "$1"/tmp/*
    echo 'STATICLET_ARGS=' >"$1/etc/default/staticlet"
    within "$1" sh -c ". /root/lib
$2"
}

# Whether the script that this init was told to start has found the agent well.
eventually_said() {
    become "$1" busybox init &
    local init=$!
    eventually 30 grep -q yes "$1/root/busybox-init"
    local is=$?
    # unshare turns a deaf ear to less.
    kill -9 "$init"
    wait "$init" 2>/dev/null || true
    return $is
}
