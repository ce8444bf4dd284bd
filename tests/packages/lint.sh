# shellcheck shell=bash
# What the distributions' own checkers say; the overrides in the packages say why each of them is there.

try_lint() {
    see_to_command lintian lintian
    see_to_command rpmlint rpmlint
    see_to_command systemd-analyze systemd
    check "lintian has nothing to say, not even in a whisper" \
        silent lintian --allow-root --display-info --pedantic "$(deb_file 1)"
    # Without --strict it succeeds with warnings.
    check "rpmlint has nothing to say" rpmlint --strict --config packaging/rpm/rpmlint.toml "$(rpm_file 1)"
    check "no override is left that nothing needs" \
        not sh -c "lintian --allow-root --display-info --pedantic '$(deb_file 1)' | grep unused-override"
}
