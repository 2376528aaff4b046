/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets with descriptors, sent through a socket as a peer would. The input is the kinds of the descriptors, the
 * kind of control data around them, and the packet. What is received is what was sent, and nothing stays open.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz/target.h"
#include "protocol/packet.h"

static int open_kind(unsigned kind, int socket)
{
        int ends[2];

        switch (kind) {
        case 0:
        case 1:
                if (pipe2(ends, O_CLOEXEC) < 0)
                        return -1;
                fd_close(ends[kind]);
                return ends[1 - kind];
        case 2:
                return open("/dev/zero", O_RDONLY | O_CLOEXEC);
        case 3:
                return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        default:
                return fcntl(socket, F_DUPFD_CLOEXEC, 0);
        }
}

/* With one message of rights for all, or one for each, or with credentials beside them. */
static bool send_packet(int socket, const void *data, size_t len, const int *fds, size_t n_fds, unsigned form)
{
        _Alignas(struct cmsghdr) char control[8192] = {0};
        struct iovec iov = {(void *)(uintptr_t)data, len};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        size_t each = form == 1 ? 1 : n_fds, at = 0;

        for (size_t i = 0; i < n_fds; i += each) {
                struct cmsghdr *header = (struct cmsghdr *)(control + at);

                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(each * sizeof(int));
                memcpy(CMSG_DATA(header), fds + i, each * sizeof(int));
                at += CMSG_SPACE(each * sizeof(int));
        }
        if (at) {
                message.msg_control = control;
                message.msg_controllen = at;
        }
        return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

static void judge(struct target_input *input, const int sockets[2])
{
        unsigned form = input_below(input, 4);
        bool credentials = form == 2;
        CLEANUP(cleanup_packet) struct packet packet = {0};
        struct cip_error error = {0};
        int fds[PACKET_FDS_MAX];
        size_t n = input_byte(input), len;
        const uint8_t *data;
        bool sent;
        int r;

        n = n < PACKET_FDS_MAX ? n : PACKET_FDS_MAX;
        for (size_t i = 0; i < n; i++) {
                fds[i] = open_kind(input_below(input, 5), sockets[0]);
                target_that(fds[i] >= 0, "cannot open descriptor %zu: %s", i, strerror(errno));
        }
        data = input_rest(input, &len);
        if (credentials)
                setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int));
        sent = send_packet(sockets[0], data, len, fds, n, form);
        for (size_t i = 0; i < n; i++)
                fd_close(fds[i]);
        if (!sent)
                return;
        r = packet_receive(sockets[1], &packet, &error);
        if (r == 1) {
                target_that(packet.len == len && memcmp(packet.data, data, len) == 0, "another packet came");
                target_that(packet.n_fds == n, "%zu descriptors came of %zu", packet.n_fds, n);
                for (size_t i = 0; i < n; i++)
                        target_that(fcntl(packet.fds[i], F_GETFD) == FD_CLOEXEC,
                                    "a descriptor is not close-on-exec");
        } else {
                target_that(r == 0 ? len == 0 : r < 0 && (r == -EAGAIN || *error.message),
                            "a packet was refused without a word: %d", r);
                target_that(packet.n_fds == 0, "a packet that is none brought descriptors");
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct target_input input = {data, size};
        size_t fds = target_count_fds();
        int sockets[2];

        target_that(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0,
                    "no socket: %s", strerror(errno));
        judge(&input, sockets);
        fd_close(sockets[0]);
        fd_close(sockets[1]);
        target_that(target_count_fds() == fds, "a descriptor is left open");
        return 0;
}
