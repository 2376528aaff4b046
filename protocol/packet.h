/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet of the SOCK_SEQPACKET socket with the descriptors that came along: the only place in the tree
 * that calls recvmsg on it. It knows nothing of JSON.
 */
#ifndef PROTOCOL_PACKET_H
#define PROTOCOL_PACKET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

/* The kernel's SCM_MAX_FD: more than these never come with one packet. */
#define PACKET_FDS_MAX 253

/* The server's buffer for a request, in bytes: a longer request is cut there. docs/protocol.md#transport */
#define PACKET_REQUEST_MAX 32768

/* A packet that was received. Zero-initialise it; packet_clear may be called any number of times. */
struct packet {
        char *data; /* NUL-terminated behind @len bytes */
        size_t len;
        size_t allocated;
        int fds[PACKET_FDS_MAX]; /* owned; set one to -1 with steal_fd to take it out */
        size_t n_fds;
};

/* Closes the descriptors and forgets the data; the buffer is kept for the next packet. */
void packet_clear(struct packet *packet);

/* packet_clear, and frees the buffer. */
void packet_free(struct packet *packet);
static inline void cleanup_packet(struct packet *packet)
{
        packet_free(packet);
}

/*
 * Receives one packet without waiting, however large, into @packet (cleared first). All of it or nothing: a
 * packet whose data or descriptors came truncated, or with an unknown control message, is a `protocol` error
 * and every descriptor that came with it is closed. Descriptors are close-on-exec.
 *
 * Returns 1 with a packet; 0 at end of input, which a packet of zero bytes is too; -EAGAIN when there is
 * none yet; else a negative errno with @error filled in: -EBADMSG for what the peer broke, -ECONNRESET and
 * the like for the socket, -ENOMEM.
 */
int packet_receive(int socket, struct packet *packet, struct cip_error *error);

/*
 * Sends one packet with @n_fds borrowed descriptors without waiting. Raises no SIGPIPE. Returns 0, -EAGAIN
 * when the socket is full, -EMSGSIZE when it can never take so much, -EPIPE when the peer is gone, or another
 * negative errno.
 */
int packet_send(int socket, const void *data, size_t len, const int *fds, size_t n_fds);

#endif
