/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interposer's loop. One packet at most is held in each direction, so that who does not read holds up the other
 * side as if there were nothing in between. Each side's end is passed on as what it is: the closing of one half or
 * of both, with unread packets or without, and at last the server's exit.
 */
#include "fakeproxy/relay.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* Packets that one direction may hand on before the other gets its turn. */
#define TURNS 32

/* Signals that a client ends a server with; they are the server's to mind. */
static const int passed_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

/* The fixed part of what is polled; the recorder's pipes follow. */
enum {
        POLL_CLIENT,
        POLL_SERVER,
        POLL_CHILD,
        POLL_SIGNALS,
        POLL_FIXED,
};

/* Among how many of the server's descriptors its socket is looked for. */
#define DESCRIPTORS_TRIED 256

/* ---- one packet ---- */

/* Makes room in the socket's buffer for a packet of @len bytes. */
static bool grow(int socket, size_t len)
{
        int wanted = len < (size_t)INT32_MAX / 4 ? (int)len * 2 : INT32_MAX / 2;

        return setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof(wanted)) == 0;
}

/* A stream takes a part of what is sent where it has not enough room: it is asked first. */
static bool has_room(const struct relay *relay, int socket)
{
        struct pollfd poll_fd = {.fd = socket, .events = POLLOUT};

        return !relay->stream ||
               (poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLOUT | POLLHUP | POLLERR)));
}

/* Sends the packet that waits. Returns 0 (also where it is to wait on), or a negative errno with @error. */
static int send_on(struct relay *relay, struct relay_way *way, int to, struct cip_error *error)
{
        struct packet *packet = &way->packet;
        int r;

        if (way == &relay->down && record_holds_answer(relay->record))
                return 0;
        if (!has_room(relay, to))
                return 0;
        r = packet_send(to, packet->data, packet->len, packet->fds, packet->n_fds);
        if (r == -EMSGSIZE && grow(to, packet->len))
                r = packet_send(to, packet->data, packet->len, packet->fds, packet->n_fds);
        if (r == -EAGAIN)
                return 0;
        way->waits = false;
        packet_clear(packet);
        if (r == -EPIPE) {
                /* The server's next one is to meet with a client that has gone, too. */
                if (way == &relay->down && relay->server >= 0)
                        (void)shutdown(relay->server, SHUT_RD);
                return 0;
        }
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot hand a packet on");
        return 0;
}

static short state(int socket)
{
        struct pollfd poll_fd = {.fd = socket, .events = POLLRDHUP};

        return poll(&poll_fd, 1, 0) == 1 ? poll_fd.revents : 0;
}

/* Takes the next packet in. Returns 1 where there is one, 0 where there is none now, or none will be. */
static int take_in(struct relay *relay, struct relay_way *way, int from, struct cip_error *error)
{
        bool up = way == &relay->up;
        int r = packet_receive(from, &way->packet, error);

        if (r == -EAGAIN)
                return 0;
        if (r == -EBADMSG || r == -ENOMEM)
                return r;
        if (r == 1) {
                if (up)
                        record_request(relay->record, &way->packet);
                else
                        record_reply(relay->record, &way->packet);
        } else if (r == 0 && !relay->stream && !(state(from) & (POLLRDHUP | POLLHUP | POLLERR))) {
                record_empty(relay->record, up ? ">" : "<");
        } else {
                way->ended = true;
                record_end(relay->record, up ? ">" : "<");
                return r < 0 ? r : 0;
        }
        way->waits = true;
        return 1;
}

/* ---- the end of a side ---- */

/*
 * Leaves something unread in our socket, so that its closing tells the server that its last replies were not read, as
 * the client's closing would. The server's own end is borrowed to send it; where the system does not let us, the
 * server sees a client that has read all.
 */
static void leave_unread(const struct relay *relay)
{
#ifdef SYS_pidfd_getfd
        struct stat st;
        bool found = false;

        for (int number = 0; number < DESCRIPTORS_TRIED && !found; number++) {
                int fd = (int)syscall(SYS_pidfd_getfd, child_pidfd(relay->child), number, 0);

                if (fd < 0 && errno == EBADF)
                        continue;
                if (fd < 0)
                        return;
                found = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_ino == relay->server_inode;
                if (found)
                        (void)send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
                fd_close(fd);
        }
#else
        (void)relay;
#endif
}

/* The client's end, or that of its half that sends; @reset: it left replies unread. */
static void client_ends(struct relay *relay, bool reset)
{
        if (!(state(relay->client) & (POLLHUP | POLLERR)) && !reset) {
                (void)shutdown(relay->server, SHUT_WR);
                return;
        }
        if (reset)
                leave_unread(relay);
        packet_clear(&relay->down.packet);
        relay->down.waits = false;
        relay->down.ended = true;
        fd_clear(&relay->server);
}

static void server_ends(struct relay *relay)
{
        bool half = !(state(relay->server) & (POLLHUP | POLLERR));

        (void)shutdown(relay->client, half ? SHUT_WR : SHUT_RDWR);
        if (half)
                return;
        relay->up.ended = true;
        fd_clear(&relay->server);
}

/* Takes in and hands on what goes in one direction. Returns 0, or a negative errno with @error. */
static int move(struct relay *relay, struct relay_way *way, struct cip_error *error)
{
        bool up = way == &relay->up;
        int r = 0;

        for (int turn = 0; turn < TURNS; turn++) {
                int from = up ? relay->client : relay->server, to = up ? relay->server : relay->client;

                if (from < 0 || to < 0)
                        return 0;
                if (!way->waits) {
                        r = way->ended ? 0 : take_in(relay, way, from, error);
                        if (r == -EBADMSG || r == -ENOMEM)
                                return r;
                        if (way->ended && up && !relay->up_end_passed) {
                                relay->up_end_passed = true;
                                client_ends(relay, r < 0);
                        } else if (way->ended && !up) {
                                server_ends(relay);
                        }
                        if (r <= 0)
                                return 0;
                }
                r = send_on(relay, way, to, error);
                if (r < 0 || way->waits)
                        return r;
        }
        return 0;
}

/* ---- the loop ---- */

static void pass_signal(struct relay *relay)
{
        struct signalfd_siginfo info;

        if (read(relay->signals, &info, sizeof(info)) != sizeof(info))
                return;
        if (relay->child_ended)
                relay->given_up = true;
        else if (child_pid(relay->child) > 0)
                (void)kill(child_pid(relay->child), (int)info.ssi_signo);
}

static void child_ends(struct relay *relay)
{
        if (child_wait(relay->child, (struct deadline){0}, &relay->status) < 0)
                return;
        relay->child_ended = true;
        child_reap(relay->child);
}

/* Fills in what is waited for. An entry without a descriptor is one that nothing is wanted of now. */
static void fill_polls(const struct relay *relay, struct pollfd *polls)
{
        short client = 0, server = 0;

        if (!relay->up.waits && !relay->up.ended && relay->server >= 0)
                client |= POLLIN;
        if (relay->up.waits)
                server |= POLLOUT;
        if (!relay->down.waits && !relay->down.ended)
                server |= POLLIN;
        if (relay->down.waits && !record_holds_answer(relay->record))
                client |= POLLOUT;
        polls[POLL_CLIENT] = (struct pollfd){.fd = client ? relay->client : -1, .events = client};
        polls[POLL_SERVER] = (struct pollfd){.fd = server ? relay->server : -1, .events = server};
        polls[POLL_CHILD] =
                (struct pollfd){.fd = relay->child_ended ? -1 : child_pidfd(relay->child), .events = POLLIN};
        polls[POLL_SIGNALS] = (struct pollfd){.fd = relay->signals, .events = POLLIN};
        record_polls(relay->record, polls + POLL_FIXED);
}

/* Whether the server's end can be passed on: nothing of it is still on its way. */
static bool is_over(const struct relay *relay)
{
        struct pollfd more = {.fd = relay->server, .events = POLLIN};

        if (relay->given_up)
                return true;
        if (!relay->child_ended || relay->down.waits || !record_is_settled(relay->record))
                return false;
        return relay->server < 0 || relay->client < 0 || relay->down.ended || poll(&more, 1, 0) == 0;
}

static int step(struct relay *relay, struct pollfd **polls, struct cip_error *error)
{
        size_t n = POLL_FIXED + 2 * record_n_pipes(relay->record);
        struct pollfd *grown = reallocarray(*polls, n, sizeof(*grown));
        int r;

        if (!grown)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot hand packets on");
        *polls = grown;
        fill_polls(relay, grown);
        if (poll(grown, n, -1) < 0 && errno != EINTR)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot wait for packets");
        if (grown[POLL_SIGNALS].revents)
                pass_signal(relay);
        record_pump(relay->record);
        r = move(relay, &relay->down, error);
        if (r == 0)
                r = move(relay, &relay->up, error);
        if (grown[POLL_CHILD].revents)
                child_ends(relay);
        return r;
}

/* Signals that are ignored stay so: it is the client's wish. */
static int open_signals(struct relay *relay)
{
        sigset_t set;

        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(passed_signals); i++) {
                struct sigaction action;

                if (sigaction(passed_signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
                        sigaddset(&set, passed_signals[i]);
        }
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        relay->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return relay->signals < 0 ? -errno : 0;
}

int relay_run(struct relay *relay, int *ret_status, struct cip_error *error)
{
        struct pollfd *polls CLEANUP(cleanup_free) = NULL;
        int r;

        signal(SIGPIPE, SIG_IGN);
        relay->signals = -1;
        r = open_signals(relay);
        if (r < 0)
                error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot wait for signals");
        while (r == 0 && !is_over(relay))
                r = step(relay, &polls, error);
        packet_free(&relay->up.packet);
        packet_free(&relay->down.packet);
        fd_clear(&relay->signals);
        fd_clear(&relay->server);
        fd_clear(&relay->client);
        child_free(relay->child);
        relay->child = NULL;
        *ret_status = relay->status;
        return r;
}
