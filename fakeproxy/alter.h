/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interposer with a scenario: a real server's session in which the scenario's rules change what is said. One
 * fault in an otherwise real pull. docs/recording.md
 */
#ifndef FAKEPROXY_ALTER_H
#define FAKEPROXY_ALTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/child.h"
#include "base/cip-error.h"
#include "fakeproxy/scenario.h"

struct alteration {
        int client, server;  /* sockets, owned */
        bool stream;         /* they have no packets */
        struct child *child; /* owned */
        const struct scenario *scenario;
        const char *verdict; /* a file; NULL: none is wanted */
        uint64_t seed;
};

/*
 * Hands on what goes between client and server, one request at a time, and lets the rules act, until the server has
 * ended or a rule ends the session. *@ret_status is a wait status. Returns 0, or a negative errno with @error. Does
 * not return where a rule ends the process.
 */
int alter_run(struct alteration *alteration, int *ret_status, struct cip_error *error);

#endif
