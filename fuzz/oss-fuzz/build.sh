#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
#
# Builds the in-process targets as OSS-Fuzz and ClusterFuzzLite want them. They set CC, CXX, CFLAGS, CXXFLAGS (with what the
# sanitizer and the engine need) and LIB_FUZZING_ENGINE, and take from OUT each program with, beside it, its corpus as
# PROGRAM_seed_corpus.zip, its dictionary as PROGRAM.dict, its settings as PROGRAM.options, and the libraries in lib.
# WORK is a folder for what is temporary. ci/oss-fuzz runs this script without either of them.
cd "$SRC/cip"
build=$WORK/cip-build
rm -rf "$build"

meson setup "$build" --buildtype=plain -Db_lundef=false -Dtests=disabled \
        -Dfuzzer=engine -Dfuzzer_engine="$LIB_FUZZING_ENGINE"
mapfile -t targets < <(meson introspect --targets "$build" | python3 -c '
import json, sys
for target in json.load(sys.stdin):
    if target["type"] == "executable" and target["name"].startswith("fuzz-"):
        print(target["name"])')
ninja -C "$build" "${targets[@]/#/fuzz/}"

mkdir -p "$OUT/lib"
"$build/fuzz/fuzz-dictionary" >"$build/dictionary"
for target in "${targets[@]}"; do
        name=${target#fuzz-}
        # Without a corpus it is no target: the empty one, and the program that prints the dictionary.
        [ -d "fuzz/corpus/$name" ] || continue
        cp "$build/fuzz/$target" "$OUT/"
        rm -f "$OUT/${target}_seed_corpus.zip"
        find "fuzz/corpus/$name" -type f | sort | zip -q -X -j -@ "$OUT/${target}_seed_corpus.zip"
        cp "$build/dictionary" "$OUT/$target.dict"
        printf '[libfuzzer]\nmax_len = 8192\n' >"$OUT/$target.options"
        # Where they are run there is nothing but libc: what else they link goes along ..
        ldd "$build/fuzz/$target" | awk '$3 ~ /^\// { print $3 }'
        # .. and what they load when they need it, with what that links.
        strings "$build/fuzz/$target" | grep -x 'lib.*\.so\.[0-9]*' | while read -r name; do
                library=$("$CC" -print-file-name="$name")
                echo "$library"
                ldd "$library" | awk '$3 ~ /^\// { print $3 }'
        done
done | sort -u | while read -r library; do
        case ${library##*/} in
        libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.* | libresolv.so.*) ;;
        *) cp -L "$library" "$OUT/lib/" ;;
        esac
done
