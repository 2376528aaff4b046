/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual descriptors: a table of them, the files behind them, which they share as the kernel's do, and the
 * system calls. What libcip and this room call of those is here as Linux has it; test-virtual.c compares the
 * two.
 */
#include "fuzz/virtual-fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/target.h"
#include "fuzz/virtual.h"

/* What this file does is nothing new to a fuzzer. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

#define FD_FIRST 10000 /* the kernel gives none as high to a fuzzer */
#define FDS_MAX 128
#define FILES_MAX 256
#define QUEUE_MAX 10 /* packets that wait in a socket, fewer than the kernel's */
#define ROOM 212992  /* as net.core.wmem_default */
#define MESSAGE_FDS_MAX 16
#define ARENA_SIZE ((size_t)1024 * 1024)

struct file;

struct message {
        char *data; /* in the arena */
        size_t len;
        struct file *files[MESSAGE_FDS_MAX];
        size_t n_files;
};

struct file {
        enum virtual_kind kind;
        unsigned users;
        int flags;
        struct file *other; /* the other end; NULL: it is closed */
        int error;          /* of a socket, told once */
        struct message queue[QUEUE_MAX];
        size_t queued;
        char *bytes; /* of a pipe, with the end that is read; in the arena */
        size_t begin, len;
};

static struct {
        struct file *fds[FDS_MAX];
        struct file files[FILES_MAX];
        size_t n_files; /* of which the last ones were never used */
        char arena[ARENA_SIZE];
        size_t arena_used;
} kernel;

int __real_close(int fd);
int __wrap_close(int fd);
ssize_t __real_read(int fd, void *data, size_t size);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_fcntl64(int fd, int command, long argument);
int __wrap_fcntl64(int fd, int command, ...);
int __real_fstat64(int fd, struct stat64 *ret);
int __wrap_fstat64(int fd, struct stat64 *ret);
ssize_t __real_recv(int fd, void *data, size_t size, int flags);
ssize_t __wrap_recv(int fd, void *data, size_t size, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);

static int fail(int errnum)
{
        errno = errnum;
        return -1;
}

/* ---- files ---- */

/* NULL: there is no room. */
static void *take_room(size_t size)
{
        void *room = kernel.arena + kernel.arena_used;

        if (size > ARENA_SIZE - kernel.arena_used)
                return NULL;
        kernel.arena_used += size;
        return room;
}

static struct file *new_file(enum virtual_kind kind)
{
        struct file *file = NULL;

        for (size_t i = 0; i < kernel.n_files && !file; i++)
                if (kernel.files[i].users == 0)
                        file = &kernel.files[i];
        if (!file) {
                if (kernel.n_files == FILES_MAX)
                        return NULL;
                file = &kernel.files[kernel.n_files++];
        }
        file->kind = kind;
        file->users = 1;
        file->flags = O_NONBLOCK;
        file->other = NULL;
        file->error = 0;
        file->queued = 0;
        file->bytes = NULL;
        file->begin = file->len = 0;
        return file;
}

static void put_file(struct file *file);

static void drop_message(struct file *file)
{
        struct message first = file->queue[0];

        memmove(file->queue, file->queue + 1, --file->queued * sizeof(file->queue[0]));
        for (size_t i = 0; i < first.n_files; i++)
                put_file(first.files[i]);
}

static void put_file(struct file *file)
{
        struct file *other = file->other;

        if (--file->users > 0)
                return;
        if (other) {
                other->other = NULL;
                other->len +=
                        file->kind == VIRTUAL_PIPE_IN ? file->len : 0; /* what nobody will read is in the way */
                if (file->queued)
                        other->error = ECONNRESET;
        }
        file->other = NULL;
        while (file->queued)
                drop_message(file);
}

/* ---- descriptors ---- */

static bool is_virtual(int fd)
{
        return fd >= FD_FIRST && fd < FD_FIRST + FDS_MAX;
}

static struct file *file_of(int fd)
{
        return kernel.fds[fd - FD_FIRST];
}

/* The lowest number that is free, as the kernel gives it; -1: there is none. Takes @file's user. */
static int give_fd(struct file *take_file)
{
        for (int i = 0; i < FDS_MAX; i++) {
                if (kernel.fds[i])
                        continue;
                kernel.fds[i] = take_file;
                return FD_FIRST + i;
        }
        put_file(take_file);
        return fail(EMFILE);
}

int virtual_open(enum virtual_kind kind)
{
        struct file *file = new_file(kind);

        return file ? give_fd(file) : fail(ENFILE);
}

static int open_pair(enum virtual_kind first, enum virtual_kind second, int ret[2])
{
        struct file *a, *b;

        ret[0] = virtual_open(first);
        if (ret[0] < 0)
                return -1;
        ret[1] = virtual_open(second);
        if (ret[1] < 0) {
                __wrap_close(ret[0]);
                return -1;
        }
        a = file_of(ret[0]);
        b = file_of(ret[1]);
        a->other = b;
        b->other = a;
        return 0;
}

int virtual_socketpair(int ret[2])
{
        return open_pair(VIRTUAL_SOCKET, VIRTUAL_SOCKET, ret);
}

int virtual_pipe(int ret[2])
{
        char *bytes = take_room(VIRTUAL_PIPE_SIZE);

        if (!bytes)
                return fail(ENFILE);
        if (open_pair(VIRTUAL_PIPE_IN, VIRTUAL_PIPE_OUT, ret) < 0)
                return -1;
        file_of(ret[0])->bytes = bytes;
        file_of(ret[0])->flags = 0;
        return 0;
}

size_t virtual_count_fds(void)
{
        size_t n = 0;

        for (size_t i = 0; i < kernel.n_files; i++)
                n += kernel.files[i].users;
        return n;
}

/* ---- system calls on any of them ---- */

int __wrap_close(int fd)
{
        struct file *file;

        if (!is_virtual(fd))
                return __real_close(fd);
        file = file_of(fd);
        if (!file)
                return fail(EBADF);
        kernel.fds[fd - FD_FIRST] = NULL;
        put_file(file);
        return 0;
}

int __wrap_fcntl64(int fd, int command, ...)
{
        struct file *file;
        va_list args;
        long argument;

        va_start(args, command);
        argument = va_arg(args, long);
        va_end(args);
        if (!is_virtual(fd))
                return __real_fcntl64(fd, command, argument);
        file = file_of(fd);
        if (!file)
                return fail(EBADF);
        switch (command) {
        case F_DUPFD_CLOEXEC:
                file->users++;
                return give_fd(file);
        case F_GETFL:
                return file->flags |
                       (file->kind == VIRTUAL_SOCKET                                   ? O_RDWR
                        : file->kind == VIRTUAL_PIPE_OUT || file->kind == VIRTUAL_NULL ? O_WRONLY
                                                                                       : O_RDONLY);
        case F_SETFL:
                file->flags = (int)argument & O_NONBLOCK;
                return 0;
        case F_SETPIPE_SZ: /* a pipe's size is the kernel's own affair */
                return file->kind == VIRTUAL_PIPE_IN || file->kind == VIRTUAL_PIPE_OUT ? (int)argument
                                                                                       : fail(EBADF);
        default:
                target_fail("the virtual descriptors know nothing of fcntl %d", command);
        }
}

int __wrap_fstat64(int fd, struct stat64 *ret)
{
        static const mode_t modes[] = {
                [VIRTUAL_SOCKET] = S_IFSOCK, [VIRTUAL_PIPE_IN] = S_IFIFO, [VIRTUAL_PIPE_OUT] = S_IFIFO,
                [VIRTUAL_NULL] = S_IFCHR,    [VIRTUAL_ZERO] = S_IFCHR,    [VIRTUAL_DIRECTORY] = S_IFDIR,
        };

        if (!is_virtual(fd))
                return __real_fstat64(fd, ret);
        if (!file_of(fd))
                return fail(EBADF);
        memset(ret, 0, sizeof(*ret));
        ret->st_mode = modes[file_of(fd)->kind] | 0600;
        return 0;
}

static short look(const struct file *file)
{
        short events = 0;

        switch (file->kind) {
        case VIRTUAL_SOCKET:
                if (file->queued)
                        events |= POLLIN;
                if (file->error)
                        events |= POLLERR;
                if (!file->other)
                        events |= POLLIN | POLLOUT | POLLHUP;
                else if (file->other->queued < QUEUE_MAX)
                        events |= POLLOUT;
                return events;
        case VIRTUAL_PIPE_IN:
                return (short)((file->len ? POLLIN : 0) | (file->other ? 0 : POLLHUP));
        case VIRTUAL_PIPE_OUT:
                if (!file->other)
                        return (short)(POLLERR | (file->len ? 0 : POLLOUT));
                return file->other->len ? 0 : POLLOUT;
        default:
                return POLLIN | POLLOUT;
        }
}

static int look_at_all(struct pollfd *fds, nfds_t n)
{
        int found = 0;

        for (nfds_t i = 0; i < n; i++) {
                struct pollfd *place = &fds[i];

                place->revents = 0;
                if (place->fd < 0)
                        continue;
                if (!is_virtual(place->fd)) {
                        found += __real_poll(place, 1, 0) > 0;
                        continue;
                }
                place->revents = file_of(place->fd) ? look(file_of(place->fd)) : POLLNVAL;
                place->revents &= (short)(place->events | POLLERR | POLLHUP | POLLNVAL);
                found += place->revents != 0;
        }
        return found;
}

void virtual_fds_begin(void)
{
        memset(kernel.fds, 0, sizeof(kernel.fds));
        kernel.n_files = 0;
        kernel.arena_used = 0;
        virtual_poll_by(look_at_all);
}

/* ---- sockets ---- */

static int tell_error(struct file *file)
{
        int errnum = file->error;

        file->error = 0;
        return fail(errnum);
}

/* The files that come with a message; false: one of them is none of ours. */
static bool take_files(const struct msghdr *from, struct message *to)
{
        const struct cmsghdr *header = from->msg_control ? CMSG_FIRSTHDR(from) : NULL;
        size_t n = header ? (header->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

        to->n_files = 0;
        target_that(n <= MESSAGE_FDS_MAX, "%zu descriptors in one packet", n);
        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(header) + i * sizeof(fd), sizeof(fd));
                if (!is_virtual(fd) || !file_of(fd))
                        return false;
                to->files[to->n_files++] = file_of(fd);
        }
        return true;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
        struct file *file;
        struct message *place;
        size_t len = message->msg_iov->iov_len;

        if (!is_virtual(fd))
                return __real_sendmsg(fd, message, flags);
        file = file_of(fd);
        if (!file || file->kind != VIRTUAL_SOCKET)
                return fail(file ? ENOTSOCK : EBADF);
        if (file->error)
                return tell_error(file);
        if (!file->other)
                return fail(EPIPE);
        if (len > ROOM)
                return fail(EMSGSIZE);
        if (file->other->queued == QUEUE_MAX) {
                target_that(flags & MSG_DONTWAIT || file->flags & O_NONBLOCK, "sendmsg waits for good");
                return fail(EAGAIN);
        }
        place = &file->other->queue[file->other->queued];
        if (!take_files(message, place))
                return fail(EBADF);
        place->data = take_room(len);
        if (!place->data)
                return fail(ENOBUFS);
        memcpy(place->data, message->msg_iov->iov_base, len);
        place->len = len;
        for (size_t i = 0; i < place->n_files; i++)
                place->files[i]->users++;
        file->other->queued++;
        return (ssize_t)len;
}

/* The next packet, which stays; NULL: none, and *@ret_result is what the call returns. */
static struct message *next_message(int fd, int flags, ssize_t *ret_result)
{
        struct file *file = file_of(fd);

        *ret_result = -1;
        if (!file || file->kind != VIRTUAL_SOCKET)
                fail(file ? ENOTSOCK : EBADF);
        else if (file->error)
                tell_error(file);
        else if (file->queued)
                return &file->queue[0];
        else if (!file->other)
                *ret_result = 0;
        else {
                target_that(flags & MSG_DONTWAIT || file->flags & O_NONBLOCK, "a receive waits for good");
                fail(EAGAIN);
        }
        return NULL;
}

static size_t copy_message(const struct message *from, void *to, size_t size)
{
        size_t n = from->len < size ? from->len : size;

        if (n)
                memcpy(to, from->data, n);
        return n;
}

ssize_t __wrap_recv(int fd, void *data, size_t size, int flags)
{
        const struct message *message;
        ssize_t n;

        if (!is_virtual(fd))
                return __real_recv(fd, data, size, flags);
        message = next_message(fd, flags, &n);
        if (!message)
                return n;
        n = (ssize_t)copy_message(message, data, size);
        if (flags & MSG_TRUNC)
                n = (ssize_t)message->len;
        if (!(flags & MSG_PEEK))
                drop_message(file_of(fd));
        return n;
}

/* Those that have no room, or no number, are closed, and the receiver is told. */
static void give_files(const struct message *from, struct msghdr *to)
{
        struct cmsghdr *header = to->msg_controllen >= CMSG_LEN(sizeof(int)) ? CMSG_FIRSTHDR(to) : NULL;
        size_t room = header ? (to->msg_controllen - CMSG_LEN(0)) / sizeof(int) : 0, n = 0;

        for (; n < from->n_files && n < room; n++) {
                int fd;

                from->files[n]->users++;
                fd = give_fd(from->files[n]);
                if (fd < 0)
                        break;
                memcpy(CMSG_DATA(header) + n * sizeof(fd), &fd, sizeof(fd));
        }
        if (n < from->n_files)
                to->msg_flags |= MSG_CTRUNC;
        to->msg_controllen = 0;
        if (n > 0) {
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(n * sizeof(int));
                to->msg_controllen = CMSG_SPACE(n * sizeof(int));
        }
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *to, int flags)
{
        const struct message *message;
        ssize_t n;

        if (!is_virtual(fd))
                return __real_recvmsg(fd, to, flags);
        message = next_message(fd, flags, &n);
        to->msg_flags = 0;
        if (!message) {
                to->msg_controllen = 0;
                return n;
        }
        n = (ssize_t)copy_message(message, to->msg_iov->iov_base, to->msg_iov->iov_len);
        if ((size_t)n < message->len)
                to->msg_flags |= MSG_TRUNC;
        give_files(message, to);
        drop_message(file_of(fd));
        return n;
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
        int answer;

        if (!is_virtual(fd))
                return __real_getsockopt(fd, level, option, value, size);
        if (!file_of(fd) || file_of(fd)->kind != VIRTUAL_SOCKET)
                return fail(file_of(fd) ? ENOTSOCK : EBADF);
        target_that(level == SOL_SOCKET && (option == SO_TYPE || option == SO_SNDBUF) && *size == sizeof(int),
                    "the virtual descriptors know nothing of socket option %d", option);
        answer = option == SO_TYPE ? SOCK_SEQPACKET : ROOM;
        memcpy(value, &answer, sizeof(answer));
        return 0;
}

/* ---- bytes ---- */

static ssize_t read_pipe(struct file *file, char *data, size_t size)
{
        size_t n = size < file->len ? size : file->len;

        if (size == 0 || (n == 0 && !file->other))
                return 0;
        if (n == 0) {
                target_that(file->flags & O_NONBLOCK, "a read waits for good");
                return fail(EAGAIN);
        }
        memcpy(data, file->bytes + file->begin, n);
        file->len -= n;
        file->begin = file->len ? file->begin + n : 0;
        return (ssize_t)n;
}

ssize_t __wrap_read(int fd, void *data, size_t size)
{
        struct file *file;

        if (!is_virtual(fd))
                return __real_read(fd, data, size);
        file = file_of(fd);
        switch (file ? file->kind : VIRTUAL_NOTHING) {
        case VIRTUAL_SOCKET:
                return size ? __wrap_recv(fd, data, size, 0) : 0;
        case VIRTUAL_PIPE_IN:
                return read_pipe(file, data, size);
        case VIRTUAL_ZERO:
                memset(data, 0, size);
                return (ssize_t)size;
        case VIRTUAL_DIRECTORY:
                return fail(EISDIR);
        default:
                return fail(EBADF);
        }
}

static void append(struct file *in, const char *data, size_t n)
{
        memcpy(in->bytes + in->begin + in->len, data, n);
        in->len += n;
}

/*
 * As the kernel does it with a pipe of one page: what is more than whole pages goes behind what is there, where
 * it fits; beyond that a page that holds anything is full.
 */
static ssize_t write_pipe(struct file *file, const char *data, size_t size)
{
        struct file *in = file->other;
        size_t part = size % VIRTUAL_PIPE_SIZE, done = 0;

        if (size == 0)
                return 0;
        if (!in)
                return fail(EPIPE);
        if (part && in->len && in->begin + in->len + part <= VIRTUAL_PIPE_SIZE) {
                append(in, data, part);
                done = part;
        } else if (in->len == 0) {
                append(in, data, size < VIRTUAL_PIPE_SIZE ? size : VIRTUAL_PIPE_SIZE);
                done = in->len;
        }
        if (done > 0)
                return (ssize_t)done;
        target_that(file->flags & O_NONBLOCK, "a write waits for good");
        return fail(EAGAIN);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
        struct file *file;

        if (!is_virtual(fd))
                return __real_write(fd, data, size);
        file = file_of(fd);
        switch (file ? file->kind : VIRTUAL_NOTHING) {
        case VIRTUAL_PIPE_OUT:
                return write_pipe(file, data, size);
        case VIRTUAL_NULL:
                return (ssize_t)size;
        case VIRTUAL_SOCKET:
                target_fail("somebody writes to the socket without a packet");
        default:
                return fail(EBADF);
        }
}

#ifdef __clang__
#pragma clang attribute pop
#endif
