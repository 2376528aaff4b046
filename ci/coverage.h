/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goes before each file of a build that measures coverage (meson's -Db_coverage=true). gcov writes its counts
 * when a program returns from main(), and whoever leaves otherwise, as most children here do, would leave none:
 * so they are written before it goes. A process that another one kills leaves none in any case.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

void __gcov_dump(void);
void __gcov_reset(void);

/* In programs whose calls fail on purpose (fuzz/inject.c): gcov's own do not. */
__attribute__((weak)) void inject_pause(bool paused);

/* Counting goes on behind it only where the process does. */
__attribute__((unused)) static void coverage_write(bool goes_on)
{
        if (inject_pause)
                inject_pause(true);
        __gcov_dump();
        if (goes_on)
                __gcov_reset();
        if (inject_pause)
                inject_pause(false);
}

#define _exit(status) (coverage_write(false), (_exit)(status))
#define raise(number) (coverage_write(true), (raise)(number))
/* gcc has gcov write here again, which then has nothing to do, and begin anew when exec fails. */
#define execve(path, argv, envp) (coverage_write(false), (execve)(path, argv, envp))
#define execvpe(file, argv, envp) (coverage_write(true), (execvpe)(file, argv, envp))
