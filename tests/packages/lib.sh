# shellcheck shell=bash
# What every part uses: checks, and waiting.

passed=0
failed=0

say() { printf '\n== %s\n' "$*"; }

# check SENTENCE COMMAND...: counts whether the command succeeds; what it said is shown when it does not.
check() {
    local sentence=$1 said=$work/said
    shift
    if "$@" >"$said" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok      $sentence"
    else
        failed=$((failed + 1))
        echo "FAILED  $sentence: $*"
        tail -n 30 "$said" | sed 's/^/        /'
    fi
}

not() { ! "$@"; }

# eventually SECONDS COMMAND...: whether it succeeds within that time.
eventually() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.5
    done
}

# same TEXT TEXT
same() {
    [ "$1" = "$2" ] && return
    printf 'before: %s\nafter:  %s\n' "$1" "$2"
    return 1
}

# silent COMMAND...: succeeds and says nothing.
silent() {
    local said
    said=$("$@" 2>&1) || { echo "$said"; return 1; }
    [ -z "$said" ] || { echo "$said"; return 1; }
}

finish() {
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" = 0 ]
}
