/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting, watching and ending child processes. The kernel ends a child with PR_SET_PDEATHSIG when the thread
 * that forked it ends, so a caller's passing thread does not fork itself: a thread of ours does, and lives as
 * long as the child. The child waits for a word from us before it executes the command, so that its process group
 * is there before it can end, and it cannot outlive a parent that died before it asked to be ended too.
 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"

/* From linux/close_range.h, which older headers lack. */
#define CLOSE_ON_EXEC_FLAG (1U << 2)

struct child {
        pid_t pid;
        int pidfd;
        int stderr_fd;
        bool ended;
        int status;
        uint64_t stderr_total;
        char *tail; /* room for 2 * CHILD_STDERR_TAIL and a NUL; NULL without a stderr pipe */
        size_t tail_len;

        bool has_keeper;
        pthread_t keeper;
        sem_t started, leave;
};

/* All that the child's side of the fork needs, prepared before it. */
struct launch {
        const struct child_spec *spec;
        const char *const *envp;
        char *path;
        int *lifted; /* room for a number for each of spec->fds */
        int null_fd;
        int stderr_fd;
        int our_end, its_end; /* a socket: "go" one way, errno the other */
        int highest_target;
        struct child *child;
        int result;
};

static const char *environment_path(const char *const *envp)
{
        for (; *envp; envp++)
                if (strncmp(*envp, "PATH=", 5) == 0)
                        return *envp + 5;
        return "/usr/local/bin:/usr/bin:/bin";
}

/* Whether a file can be executed; -ENOENT, -EACCES, -EISDIR. */
static int judge_executable(const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        return access(path, X_OK) < 0 ? -errno : 0;
}

/* Finds a command the way a shell does. */
static int find_command(const char *name, const char *search, char **ret)
{
        int result = -ENOENT;

        if (strchr(name, '/')) {
                int r = judge_executable(name);

                if (r < 0)
                        return r;
                *ret = strdup(name);
                return *ret ? 0 : -ENOMEM;
        }
        if (!*name)
                return -ENOENT;
        for (;;) {
                size_t len = strcspn(search, ":");
                CLEANUP(cleanup_free) char *path = NULL;
                int r;

                if (asprintf(&path, "%.*s/%s", len ? (int)len : 1, len ? search : ".", name) < 0) {
                        path = NULL;
                        return -ENOMEM;
                }
                r = judge_executable(path);
                if (r == 0) {
                        *ret = STEAL(path);
                        return 0;
                }
                if (r != -ENOENT && r != -ENOTDIR && r != -EISDIR)
                        result = r;
                if (!search[len])
                        return result;
                search += len + 1;
        }
}

/* ---- the child's side of the fork: async-signal-safe calls only ---- */

/* By the kernel's own call: libc keeps two signals to itself, which its posix_spawn hands on as ignored. */
static void reset_signals(void)
{
        static const unsigned long
                as_new[8]; /* more than the kernel's struct sigaction: SIG_DFL and no flags */
        sigset_t none;

        for (int i = 1; i < NSIG; i++)
                syscall(SYS_rt_sigaction, i, as_new, NULL, NSIG / 8);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moves a descriptor out of the way of every target. */
static int lift(const struct launch *launch, int fd)
{
        return fcntl(fd, F_DUPFD_CLOEXEC, launch->highest_target + 1);
}

/* Gives every descriptor its number. All sources are lifted first, so that no target overwrites a source. */
static int place_descriptors(const struct launch *launch, int *go)
{
        const struct child_spec *spec = launch->spec;
        int null_fd = lift(launch, launch->null_fd);
        int stderr_fd = launch->stderr_fd < 0 ? -1 : lift(launch, launch->stderr_fd);

        *go = lift(launch, *go);
        if (null_fd < 0 || *go < 0 || (launch->stderr_fd >= 0 && stderr_fd < 0))
                return -errno;
        for (size_t i = 0; i < spec->n_fds; i++) {
                launch->lifted[i] = lift(launch, spec->fds[i].fd);
                if (launch->lifted[i] < 0)
                        return -errno;
        }
        /* The caller's own descriptors may lack the flag; a kernel without this call leaves it at that. */
        syscall(SYS_close_range, 3U, ~0U, CLOSE_ON_EXEC_FLAG);
        if (spec->close_stdin)
                close(0);
        else if (dup2(null_fd, 0) < 0)
                return -errno;
        if (dup2(null_fd, 1) < 0 || (stderr_fd >= 0 && dup2(stderr_fd, 2) < 0))
                return -errno;
        for (size_t i = 0; i < spec->n_fds; i++)
                if (dup2(launch->lifted[i], spec->fds[i].target) < 0)
                        return -errno;
        return 0;
}

static _Noreturn void run_child(const struct launch *launch)
{
        const struct child_spec *spec = launch->spec;
        int go = launch->its_end;
        char word;
        int r;

        close(launch->our_end);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        /* End of input: the parent died before the line above. */
        if (read(go, &word, 1) != 1)
                _exit(127);
        reset_signals();
        r = place_descriptors(launch, &go);
        if (r == 0 && spec->cwd && chdir(spec->cwd) < 0)
                r = -errno;
        if (r == 0) {
                /* execve takes pointers to characters that are not constant, and does not change them. */
                execve(launch->path, (char *const *)(uintptr_t)spec->argv,
                       (char *const *)(uintptr_t)launch->envp);
                r = -errno;
        }
        send(go, &r, sizeof(r), MSG_NOSIGNAL);
        _exit(127);
}

/* ---- the parent's side ---- */

/*
 * fork(2) that gives the pidfd along, so that it is the child's in any case: another child may have got its number
 * before pidfd_open(2), where the caller reaps whatever ends. glibc's own state in the child is not made anew,
 * which no async-signal-safe function minds.
 */
static pid_t fork_with_pidfd(int *ret_pidfd)
{
#if defined(__s390__)
        return (pid_t)syscall(SYS_clone, NULL, CLONE_PIDFD | SIGCHLD, ret_pidfd, NULL, 0);
#else
        return (pid_t)syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, ret_pidfd, NULL, 0);
#endif
}

/* Forks, lets the child go, and waits for its exec. */
static int fork_child(struct launch *launch)
{
        struct child *child = launch->child;
        sigset_t all, old;
        int result = 0;
        ssize_t n;

        /* No handler of the caller's runs in the child. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        child->pid = fork_with_pidfd(&child->pidfd);
        if (child->pid == 0)
                run_child(launch);
        if (child->pid < 0)
                result = -errno;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (result < 0)
                return result;
        fd_clear(&launch->its_end);
        setpgid(child->pid, child->pid);
        if (send(launch->our_end, "g", 1, MSG_NOSIGNAL) != 1)
                return -errno;
        do
                n = recv(launch->our_end, &result, sizeof(result), 0);
        while (n < 0 && errno == EINTR);
        /* End of input: exec closed it. */
        return n == sizeof(result) ? result : 0;
}

static void *keep_child(void *data)
{
        struct launch *launch = data;
        struct child *child = launch->child;

        launch->result = fork_child(launch);
        sem_post(&child->started);
        while (sem_wait(&child->leave) < 0)
                ;
        return NULL;
}

/* Forks in a thread that lives as long as the child, with all signals left to the caller's threads. */
static int fork_in_keeper(struct launch *launch)
{
        struct child *child = launch->child;
        sigset_t all, old;
        int r;

        sem_init(&child->started, 0, 0);
        sem_init(&child->leave, 0, 0);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        r = pthread_create(&child->keeper, NULL, keep_child, launch);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r != 0)
                return -r;
        child->has_keeper = true;
        while (sem_wait(&child->started) < 0)
                ;
        return launch->result;
}

static int open_pipes(struct launch *launch)
{
        int ends[2];

        launch->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (launch->null_fd < 0)
                return -errno;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        launch->our_end = ends[0];
        launch->its_end = ends[1];
        if (launch->spec->keep_stderr)
                return 0;
        launch->child->tail = malloc(2 * CHILD_STDERR_TAIL + 1);
        if (!launch->child->tail)
                return -ENOMEM;
        launch->child->tail[0] = '\0';
        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        launch->child->stderr_fd = ends[0];
        launch->stderr_fd = ends[1];
        return fd_set_nonblocking(ends[0], true);
}

static int launch_child(struct launch *launch)
{
        const struct child_spec *spec = launch->spec;
        int r = find_command(spec->argv[0], environment_path(launch->envp), &launch->path);

        if (r < 0)
                return r;
        launch->highest_target = 2;
        for (size_t i = 0; i < spec->n_fds; i++)
                if (spec->fds[i].target > launch->highest_target)
                        launch->highest_target = spec->fds[i].target;
        launch->lifted = calloc(spec->n_fds + 1, sizeof(*launch->lifted));
        if (!launch->lifted)
                return -ENOMEM;
        r = open_pipes(launch);
        if (r < 0)
                return r;
        return gettid() == getpid() ? fork_child(launch) : fork_in_keeper(launch);
}

int child_start(const struct child_spec *spec, struct child **ret, struct cip_error *error)
{
        struct launch launch = {
                .spec = spec,
                .envp = spec->envp ? spec->envp : (const char *const *)environ,
                .null_fd = -1,
                .stderr_fd = -1,
                .our_end = -1,
                .its_end = -1,
        };
        struct child *child = calloc(1, sizeof(*child));
        int r = -ENOMEM;

        if (child) {
                child->pidfd = child->stderr_fd = -1;
                launch.child = child;
                r = launch_child(&launch);
        }
        fd_close(launch.null_fd);
        fd_close(launch.stderr_fd);
        fd_close(launch.our_end);
        fd_close(launch.its_end);
        free(launch.path);
        free(launch.lifted);
        if (r < 0) {
                child_free(child);
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot start %s", spec->argv[0]);
        }
        *ret = child;
        return 0;
}

static int wait_child(const struct child *child, int options, siginfo_t *ret)
{
        return waitid(P_PIDFD, (id_t)child->pidfd, ret, options) < 0 ? -errno : 0;
}

/* Learns the status and leaves the process to be reaped, so that its number stays taken. */
static int learn_status(struct child *child)
{
        siginfo_t info = {0};
        int r;

        do
                r = wait_child(child, WEXITED | WNOHANG | WNOWAIT, &info);
        while (r == -EINTR);
        if (r == -ECHILD) {
                /* Somebody else has reaped it: that number is no longer ours to signal. */
                child->status = -1;
                child->ended = true;
                return 0;
        }
        if (r < 0)
                return r;
        if (info.si_pid == 0)
                return -EAGAIN;
        if (info.si_code == CLD_EXITED)
                child->status = W_EXITCODE(info.si_status, 0);
        else
                child->status = W_EXITCODE(0, info.si_status) | (info.si_code == CLD_DUMPED ? WCOREFLAG : 0);
        child->ended = true;
        return 0;
}

/* Waits for the end and gives the number back to the system. */
static void reap(struct child *child)
{
        siginfo_t info;

        while (wait_child(child, WEXITED, &info) == -EINTR)
                ;
        child->pid = 0;
}

void child_free(struct child *child)
{
        if (!child)
                return;
        if (child->pid > 0) {
                child_signal(child, SIGKILL);
                reap(child);
        }
        if (child->has_keeper) {
                sem_post(&child->leave);
                pthread_join(child->keeper, NULL);
                sem_destroy(&child->started);
                sem_destroy(&child->leave);
        }
        fd_close(child->pidfd);
        fd_close(child->stderr_fd);
        free(child->tail);
        free(child);
}

pid_t child_pid(const struct child *child)
{
        return child->pid;
}

int child_pidfd(const struct child *child)
{
        return child->pidfd;
}

int child_stderr_fd(const struct child *child)
{
        return child->stderr_fd;
}

/* Keeps the last CHILD_STDERR_TAIL bytes, moving them only when twice as many have come. */
static void append_tail(struct child *child, size_t n)
{
        child->stderr_total += n;
        child->tail_len += n;
        if (child->tail_len > CHILD_STDERR_TAIL) {
                memmove(child->tail, child->tail + child->tail_len - CHILD_STDERR_TAIL, CHILD_STDERR_TAIL);
                child->tail_len = CHILD_STDERR_TAIL;
        }
        child->tail[child->tail_len] = '\0';
}

void child_read_stderr(struct child *child)
{
        /* Bounded, so that a child that floods its stderr does not hold up its reader. */
        for (int i = 0; i < 64 && child->stderr_fd >= 0; i++) {
                ssize_t n = read(child->stderr_fd, child->tail + child->tail_len, CHILD_STDERR_TAIL);

                if (n > 0) {
                        append_tail(child, (size_t)n);
                } else if (n == 0) {
                        fd_clear(&child->stderr_fd);
                } else if (errno != EINTR) {
                        return;
                }
        }
}

const char *child_stderr(struct child *child, size_t *ret_len)
{
        if (ret_len)
                *ret_len = child->tail_len;
        return child->tail ? child->tail : "";
}

uint64_t child_stderr_total(const struct child *child)
{
        return child->stderr_total;
}

int child_wait(struct child *child, struct deadline deadline, int *ret_status)
{
        while (!child->ended) {
                struct pollfd fds[] = {
                        {.fd = child->pidfd, .events = POLLIN},
                        {.fd = child->stderr_fd, .events = POLLIN},
                };
                int ms = deadline_poll_ms(deadline);
                int r = poll(fds, ARRAY_SIZE(fds), ms);

                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r > 0 && fds[1].revents)
                        child_read_stderr(child);
                if (r > 0 && fds[0].revents) {
                        r = learn_status(child);
                        if (r < 0 && r != -EAGAIN)
                                return r;
                } else if ((ms == 0 && r == 0) || deadline_passed(deadline)) {
                        return -ETIMEDOUT;
                }
        }
        child_read_stderr(child);
        *ret_status = child->status;
        return 0;
}

void child_reap(struct child *child)
{
        if (!child->ended || child->pid <= 0)
                return;
        reap(child);
}

void child_signal(struct child *child, int signal)
{
        if (child->pid <= 0)
                return;
        if (!child->ended)
                learn_status(child);
        if (!(child->ended && child->status == -1))
                kill(-child->pid, signal);
}

const char *child_status_text(int status, char *ret, size_t size)
{
        if (status == -1)
                snprintf(ret, size, "ended with a status that somebody else took");
        else if (WIFEXITED(status))
                snprintf(ret, size, "exited with status %d", WEXITSTATUS(status));
        else
                snprintf(ret, size, "was ended by signal %d (%s)", WTERMSIG(status),
                         sigdescr_np(WTERMSIG(status)) ? sigdescr_np(WTERMSIG(status)) : "unknown");
        return ret;
}
