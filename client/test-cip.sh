#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# test-cip.sh CIP CIP-FIXTURE CHECK-LAYOUT SERVER [ARG ..]
#
# Tests the cip command as a whole on a server: every command, what goes wrong and what is said then, pulls that
# are interrupted, killed, doubled, out of disk. Prints TAP.
# Skipped where the server cannot be started.
set -u -o pipefail

# We work in another folder.
cip_program=$(realpath "$1")
fixture_program=$(realpath "$2")
check_layout=$(realpath "$3")
shift 3
case $1 in
*/*) server="$(realpath "$1") ${*:2}" ;;
*) server=$* ;;
esac

docs=$(realpath "$(dirname "$0")/../docs")
# shellcheck disable=SC2034 # read there
cip=$cip_program
# shellcheck source=client/test-tap.sh
. "$(dirname "$0")/test-tap.sh"

mkdir bin
# A closed world, so that no setting of the user's has a part in this.
export HOME=$work/run TMPDIR=$work/tmp XDG_RUNTIME_DIR=$work/run XDG_CONFIG_HOME=$work/run XDG_DATA_HOME=$work/run
export CIP_SKOPEO=$server
unset NO_COLOR REGISTRY_AUTH_FILE CONTAINERS_REGISTRIES_CONF

cip() {
        env CIP_TEST_MARK="$mark" "$cip_program" "$@"
}

command -v jq >/dev/null || skip_all "there is no jq"
status=0
cip call CloseImage 1 >out 2>err || status=$?
[ "$status" -ne 2 ] || skip_all "$server cannot be started: $(head -n 1 err)"

# ---- how a test says what it wants ----

# says WORDS: the error is one line for a person, from us, with these words.
says() {
        if [ "$(wc -l <err)" -ne 1 ] || ! grep -q '^cip: ' err; then
                say "not one line from cip on stderr: $(head -c 1000 err)"
                return 1
        fi
        grep -qF -- "$1" err && return 0
        say "nothing of '$1' in: $(head -c 1000 err)"
        return 1
}

quiet() {
        [ ! -s err ] && return 0
        say "stderr is not empty: $(head -c 1000 err)"
        return 1
}

# prints TEXT: out has it.
prints() {
        grep -qF -- "$1" out && return 0
        say "nothing of '$1' in: $(head -c 1000 out)"
        return 1
}

# json FILTER: jq finds it true of every value in out.
json() {
        jq -es "all($1)" out >/dev/null 2>&1 && return 0
        say "'$1' is not true of: $(head -c 2000 out)"
        return 1
}

# Every file of the first folder is in the second, byte for byte.
same_files() {
        local file

        while read -r file; do
                if ! cmp -s "$1/$file" "$2/$file"; then
                        say "$2/$file is not $1/$file"
                        return 1
                fi
        done < <(cd "$1" && find . -type f)
}

write_fixture() {
        "$fixture_program" write "$1" "oci:src/$1:t" >&2 || exit 1
}

mkdir src
for name in layers-1 layers-0 gzip blob-0 blob-65537 sha512 index config-1m layers-300 broken-digest broken-size \
        broken-missing-blob; do
        write_fixture "$name"
done
"$fixture_program" write docker dir:src/docker >&2 || exit 1

digest_of_layer() {
        cip layers "oci:src/$1:t" 2>/dev/null | awk 'NR == 1 { print $2 }'
}

# A server of our own: its text is in the file bin/NAME.
server_script() {
        printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
        chmod +x "bin/$1"
}

# ---- every command ----

inspect_sums_up() {
        run 0 inspect oci:src/gzip:t && quiet && prints "linux/amd64" && prints "Layers      2, 23 KiB in all" &&
                run 0 inspect --json oci:src/gzip:t && quiet &&
                json '(.layers | length) == 2 and .os == "linux" and .size == ([.layers[].size] | add)
                        and .labels.fixture == "gzip" and .converted == false and .digest == .manifest_digest'
}

inspect_takes_an_image_without_layers() {
        run 0 inspect oci:src/layers-0:t && prints "Layers      0, 0 B in all" &&
                run 0 inspect --json oci:src/layers-0:t && json '.layers == [] and .size == 0'
}

archives_are_images_too() {
        "$fixture_program" write gzip oci-archive:src/gzip.tar:t >&2 &&
                "$fixture_program" write tar docker-archive:src/tar.tar:example.com/tar:t >&2 &&
                run 0 pull oci-archive:src/gzip.tar:t oci:from-archive:t &&
                run 0 pull oci:src/gzip:t oci:from-layout:t &&
                diff -r from-archive from-layout >&2 &&
                run 0 inspect --json docker-archive:src/tar.tar:example.com/tar:t && quiet &&
                json '(.layers | length) == 2 and .labels.fixture == "tar" and .converted == true' &&
                rm -rf from-archive from-layout src/gzip.tar src/tar.tar
}

manifest_is_printed_as_it_is() {
        local digest

        digest=$(jq -r '.manifests[0].digest' src/gzip/index.json)
        run 0 manifest oci:src/gzip:t && quiet && cmp out "src/gzip/blobs/sha256/${digest#*:}" >>log &&
                run 0 manifest --json oci:src/gzip:t &&
                json ".digest == \"$digest\" and .verified and (.text | length) == .size" &&
                run 0 manifest oci:src/gzip:t -o saved && cmp saved "src/gzip/blobs/sha256/${digest#*:}" >>log &&
                run 2 manifest oci:src/gzip:t --json -o other && says "only one can be given" && [ ! -e other ]
}

config_is_printed_as_it_is() {
        local digest

        digest=$(cip manifest oci:src/config-1m:t | jq -r .config.digest)
        run 0 config oci:src/config-1m:t && quiet && cmp out "src/config-1m/blobs/sha256/${digest#*:}" >>log &&
                run 0 config --json oci:src/config-1m:t &&
                json ".digest == \"$digest\" and .verified and (.text | fromjson | .os) == \"linux\""
}

layers_are_listed() {
        run 0 layers oci:src/layers-300:t && quiet && [ "$(wc -l <out)" -eq 300 ] &&
                run 0 layers --json oci:src/layers-300:t && json '(.layers | length) == 300'
}

platform_is_picked() {
        run 0 inspect --override-arch arm64 oci:src/index:t && prints linux/arm64 &&
                run 0 inspect --override-arch amd64 oci:src/index:t && prints linux/amd64
}

blob_is_fetched() {
        local digest

        digest=$(digest_of_layer blob-65537)
        run 0 blob oci:src/blob-65537:t "$digest" && quiet &&
                cmp out "src/blob-65537/blobs/sha256/${digest#*:}" >>log &&
                run 0 blob oci:src/blob-65537:t "$digest" -o saved && [ ! -s out ] &&
                cmp saved "src/blob-65537/blobs/sha256/${digest#*:}" >>log &&
                run 0 blob oci:src/blob-65537:t "$digest" -o saved --json &&
                json '.size == 65537 and .file == "saved"' &&
                digest=$(digest_of_layer sha512) && run 0 blob oci:src/sha512:t "$digest" &&
                cmp out "src/sha512/blobs/sha512/${digest#*:}" >>log
}

bad_blob_leaves_no_file() {
        local digest

        digest=$(digest_of_layer broken-digest)
        mkdir -p only && echo before >only/file
        run 1 blob oci:src/broken-digest:t "$digest" -o only/file && says "$digest" &&
                [ "$(ls -A only)" = file ] && [ "$(cat only/file)" = before ]
}

blob_replaces_what_a_link_leads_to() {
        local digest

        digest=$(digest_of_layer layers-1)
        mkdir -p linked && echo before >linked/file && ln -sf file linked/link
        run 0 blob oci:src/layers-1:t "$digest" -o linked/link && [ -L linked/link ] &&
                cmp linked/file "src/layers-1/blobs/sha256/${digest#*:}" >>log && [ "$(find linked -mindepth 1 | wc -l)" -eq 2 ]
}

call_prints_replies() {
        run 0 call OpenImage oci:src/gzip:t + GetManifest @1 + CloseImage @1 && quiet && prints '> OpenImage' &&
                prints '  1 pipe, ' && prints '{"schemaVersion":2' &&
                run 0 call --json OpenImage oci:src/gzip:t + GetManifest @1 + CloseImage @1 &&
                json '.reply.success' && jq -es '.[1].data.digest == .[1].reply.value and .[1].args == [1]
                        and (.[1].data.text | fromjson | .schemaVersion) == 2' out >>log
}

call_goes_on_after_a_refusal() {
        run 1 call --json OpenImage oci:src/nowhere + OpenImage oci:src/gzip:t && says "call 1" &&
                jq -es '(.[0].reply.success | not) and .[1].reply.success' out >>log &&
                run 1 call OpenImage oci:src/nowhere + CloseImage @1 && says "src/nowhere"
}

call_sends_anything_with_raw() {
        run 1 call --raw NoSuchMethod '{"a":[null]}' && prints '> NoSuchMethod' && says "NoSuchMethod" &&
                run 1 call --raw CloseImage 1.5 '"x"' && prints '[1.5,"x"]'
}

call_has_no_text_for_bytes() {
        local digest size

        digest=$(digest_of_layer gzip)
        size=$(stat -c %s "src/gzip/blobs/sha256/${digest#*:}")
        run 0 call --json OpenImage oci:src/gzip:t + GetBlob @1 "$digest" "$size" &&
                jq -es --argjson size "$size" '.[1].data.text == null and .[1].data.bytes == $size' out >>log
}

call_shuts_down() {
        run 0 call Shutdown && quiet && prints "the server has ended well"
}

call_tells_how_the_server_ended() {
        server_script dies-on-demand "
                [ \"\$1\" = experimental-image-proxy ] || exit 9
                dd bs=65536 count=1 of=/dev/null 2>/dev/null
                printf '{\"success\":true,\"value\":\"0.2.3\",\"pipeid\":0,\"error\":\"\"}' >&0
                dd bs=65536 count=1 of=/dev/null 2>/dev/null
                echo 'panic: it is broken' >&2
                exit 3"
        run 1 --skopeo bin/dies-on-demand call FinishPipe && says "panic: it is broken" && says "status 3" &&
                prints '> FinishPipe []'
}

call_judges_words_first() {
        run 2 call OpenImge x && says "did you mean 'OpenImage'" &&
                run 2 call Xyzzy && says "is no method of the protocol" &&
                run 2 call GetManifest one && says "wants a number" &&
                run 2 call GetManifest @1 && says "no earlier call" &&
                run 2 call GetManifest 1 + && says "has no method" &&
                run 2 call --raw GetManifest "{" && says "is no JSON"
}

transcript_is_json_lines() {
        run 0 --transcript said.jsonl inspect oci:src/gzip:t && quiet && cp said.jsonl out &&
                json 'type == "object"' && grep -q OpenImage said.jsonl &&
                status=0 && { cip --debug inspect oci:src/gzip:t >out 2>err || status=$?; } &&
                [ "$status" -eq 0 ] && grep -q OpenImage err
}

# ---- pull ----

pull_fetches_all() {
        local name digest

        for name in layers-1 layers-0 gzip blob-0 blob-65537 sha512 config-1m layers-300; do
                run 0 pull "oci:src/$name:t" "oci:pulled/$name:t" && quiet && layout "pulled/$name" "images 1" &&
                        layout "pulled/$name" "left-over 0" && same_files "src/$name/blobs" "pulled/$name/blobs" &&
                        cip inspect "oci:src/$name:t" >a 2>>log && cip inspect "oci:pulled/$name:t" >b 2>>log &&
                        sed -i 1d a b && cmp a b >>log || return 1
                digest=$(jq -r '.manifests[0].digest' "src/$name/index.json")
                grep -qF "$digest" "pulled/$name/index.json" || return 1
        done
}

pull_takes_the_platform_of_a_list() {
        run 0 pull --override-arch arm64 oci:src/index:t oci:pulled/index:arm && layout pulled/index "images 1" &&
                run 0 pull --override-arch amd64 oci:src/index:t oci:pulled/index:amd && layout pulled/index "images 2" &&
                run 0 inspect oci:pulled/index:arm --override-arch arm64 && prints linux/arm64 &&
                jq -e '[.manifests[].platform.architecture] == ["arm64", "amd64"]' pulled/index/index.json >>log
}

pull_keeps_a_converted_manifest_by_its_own_digest() {
        run 0 pull --json dir:src/docker oci:pulled/docker:t && quiet && json '.converted and .layers > 0' &&
                layout pulled/docker "images 1" && run 0 inspect oci:pulled/docker:t && prints linux/
}

pull_fetches_nothing_twice() {
        local digest

        digest=$(digest_of_layer gzip)
        run 0 pull --json oci:src/gzip:t oci:pulled/again:a && json '.layers == 2 and .layers_fetched == 2' &&
                run 0 pull --json oci:src/gzip:t oci:pulled/again:b && json '.layers_fetched == 0' &&
                layout pulled/again "images 2" && rm "pulled/again/blobs/sha256/${digest#*:}" &&
                run 0 pull --json oci:src/gzip:t oci:pulled/again:b && json '.layers_fetched == 1' &&
                layout pulled/again "images 2"
}

pull_replaces_a_layer_of_another_size() {
        local digest

        digest=$(digest_of_layer layers-1)
        run 0 pull oci:src/layers-1:t oci:pulled/resized:t && : >"pulled/resized/blobs/sha256/${digest#*:}" &&
                run 0 pull --json oci:src/layers-1:t oci:pulled/resized:t && json '.layers_fetched == 1' &&
                layout pulled/resized "images 1"
}

pull_works_without_a_tag() {
        run 0 pull oci:src/layers-1:t oci:pulled/tagless && run 0 pull oci:src/layers-1:t oci:pulled/tagless &&
                layout pulled/tagless "images 1" && run 0 inspect oci:pulled/tagless
}

pull_refuses_a_broken_image() {
        local name word

        while read -r name word; do
                run 1 pull "oci:src/$name:t" "oci:pulled/$name:t" && says "$word" && layout "pulled/$name" "images 0" &&
                        layout "pulled/$name" "left-over 0" || return 1
        done <<'TABLE'
broken-digest sha256:
broken-size sha256:
broken-missing-blob no such file
TABLE
}

pull_makes_no_folder_for_nothing() {
        run 1 pull oci:src/nowhere:t oci:pulled/nowhere:t && [ ! -e pulled/nowhere ]
}

pull_leaves_other_folders_alone() {
        mkdir -p other && echo mine >other/file
        run 2 pull oci:src/layers-1:t oci:other:t && says "a folder of other things" && [ "$(ls -A other)" = file ] &&
                run 2 pull oci:src/layers-1:t oci:other/file:t && says "Not a directory"
}

pull_judges_where_to() {
        run 2 pull oci:src/layers-1:t dir:pulled/x && says "oci:DIR" &&
                run 2 pull oci:src/layers-1:t oci: && says "oci:DIR" &&
                run 2 pull oci:src/layers-1:t "oci:pulled/x:a b" && says "a b" && [ ! -e pulled/x ]
}

# An image that takes long enough to be interrupted: layers of zeros, of many sizes.
large_image() {
        [ -e src/large/index.json ] && return 0
        local i digest config manifest

        mkdir -p src/large/blobs/sha256
        for i in 1 2 3 4 5 6 7 8; do
                "$fixture_program" blob "$((8 + i))M" "oci:src/part-$i:t" >&2 || return 1
                digest=$(digest_of_layer "part-$i")
                cp "src/part-$i/blobs/sha256/${digest#*:}" src/large/blobs/sha256/ || return 1
        done
        cp src/part-1/oci-layout src/large/ || return 1
        config=$(printf '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}' \
                "$(for i in 1 2 3 4 5 6 7 8; do cip layers "oci:src/part-$i:t"; done |
                        awk '{ printf "%s\"%s\"", (NR > 1 ? "," : ""), $2 }')")
        manifest=$(printf '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s","digest":"%s","size":%s},"layers":[%s]}' \
                application/vnd.oci.image.manifest.v1+json application/vnd.oci.image.config.v1+json \
                "$(add_blob src/large "$config")" "${#config}" \
                "$(for i in 1 2 3 4 5 6 7 8; do cip layers --json "oci:src/part-$i:t"; done |
                        jq -cs '[.[].layers[0] | {mediaType: .media_type, digest, size}]' | sed 's/^.//; s/.$//')")
        jq -n --arg digest "$(add_blob src/large "$manifest")" --argjson size "${#manifest}" '{schemaVersion: 2,
                manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", $digest, $size,
                annotations: {"org.opencontainers.image.ref.name": "t"}}]}' >src/large/index.json
        layout src/large "images 1"
}

# Puts a text into a layout. Prints its digest.
add_blob() {
        local hex

        hex=$(printf '%s' "$2" | sha256sum | cut -d' ' -f1)
        printf '%s' "$2" >"$1/blobs/sha256/$hex"
        echo "sha256:$hex"
}

# Waits until the process is cip, or gone: before that a signal would meet a shell of ours.
until_it_is_cip() {
        while [ -d "/proc/$1" ] && [ ! "/proc/$1/exe" -ef "$cip_program" ]; do
                sleep 0.001
        done
}

# interrupted SIGNAL STATUS: many pulls are ended so, at moments that chance picks; the layout stays valid, and in the
# end the image is whole.
interrupted() {
        local round pid status hits=0 target=pulled/$1

        large_image || return 1
        for round in $(seq 12); do
                # `cip` would be a shell of ours, and not what is to be signalled. What a script starts with & has
                # SIGINT ignored.
                env --default-signal=INT CIP_TEST_MARK="$mark" "$cip_program" pull oci:src/large:t "oci:$target:t" >out 2>err &
                pid=$!
                until_it_is_cip "$pid"
                sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
                kill -"$1" "$pid" 2>/dev/null
                status=0
                wait "$pid" 2>/dev/null || status=$?
                alone || return 1
                case $status in
                0) ;;
                "$2") hits=$((hits + 1)) ;;
                *)
                        say "round $round ended with status $status: $(cat err)"
                        return 1
                        ;;
                esac
                # A pull that was killed right after it made the folder has left an empty one.
                [ -e "$target/index.json" ] || continue
                layout "$target" || return 1
                [ "$1" = KILL ] || layout "$target" "left-over 0" || return 1
                # So that there is always something to do.
                [ "$status" -ne 0 ] || rm -rf "$target"
        done
        [ "$hits" -gt 0 ] || say "no pull was interrupted: all were too fast"
        run 0 pull oci:src/large:t "oci:$target:t" && layout "$target" "images 1" &&
                same_files src/large/blobs "$target/blobs"
}

killed_layouts_are_cleaned_by_the_next_pull() {
        mkdir -p pulled/stale/blobs && : >pulled/stale/.cip-tmp-0123456789abcdef
        run 0 pull oci:src/layers-1:t oci:pulled/stale:t && layout pulled/stale "left-over 0"
}

two_at_once() {
        local first second a=0 b=0

        large_image || return 1
        cip pull oci:src/large:t oci:pulled/two:a >one 2>&1 &
        first=$!
        cip pull oci:src/large:t oci:pulled/two:b >two 2>&1 &
        second=$!
        wait $first || a=$?
        wait $second || b=$?
        say "$a $(cat one)"
        say "$b $(cat two)"
        [ "$a$b" = 00 ] && layout pulled/two "images 2" && layout pulled/two "left-over 0" &&
                same_files src/large/blobs pulled/two/blobs
}

one_job_is_enough() {
        large_image && run 0 pull --jobs 1 oci:src/large:t oci:pulled/one:t && layout pulled/one "images 1" &&
                run 0 pull --jobs 64 oci:src/large:t oci:pulled/many:t && layout pulled/many "images 1"
}

file_size_limit() {
        large_image || return 1
        (
                ulimit -f 10240
                run 2 pull oci:src/large:t oci:pulled/limited:t && says "File too large" && says "make room"
        ) && layout pulled/limited "images 0" && layout pulled/limited "left-over 0" &&
                run 0 pull oci:src/large:t oci:pulled/limited:t && layout pulled/limited "images 1" &&
                same_files src/large/blobs pulled/limited/blobs
}

full_disk() {
        if ! unshare -rm true 2>/dev/null; then
                say "this user may not mount a small disk"
                return 77
        fi
        large_image || return 1
        mkdir -p small
        # The layers that fit are kept; with more room the next pull goes on.
        # shellcheck disable=SC2016 # the inner shell's own variables
        unshare -rm bash -c '
                mount -t tmpfs -o size=30m none small || exit 77
                CIP_TEST_MARK=$1 "$2" pull oci:src/large:t oci:small/out:t >out 2>err
                [ $? -eq 2 ] || exit 1
                "$3" small/out >judged || exit 1
                grep -q "images 0.*left-over 0" judged || exit 1
                mount -o remount,size=300m small || exit 77
                CIP_TEST_MARK=$1 "$2" pull --json oci:src/large:t oci:small/out:t >out 2>err2 || exit 1
                "$3" small/out >judged' full-disk "$mark" "$cip_program" "$check_layout" 2>>log
        local status=$?
        [ "$status" -eq 0 ] || { say "$(cat err out judged)" && return $status; }
        says "No space left on device" && grep -q "images 1" judged
}

folder_that_cannot_be_written() {
        if [ "$(id -u)" -eq 0 ] && ! unshare -rm true 2>/dev/null; then
                say "root may write everywhere"
                return 77
        fi
        mkdir -p closed && chmod a-w closed
        if [ "$(id -u)" -eq 0 ]; then
                run 2 pull oci:src/layers-1:t oci:/proc/cip:t
        else
                run 2 pull oci:src/layers-1:t oci:closed/x:t
        fi && says "cannot"
}

# ---- what a newcomer tries ----

wrong_words() {
        run 2 --jsn inspect oci:src/gzip:t && says "did you mean '--json'?" &&
                run 2 inspct oci:src/gzip:t && says "did you mean 'inspect'?" &&
                run 2 && says "cip --help" &&
                run 2 inspect && says "too few arguments" &&
                run 2 inspect --creds u:p oci:src/gzip:t && says "--auth-stdin" &&
                run 2 blob oci:src/gzip:t sha256:12 && says "is no digest" &&
                run 2 blob oci:src/gzip:t --json "$(digest_of_layer gzip)" && says "-o FILE"
}

wrong_files() {
        run 2 inspect --authfile nowhere oci:src/gzip:t && says "--authfile: cannot read 'nowhere'" &&
                run 2 inspect --authfile src oci:src/gzip:t && says "is a folder" &&
                run 2 inspect --policy nowhere oci:src/gzip:t && says "--policy" &&
                run 2 inspect --cert-dir nowhere oci:src/gzip:t && says "--cert-dir" &&
                run 2 inspect --cert-dir src/gzip/index.json oci:src/gzip:t && says "is no folder" &&
                run 2 inspect --decryption-key nowhere oci:src/gzip:t && says "--decryption-key" &&
                run 2 inspect --transcript nowhere/file oci:src/gzip:t && says "--transcript" &&
                run 2 manifest -o nowhere/file oci:src/gzip:t && says "cannot write to 'nowhere/file'" &&
                run 2 manifest -o src oci:src/gzip:t && says "it is a folder" &&
                run 2 manifest -o /dev/full oci:src/gzip:t && says "No space left on device" &&
                run 2 inspect --auth-stdin oci:src/gzip:t && says "standard input is empty"
}

wrong_references() {
        run 2 inspect debian && says "did you mean 'docker://debian'" &&
                run 1 inspect oic:src/gzip:t && says "did you mean 'oci:'?" &&
                run 1 inspect oci:src/nowhere:t && says "src/nowhere" &&
                run 1 inspect oci:src/gzip:nowhere && says "nowhere" &&
                run 1 blob oci:src/gzip:t "sha256:$(printf '%064d' 0)" && says "sha256:0000"
}

wrong_commands() {
        server_script silent "exec sleep 1000"
        server_script garbage "printf 'this is no JSON' >&0; exec sleep 1000"
        server_script loud "exec yes"
        server_script copies "exec cat"
        server_script late "echo 'I am going' >&2; exit 7"
        run 2 --skopeo no-such-program inspect oci:src/gzip:t && says "no-such-program" && says "install skopeo" &&
                run 2 --skopeo ./src inspect oci:src/gzip:t && says "--skopeo" &&
                run 2 --skopeo ./src/gzip/index.json inspect oci:src/gzip:t && says "--skopeo" &&
                run 2 --skopeo " " inspect oci:src/gzip:t && says "is no command" &&
                run 1 --skopeo true inspect oci:src/gzip:t && says "exited with status 0" &&
                run 1 --skopeo false inspect oci:src/gzip:t && says "exited with status 1" &&
                run 1 --skopeo cat inspect oci:src/gzip:t && says "No such file" &&
                run 1 --skopeo "sleep 1000" inspect oci:src/gzip:t && says "sleep" &&
                run 1 --skopeo bin/late inspect oci:src/gzip:t && says "I am going" && says "status 7" &&
                run 1 --timeout 1 --skopeo yes inspect oci:src/gzip:t && says "--timeout" &&
                run 1 --timeout 1 --skopeo bin/silent inspect oci:src/gzip:t && says "is it a skopeo?" &&
                run 1 --timeout 1 --skopeo bin/loud inspect oci:src/gzip:t && says "--timeout" &&
                run 1 --timeout 1 --skopeo bin/copies inspect oci:src/gzip:t && says "cip: " &&
                run 1 --timeout 60 --skopeo bin/garbage inspect oci:src/gzip:t && says "is it a skopeo?" &&
                CIP_SKOPEO="no-such-program" run 2 inspect oci:src/gzip:t && says "CIP_SKOPEO" && alone
}

interrupt_ends_a_wait() {
        local pid status=0

        server_script waits "touch started; exec sleep 1000"
        rm -f started
        env --default-signal=INT CIP_TEST_MARK="$mark" "$cip_program" --skopeo bin/waits inspect oci:src/gzip:t >out 2>err &
        pid=$!
        while [ -d "/proc/$pid" ] && [ ! -e started ]; do
                sleep 0.02
        done
        kill -INT "$pid"
        wait "$pid" 2>/dev/null || status=$?
        [ "$status" -eq 130 ] || say "ended with status $status: $(cat err)"
        [ "$status" -eq 130 ] && says "cip: " && alone
}

outputs_that_fail() {
        local status

        for arguments in "--help" "--version" "inspect oci:src/gzip:t" "manifest oci:src/gzip:t" \
                "layers --json oci:src/gzip:t" "blob oci:src/gzip:t $(digest_of_layer gzip)" \
                "call OpenImage oci:src/gzip:t"; do
                status=0
                # shellcheck disable=SC2086 # they are words
                cip $arguments >/dev/full 2>err || status=$?
                if [ "$status" -ne 2 ] || ! says "No space left on device"; then
                        say "cip $arguments >/dev/full: status $status"
                        return 1
                fi
                status=0
                # shellcheck disable=SC2086
                cip $arguments >&- 2>err || status=$?
                if [ "$status" -ne 2 ] || ! says "Bad file descriptor"; then
                        say "cip $arguments >&-: status $status"
                        return 1
                fi
        done
}

reader_that_leaves() {
        local status

        # More than a pipe holds, so that cip meets the end of its reader.
        cip config oci:src/config-1m:t 2>err | head -c 1 >out
        status=${PIPESTATUS[0]}
        [ "$status" -eq 141 ] && quiet && large_image &&
                cip blob oci:src/large:t "$(digest_of_layer large)" 2>err | head -c 1 >out
        status=${PIPESTATUS[0]}
        [ "$status" -eq 141 ] && quiet && alone
}

# In a terminal of 100 columns: what COMMAND prints there goes to out.
in_terminal() {
        CIP_TEST_MARK=$mark SHELL=/bin/sh script -qec "stty cols 100 2>/dev/null; $1" /dev/null >out 2>err </dev/null
}

terminals() {
        if ! command -v script >/dev/null; then
                say "there is no script(1)"
                return 77
        fi
        local digest escape=$'\033'

        digest=$(digest_of_layer gzip)
        ! in_terminal "$cip_program blob oci:src/gzip:t $digest" && prints "would spoil this terminal" &&
                prints "${escape}[1;31mcip:" &&
                ! NO_COLOR=1 in_terminal "$cip_program blob oci:src/gzip:t $digest" && prints "cip:" &&
                ! grep -q "$escape" out && large_image &&
                in_terminal "$cip_program pull oci:src/large:t oci:pulled/seen:t" && prints " of 8 layers, " &&
                NO_COLOR=1 in_terminal "$cip_program pull oci:src/large:t oci:pulled/unseen:t" && ! grep -q "$escape" out &&
                run 0 pull oci:src/large:t oci:pulled/piped:t && quiet
}

secrets_go_by_descriptor() {
        # shellcheck disable=SC2016 # the script's own variables
        server_script spy 'printf "%s\n" "$@" >seen-arguments; env >seen-environment
                while [ $# -gt 0 ]; do
                        [ "$1" = --authfile ] && cat "$2" >seen-auth
                        shift
                done
                exit 5'
        printf '{"auths":{"quay.io":{"auth":"c2VjcmV0OnNlY3JldA=="}}}' >auth.json
        cip --skopeo bin/spy inspect --auth-stdin oci:src/gzip:t <auth.json >out 2>err
        cmp seen-auth auth.json >>log && ! grep -q c2VjcmV0 seen-arguments seen-environment && [ -z "$(ls -A tmp)" ] &&
                rm seen-auth && { cip --skopeo bin/spy inspect --authfile auth.json oci:src/gzip:t >out 2>err; true; } &&
                cmp seen-auth auth.json >>log
}

options_reach_the_server() {
        run 1 --skopeo bin/spy inspect oci:x --no-creds --cert-dir src --decryption-key auth.json --tls-verify=false \
                --insecure-policy --policy auth.json --override-arch arm64 --override-os linux --override-variant v8 || return 1
        local word

        for word in --no-creds --cert-dir src --decryption-key auth.json --tls-verify=false --insecure-policy --policy \
                --override-arch arm64 --override-os linux --override-variant v8; do
                if ! grep -qxF -- "$word" seen-arguments && ! grep -qF -- "$word=" seen-arguments; then
                        say "no $word in: $(tr '\n' ' ' <seen-arguments)"
                        return 1
                fi
        done
}

# completed WORD ..: what shells offer for the last of them goes to out. Their scripts are tested in packaging/.
completed() {
        cip --complete "$@" >out 2>err && quiet
}

completion_knows_the_tables() {
        completed ins && prints inspect && completed pull --jo && prints --jobs &&
                completed inspect --jo && ! grep -q jobs out && completed --authfile aut && prints file &&
                completed call Get && prints GetFullConfig && completed pull --cert-dir sr && prints folder
}

man_page_is_complete() {
        local word page=$docs/cip.1

        cip --help | grep -o -- '--[a-z][a-z-]*' | sort -u >words
        while read -r word; do
                if ! grep -q "Fl Fl ${word#--}\\b" "$page"; then
                        say "cip.1 does not tell of $word"
                        return 1
                fi
        done <words
        for word in $(cip --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
                if ! grep -q "^.It Cm $word " "$page"; then
                        say "cip.1 does not tell of $word"
                        return 1
                fi
        done
}

help_is_there() {
        run 0 --help && quiet && prints "--stall-timeout" && run 0 pull --help && prints "--jobs" &&
                run 0 --version && prints "cip "
}

it "inspect sums an image up" inspect_sums_up
it "inspect takes an image without layers" inspect_takes_an_image_without_layers
it "an image in an archive is one as any other" archives_are_images_too
it "manifest prints the bytes as they came" manifest_is_printed_as_it_is
it "config prints the bytes of the config" config_is_printed_as_it_is
it "layers lists all of 300" layers_are_listed
it "the platform is picked out of a list" platform_is_picked
it "blob fetches a blob, to a pipe and to a file" blob_is_fetched
it "a bad blob leaves the file that was there" bad_blob_leaves_no_file
it "blob -o follows a symbolic link" blob_replaces_what_a_link_leads_to
it "call prints replies and what came through pipes" call_prints_replies
it "call goes on after a refusal, with status 1" call_goes_on_after_a_refusal
it "call --raw sends what no table knows" call_sends_anything_with_raw
it "call --json has no text for bytes that are none" call_has_no_text_for_bytes
it "call Shutdown ends well" call_shuts_down
it "call tells how the server ended" call_tells_how_the_server_ended
it "call judges its words before a server is started" call_judges_words_first
it "transcripts are JSON Lines, of --transcript and of --debug" transcript_is_json_lines
it "pull fetches whole images, byte for byte" pull_fetches_all
it "pull takes one platform of a list" pull_takes_the_platform_of_a_list
it "pull keeps a converted manifest by its own digest" pull_keeps_a_converted_manifest_by_its_own_digest
it "pull fetches nothing twice" pull_fetches_nothing_twice
it "pull replaces a layer of another size" pull_replaces_a_layer_of_another_size
it "pull works without a tag" pull_works_without_a_tag
it "pull refuses broken images and leaves a valid layout" pull_refuses_a_broken_image
it "pull makes no folder where there is no image" pull_makes_no_folder_for_nothing
it "pull leaves folders of other things alone" pull_leaves_other_folders_alone
it "pull judges where to" pull_judges_where_to
it "pull with one job and with 64" one_job_is_enough
it "pull interrupted by Ctrl-C goes on from there" interrupted INT 130
it "pull ended by SIGTERM goes on from there" interrupted TERM 143
it "pull killed at any moment goes on from there" interrupted KILL 137
it "pull removes what a dead one left" killed_layouts_are_cleaned_by_the_next_pull
it "two pulls into one layout at the same time" two_at_once
it "pull meets a limit of file sizes" file_size_limit
it "pull meets a full disk" full_disk
it "pull into a folder that cannot be written" folder_that_cannot_be_written
it "wrong words are told with what was meant" wrong_words
it "files that are not there or cannot be written" wrong_files
it "references with a mistake" wrong_references
it "commands that are no skopeo" wrong_commands
it "Ctrl-C ends a wait for the server" interrupt_ends_a_wait
it "a full disk or a closed stdout is an error" outputs_that_fail
it "a reader that leaves ends it quietly" reader_that_leaves
it "colour and progress are for terminals, and not with NO_COLOR" terminals
it "secrets go to the server by descriptor alone" secrets_go_by_descriptor
it "options reach the server" options_reach_the_server
it "completion knows the tables" completion_knows_the_tables
it "help and version are there" help_is_there
it "the man page tells of every command and option" man_page_is_complete
it "no process is left" alone
it "no temporary file is left" test -z "$(ls -A tmp)"
conclude
