/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual descriptors are like the kernel's: programs made up of what libcip and the targets do with
 * descriptors, from a seed, on one of each, side by side. What each call returns, and says where it fails, must
 * be the same; and when all is closed nothing is left.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/testing.h"
#include "fuzz/virtual-fd.h"
#include "fuzz/virtual.h"
#include "protocol/packet.h"

#define PROGRAMS 400
#define STEPS 200
#define SLOTS_MAX 32

/* The same descriptor twice: [0] the kernel's, [1] the virtual one. */
static int slots[SLOTS_MAX][2];
static size_t n_slots;
static unsigned seed, step;
static uint64_t state;

static unsigned below(unsigned bound)
{
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned)(state >> 33) % bound;
}

static void same(const char *what, long a, long b)
{
        ck_assert_msg(a == b, "program %u, step %u: %s is %ld, and %ld on virtual descriptors", seed, step,
                      what, a, b);
}

static long outcome(long r)
{
        return r < 0 ? -errno : r;
}

static void add_slot(int a, int b)
{
        ck_assert_int_ge(a, 0);
        ck_assert_int_ge(b, 0);
        slots[n_slots][0] = a;
        slots[n_slots++][1] = b;
}

static void open_some(void)
{
        static const struct {
                enum virtual_kind kind;
                const char *path;
                int flags;
        } others[] = {
                {VIRTUAL_NULL, "/dev/null", O_WRONLY},
                {VIRTUAL_ZERO, "/dev/zero", O_RDONLY},
                {VIRTUAL_DIRECTORY, "/", O_RDONLY | O_DIRECTORY},
        };
        unsigned which = below(9);
        int a[2], b[2];

        if (n_slots + 2 > SLOTS_MAX)
                return;
        if (which < ARRAY_SIZE(others)) {
                add_slot(open(others[which].path, others[which].flags | O_NONBLOCK | O_CLOEXEC),
                         virtual_open(others[which].kind));
                return;
        }
        if (which % 2) {
                ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, a), 0);
                ck_assert_int_eq(virtual_socketpair(b), 0);
        } else {
                ck_assert_int_eq(pipe2(a, O_CLOEXEC | O_NONBLOCK), 0);
                ck_assert_int_eq(fcntl(a[1], F_SETPIPE_SZ, VIRTUAL_PIPE_SIZE), VIRTUAL_PIPE_SIZE);
                ck_assert_int_eq(virtual_pipe(b), 0);
                ck_assert_int_eq(fcntl(b[0], F_SETFL, O_NONBLOCK), 0);
        }
        add_slot(a[0], b[0]);
        add_slot(a[1], b[1]);
}

static void close_one(size_t i)
{
        same("close", outcome(close(slots[i][0])), outcome(close(slots[i][1])));
        n_slots--;
        slots[i][0] = slots[n_slots][0];
        slots[i][1] = slots[n_slots][1];
}

static void look_at(const int slot[2])
{
        struct pollfd a = {.fd = slot[0], .events = POLLIN | POLLOUT},
                      b = {.fd = slot[1], .events = POLLIN | POLLOUT};
        int on_a = 0, on_b = 0;
        socklen_t size_a = sizeof(on_a), size_b = sizeof(on_b);

        poll(&a, 1, 0);
        poll(&b, 1, 0);
        if (strcmp(fd_kind(slot[0]), "socket") == 0 && a.revents & POLLOUT)
                b.revents |= POLLOUT; /* it is full with fewer packets */
        same("what poll finds", a.revents, b.revents);
        same("the kind", strcmp(fd_kind(slot[0]), fd_kind(slot[1])), 0);
        same("getsockopt", outcome(getsockopt(slot[0], SOL_SOCKET, SO_TYPE, &on_a, &size_a)),
             outcome(getsockopt(slot[1], SOL_SOCKET, SO_TYPE, &on_b, &size_b)));
        same("the socket's type", on_a, on_b);
        same("F_GETFL", fcntl(slot[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK),
             fcntl(slot[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
}

static void read_one(const int slot[2])
{
        char a[10000] = "", b[10000] = "";
        size_t size = below(4) ? below(200) : below(sizeof(a));
        long n = outcome(read(slot[0], a, size));

        same("read", n, outcome(read(slot[1], b, size)));
        ck_assert(n <= 0 || memcmp(a, b, (size_t)n) == 0);
}

static void write_one(const int slot[2])
{
        char data[10000];
        size_t size = below(4) ? below(200) : below(sizeof(data));

        if (strcmp(fd_kind(slot[0]), "socket") == 0)
                return; /* packets have a way of their own */
        for (size_t i = 0; i < size; i++)
                data[i] = (char)below(256);
        same("write", outcome(write(slot[0], data, size)), outcome(write(slot[1], data, size)));
}

/* Whether the virtual one has room for one more, which the kernel always has here. */
static bool has_room(int fd)
{
        struct pollfd place = {.fd = fd, .events = POLLOUT};

        return poll(&place, 1, 0) > 0;
}

static void send_one(const int slot[2])
{
        char data[500];
        size_t len = below(sizeof(data)), n = below(3) ? 0 : below(4);
        int a[4], b[4];

        if (!has_room(slot[1]))
                return;
        for (size_t i = 0; i < len; i++)
                data[i] = (char)below(256);
        for (size_t i = 0; i < n; i++) {
                size_t which = below((unsigned)n_slots);

                /* A socket in a socket may be one of which nobody has an end. */
                if (strcmp(fd_kind(slots[which][0]), "socket") == 0)
                        return;
                a[i] = slots[which][0];
                b[i] = slots[which][1];
        }
        same("send", packet_send(slot[0], data, len, a, n), packet_send(slot[1], data, len, b, n));
}

static void receive_one(const int slot[2])
{
        CLEANUP(cleanup_packet) struct packet a = {0};
        CLEANUP(cleanup_packet) struct packet b = {0};

        same("peek", outcome(recv(slot[0], NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT)),
             outcome(recv(slot[1], NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT)));
        same("receive", packet_receive(slot[0], &a, NULL), packet_receive(slot[1], &b, NULL));
        same("the packet's length", (long)a.len, (long)b.len);
        same("its descriptors", (long)a.n_fds, (long)b.n_fds);
        ck_assert(a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
        for (size_t i = 0; i < a.n_fds && n_slots < SLOTS_MAX; i++)
                add_slot(steal_fd(&a.fds[i]), steal_fd(&b.fds[i]));
        /* What has no place is closed; -1 stands where it was taken. */
        for (size_t i = 0; i < a.n_fds; i++) {
                if (a.fds[i] >= 0) {
                        fd_clear(&a.fds[i]);
                        fd_clear(&b.fds[i]);
                }
        }
        a.n_fds = b.n_fds = 0;
}

static void do_something(void)
{
        size_t i;

        if (n_slots == 0 || below(8) == 0) {
                open_some();
                return;
        }
        i = below((unsigned)n_slots);
        switch (below(8)) {
        case 0:
                close_one(i);
                break;
        case 1:
                if (n_slots < SLOTS_MAX)
                        add_slot(fcntl(slots[i][0], F_DUPFD_CLOEXEC, 3),
                                 fcntl(slots[i][1], F_DUPFD_CLOEXEC, 3));
                break;
        case 2:
                read_one(slots[i]);
                break;
        case 3:
                write_one(slots[i]);
                break;
        case 4:
        case 5:
                send_one(slots[i]);
                break;
        case 6:
                receive_one(slots[i]);
                break;
        default:
                look_at(slots[i]);
        }
}

static bool has_no_more(void *data)
{
        (void)data;
        return false;
}

START_TEST(test_virtual_descriptors_are_like_the_kernels)
{
        signal(SIGPIPE, SIG_IGN);
        for (seed = 0; seed < PROGRAMS; seed++) {
                state = seed;
                virtual_fds_begin();
                virtual_begin(has_no_more, NULL, UINT64_C(1000000000));
                for (step = 0; step < STEPS; step++)
                        do_something();
                while (n_slots)
                        close_one(0);
                ck_assert_uint_eq(virtual_count_fds(), 0);
                virtual_end();
        }
}
END_TEST

START_TEST(test_a_number_that_is_closed_is_no_descriptor)
{
        int ends[2];
        char byte;

        virtual_fds_begin();
        ck_assert_int_eq(virtual_pipe(ends), 0);
        ck_assert_int_eq(close(ends[0]), 0);
        ck_assert_int_eq(close(ends[0]), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(read(ends[0], &byte, 1), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_uint_eq(virtual_count_fds(), 1);
        ck_assert_int_eq(close(ends[1]), 0);
        ck_assert_uint_eq(virtual_count_fds(), 0);
}
END_TEST

START_TEST(test_what_is_in_a_packet_counts_as_open)
{
        int sockets[2], ends[2];

        virtual_fds_begin();
        ck_assert_int_eq(virtual_socketpair(sockets), 0);
        ck_assert_int_eq(virtual_pipe(ends), 0);
        ck_assert_ok(packet_send(sockets[0], "x", 1, &ends[1], 1));
        fd_close(ends[1]);
        ck_assert_uint_eq(virtual_count_fds(), 4);
        fd_close(sockets[1]);
        ck_assert_uint_eq(virtual_count_fds(), 2);
        fd_close(sockets[0]);
        fd_close(ends[0]);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("virtual");
        TCase *tcase = testing_case(suite, "virtual");

        tcase_add_test(tcase, test_virtual_descriptors_are_like_the_kernels);
        tcase_add_test(tcase, test_a_number_that_is_closed_is_no_descriptor);
        tcase_add_test(tcase, test_what_is_in_a_packet_counts_as_open);
        return testing_main(suite);
}
