/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip-conformance: which rules of the image proxy protocol does a server keep, and what does a client
 * make of a server that keeps them not? Its commands are here as a table.
 */
#include "base/cleanup.h"
#include "conformance/program.h"

static const struct command commands[] = {
        {"server", "server [options] -- COMMAND ..", "check a server, such as skopeo", command_server,
         &server_options, NULL, true},
        {"client", "client [options] -- COMMAND .. {ref} ..", "check a client of such servers", command_client,
         &client_options, NULL, true},
        {"matrix", "matrix [options] --server NAME=COMMAND ..", "check several servers, side by side",
         command_matrix, &matrix_options},
        {"diff", "diff [options] OLD.json NEW.json", "compare two saved reports", command_diff, &diff_options,
         "FILE"},
        {"list", "list [--client] [--filter GLOB] [--json]", "print every check, or every scenario",
         command_list, &list_options},
        {"explain", "explain ID ..", "tell all about a check or a scenario", command_explain, &explain_options,
         "ID"},
};

static const struct program program = {
        .name = "cip-conformance",
        .about = "Checks whether a server keeps the containers image proxy protocol, and what a client of it "
                 "does\n"
                 "on a bad day of the server.",
        .first = "cip-conformance server -- skopeo",
        .short_status = "the subject fell short",
        .commands = commands,
        .n_commands = ARRAY_SIZE(commands),
};

int main(int argc, char **argv)
{
        (void)argc;
        return program_main(&program, (const char *const *)argv);
}
