/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's loop: as many processes as there are slots, each with a deadline that is behind the check's own,
 * and a record in shared memory. Signals, those of ended processes too, come by a signalfd, so that the loop is
 * the only place where anything ends.
 */
#include "conformance/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/tmpdir.h"
#include "conformance/context.h"
#include "image/digest.h"

/* How much longer than its deadline a check's process may take before it is ended from outside. */
#define OVERTIME_SECONDS 5

/* Bytes of a transcript or a log that are taken into a report. */
#define TEXT_MAX ((size_t)256 * 1024)

/* One process under way. */
struct slot {
        struct job *job; /* NULL: free */
        pid_t pid;
        int status; /* once it has ended */
        bool killed;
        uint64_t started_ns;
        struct deadline deadline;
        char *folder, *transcript, *log; /* paths */
};

struct runner {
        struct run_options options;
        struct slot *slots; /* those for jobs that mostly wait come last */
        unsigned n_slots;
        struct outcome *outcomes; /* shared; one for each slot */
        const struct job **running;
        int signals;
        size_t next_folder;
};

void job_clear(struct job *job)
{
        free(job->message);
        free(job->value);
        free(job->transcript);
        free(job->stderr_text);
        free(job->log);
        *job = (struct job){.check = job->check,
                            .subject = job->subject,
                            .repeat = job->repeat,
                            .waits = job->waits,
                            .timeout = job->timeout};
}

/* ---- starting one ---- */

/* Where a kept file of a job is: KEEP/GROUP/NAME[.REPEAT].SUFFIX, its folders made. */
static char *kept_path(struct runner *runner, const struct job *job, const char *suffix)
{
        CLEANUP(cleanup_free) char *folder = NULL;
        const char *slash = strchr(job->check->id, '/');
        char number[16] = "";
        char *path = NULL;

        if (asprintf(&folder, "%s/%.*s", runner->options.keep, slash ? (int)(slash - job->check->id) : 0,
                     job->check->id) < 0) {
                folder = NULL;
                return NULL;
        }
        mkdir(folder, 0777);
        if (job->repeat)
                snprintf(number, sizeof(number), ".%u", job->repeat + 1);
        if (asprintf(&path, "%s/%s%s%s", runner->options.keep, job->check->id, number, suffix) < 0)
                return NULL;
        unlink(path);
        return path;
}

static int name_files(struct runner *runner, struct slot *slot)
{
        size_t number = runner->next_folder++;

        if (asprintf(&slot->folder, "%s/%zu", runner->options.folder, number) < 0)
                slot->folder = NULL;
        if (runner->options.keep) {
                slot->transcript = kept_path(runner, slot->job, ".jsonl");
                slot->log = kept_path(runner, slot->job, ".log");
        } else {
                if (asprintf(&slot->transcript, "%s/%zu.jsonl", runner->options.folder, number) < 0)
                        slot->transcript = NULL;
                if (asprintf(&slot->log, "%s/%zu.log", runner->options.folder, number) < 0)
                        slot->log = NULL;
        }
        return slot->folder && slot->transcript && slot->log ? 0 : -ENOMEM;
}

/* Seconds that a job may take. */
static double time_of(const struct runner *runner, const struct job *job)
{
        return job->timeout > 0 ? job->timeout : runner->options.timeout;
}

/* Keeps the runner within the reach of leak checkers in a check's process, which does not use it again. */
static const struct runner *parents_runner;

/* The process of a check: it dies with the runner, and what it prints goes into its log. */
static _Noreturn void run_check(struct runner *runner, struct slot *slot, pid_t parent)
{
        int log;

        parents_runner = runner;
        signal(SIGTERM, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(1);
        setpgid(0, 0);
        fd_clear(&runner->signals);
        log = open(slot->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (log >= 0) {
                dup2(log, 1);
                dup2(log, 2);
                fd_close(log);
        }
        context_run(&(struct assignment){
                .check = slot->job->check,
                .subject = slot->job->subject,
                .folder = slot->folder,
                .transcript = slot->transcript,
                .timeout = time_of(runner, slot->job),
                .outcome = &runner->outcomes[slot - runner->slots],
        });
}

static int start_job(struct runner *runner, struct slot *slot, struct job *job, struct cip_error *error)
{
        pid_t parent = getpid();
        int r;

        *slot = (struct slot){.job = job, .started_ns = monotonic_ns()};
        job->started_ns = slot->started_ns;
        slot->deadline = deadline_in_seconds(time_of(runner, job) + OVERTIME_SECONDS);
        memset(&runner->outcomes[slot - runner->slots], 0, sizeof(struct outcome));
        r = context_prepare(job->check, job->subject, error);
        if (r < 0)
                return r;
        r = name_files(runner, slot);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot start a check");
        slot->pid = fork();
        if (slot->pid == 0)
                run_check(runner, slot, parent);
        if (slot->pid < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot start a process for %s",
                                       job->check->id);
        return 0;
}

/* ---- ending one ---- */

/* Whether the process has ended; then it is reaped. */
static bool has_ended(struct slot *slot)
{
        pid_t pid;

        if (slot->pid <= 0)
                return true;
        pid = waitpid(slot->pid, &slot->status, WNOHANG);
        if (pid == 0 || (pid < 0 && errno == EINTR))
                return false;
        if (pid < 0)
                slot->status = -1;
        slot->pid = 0;
        return true;
}

static void free_slot(struct slot *slot)
{
        free(slot->folder);
        free(slot->transcript);
        free(slot->log);
        *slot = (struct slot){0};
}

/*
 * Asks the process to end its server, with all that this started, and itself; the second time, it is ended
 * without being asked.
 */
static void kill_slot(struct runner *runner, struct slot *slot)
{
        pid_t server = runner->outcomes[slot - runner->slots].server;

        /* Never 0 or -1, which mean everybody. */
        if (slot->pid > 0)
                kill(slot->pid, slot->killed ? SIGKILL : SIGTERM);
        if (server > 0 && slot->killed)
                kill(-server, SIGKILL);
        slot->killed = true;
        slot->deadline = deadline_in_seconds(OVERTIME_SECONDS);
}

/* The text of a file, or NULL where it is empty, not there, or too long. */
static char *take_text(const char *path)
{
        char *text = NULL;
        size_t len = 0;

        if (read_file_at(AT_FDCWD, path, TEXT_MAX, &text, &len, NULL) < 0)
                return NULL;
        if (len)
                return text;
        free(text);
        return NULL;
}

/* What a process that ended without a word says of its check. */
static void judge_silent_end(const struct runner *runner, const struct slot *slot, struct outcome *outcome)
{
        char phrase[96];

        if (slot->killed) {
                outcome->kind = OUTCOME_FAIL;
                snprintf(outcome->message, sizeof(outcome->message),
                         "the check was still under way after %g s; it was %s",
                         time_of(runner, slot->job) + OVERTIME_SECONDS,
                         *outcome->doing ? outcome->doing : "not waiting for the server");
        } else {
                outcome->kind = OUTCOME_ERROR;
                snprintf(outcome->message, sizeof(outcome->message), "the check's own process %s; it was %s",
                         child_status_text(slot->status, phrase, sizeof(phrase)),
                         *outcome->doing ? outcome->doing : "at its beginning");
        }
}

static void keep_stderr(struct runner *runner, const struct slot *slot, const struct outcome *outcome)
{
        CLEANUP(cleanup_free) char *path = NULL;
        CLEANUP_FD int fd = -1;

        if (!runner->options.keep || !*outcome->stderr_tail)
                return;
        path = kept_path(runner, slot->job, ".stderr");
        if (path)
                fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd >= 0)
                write_all(fd, outcome->stderr_tail, strlen(outcome->stderr_tail));
}

static void remove_files(struct runner *runner, const struct slot *slot)
{
        struct stat st;

        /* Without memory they had no names, and so are not there. */
        if (!slot->folder || !slot->transcript || !slot->log)
                return;
        remove_tree_at(AT_FDCWD, slot->folder);
        if (!runner->options.keep) {
                unlink(slot->transcript);
                unlink(slot->log);
        } else if (stat(slot->log, &st) == 0 && st.st_size == 0) {
                unlink(slot->log);
        }
}

static int finish_slot(struct runner *runner, struct slot *slot)
{
        struct outcome *outcome = &runner->outcomes[slot - runner->slots];
        struct job *job = slot->job;

        if (outcome->kind == OUTCOME_NONE) {
                /* A crash: its server died with it, but not what the server started. */
                if (outcome->server > 0)
                        kill(-outcome->server, SIGKILL);
                judge_silent_end(runner, slot, outcome);
        }
        job->kind = outcome->kind;
        job->closing = outcome->closing;
        job->seconds = (double)(monotonic_ns() - slot->started_ns) / 1e9;
        job->message = strdup(outcome->message);
        job->value = *outcome->value ? strdup(outcome->value) : NULL;
        if (job->kind == OUTCOME_FAIL || job->kind == OUTCOME_ERROR) {
                job->transcript = take_text(slot->transcript);
                job->log = take_text(slot->log);
                job->stderr_text = *outcome->stderr_tail ? strdup(outcome->stderr_tail) : NULL;
        }
        keep_stderr(runner, slot, outcome);
        remove_files(runner, slot);
        job->done = job->message != NULL;
        free_slot(slot);
        return job->done ? 0 : -ENOMEM;
}

/* ---- the loop ---- */

static void report_progress(struct runner *runner, const struct job *jobs, size_t n)
{
        size_t n_running = 0;

        if (!runner->options.progress)
                return;
        for (unsigned i = 0; i < runner->n_slots; i++)
                if (runner->slots[i].job)
                        runner->running[n_running++] = runner->slots[i].job;
        runner->options.progress(runner->options.progress_data, jobs, n, runner->running, n_running);
}

/* Waits for a signal or @deadline. Returns the number of one that asks us to end, 0, or a negative errno. */
static int wait_for_signal(struct runner *runner, struct deadline deadline)
{
        struct signalfd_siginfo info;
        int r = wait_fd(runner->signals, POLLIN, deadline);

        if (r == -ETIMEDOUT)
                return 0;
        if (r < 0)
                return r;
        if (read(runner->signals, &info, sizeof(info)) != sizeof(info) || info.ssi_signo == SIGCHLD)
                return 0;
        return (int)info.ssi_signo;
}

/* Waits for an end, a signal, a deadline, or a moment to tell of progress. Returns as wait_for_signal does. */
static int wait_for_news(struct runner *runner)
{
        struct deadline next = runner->options.progress ? deadline_in_ms(500) : DEADLINE_NEVER;

        for (unsigned i = 0; i < runner->n_slots; i++)
                if (runner->slots[i].job)
                        next = deadline_min(next, runner->slots[i].deadline);
        return wait_for_signal(runner, next);
}

/* Ends every process, with what it started, and waits for them. */
static void end_all(struct runner *runner)
{
        for (unsigned i = 0; i < runner->n_slots; i++)
                if (runner->slots[i].job)
                        kill_slot(runner, &runner->slots[i]);
        for (unsigned i = 0; i < runner->n_slots; i++) {
                struct slot *slot = &runner->slots[i];

                if (!slot->job)
                        continue;
                while (!has_ended(slot)) {
                        if (deadline_passed(slot->deadline))
                                kill_slot(runner, slot);
                        wait_for_signal(runner, slot->deadline);
                }
                remove_files(runner, slot);
                free_slot(slot);
        }
}

static int take_ended(struct runner *runner)
{
        for (unsigned i = 0; i < runner->n_slots; i++) {
                struct slot *slot = &runner->slots[i];

                if (!slot->job)
                        continue;
                if (has_ended(slot)) {
                        int r = finish_slot(runner, slot);

                        if (r < 0)
                                return r;
                } else if (deadline_passed(slot->deadline)) {
                        kill_slot(runner, slot);
                }
        }
        return 0;
}

/* The first job from *@next on of the one kind or the other; @n: there is none. */
static size_t find_job(const struct job *jobs, size_t n, bool waits, size_t next)
{
        while (next < n && jobs[next].waits != waits)
                next++;
        return next;
}

/* Starts jobs of one kind in the slots from @first to before @end that are free. */
static int start_jobs(struct runner *runner, struct job *jobs, size_t n, size_t *next, bool waits,
                      struct cip_error *error)
{
        unsigned first = waits ? runner->options.jobs : 0;
        unsigned end = waits ? runner->n_slots : runner->options.jobs;

        for (unsigned i = first; i < end; i++) {
                int r;

                *next = find_job(jobs, n, waits, *next);
                if (*next == n)
                        return 0;
                if (runner->slots[i].job)
                        continue;
                r = start_job(runner, &runner->slots[i], &jobs[(*next)++], error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static bool is_idle(const struct runner *runner)
{
        for (unsigned i = 0; i < runner->n_slots; i++)
                if (runner->slots[i].job)
                        return false;
        return true;
}

static int run_loop(struct runner *runner, struct job *jobs, size_t n, struct cip_error *error)
{
        size_t next = 0, next_waiting = 0;

        for (;;) {
                int r = start_jobs(runner, jobs, n, &next_waiting, true, error);

                if (r == 0)
                        r = start_jobs(runner, jobs, n, &next, false, error);
                if (r < 0)
                        return r;
                report_progress(runner, jobs, n);
                if (is_idle(runner))
                        return 0;
                r = wait_for_news(runner);
                if (r != 0)
                        return r;
                r = take_ended(runner);
                if (r < 0)
                        return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot keep a check's result");
        }
}

int runner_run(struct runner *runner, struct job *jobs, size_t n, struct cip_error *error)
{
        int r = run_loop(runner, jobs, n, error);

        end_all(runner);
        return r;
}

int runner_new(const struct run_options *options, struct runner **ret, struct cip_error *error)
{
        CLEANUP(cleanup_runner_free) struct runner *runner = calloc(1, sizeof(*runner));
        unsigned n_slots = options->jobs + options->waiting;
        size_t size = n_slots * sizeof(struct outcome);
        char digest[DIGEST_TEXT_SIZE];
        sigset_t set;

        if (!runner)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot run checks");
        runner->options = *options;
        runner->n_slots = n_slots;
        runner->signals = -1;
        runner->slots = calloc(n_slots, sizeof(*runner->slots));
        runner->running = calloc(n_slots, sizeof(void *));
        runner->outcomes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (runner->outcomes == MAP_FAILED)
                runner->outcomes = NULL;
        if (!runner->slots || !runner->running || !runner->outcomes)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot run checks");
        /* What OpenSSL sets up for its first digest, each process of a check finds done. */
        if (digest_of(DIGEST_SHA256, "", 0, digest) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot run checks");
        signal(SIGCHLD, SIG_DFL);
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        runner->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (runner->signals < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot run checks");
        *ret = STEAL(runner);
        return 0;
}

void runner_free(struct runner *runner)
{
        if (!runner)
                return;
        if (runner->slots)
                end_all(runner);
        free(runner->slots);
        free(runner->running);
        if (runner->outcomes)
                munmap(runner->outcomes, runner->n_slots * sizeof(struct outcome));
        fd_close(runner->signals);
        free(runner);
}
