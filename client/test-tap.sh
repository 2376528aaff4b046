# SPDX-License-Identifier: Apache-2.0
# Sourced by tests of cip as a program that pulls: a folder to work in and a closed world, how a test says what it wants,
# and TAP. Wants $cip, the program, and $check_layout.

# shellcheck shell=bash

work=$(mktemp -d) || exit 1
mark=cip-test-$$-$RANDOM$RANDOM
n=0
bad=0

# Whatever runs with our mark in its environment was started by a cip of ours.
marked() {
        grep -sl "$mark" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

# What a test leaves running; tests that start something put their own in its place.
stop_all() {
        :
}

finish() {
        local pid

        # A process that we forked and that a signal meets before it is another program would run our traps.
        [ "$BASHPID" = $$ ] || return
        stop_all
        for pid in $(marked); do
                kill -KILL "$pid" 2>/dev/null
        done
        chmod -R u+rwx "$work" 2>/dev/null
        rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

cd "$work" || exit 1
mkdir -p tmp run home/.config/containers
export HOME=$work/home TMPDIR=$work/tmp XDG_RUNTIME_DIR=$work/run XDG_CONFIG_HOME=$work/home/.config
export XDG_DATA_HOME=$work/home CONTAINERS_REGISTRIES_CONF=$work/registries.conf
: >registries.conf
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >home/.config/containers/policy.json
unset NO_COLOR REGISTRY_AUTH_FILE CIP_SKOPEO

skip_all() {
        echo "1..0 # SKIP $*"
        exit 0
}

say() {
        printf '%s\n' "$*" >>log
}

# run STATUS ARG ..: cip with these arguments ends with that status. Leaves out and err.
run() {
        local wanted=$1 status=0

        shift
        # shellcheck disable=SC2154 # set by who sources this
        env CIP_TEST_MARK="$mark" "$cip" "$@" >out 2>err </dev/null || status=$?
        [ "$status" -eq "$wanted" ] && return 0
        say "cip $* ended with status $status instead of $wanted"
        say "$(head -c 2000 err)"
        return 1
}

# says WORDS: stderr has them.
says() {
        grep -qF -- "$1" err && return 0
        say "nothing of '$1' in: $(head -c 2000 err)"
        return 1
}

# attempts N: so many were made, as stderr tells them: a line before each but the first.
attempts() {
        local lines

        lines=$(grep -c '^cip: attempt [0-9]* of [0-9]* in [0-9.]* s: ' err)
        [ $((lines + 1)) -eq "$1" ] && return 0
        say "$((lines + 1)) attempts instead of $1: $(head -c 2000 err)"
        return 1
}

# is WHAT FOUND WANTED: they are the same.
is() {
        [ "$2" = "$3" ] && return 0
        say "$1: $2 instead of $3"
        return 1
}

# layout DIR [WORDS]: it is valid, and the judge says that of it.
layout() {
        # shellcheck disable=SC2154 # set by who sources this
        if ! "$check_layout" "$1" >judged 2>&1 || ! grep -qF -- "${2:-}" judged; then
                say "the layout $1: $(cat judged)"
                return 1
        fi
}

# No process of ours is left. Those that were killed need a moment to be gone.
alone() {
        local end=$((SECONDS + 60)) pids

        while pids=$(marked) && [ -n "$pids" ]; do
                if [ "$SECONDS" -ge "$end" ]; then
                        say "processes are left: $(ps -o pid,args -p "${pids//$'\n'/,}")"
                        return 1
                fi
                sleep 0.02
        done
        return 0
}

it() {
        local name=$1 status=0 begun=${EPOCHREALTIME/./}

        shift
        : >log
        "$@" || status=$?
        n=$((n + 1))
        if [ "$status" -eq 0 ]; then
                echo "ok $n - $name"
                echo "# $(((${EPOCHREALTIME/./} - begun) / 1000)) ms"
        elif [ "$status" -eq 77 ]; then
                echo "ok $n - $name # SKIP $(head -n 1 log)"
        else
                bad=$((bad + 1))
                echo "not ok $n - $name"
                sed 's/^/# /' log
        fi
}

# The end of the test.
conclude() {
        echo "1..$n"
        [ "$bad" -eq 0 ]
}
