/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recordings, as --replay reads them. Nothing of a damaged one stays open.
 */
#include "fakeproxy/recording.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct recording recording = {0};
        struct target_file file;
        struct cip_error error = {0};
        size_t fds = target_count_fds();
        int r;

        target_file_open(&file, data, size);
        r = recording_read(file.path, &recording, &error);
        target_that(r == 0 || *error.message, "a recording was refused without a word");
        target_that(r < 0 || (recording.n_exchanges && recording.exchanges[0].kind == RECORDED_START),
                    "a recording has no beginning");
        recording_clear(&recording);
        target_file_close(&file);
        target_that(target_count_fds() == fds, "a descriptor is left open");
        return 0;
}
