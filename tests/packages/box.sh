# shellcheck shell=bash
# A box: systemd as the first process of namespaces of its own, with what Debian starts, dockerd included. No virtual machine
# and no container of the machine's Docker: what reaches which mount namespace is just what is to be seen.

# Boots a root; its pid in $box.
boot() {
    local at=$1 log=$work/boot.log
    ROOT=$at setsid bash -c "$(declare -f box_outside box_inside); box_outside" </dev/null >"$log" 2>&1 &
    local outside=$!
    trap 'shut' EXIT
    eventually 20 systemd_of "$outside" || { cat "$log"; return 1; }
    eventually 60 is_up || { in_box systemctl --no-pager list-jobs; in_box systemctl --no-pager --failed; return 1; }
}

# Sets $box to the child, once it has become systemd.
systemd_of() {
    box=$(cat "/proc/$1/task/$1/children") && box=${box%% *}
    [ -n "$box" ] && [ "$(cat "/proc/$box/comm")" = systemd ]
} 2>/dev/null

is_up() { [ "$(in_box systemctl is-system-running 2>/dev/null)" = running ]; }

in_box() {
    nsenter -t "$box" -m -p -n -u -i -C /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"
}

# The end of its first process is the end of all of them.
shut() {
    [ -n "${box-}" ] || return 0
    kill -9 "$box"
    eventually 20 [ ! -e "/proc/$box" ]
    box=
    find /sys/fs/cgroup -depth -path '*/staticlet-test*' -type d -exec rmdir {} + 2>/dev/null || true
}

# A cgroup of its own, so that this systemd manages nobody else's.
box_outside() {
    local cgroup=/sys/fs/cgroup hierarchy
    if [ -e $cgroup/cgroup.controllers ]; then
        mkdir -p $cgroup/staticlet-test
        echo $$ >$cgroup/staticlet-test/cgroup.procs
    else
        for hierarchy in $cgroup/*/; do
            mkdir -p "$hierarchy/staticlet-test"
            [ ! -e "$hierarchy/cpuset.cpus" ] || for file in cpuset.cpus cpuset.mems; do
                cat "$hierarchy/$file" >"$hierarchy/staticlet-test/$file"
            done
            echo $$ >"$hierarchy/staticlet-test/cgroup.procs"
        done
    fi
    export -f box_inside
    exec unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child --propagation private bash -c box_inside
}

box_inside() {
    set -e
    mount --bind "$ROOT" "$ROOT"
    cd "$ROOT"
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        mount -t cgroup2 cgroup2 sys/fs/cgroup
    else
        mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
        for hierarchy in /sys/fs/cgroup/*/; do
            name=$(basename "$hierarchy")
            mkdir "sys/fs/cgroup/$name"
            case $name in
                systemd) mount -t cgroup -o none,name=systemd cgroup "sys/fs/cgroup/$name" ;;
                unified) mount -t cgroup2 cgroup2 "sys/fs/cgroup/$name" ;;
                *) mount -t cgroup -o "$name" cgroup "sys/fs/cgroup/$name" ;;
            esac
        done
    fi
    mount -t tmpfs -o mode=755 tmpfs dev
    for name in null zero full random urandom tty; do
        touch "dev/$name"
        mount --bind "/dev/$name" "dev/$name"
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    mount -t tmpfs tmpfs run
    ip link set lo up
    hostname box
    mkdir -p mnt/old
    pivot_root . mnt/old
    umount -l mnt/old
    exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=null --show-status=no
}
