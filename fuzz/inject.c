/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one allocation or system call of a program fail: linked into a variant of the program, it stands
 * between it (and its libraries, where memory is concerned) and what comes next, the sanitizers' functions or
 * libc's. The program's own code knows nothing of it. fuzz/faults sets what fails, reads what became of it, and
 * sweeps.
 *
 * CIP_INJECT_FOLDER names the folder for what is told here: `state`, shared by all that the program forks;
 * `fired`, the calls that led to the fault; `descriptors`, those that main() left open. CIP_INJECT is
 * KIND:NUMBER:ERRNO[:on], the NUMBERth call of a kind, and with "on" each one from there; "short" in place of
 * ERRNO halves its length. "trace" writes down every call instead, with a number for the way that led to it.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Those of ci/coverage.h. */
#undef _exit
#undef raise
#undef execve
#undef execvpe

#define DEPTH 48
#define NEAR 7 /* four here, and three that led to them */
#define DESCRIPTORS 1024

enum kind {
        ALLOC,
        READ,
        WRITE,
        PREAD,
        PWRITE,
        SEND,
        RECV,
        POLL,
        OPEN,
        PIPE,
        SOCKETPAIR,
        MKDIR,
        RENAME,
        LINK,
        FSYNC,
        STAT,
        FORK,
        EXEC,
        WAIT,
        DUP,
        SPLICE,
        OPENDIR,
        READDIR,
        RANDOM,
        EVENTFD,
        TRUNCATE,
        FLOCK,
        THREAD,
        FLUSH,
        MAP,
        MEMFD,
        KINDS,
};

static const char *const kind_names[KINDS] = {
        [ALLOC] = "alloc",     [READ] = "read",         [WRITE] = "write",     [PREAD] = "pread",
        [PWRITE] = "pwrite",   [SEND] = "send",         [RECV] = "recv",       [POLL] = "poll",
        [OPEN] = "open",       [PIPE] = "pipe",         [MKDIR] = "mkdir",     [SOCKETPAIR] = "socketpair",
        [RENAME] = "rename",   [LINK] = "link",         [FSYNC] = "fsync",     [STAT] = "stat",
        [FORK] = "fork",       [EXEC] = "exec",         [WAIT] = "wait",       [DUP] = "dup",
        [SPLICE] = "splice",   [OPENDIR] = "opendir",   [READDIR] = "readdir", [RANDOM] = "random",
        [EVENTFD] = "eventfd", [TRUNCATE] = "truncate", [FLOCK] = "flock",     [THREAD] = "thread",
        [FLUSH] = "flush",     [MAP] = "map",           [MEMFD] = "memfd",
};

#define SHORT (-1) /* in place of an errno */

/* In a file that is mapped by all: the sweep reads its first number. */
struct state {
        _Atomic uint32_t
                fired; /* the process in which it was, where alone it goes on: limits are a process's own */
        _Atomic uint32_t calls[KINDS];
};

static struct {
        bool armed;
        bool traces;
        enum kind kind;
        uint32_t number;
        int error;
        bool goes_on;
        pid_t pid;
        struct state *state;
        int folder;
        int trace;
        bool open_before[DESCRIPTORS];
        bool exits; /* by exit(3), in the middle of things */
} inject = {.folder = -1, .trace = -1};

/* What is called while a call is looked at goes through. */
static _Thread_local bool busy;

/* What stands behind us. The name may be another than C's: files are 64 bits wide. */
#define NEXT(function, symbol)                                   \
        __extension__({                                          \
                static __typeof__(function) *next_;              \
                if (!next_) {                                    \
                        void *found_ = dlsym(RTLD_NEXT, symbol); \
                        memcpy(&next_, &found_, sizeof(next_));  \
                }                                                \
                next_;                                           \
        })

/* ---- what fails ---- */

static void write_stack(const char *name)
{
        void *frames[DEPTH];
        int n = backtrace(frames, DEPTH);
        int fd = (int)syscall(SYS_openat, inject.folder, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        if (fd < 0)
                return;
        backtrace_symbols_fd(frames, n, fd);
        syscall(SYS_close, fd);
}

/*
 * Three numbers for the way to a call, the same in each run, from offsets in the program and its libraries: of
 * the whole way, of that part that is the program's own, and of the last few functions of this part.
 */
static void way(uint64_t *ret_whole, uint64_t *ret_own, uint64_t *ret_near)
{
        void *frames[DEPTH], *own = NULL;
        int n = backtrace(frames, DEPTH), n_own = 0;
        Dl_info info;

        *ret_whole = *ret_own = *ret_near = 14695981039346656037U;
        if (dladdr(&inject, &info))
                own = info.dli_fbase;
        for (int i = 0; i < n; i++) {
                uintptr_t at = (uintptr_t)frames[i];

                if (!dladdr(frames[i], &info))
                        continue;
                at -= (uintptr_t)info.dli_fbase;
                *ret_whole = (*ret_whole ^ at) * 1099511628211U;
                if (info.dli_fbase == own)
                        *ret_own = (*ret_own ^ at) * 1099511628211U;
                if (info.dli_fbase == own && n_own++ < NEAR)
                        *ret_near = *ret_own;
        }
}

static void trace(enum kind kind, uint32_t number)
{
        char line[96];
        uint64_t whole, own, near;
        int n;

        way(&whole, &own, &near);
        n = snprintf(line, sizeof(line), "%s %u %016jx %016jx %016jx\n", kind_names[kind], number,
                     (uintmax_t)whole, (uintmax_t)own, (uintmax_t)near);
        syscall(SYS_write, inject.trace, line, (size_t)n);
}

/* Whether this call fails: 0, an errno, or SHORT. */
static int fault(enum kind kind)
{
        int kept = errno, result = 0;
        uint32_t number;

        if (!inject.armed || busy || (!inject.traces && kind != inject.kind))
                return 0;
        busy = true;
        number = atomic_fetch_add(&inject.state->calls[kind], 1) + 1;
        if (inject.traces) {
                trace(kind, number);
        } else if (number == inject.number) {
                inject.state->fired = (uint32_t)getpid();
                write_stack("fired");
                result = inject.error;
        } else if (inject.goes_on && inject.state->fired == (uint32_t)getpid()) {
                result = inject.error;
        }
        busy = false;
        errno = result > 0 ? result : kept;
        return result;
}

/* ---- the beginning and the end ---- */

static void choose(const char *text)
{
        char *end;

        if (!strcmp(text, "trace")) {
                inject.traces = true;
                inject.trace = (int)syscall(SYS_openat, inject.folder, "trace",
                                            O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
                return;
        }
        for (inject.kind = 0; inject.kind < KINDS; inject.kind++) {
                size_t len = strlen(kind_names[inject.kind]);

                if (!strncmp(text, kind_names[inject.kind], len) && text[len] == ':') {
                        text += len + 1;
                        break;
                }
        }
        inject.number = (uint32_t)strtoul(text, &end, 10);
        if (inject.kind == KINDS || *end != ':')
                _exit(99);
        text = end + 1;
        inject.error = strncmp(text, "short", 5) == 0 ? SHORT : (int)strtol(text, NULL, 10);
        inject.goes_on = strstr(text, ":on") != NULL;
}

__attribute__((constructor)) static void begin(void)
{
        const char *folder = getenv("CIP_INJECT_FOLDER"), *what = getenv("CIP_INJECT");
        void *frames[1];
        long fd;

        if (!folder || !what)
                return;
        backtrace(frames, 1);
        /* Far from the numbers that a program's own descriptors have, which stay as they are. */
        fd = syscall(SYS_openat, AT_FDCWD, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        inject.folder = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, DESCRIPTORS / 2);
        syscall(SYS_close, fd);
        fd = syscall(SYS_openat, inject.folder, "state", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        syscall(SYS_ftruncate, fd, sizeof(struct state));
        inject.state = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
        syscall(SYS_close, fd);
        if (inject.state == MAP_FAILED)
                _exit(99);
        choose(what);
        if (inject.traces) {
                fd = inject.trace;
                inject.trace = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, DESCRIPTORS / 2);
                syscall(SYS_close, fd);
        }
        inject.pid = getpid();
        for (int i = 0; i < DESCRIPTORS; i++)
                inject.open_before[i] = syscall(SYS_fcntl, i, F_GETFD) >= 0;
        inject.armed = true;
}

/* What main() has left open when it returns: a program's standard descriptors may have been opened by it. */
__attribute__((destructor)) static void end(void)
{
        int fd = -1;

        if (!inject.armed)
                return;
        inject.armed = false;
        if (inject.exits || getpid() != inject.pid)
                return;
        for (int i = 3; i < DESCRIPTORS; i++) {
                char path[32], target[256], line[320];
                ssize_t len;

                if (i == fd || inject.open_before[i] || syscall(SYS_fcntl, i, F_GETFD) < 0)
                        continue;
                if (fd < 0)
                        fd = (int)syscall(SYS_openat, inject.folder, "descriptors",
                                          O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
                snprintf(path, sizeof(path), "/proc/self/fd/%d", i);
                len = readlink(path, target, sizeof(target));
                len = snprintf(line, sizeof(line), "%d %.*s\n", i, (int)(len < 0 ? 0 : len), target);
                syscall(SYS_write, fd, line, (size_t)len);
        }
}

/* Where coverage is measured (ci/coverage.h): gcov's own calls do not fail. */
void inject_pause(bool paused);
void inject_pause(bool paused)
{
        busy = paused;
}

/* ---- what stands in the way ---- */

#pragma GCC visibility push(default)

/* NOLINTBEGIN(bugprone-macro-parentheses): the arguments have parentheses of their own */
/* One that returns @bad and sets errno. */
#define CALL(type, kind, bad, name, symbol, declaration, arguments)        \
        type name declaration;                                             \
        type name declaration                                              \
        {                                                                  \
                return fault(kind) ? (bad) : NEXT(name, symbol) arguments; \
        }

/* One that may also do less than it was told. */
#define CALL_SHORT(kind, name, symbol, declaration, len, arguments) \
        ssize_t name declaration;                                   \
        ssize_t name declaration                                    \
        {                                                           \
                int fails = fault(kind);                            \
                                                                    \
                if (fails > 0)                                      \
                        return -1;                                  \
                if (fails == SHORT && (len) > 1)                    \
                        (len) /= 2;                                 \
                return NEXT(name, symbol) arguments;                \
        }

/* NOLINTEND(bugprone-macro-parentheses) */

CALL(void *, ALLOC, NULL, malloc, "malloc", (size_t size), (size))
CALL(void *, ALLOC, NULL, calloc, "calloc", (size_t n, size_t size), (n, size))
CALL(void *, ALLOC, NULL, realloc, "realloc", (void *old, size_t size), (old, size))
CALL(void *, ALLOC, NULL, reallocarray, "reallocarray", (void *old, size_t n, size_t size), (old, n, size))
CALL(void *, ALLOC, NULL, aligned_alloc, "aligned_alloc", (size_t to, size_t size), (to, size))
/* Those for which a sanitizer has its own. */
CALL(char *, ALLOC, NULL, strdup, "strdup", (const char *text), (text))
CALL(char *, ALLOC, NULL, __strdup, "__strdup", (const char *text), (text))
CALL(char *, ALLOC, NULL, strndup, "strndup", (const char *text, size_t size), (text, size))

CALL_SHORT(READ, read, "read", (int fd, void *to, size_t len), len, (fd, to, len))
CALL_SHORT(WRITE, write, "write", (int fd, const void *from, size_t len), len, (fd, from, len))
CALL_SHORT(PREAD, pread, "pread64", (int fd, void *to, size_t len, off_t at), len, (fd, to, len, at))
CALL_SHORT(PWRITE, pwrite, "pwrite64", (int fd, const void *from, size_t len, off_t at), len,
           (fd, from, len, at))
CALL_SHORT(SPLICE, splice, "splice",
           (int from, off64_t *from_at, int to, off64_t *to_at, size_t len, unsigned flags), len,
           (from, from_at, to, to_at, len, flags))
CALL_SHORT(SPLICE, tee, "tee", (int from, int to, size_t len, unsigned flags), len, (from, to, len, flags))
CALL_SHORT(RANDOM, getrandom, "getrandom", (void *to, size_t len, unsigned flags), len, (to, len, flags))

CALL(ssize_t, SEND, -1, send, "send", (int fd, const void *from, size_t len, int flags), (fd, from, len, flags))
CALL(ssize_t, SEND, -1, sendmsg, "sendmsg", (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
CALL(ssize_t, RECV, -1, recv, "recv", (int fd, void *to, size_t len, int flags), (fd, to, len, flags))
CALL(ssize_t, RECV, -1, recvmsg, "recvmsg", (int fd, struct msghdr *message, int flags), (fd, message, flags))
CALL(int, POLL, -1, poll, "poll", (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))

CALL(int, PIPE, -1, pipe2, "pipe2", (int ends[2], int flags), (ends, flags))
CALL(int, SOCKETPAIR, -1, socketpair, "socketpair", (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends))
CALL(int, EVENTFD, -1, eventfd, "eventfd", (unsigned value, int flags), (value, flags))
CALL(int, OPEN, -1, mkostemp, "mkostemp64", (char *name, int flags), (name, flags))
CALL(DIR *, OPENDIR, NULL, opendir, "opendir", (const char *path), (path))
CALL(DIR *, OPENDIR, NULL, fdopendir, "fdopendir", (int fd), (fd))
CALL(struct dirent *, READDIR, NULL, readdir, "readdir64", (DIR * folder), (folder))
CALL(FILE *, OPEN, NULL, fopen, "fopen64", (const char *path, const char *mode), (path, mode))
CALL(FILE *, OPEN, NULL, fdopen, "fdopen", (int fd, const char *mode), (fd, mode))

CALL(int, MKDIR, -1, mkdir, "mkdir", (const char *path, mode_t mode), (path, mode))
CALL(int, MKDIR, -1, mkdirat, "mkdirat", (int at, const char *path, mode_t mode), (at, path, mode))
CALL(int, RENAME, -1, rename, "rename", (const char *from, const char *to), (from, to))
CALL(int, RENAME, -1, renameat, "renameat", (int from_at, const char *from, int to_at, const char *to),
     (from_at, from, to_at, to))
CALL(int, LINK, -1, linkat, "linkat", (int from_at, const char *from, int to_at, const char *to, int flags),
     (from_at, from, to_at, to, flags))
CALL(int, FSYNC, -1, fsync, "fsync", (int fd), (fd))
CALL(int, FSYNC, -1, syncfs, "syncfs", (int fd), (fd))
CALL(int, STAT, -1, stat, "stat64", (const char *path, struct stat *ret), (path, ret))
CALL(int, STAT, -1, lstat, "lstat64", (const char *path, struct stat *ret), (path, ret))
CALL(int, STAT, -1, fstat, "fstat64", (int fd, struct stat *ret), (fd, ret))
CALL(int, STAT, -1, fstatat, "fstatat64", (int at, const char *path, struct stat *ret, int flags),
     (at, path, ret, flags))
CALL(int, TRUNCATE, -1, ftruncate, "ftruncate64", (int fd, off_t len), (fd, len))
CALL(int, FLOCK, -1, flock, "flock", (int fd, int how), (fd, how))
CALL(int, DUP, -1, dup2, "dup2", (int fd, int number), (fd, number))
CALL(int, DUP, -1, dup3, "dup3", (int fd, int number, int flags), (fd, number, flags))

CALL(pid_t, FORK, -1, fork, "fork", (void), ())
CALL(int, EXEC, -1, execve, "execve", (const char *path, char *const *argv, char *const *envp),
     (path, argv, envp))
CALL(int, EXEC, -1, execvpe, "execvpe", (const char *path, char *const *argv, char *const *envp),
     (path, argv, envp))
CALL(pid_t, WAIT, -1, waitpid, "waitpid", (pid_t pid, int *status, int options), (pid, status, options))
CALL(int, WAIT, -1, waitid, "waitid", (idtype_t type, id_t id, siginfo_t *ret, int options),
     (type, id, ret, options))
CALL(void *, MAP, MAP_FAILED, mmap, "mmap64", (void *at, size_t len, int access, int flags, int fd, off_t from),
     (at, len, access, flags, fd, from))
CALL(int, MEMFD, -1, memfd_create, "memfd_create", (const char *name, unsigned flags), (name, flags))
CALL(int, FLUSH, EOF, fflush, "fflush", (FILE * file), (file))

/* It closes the file all the same. */
int fclose(FILE *file)
{
        int fails = fault(FLUSH), kept = errno;
        int r = NEXT(fclose, "fclose")(file);

        errno = fails ? kept : errno;
        return fails ? EOF : r;
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *), void *data)
{
        int fails = fault(THREAD);

        return fails ? fails : NEXT(pthread_create, "pthread_create")(ret, attributes, run, data);
}

/* What stands where a mode does; it is there whether it was given or not. */
#define MODE(flags)                       \
        va_list arguments;                \
        mode_t mode;                      \
                                          \
        va_start(arguments, flags);       \
        mode = va_arg(arguments, mode_t); \
        va_end(arguments)

int open(const char *path, int flags, ...)
{
        MODE(flags);

        return fault(OPEN) ? -1 : NEXT(open, "open64")(path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
        MODE(flags);

        return fault(OPEN) ? -1 : NEXT(openat, "openat64")(at, path, flags, mode);
}

int fcntl(int fd, int command, ...)
{
        va_list arguments;
        void *argument;

        va_start(arguments, command);
        argument = va_arg(arguments, void *);
        va_end(arguments);
        if ((command == F_DUPFD_CLOEXEC || command == F_DUPFD) && fault(DUP))
                return -1;
        return NEXT(fcntl, "fcntl64")(fd, command, argument);
}

long syscall(long number, ...)
{
        va_list list;
        long arguments[6];

        va_start(list, number);
        for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
                arguments[i] = va_arg(list, long);
        va_end(list);
        if (number == SYS_clone && fault(FORK))
                return -1;
        return NEXT(syscall, "syscall")(number, arguments[0], arguments[1], arguments[2], arguments[3],
                                        arguments[4], arguments[5]);
}

/* Who leaves in the middle of things leaves descriptors open. */
void exit(int status)
{
        inject.exits = true;
        NEXT(exit, "exit")(status);
        __builtin_unreachable();
}

#pragma GCC visibility pop
