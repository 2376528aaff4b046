/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing on what goes between a client and a server: packets with their descriptors, empty ones, the end of
 * either side, signals.
 */
#ifndef FAKEPROXY_RELAY_H
#define FAKEPROXY_RELAY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/child.h"
#include "base/cip-error.h"
#include "fakeproxy/record.h"
#include "protocol/packet.h"

/* One way of the two. */
struct relay_way {
        struct packet packet; /* the one on its way */
        bool waits;           /* it is there, and could not be sent yet */
        bool ended;           /* nothing more comes */
};

struct relay {
        int client, server;    /* sockets, owned; -1: closed */
        ino_t server_inode;    /* of the other end of `server` */
        bool stream;           /* they have no packets */
        struct child *child;   /* owned */
        struct record *record; /* NULL: nothing is recorded. Borrowed */

        struct relay_way up, down; /* to the server, to the client */
        bool up_end_passed;        /* the server was told of the client's end */
        int signals;
        bool child_ended;
        bool given_up; /* a signal came when the server had ended */
        int status;
};

/*
 * Does so until the server has ended and the client has what there was to have. *@ret_status is the server's wait
 * status. Closes all that @relay has. Returns 0, or a negative errno with @error.
 */
int relay_run(struct relay *relay, int *ret_status, struct cip_error *error);

#endif
