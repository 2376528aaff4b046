/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGPIPE held back around a write. A write raises it in the thread that writes, so that nobody else's is
 * taken.
 */
#include "client/sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static void only_sigpipe(sigset_t *ret)
{
        sigemptyset(ret);
        sigaddset(ret, SIGPIPE);
}

void sigpipe_hold(struct sigpipe_hold *ret)
{
        sigset_t sigpipe, pending;

        only_sigpipe(&sigpipe);
        sigpending(&pending);
        ret->was_pending = sigismember(&pending, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &sigpipe, &ret->old);
}

void sigpipe_release(const struct sigpipe_hold *hold, bool broken_pipe)
{
        const struct timespec none = {0};
        int saved = errno;
        sigset_t sigpipe;

        only_sigpipe(&sigpipe);
        if (broken_pipe && !hold->was_pending)
                while (sigtimedwait(&sigpipe, NULL, &none) < 0 && errno == EINTR)
                        ;
        pthread_sigmask(SIG_SETMASK, &hold->old, NULL);
        errno = saved;
}
