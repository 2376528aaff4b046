# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts beside it. Goes to the root of the clone, knows the folders that the scripts share, and
# counts tests: every stage of ci/test ends with the line "N passed, N failed, N skipped" that summary prints.

# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 2

work=build/test          # everything that ci/test makes, one folder a configuration
prefix=$root/$work/prefix # where the gcc build is installed, for the tests of what is installed
jobs=$(nproc)
passed=0
failed=0
skipped=0

ok() {
        passed=$((passed + 1))
        printf 'ok    %s\n' "$*"
}

not_ok() {
        failed=$((failed + 1))
        printf 'FAIL  %s\n' "$*"
}

skip() {
        skipped=$((skipped + 1))
        printf 'skip  %s\n' "$*"
}

# A skip where the machine lacks something; in CI, where ci/setup has installed it, that is a failure.
lacking() {
        if [ "${CI:-}" = true ]; then
                not_ok "$* (in CI this must run)"
        else
                skip "$*"
        fi
}

# The last line of a stage; its status is the stage's.
summary() {
        printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
        [ "$failed" -eq 0 ]
}

# Takes counts of "N passed, N failed, N skipped" into our own.
add_counts() {
        local p f s

        if [[ $1 =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
                p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[3]}
                passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
                return 0
        fi
        return 1
}

die() {
        printf '%s: %s\n' "${0#"$root"/}" "$*" >&2
        exit 2
}

# Takes the counts of a report of cip-conformance, which ended with STATUS, into our own. A known defect is what
# the baseline says, and so as it should be.
add_report() {
        local report=$1 status=$2 name=$3

        if ! add_counts "$(jq -r '.counts | "\((.pass // 0) + (.known // 0)) passed, \(
                (.fail // 0) + (.fixed // 0) + (.error // 0)) failed, \(.skip // 0) skipped"' "$report")"; then
                not_ok "$name: no report (status $status)"
        elif [ "$status" -ne 0 ]; then
                not_ok "$name: status $status"
        else
                ok "$name: status 0"
        fi
}

# Words of the scripts' own opening comment, for --help.
help() {
        sed -n '4,/^[^#]/{s/^# \{0,1\}//p}' "$0"
}

# Every C source and header of ours.
c_files() {
        find . -name '*.[ch]' ! -path './build*' ! -path './.*' -printf '%P\n' | sort
}

scripts() {
        find . -type f ! -path './build*' ! -path './.git/*' -printf '%P\n' | sort | xargs awk '
                FNR == 1 { if ($0 ~ /^#!\/bin\/(ba)?sh/) print FILENAME; nextfile }'
}
