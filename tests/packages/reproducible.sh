# shellcheck shell=bash
# The same commit gives the same bytes, wherever it is compiled.

try_reproducible() {
    local there=$work/elsewhere one=$work/one two=$work/two
    rm -rf "$there" "$one" "$two"
    mkdir -p "$there"
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
    export SOURCE_DATE_EPOCH
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$there"
    DIST=$one packaging/build
    (cd "$there" && DIST=$two packaging/build)
    check "two places, one package" diff -r "$one" "$two"
}
