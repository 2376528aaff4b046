/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip-fuzz: finds what a server or a client of the image proxy protocol does wrong, by trying. Its commands are
 * here as a table.
 */
#include "base/cleanup.h"
#include "conformance/program.h"
#include "fuzz/commands.h"

static const struct command commands[] = {
        {"server", "server [options] -- COMMAND ..", "random sessions with a server", command_server,
         &server_options, NULL, true},
        {"client", "client [options] -- COMMAND .. {ref}", "a client with servers that do this and that",
         command_client, &client_options, NULL, true},
        {"diff", "diff [options] -- COMMAND_A .. -- COMMAND_B ..",
         "the same sessions with two servers, compared", command_diff, &diff_options, NULL, true},
        {"replay", "replay [options] FILE -- COMMAND ..", "run a finding, steps or a transcript again",
         command_replay, &replay_options, "FILE", true},
        {"minimize", "minimize [options] FILE -- COMMAND ..",
         "make a sequence of steps as small as its fault allows", command_minimize, &minimize_options, "FILE",
         true},
};

static const struct program program = {
        .name = "cip-fuzz",
        .about =
                "Finds what a server or a client of the containers image proxy protocol does wrong, by trying.",
        .first = "cip-fuzz server --time 60 -- skopeo",
        .short_status = "something was found",
        .commands = commands,
        .n_commands = ARRAY_SIZE(commands),
};

int main(int argc, char **argv)
{
        (void)argc;
        return program_main(&program, (const char *const *)argv);
}
