#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# test-retry-fake.sh CIP-QUICK CIP CHECK-LAYOUT CIP-FAKEPROXY
#
# cip pull --retry on the fake: what is tried again and what is not, what is fetched again and what is not, servers that
# die or stall, and what is said. CIP-QUICK hardly waits between attempts. Prints TAP.
set -u -o pipefail

cip=$(realpath "$1")
slow_cip=$(realpath "$2")
check_layout=$(realpath "$3")
fake=$(realpath "$4")
# shellcheck source=client/test-tap.sh
. "$(dirname "$0")/test-tap.sh"

image='"image": {"layers": [{"size": 100000, "count": 4}]}'

# Every server of a pull is started by this: the n-th with the n-th scenario, those behind the last one with the last.
cat >server <<'END_OF_SERVER'
#!/bin/sh
echo >>starts
n=$(wc -l <starts)
while [ ! -e "$n/x.json" ]; do n=$((n - 1)); done
exec "$FAKE" --scenario "$n/x.json" "$@"
END_OF_SERVER
chmod +x server
export FAKE=$fake

# servers VERSION RULES ..: begins a test. A server for each RULES, in turn.
servers() {
        local version=$1 rules i=0

        shift
        rm -rf [0-9]* starts pulled said
        for rules in "$@"; do
                i=$((i + 1))
                mkdir $i
                echo "{\"scenario\": \"x\", \"about\": \"Trouble.\", \"emulate\": \"$version\", $image, \"rules\": [$rules]}" \
                        >$i/x.json
                "$fake" check $i/x.json >>log 2>&1 || return 1
        done
}

# pull STATUS ARG ..
pull() {
        local status=$1

        shift
        run "$status" --skopeo ./server pull fake:scenario oci:pulled:t --transcript said "$@"
}

# started N: so many servers were.
started() {
        is "servers started" "$(wc -l <starts)" "$1"
}

# asked METHOD: how often.
asked() {
        grep -c "\"dir\":\">\",\"text\":\"{.*method.*$1" said
}

whole() {
        layout pulled "images 1" && layout pulled "left-over 0"
}

# ---- what is tried again ----

# The n-th blob is refused with words and code.
refuse() {
        echo "{\"when\": {\"method\": \"GetRawBlob\", \"nth\": $1}, \"fail\": \"$2\", \"code\": \"$3\"}"
}

retryable_is_tried_again() {
        servers 0.2.8 "$(refuse 2 'come later' retryable)" && pull 0 --retry 3 && attempts 2 &&
                says "cip: attempt 2 of 4 in 0.0 s: GetRawBlob sha256:" && says ": come later" && whole &&
                is "blobs asked for" "$(asked GetRawBlob)" 5 && is manifests "$(asked GetManifest)" 1 && started 1 &&
                grep -q "fetched 4 of them.* and 2 attempts" out
}

old_servers_tell_by_their_words() {
        servers 0.2.3 '{"when": {"method": "FinishPipe", "nth": 4}, "fail": "unexpected EOF"}' &&
                pull 0 --retry 1 && attempts 2 && says ": unexpected EOF" && whole && started 1 &&
                is "blobs asked for" "$(asked GetBlob)" 5
}

cut_data_is_tried_again() {
        servers 0.2.8 '{"when": {"method": "GetRawBlob", "nth": 1}, "data": [{"send": 5000},
                {"fail": "unexpected EOF"}]}' && pull 0 --retry 1 && attempts 2 && whole && started 1 && is "blobs asked for" "$(asked GetRawBlob)" 5
}

each_layer_fails_once() {
        servers 0.2.8 "$(refuse 1 busy retryable), $(refuse 2 busy retryable), $(refuse 3 busy retryable),
                $(refuse 4 busy retryable)" && pull 0 --retry 1 && attempts 2 && whole &&
                says "busy (and 3 more layers failed)" && is "blobs asked for" "$(asked GetRawBlob)" 8
}

image_that_does_not_open_is_opened_again() {
        servers 0.2.8 '{"when": {"method": "OpenImage", "nth": 1}, "fail": "busy", "code": "retryable"}' &&
                pull 0 --retry 1 && attempts 2 && whole && started 1 && is "images opened" "$(asked OpenImage)" 2
}

json_tells_how_often() {
        servers 0.2.8 "$(refuse 1 busy retryable)" && pull 0 --retry 5 --json && attempts 2 &&
                jq -e '.attempts == 2 and .layers_fetched == 4' out >>log
}

attempts_run_out() {
        servers 0.2.8 '{"when": {"method": "GetRawBlob"}, "fail": "busy", "code": "retryable"}' &&
                pull 1 --retry 2 && attempts 3 && says "busy; 3 attempts were made" && layout pulled "images 0" &&
                layout pulled "left-over 0" && ! grep -q -- --retry err
}

it_is_off_by_default() {
        servers 0.2.8 "$(refuse 1 busy retryable)" && pull 1 && attempts 1 && says "--retry N tries again by itself" &&
                servers 0.2.8 "$(refuse 1 busy retryable)" && pull 1 --retry 0 && attempts 1
}

# ---- servers that die, stall, or send what is wrong ----

a_server_that_dies_is_replaced() {
        local version method

        for version in 0.2.8:GetRawBlob 0.2.3:GetBlob; do
                method=${version#*:}
                servers "${version%:*}" "{\"when\": {\"method\": \"$method\", \"nth\": 3}, \"data\": [{\"send\": 5000},
                        {\"signal\": \"KILL\"}]}" '' && pull 0 --jobs 1 --retry 1 && attempts 2 &&
                        says "was ended by signal 9" && whole && started 2 &&
                        is "blobs asked of $version" "$(asked "$method")" 5 || return 1
        done
}

a_server_that_panics_is_replaced() {
        servers 0.2.8 '{"when": {"method": "GetManifest"}, "panic": true}' '' && pull 0 --retry 1 && attempts 2 &&
                says "panic: " && whole && started 2
}

a_stall_ends_and_is_tried_again() {
        servers 0.2.8 '{"when": {"method": "GetRawBlob", "nth": 1}, "data": [{"send": 5000}, {"stall": true}]}' '' &&
                pull 0 --retry 1 --stall-timeout 0.3 && attempts 2 && says "no data came for 0.3 seconds" && whole &&
                started 2 && servers 0.2.3 '{"when": {"method": "OpenImage"}, "no_reply": true}' '' &&
                pull 0 --retry 1 --timeout 1 && attempts 2 && says "no answer came for 1 seconds" && whole && started 2
}

# The n-th layer has a wrong byte.
spoil() {
        echo "{\"when\": {\"method\": \"GetRawBlob\", \"nth\": $1}, \"data\": [{\"send\": 5000}, {\"corrupt\": 1}]}"
}

wrong_data_is_fetched_once_more() {
        servers 0.2.8 "$(spoil 3)" '' && pull 0 --jobs 1 --retry 5 && attempts 2 && says "has the digest sha256:" && whole &&
                is "blobs asked for" "$(asked GetRawBlob)" 5
}

data_that_stays_wrong_is_an_error() {
        servers 0.2.8 "$(spoil 1)" && pull 1 --retry 5 && attempts 2 && says "2 attempts were made" &&
                layout pulled "images 0" && layout pulled "left-over 0" && started 2 &&
                servers 0.2.3 '{"when": {"method": "FinishPipe"}, "fail": "corrupted blob, expecting sha256:00"}' &&
                pull 1 --retry 5 && attempts 2 && says "corrupted blob"
}

another_image_is_an_error() {
        servers 0.2.8 "$(refuse 2 busy retryable),
                {\"when\": {\"method\": \"GetRawBlob\", \"from\": 3}, \"data\": [{\"send\": 10}, {\"signal\": \"KILL\"}]}" '' &&
                sed -i 's/100000/100001/' 2/x.json && pull 1 --jobs 1 --retry 5 && attempts 2 &&
                says "'fake:scenario' is another image than in the first attempt: it was sha256:" &&
                says "pull again" && layout pulled "images 0" && started 2
}

# ---- what is not tried again ----

a_refusal_is_final() {
        local words

        while read -r words; do
                servers 0.2.8 "{\"when\": {\"method\": \"OpenImage\"}, \"fail\": \"$words\"}" && pull 1 --retry 5 &&
                        attempts 1 && says "$words" && is "images opened for '$words'" "$(asked OpenImage)" 1 || return 1
        done <<'TABLE'
reading manifest latest in h/a: unauthorized
reading manifest latest in h/a: denied
reading manifest latest in h/a: manifest unknown
Source image rejected: Running image docker://h/a:latest is rejected by policy.
Source image rejected: A signature was required, but no signature exists
TABLE
        servers 0.2.3 '{"when": {"method": "GetBlob"}, "fail": "Error fetching blob: invalid status code from registry 404"}' &&
                pull 1 --retry 5 && attempts 1 && says "registry 404"
}

a_refusal_ends_what_could_pass() {
        servers 0.2.8 "$(refuse 1 busy retryable), $(refuse 2 'fetching blob: denied' other)" && pull 1 --retry 5 &&
                attempts 1 && says denied && layout pulled "images 0"
}

what_is_no_server_is_not_started_again() {
        run 1 --skopeo true pull fake:scenario oci:nowhere:t --retry 5 && attempts 1 && says "it has to be a skopeo" &&
                run 2 --skopeo no-such-program pull fake:scenario oci:nowhere:t --retry 5 && attempts 1 &&
                run 2 pull fake:scenario oci:nowhere:t --retry -1 && says "--retry wants a number from 0 to 100" &&
                run 2 pull fake:scenario oci:nowhere:t --retry many && says "not 'many'" &&
                run 2 pull fake:scenario oci:nowhere:t --retry 4294967297 && says "not '4294967297'" && [ ! -e nowhere ]
}

a_full_disk_is_not_tried_again() {
        servers 0.2.8 '' &&
                (
                        ulimit -f 50
                        pull 2 --retry 5
                ) && attempts 1 && says "File too large" && says "make room"
}

# ---- what is said ----

# In a terminal of 70 columns: what COMMAND prints there goes to out.
in_terminal() {
        CIP_TEST_MARK=$mark SHELL=/bin/sh script -qec "stty cols 70 2>/dev/null; $1" /dev/null >out 2>err </dev/null
}

terminals() {
        if ! command -v script >/dev/null; then
                say "there is no script(1)"
                return 77
        fi
        local escape=$'\033' command="$cip --skopeo ./server pull fake:scenario oci:pulled:t --retry 1"

        servers 0.2.8 "$(refuse 1 busy retryable)" && in_terminal "$command" && tr '\r' '\n' <out >lines &&
                grep -q "^attempt 2 of 2 in 0.0 s: GetRawBlob sha256:.*$escape\[K" lines &&
                ! grep -q ': busy' lines && servers 0.2.8 "$(refuse 1 busy retryable)" &&
                NO_COLOR=1 in_terminal "$command" && grep -q '^cip: attempt 2 of 2 in 0.0 s: .*: busy' out
}

# The program as it is shipped: what it waits is long enough to be interrupted.
ctrl_c_ends_a_wait() {
        local pid status=0

        servers 0.2.8 '{"when": {"method": "GetRawBlob", "nth": 1}, "fail": "busy", "code": "retryable"},
                {"when": {"method": "GetRawBlob", "from": 5}, "fail": "busy", "code": "retryable"}' || return 1
        env --default-signal=INT CIP_TEST_MARK="$mark" "$slow_cip" --skopeo ./server pull fake:scenario oci:pulled:t \
                --retry 100 >out 2>err &
        pid=$!
        # By then a wait may be of half a minute.
        while [ -d "/proc/$pid" ] && ! grep -q "attempt 3 of 101" err; do
                sleep 0.02
        done
        kill -INT "$pid"
        wait "$pid" 2>/dev/null || status=$?
        is status "$status" 130 && says "cip: cancelled before attempt " && says " of 101: GetRawBlob sha256:" &&
                says "busy; the layers that are whole are kept" && layout pulled "images 0" && layout pulled "left-over 0" &&
                alone
}

the_shipped_program_waits() {
        local first

        servers 0.2.8 "$(refuse 1 busy retryable)" && cip=$slow_cip pull 0 --retry 1 && attempts 2 || return 1
        first=$(sed -n 's/^cip: attempt 2 of 2 in \([0-9.]*\) s: .*/\1/p' err)
        # What it says it waits, and that it did: the transcript has the time of each packet.
        jq -es --argjson first "$first" '[.[] | select(.dir == ">" and (.text | contains("GetRawBlob"))) | .t] | sort |
                .[4] - .[3] > $first - 0.1 and $first >= 1 and $first <= 2' said >>log
}

it "what the server calls retryable is tried again, that layer alone" retryable_is_tried_again
it "servers without codes tell by their words" old_servers_tell_by_their_words
it "data that is cut is fetched again" cut_data_is_tried_again
it "that each layer fails once takes one more attempt" each_layer_fails_once
it "an image that does not open is opened again by the same server" image_that_does_not_open_is_opened_again
it "the summary in JSON has the attempts" json_tells_how_often
it "the attempts run out" attempts_run_out
it "it is off by default, and the error names it" it_is_off_by_default
it "a server that dies is replaced" a_server_that_dies_is_replaced
it "a server that panics is replaced" a_server_that_panics_is_replaced
it "a stall ends by its deadline and is tried again" a_stall_ends_and_is_tried_again
it "wrong data is fetched once more" wrong_data_is_fetched_once_more
it "data that stays wrong is an error, however many attempts are left" data_that_stays_wrong_is_an_error
it "another image in a further attempt is an error" another_image_is_an_error
it "a refusal is final" a_refusal_is_final
it "a refusal of one layer ends it, though others could be tried again" a_refusal_ends_what_could_pass
it "what is no server is not started again, and wrong numbers are told" what_is_no_server_is_not_started_again
it "a full disk is not tried again" a_full_disk_is_not_tried_again
it "a terminal shows a line that counts down, and a plain one with NO_COLOR" terminals
it "Ctrl-C ends a wait between attempts" ctrl_c_ends_a_wait
it "the program as it is shipped waits for a while" the_shipped_program_waits
it "no process is left" alone
it "no temporary file is left" test -z "$(ls -A tmp)"
conclude
