#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# test-retry-registry.sh CIP-QUICK CHECK-LAYOUT CIP-FAKEREGISTRY
#
# cip pull --retry with the real skopeo behind it and a registry that does wrong behind that: what the user is told, how
# often the registry is asked, and that what has come is not fetched again. The servers are the commands of
# CIP_TEST_SKOPEO (separated by colons), else the skopeo on PATH. CIP-QUICK hardly waits between attempts; skopeo's own
# patience is what it is. Prints TAP; skipped where there is no skopeo.
set -u -o pipefail

cip=$(realpath "$1")
check_layout=$(realpath "$2")
fakeregistry=$(realpath "$3")
# shellcheck source=client/test-tap.sh
. "$(dirname "$0")/test-tap.sh"

registry=
stop_all() {
        [ -z "$registry" ] || kill "$registry" 2>/dev/null
        [ -z "$registry" ] || wait "$registry"
        registry=
}

command -v jq >/dev/null || skip_all "there is no jq"

# registry_with RULES [AUTH]: begins a test. The address is in $address.
registry_with() {
        stop_all
        rm -rf pulled requests told
        mkfifo told || return 1
        echo "{\"scenario\": \"trouble\", \"about\": \"Trouble.\", \"images\": [{\"repository\": \"a\", \"tag\": \"t\",
                \"layers\": [{\"size\": 300000, \"count\": 4}]}], ${2:-} \"rules\": [$1]}" >trouble.json
        "$fakeregistry" check trouble.json >>log 2>&1 || return 1
        "$fakeregistry" --scenario trouble.json --log requests >told &
        registry=$!
        read -r address <told
}

# pull STATUS ARG ..
pull() {
        local status=$1

        shift
        run "$status" --skopeo "$server" --tls-verify=false pull "docker://$address/a:t" oci:pulled:t "$@"
}

# asked FILTER: how many requests were so, once the registry has ended and its log is whole.
asked() {
        stop_all
        jq -s "map(select($1)) | length" requests
}

# What the registry has, in the folder src; and the digests of the layers.
learn_image() {
        local manifest

        registry_with '' && pull 0 && mv pulled src && layout src "images 1" || return 1
        manifest=$(jq -r '.manifests[0].digest' src/index.json)
        mapfile -t layers < <(jq -r '.layers[].digest' "src/blobs/sha256/${manifest#*:}")
        is "layers" "${#layers[@]}" 4
}

whole() {
        local file

        layout pulled "images 1" && layout pulled "left-over 0" || return 1
        for file in src/blobs/sha256/*; do
                cmp "$file" "pulled/${file#src/}" >>log 2>&1 || return 1
        done
}

# Each layer was sent whole once.
nothing_was_fetched_twice() {
        local layer

        for layer in "${layers[@]}"; do
                is "$layer, sent whole" "$(asked ".reference == \"$layer\" and .status < 300 and .end == \"complete\"")" 1 || return 1
        done
}

busy_once() {
        registry_with '{"when": {"kind": "manifest", "nth": 1}, "status": 503}' && pull 0 --retry 1 && attempts 2 &&
                says "503" && whole &&
                registry_with '{"when": {"kind": "blob", "nth": 4}, "status": 502}' && pull 0 --retry 1 && attempts 2 &&
                says "502" && whole && nothing_was_fetched_twice && is manifests "$(asked '.kind == "manifest"')" 1
}

# skopeo itself waits as long as Retry-After says, and asks five times.
too_many_requests() {
        registry_with '{"when": {"kind": "blob", "from": 3, "until": 7}, "status": 429, "headers": {"Retry-After": "0"}}' &&
                pull 0 --jobs 1 --retry 2 && attempts 2 && says "too" && says "equests" && whole &&
                nothing_was_fetched_twice && is "answers of 429" "$(asked '.status == 429')" 5
}

# Newer releases go on by themselves where that seems worth it, and then there is nothing left to try again.
each_layer_is_cut_once() {
        local layer rules=

        for layer in "${layers[@]}"; do
                rules+="${rules:+, }{\"when\": {\"kind\": \"blob\", \"reference\": \"$layer\", \"nth\": 1}, $1}"
        done
        registry_with "$rules" && pull 0 --retry 3 && whole && nothing_was_fetched_twice
}

a_stall_in_a_layer() {
        registry_with "{\"when\": {\"kind\": \"blob\", \"reference\": \"${layers[0]}\", \"nth\": 1}, \"stall\": {\"after\": 100}}" &&
                pull 0 --retry 1 --stall-timeout 1 && attempts 2 && says "data came for 1 seconds" && whole
}

damage() {
        echo "{\"when\": {\"kind\": \"blob\", \"reference\": \"${layers[1]}\"${1:-}}, \"corrupt_at\": 100}"
}

a_damaged_layer() {
        registry_with "$(damage ', "nth": 1')" && pull 0 --retry 5 && attempts 2 && says "${layers[1]}" && whole &&
                is "times that it was sent" "$(asked ".reference == \"${layers[1]}\"")" 2
}

a_layer_that_stays_damaged() {
        registry_with "$(damage)" && pull 1 --retry 5 && attempts 2 && says "${layers[1]}" &&
                says "2 attempts were made" && layout pulled "images 0" &&
                is "times that it was sent" "$(asked ".reference == \"${layers[1]}\"")" 2
}

# The words differ from release to release; each has one of these.
refusals_are_final() {
        local kind status words

        while read -r kind status words; do
                registry_with "{\"when\": {\"kind\": \"$kind\"}, \"status\": $status}" && pull 1 --retry 5 &&
                        attempts 1 || return 1
                if ! grep -qiE "$words" err; then
                        say "nothing of $words in: $(cat err)"
                        return 1
                fi
                is "requests answered with $status" "$(asked ".status == $status")" 1 || return 1
        done <<'TABLE'
manifest 401 unauthorized
manifest 403 denied
manifest 404 unknown
blob 401 unauthorized
blob 403 403|denied
blob 404 404|unknown
TABLE
}

a_token_that_expires_is_no_reason_to_go_on() {
        registry_with '{"when": {"kind": "blob", "nth": 3}, "expire_token": true}' \
                '"auth": {"kind": "bearer", "anonymous": true},' && pull 1 --jobs 1 --retry 5 && attempts 1 &&
                says "authentication required" && is "refused requests" "$(asked '.kind == "blob" and .status == 401')" 1
}

# Before protocol 0.2.6 nothing asks the policy.
a_policy_that_refuses() {
        local version

        registry_with '' && run 0 --skopeo "$server" --tls-verify=false inspect --json "docker://$address/a:t" || return 1
        version=$(jq -r .protocol out)
        if [[ $version < 0.2.6 ]]; then
                echo "protocol $version has no policy" >log
                return 77
        fi
        echo '{"default": [{"type": "reject"}]}' >reject.json
        pull 1 --retry 5 --policy reject.json && attempts 1 && says "rejected by policy"
}

nobody_listens() {
        registry_with '' && stop_all && pull 1 --retry 2 && attempts 3 && says "connection refused" &&
                says "3 attempts were made" && [ ! -e pulled ]
}

servers=${CIP_TEST_SKOPEO:-skopeo}
found=
while read -r server; do
        command -v "$server" >/dev/null || continue
        [ "$found" ] || it "the image as it is" learn_image
        found=1
        echo "# $server: $("$server" --version 2>&1)"
        it "a registry that is busy for once, $server" busy_once
        it "429 outlasts skopeo's own patience, $server" too_many_requests
        it "a connection that is cut once in each layer, $server" each_layer_is_cut_once '"cut": {"after": 1000}'
        it "a connection that is reset once in each layer, $server" \
                each_layer_is_cut_once '"cut": {"after": 1000, "by": "reset"}'
        it "a stall in mid-layer, $server" a_stall_in_a_layer
        it "a layer that comes damaged is fetched once more, $server" a_damaged_layer
        it "a layer that stays damaged is an error, $server" a_layer_that_stays_damaged
        it "401, 403 and 404 are final, $server" refusals_are_final
        it "a token that expires in mid-pull is told, $server" a_token_that_expires_is_no_reason_to_go_on
        it "a refusal by the policy is final, $server" a_policy_that_refuses
        it "a registry that is not there, $server" nobody_listens
done < <(tr : '\n' <<<"$servers")
[ "$found" ] || skip_all "there is no $servers"
it "no process is left" alone
it "no temporary file is left" test -z "$(ls -A tmp)"
conclude
