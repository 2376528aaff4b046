/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of packets: whole or not at all, and no descriptor is lost on the way.
 */
#include "protocol/packet.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/testing.h"

static int ours, theirs;
static struct packet packet;
static struct cip_error error;

static void setup(void)
{
        int ends[2];

        ck_assert_ok(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
        ours = ends[0];
        theirs = ends[1];
}

static void teardown(void)
{
        packet_free(&packet);
        fd_clear(&ours);
        fd_clear(&theirs);
}

START_TEST(data_arrive_as_sent)
{
        ck_assert_errno(packet_receive(ours, &packet, &error), -EAGAIN);
        ck_assert_ok(packet_send(theirs, "one", 3, NULL, 0));
        ck_assert_ok(packet_send(theirs, "a\0b", 3, NULL, 0));
        ck_assert_int_eq(packet_receive(ours, &packet, &error), 1);
        ck_assert_str_eq(packet.data, "one");
        ck_assert_int_eq(packet_receive(ours, &packet, &error), 1);
        ck_assert_uint_eq(packet.len, 3);
        ck_assert_int_eq(memcmp(packet.data, "a\0b", 4), 0);
        ck_assert_errno(packet_receive(ours, &packet, &error), -EAGAIN);
}
END_TEST

static const size_t sizes[] = {1, 32767, 32768, 32769, 65536, 150000};

START_TEST(packets_of_any_size_are_taken_whole)
{
        size_t size = sizes[_i];
        char *data = malloc(size);

        memset(data, 'x', size);
        ck_assert_ok(packet_send(theirs, data, size, NULL, 0));
        ck_assert_int_eq(packet_receive(ours, &packet, &error), 1);
        ck_assert_uint_eq(packet.len, size);
        ck_assert_int_eq(memcmp(packet.data, data, size), 0);
        ck_assert_int_eq(packet.data[size], '\0');
        free(data);
}
END_TEST

START_TEST(what_the_socket_cannot_take_is_an_error)
{
        char *data = calloc(1, 16 << 20);

        ck_assert_errno(packet_send(theirs, data, 16 << 20, NULL, 0), -EMSGSIZE);
        while (packet_send(theirs, data, 30000, NULL, 0) == 0)
                ;
        ck_assert_errno(packet_send(theirs, data, 30000, NULL, 0), -EAGAIN);
        fd_clear(&ours);
        ck_assert_errno(packet_send(theirs, data, 1, NULL, 0), -EPIPE);
        free(data);
}
END_TEST

static const size_t fd_numbers[] = {1, 2, 16, PACKET_FDS_MAX};

START_TEST(descriptors_arrive_in_order_and_close_on_exec)
{
        size_t n = fd_numbers[_i];
        int fds[PACKET_FDS_MAX];

        for (size_t i = 0; i < n; i++)
                fds[i] = i % 2 ? ours : theirs;
        ck_assert_ok(packet_send(theirs, "x", 1, fds, n));
        ck_assert_int_eq(packet_receive(ours, &packet, &error), 1);
        ck_assert_uint_eq(packet.n_fds, n);
        for (size_t i = 0; i < n; i++) {
                ck_assert_str_eq(fd_kind(packet.fds[i]), "socket");
                ck_assert(fcntl(packet.fds[i], F_GETFD) & FD_CLOEXEC);
        }
        ck_assert_errno(packet_send(theirs, "x", 1, fds, PACKET_FDS_MAX + 1), -EINVAL);
}
END_TEST

START_TEST(the_next_packet_closes_what_was_not_taken)
{
        int before = fd_count(0), fds[] = {theirs, theirs}, taken;

        ck_assert_ok(packet_send(theirs, "x", 1, fds, 2));
        ck_assert_ok(packet_send(theirs, "y", 1, NULL, 0));
        ck_assert_int_eq(packet_receive(ours, &packet, &error), 1);
        taken = steal_fd(&packet.fds[0]);
        ck_assert_int_eq(packet_receive(ours, &packet, &error), 1);
        ck_assert_uint_eq(packet.n_fds, 0);
        ck_assert_int_eq(fd_count(0), before + 1);
        fd_close(taken);
}
END_TEST

/* Whether the kernel knows of the limit. Under valgrind it does not: valgrind keeps that to itself. */
static bool limit_is_real(rlim_t limit)
{
        char line[256], wanted[64];
        bool found = false;
        FILE *file = fopen("/proc/self/limits", "re");

        snprintf(wanted, sizeof(wanted), "Max open files            %llu ", (unsigned long long)limit);
        while (fgets(line, sizeof(line), file))
                found |= strncmp(line, wanted, strlen(wanted)) == 0;
        fclose(file);
        return found;
}

/* The kernel cuts the descriptors that this process has no numbers for. */
START_TEST(descriptors_that_came_truncated_are_an_error_and_closed)
{
        struct rlimit old, few;
        int fds[8], before = fd_count(0);

        for (size_t i = 0; i < 8; i++)
                fds[i] = theirs;
        ck_assert_ok(packet_send(theirs, "x", 1, fds, 8));
        ck_assert_ok(getrlimit(RLIMIT_NOFILE, &old));
        few = old;
        few.rlim_cur = (rlim_t)dup_fd(0, 0) + 4;
        fd_close((int)few.rlim_cur - 4);
        ck_assert_ok(setrlimit(RLIMIT_NOFILE, &few));
        if (!limit_is_real(few.rlim_cur))
                return;
        ck_assert_errno(packet_receive(ours, &packet, &error), -EBADMSG);
        ck_assert_ok(setrlimit(RLIMIT_NOFILE, &old));
        ck_assert_int_eq(error.error_class, CIP_ERROR_PROTOCOL);
        ck_assert_ptr_nonnull(strstr(error.message, "truncated descriptors"));
        ck_assert_uint_eq(packet.n_fds, 0);
        ck_assert_int_eq(fd_count(0), before);
}
END_TEST

/* A receiver that asked for credentials gets them beside the descriptors. */
START_TEST(an_unknown_control_message_is_an_error_and_its_neighbours_are_closed)
{
        int one = 1, before = fd_count(0);

        ck_assert_ok(setsockopt(ours, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
        ck_assert_ok(packet_send(theirs, "x", 1, &theirs, 1));
        ck_assert_errno(packet_receive(ours, &packet, &error), -EBADMSG);
        ck_assert_ptr_nonnull(strstr(error.message, "unknown control message"));
        ck_assert_int_eq(fd_count(0), before);
}
END_TEST

START_TEST(end_of_input_and_an_empty_packet_are_the_same)
{
        int before = fd_count(0);

        ck_assert_ok(packet_send(theirs, "", 0, &theirs, 1));
        ck_assert_int_eq(packet_receive(ours, &packet, &error), 0);
        ck_assert_int_eq(fd_count(0), before);
        fd_clear(&theirs);
        ck_assert_int_eq(packet_receive(ours, &packet, &error), 0);
}
END_TEST

START_TEST(a_stream_socket_gives_what_is_there)
{
        int ends[2];

        ck_assert_ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
        ck_assert_errno(packet_receive(ends[0], &packet, &error), -EAGAIN);
        ck_assert_ok(packet_send(ends[1], "one", 3, NULL, 0));
        ck_assert_ok(packet_send(ends[1], "two", 3, NULL, 0));
        ck_assert_int_eq(packet_receive(ends[0], &packet, &error), 1);
        ck_assert_str_eq(packet.data, "onetwo");
        fd_close(ends[1]);
        ck_assert_int_eq(packet_receive(ends[0], &packet, &error), 0);
        fd_close(ends[0]);
}
END_TEST

START_TEST(what_is_no_socket_is_an_error)
{
        int file = open("/dev/null", O_RDWR | O_CLOEXEC);

        ck_assert_errno(packet_receive(file, &packet, &error), -ENOTSOCK);
        ck_assert_int_eq(error.error_class, CIP_ERROR_TRANSPORT);
        ck_assert_errno(packet_send(file, "x", 1, NULL, 0), -ENOTSOCK);
        fd_close(file);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("packet");
        TCase *tcase = testing_case(suite, "packet");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, data_arrive_as_sent);
        tcase_add_loop_test(tcase, packets_of_any_size_are_taken_whole, 0, ARRAY_SIZE(sizes));
        tcase_add_test(tcase, what_the_socket_cannot_take_is_an_error);
        tcase_add_loop_test(tcase, descriptors_arrive_in_order_and_close_on_exec, 0, ARRAY_SIZE(fd_numbers));
        tcase_add_test(tcase, the_next_packet_closes_what_was_not_taken);
        tcase_add_test(tcase, descriptors_that_came_truncated_are_an_error_and_closed);
        tcase_add_test(tcase, an_unknown_control_message_is_an_error_and_its_neighbours_are_closed);
        tcase_add_test(tcase, end_of_input_and_an_empty_packet_are_the_same);
        tcase_add_test(tcase, a_stream_socket_gives_what_is_there);
        tcase_add_test(tcase, what_is_no_socket_is_an_error);
        return testing_main(suite);
}
