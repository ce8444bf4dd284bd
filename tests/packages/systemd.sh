# shellcheck shell=bash
# The DEB on a machine with systemd and Docker: what the unit promises, with real pods.

try_systemd() {
    local root box='' one two ids
    root full box
    one=/root/$(basename "$(deb_file 1)") two=/root/$(basename "$(deb_file 2)")
    check "a box with systemd and Docker boots" boot "$root"
    make_image || return 0

    check "the DEB is installed" in_box apt-get install -y "$one"
    check "and the agent runs at once" in_box systemctl is-active staticlet
    check "it sees Docker" eventually 10 in_box busybox wget -qO- http://127.0.0.1:10248/healthz
    check "systemd-analyze verify is silent" silent in_box systemd-analyze verify --man=no staticlet.service
    check "systemd-analyze security is below 6" in_box systemd-analyze security --threshold=60 staticlet.service
    check "nothing it starts can gain a privilege" grep -q '^NoNewPrivs:.1$' "/proc/$(main_pid_outside)/status"

    write_pod one
    check "a pod with every kind of volume is ready" eventually 40 is_ready one
    check "what the agent mounted is there for the host and its container" same "$(mounts_of one)" "3 2"
    hold "ProtectSystem=yes\nMountFlags=shared"
    write_pod two
    check "with ProtectSystem= in the unit" eventually 40 is_ready two
    check "it would not be: the unit may have no mount namespace" same "$(mounts_of two)" "0 0"
    rm "$root/etc/kubelet.d/two.yaml"
    let_go
    check "that pod goes" eventually 40 not is_ready two

    ids=$(containers)
    in_box systemctl restart staticlet
    check "a restart touches no container" same "$ids" "$(containers)"
    in_box systemctl kill -s KILL staticlet
    check "an agent that is killed is back" eventually 30 restarts_are 1
    check "and touches no container" same "$ids" "$(containers)"
    check "an upgrade" in_box apt-get install -y "$two"
    check "runs the agent" eventually 10 is_ready one
    check "and touches no container" same "$ids" "$(containers)"
    check "a reload" in_box systemctl reload staticlet
    check "is in the log" eventually 10 sh_box "journalctl -u staticlet | grep 'reading everything again'"

    hold "WatchdogSec=4"
    sleep 6
    check "the watchdog is fed" restarts_are 0
    in_box systemctl kill -s STOP --kill-whom=main staticlet
    check "an agent that stands still is started again" eventually 60 restarts_are 1
    let_go

    echo 'KUBELET_ARGS="--cluster-dns=10.254.0.10 --cluster-domain=kube.local --pod-manifest-path=/etc/kubelet.d/"' >>"$root/etc/default/staticlet"
    in_box systemctl restart staticlet
    check "the line of a kubelet holds" grep -q cluster-domain=kube.local "/proc/$(main_pid_outside)/cmdline"
    echo 'STATICLET_ARGS=--nosuch' >>"$root/etc/default/staticlet"
    check "with a wrong flag it does not start" not in_box systemctl restart staticlet
    sleep 7
    check "nor is that tried again" same "$(in_box systemctl show -P NRestarts,ExecMainStatus staticlet | sort | paste -sd' ')" "0 100"
    sed -i /nosuch/d "$root/etc/default/staticlet"
    in_box systemctl restart staticlet
    check "none of it touched a container" same "$ids" "$(containers)"

    check "removing it says how to stop the pods" sh_box "apt-get remove -y staticlet | grep 'docker ps -q'"
    check "and touches no container" same "$ids" "$(containers)"
    check "purging it says that volumes stay" sh_box "apt-get purge -y staticlet | grep 'pods stays'"
    check "they do" [ -n "$(find "$root/var/lib/staticlet/pods" -name y)" ]
    check "installed again" in_box apt-get install -y "$one"
    check "it takes its pod up" eventually 20 is_ready one
    check "with the containers it has" same "$ids" "$(containers)"
    in_box apt-get remove -y staticlet >/dev/null 2>&1
    sh_box "docker ps -q --filter label=staticlet.root-dir=/var/lib/staticlet | xargs -r docker stop" >/dev/null
    check "purged when no pod runs" in_box apt-get purge -y staticlet
    check "it leaves nothing on the disk" [ ! -e "$root/var/lib/staticlet" ]
    check "nor in Docker" same "$(sh_box "docker ps -aq; docker image ls -q staticlet/pause")" ""
    shut
}

sh_box() { in_box sh -c "$1"; }

# A web server made of busybox; no registry is needed.
make_image() {
    check "an image is made" sh_box "
        mkdir -p /tmp/image/bin /tmp/image/www && cp /bin/busybox /tmp/image/bin/ && ln -s busybox /tmp/image/bin/sh
        echo hello >/tmp/image/www/index.html && tar -C /tmp/image -c . | docker import - web:1"
}

write_pod() {
    cat >"$root/etc/kubelet.d/.new" <<END
apiVersion: v1
kind: Pod
metadata: {name: $1, annotations: {a: b}}
spec:
  terminationGracePeriodSeconds: 2
  securityContext: {fsGroup: 2000, runAsUser: 1000, runAsGroup: 1000}
  containers:
    - name: web
      image: web:1
      command: ["/bin/sh", "-c", "echo x >/mem/x && echo y >/disk/y && trap exit TERM; busybox httpd -f -p 8080 -h /www & wait"]
      readinessProbe: {httpGet: {port: 8080, path: /}, periodSeconds: 1}
      livenessProbe: {exec: {command: [/bin/busybox, cat, /mem/x]}, periodSeconds: 1}
      volumeMounts:
        - {name: mem, mountPath: /mem}
        - {name: disk, mountPath: /disk}
        - {name: disk, mountPath: /part, subPath: part}
        - {name: down, mountPath: /down}
        - {name: host, mountPath: /host}
  volumes:
    - {name: mem, emptyDir: {medium: Memory}}
    - {name: disk, emptyDir: {}}
    - {name: down, downwardAPI: {items: [{path: annotations, fieldRef: {fieldPath: metadata.annotations}}]}}
    - {name: host, hostPath: {path: /home/$1/dir, type: DirectoryOrCreate}}
END
    mv "$root/etc/kubelet.d/.new" "$root/etc/kubelet.d/$1.yaml"
}

is_ready() { in_box staticlet status | grep -q "^default  *$1-box  *1/1"; }
containers() { in_box docker ps -q --no-trunc | sort; }
restarts_are() { [ "$(in_box systemctl show -P NRestarts staticlet)" = "$1" ] && in_box systemctl is-active --quiet staticlet; }

# How many of the pod's mounts (two volumes in memory, the part of one) the host has, and how many in memory its container.
mounts_of() {
    local id
    id=$(in_box docker ps -qf "name=k8s_web_$1-box")
    echo "$(in_box docker inspect -f '{{range .Mounts}}{{println .Source}}{{end}}' "$id" | sort >"$work/sources"
        in_box cat /proc/1/mountinfo | cut -d' ' -f5 | sort | comm -12 - "$work/sources" | wc -l)" \
        "$(in_box docker exec "$id" busybox mount | grep -cE '^tmpfs on /(mem|down) ')"
}

main_pid_outside() {
    local inside pid
    inside=$(in_box systemctl show -P MainPID staticlet)
    for pid in /proc/[0-9]*; do
        [ "$(readlink "$pid/ns/pid")" = "$(readlink "/proc/$box/ns/pid")" ] || continue
        [ "$(awk '/^NSpid:/ { print $NF }' "$pid/status")" = "$inside" ] && basename "$pid" && return
    done 2>/dev/null
}

# hold LINES: puts them into the unit until let_go.
hold() {
    mkdir -p "$root/etc/systemd/system/staticlet.service.d"
    printf '[Service]\n%b\n' "$1" >"$root/etc/systemd/system/staticlet.service.d/test.conf"
    in_box systemctl daemon-reload
    in_box systemctl restart staticlet
}

let_go() {
    rm -r "$root/etc/systemd/system/staticlet.service.d"
    in_box systemctl daemon-reload
    in_box systemctl restart staticlet
}
