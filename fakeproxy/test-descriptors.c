/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of the wrong kind, which a scenario sends, are written into the recording by their kind, and are
 * of that kind again when it is replayed. The program's path is the only argument.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/drive.h"

#define CALL(method, args) "{\"method\":\"" method "\",\"args\":[" args "]}"
#define PROXY "--insecure-policy experimental-image-proxy"

static const char *program;

/* What the scenario says, and what it is. */
static const struct {
        const char *word, *kind;
} kinds[] = {
        {"file", "file"},     {"directory", "directory"},  {"device", "device"},
        {"socket", "socket"}, {"write-end", "pipe-write"}, {"closed-pipe", "pipe-read"},
};

static void write_scenario(const char *path, const char *word)
{
        FILE *file = fopen(path, "we");

        ck_assert_ptr_nonnull(file);
        fprintf(file,
                "{\"scenario\": \"scenario\", \"about\": \"a\", \"rules\": [{\"when\": {\"method\": "
                "\"GetManifest\"}, "
                "\"descriptors\": \"%s\"}]}",
                word);
        ck_assert_int_eq(fclose(file), 0);
}

/* The same session with whoever serves: the manifest comes in a descriptor of this kind. */
static void talk(struct drive *drive, const char *kind)
{
        const char *reply;

        reply = drive_call(drive, CALL("Initialize", ""));
        ck_assert_msg(reply && strstr(reply, "\"success\":true"), "%s", drive_stderr(drive));
        reply = drive_call(drive, CALL("OpenImage", "\"fake:blob-1\""));
        ck_assert_ptr_nonnull(reply);
        reply = drive_call(drive, CALL("GetManifest", "1"));
        ck_assert_msg(reply && strstr(reply, "\"success\":true"), "%s", reply ? reply : "(hung up)");
        ck_assert_uint_eq(drive->packet.n_fds, 1);
        ck_assert_str_eq(fd_kind(drive->packet.fds[0]), kind);
        fd_clear(&drive->packet.fds[0]);
        drive_send(drive, CALL("Shutdown", ""));
        ck_assert_int_eq(drive_wait(drive), 0);
}

START_TEST(a_descriptor_of_another_kind_is_recorded_and_replayed)
{
        struct drive drive CLEANUP_DRIVE = {0};
        char scenario[300], flags[700];
        struct cip_error error;
        char *folder;

        ck_assert_ok(tmpdir_new("descriptors", &folder, &error));
        snprintf(scenario, sizeof(scenario), "%s/scenario.json", folder);
        write_scenario(scenario, kinds[_i].word);
        snprintf(flags, sizeof(flags), "--record %s/talk --record-data --scenario %s " PROXY, folder, scenario);
        drive_start(&drive, program, NULL, flags);
        talk(&drive, kinds[_i].kind);
        drive_clear(&drive);
        snprintf(flags, sizeof(flags), "--replay %s/talk " PROXY, folder);
        drive_start(&drive, program, NULL, flags);
        talk(&drive, kinds[_i].kind);
        drive_clear(&drive);
        tmpdir_remove(folder);
}
END_TEST

int main(int argc, char *argv[])
{
        Suite *suite = suite_create("descriptors");
        TCase *tcase = testing_case(suite, "descriptors");

        if (argc != 2) {
                fprintf(stderr, "usage: %s PROGRAM\n", argv[0]);
                return 2;
        }
        program = argv[1];
        tcase_add_loop_test(tcase, a_descriptor_of_another_kind_is_recorded_and_replayed, 0, ARRAY_SIZE(kinds));
        return testing_main(suite);
}
