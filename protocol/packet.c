/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving and sending one packet with its descriptors. The packet's size is asked for first, so that one of any
 * size is taken whole; what comes with a packet that is refused is closed.
 */
#include "protocol/packet.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/fd.h"

/* Room for the descriptors, and for credentials that a peer may make the kernel attach. */
#define CONTROL_SIZE (CMSG_SPACE(sizeof(int) * PACKET_FDS_MAX) + 256)

void packet_clear(struct packet *packet)
{
        for (size_t i = 0; i < packet->n_fds; i++)
                fd_close(packet->fds[i]);
        packet->n_fds = 0;
        packet->len = 0;
}

void packet_free(struct packet *packet)
{
        packet_clear(packet);
        free(packet->data);
        packet->data = NULL;
        packet->allocated = 0;
}

static int reserve(struct packet *packet, size_t len)
{
        char *grown;

        if (len < packet->allocated)
                return 0;
        grown = realloc(packet->data, len + 1);
        if (!grown)
                return -ENOMEM;
        packet->data = grown;
        packet->allocated = len + 1;
        return 0;
}

/* Takes every descriptor out of the control messages, whatever else is wrong. False: there is another kind. */
static bool take_descriptors(struct msghdr *message, struct packet *packet)
{
        bool known = true;

        for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
                size_t n, room;

                if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
                    header->cmsg_len < CMSG_LEN(0)) {
                        known = false;
                        continue;
                }
                n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                room = PACKET_FDS_MAX - packet->n_fds;
                /* The kernel sends no more than this in one packet, and merges no two. */
                if (n > room)
                        n = room;
                memcpy(packet->fds + packet->n_fds, CMSG_DATA(header), n * sizeof(int));
                packet->n_fds += n;
        }
        return known;
}

/* How much is taken at once from a stream socket, which has no packets. */
#define STREAM_PIECE 65536

static bool is_stream(int socket)
{
        int type = 0;
        socklen_t size = sizeof(type);

        return getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* Bytes of the next packet, without taking it; 0 at the end of input and for an empty packet. */
static ssize_t next_size(int socket)
{
        ssize_t n;

        do
                n = recv(socket, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        return n == 0 && is_stream(socket) ? STREAM_PIECE : n;
}

int packet_receive(int socket, struct packet *packet, struct cip_error *error)
{
        union {
                char space[CONTROL_SIZE];
                struct cmsghdr align;
        } control;
        struct iovec iov;
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control.space,
                .msg_controllen = sizeof(control.space),
        };
        ssize_t n;
        bool known;
        int r;

        packet_clear(packet);
        n = next_size(socket);
        if (n >= 0) {
                r = reserve(packet, (size_t)n);
                if (r < 0)
                        return error_set_errno(error, CIP_ERROR_LOCAL, r,
                                               "cannot take in a packet of %zd bytes", n);
                iov = (struct iovec){packet->data, (size_t)n};
                do
                        n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
                while (n < 0 && errno == EINTR);
                if (n < 0)
                        n = -errno;
        }
        if (n == -EAGAIN)
                return -EAGAIN;
        if (n < 0)
                return error_set_errno(error, CIP_ERROR_TRANSPORT, (int)n, "cannot receive from the socket");
        known = take_descriptors(&message, packet);
        if (!known || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
                const char *what = !known                           ? "an unknown control message"
                                   : message.msg_flags & MSG_CTRUNC ? "truncated descriptors"
                                                                    : "truncated data";

                packet_clear(packet);
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "a packet came with %s", what);
        }
        packet->data[n] = '\0';
        packet->len = (size_t)n;
        if (n == 0) {
                packet_clear(packet);
                return 0;
        }
        return 1;
}

int packet_send(int socket, const void *data, size_t len, const int *fds, size_t n_fds)
{
        union {
                char space[CONTROL_SIZE];
                struct cmsghdr align;
        } control;
        struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n;

        if (n_fds > PACKET_FDS_MAX)
                return -EINVAL;
        if (n_fds > 0) {
                struct cmsghdr *header;

                memset(&control, 0, CMSG_SPACE(sizeof(int) * n_fds));
                message.msg_control = control.space;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(header), fds, sizeof(int) * n_fds);
        }
        do
                n = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n >= 0)
                return 0;
        /* A peer that left packets unread when it went. */
        return errno == ECONNRESET ? -EPIPE : -errno;
}
