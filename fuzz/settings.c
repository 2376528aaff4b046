/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options that the commands share.
 */
#include <sched.h>
#include <stdint.h>
#include <sys/random.h>

#include "base/deadline.h"
#include "fuzz/commands.h"

/* A seed is a number that JSON carries. */
#define SEED_MAX 0xffffffffUL
#define DEADLINE_DEFAULT 10

int take_seed(void *data, const char *value, struct cip_error *error)
{
        ((struct fuzz_settings *)data)->has_seed = true;
        return option_number(value, 0, SEED_MAX, &((struct fuzz_settings *)data)->seed, error);
}

int take_jobs(void *data, const char *value, struct cip_error *error)
{
        return option_number(value, 1, 256, &((struct fuzz_settings *)data)->jobs, error);
}

int take_steps(void *data, const char *value, struct cip_error *error)
{
        return option_number(value, 1, UINT32_MAX, &((struct fuzz_settings *)data)->steps, error);
}

int take_time(void *data, const char *value, struct cip_error *error)
{
        return option_seconds(value, &((struct fuzz_settings *)data)->seconds, error);
}

int take_deadline(void *data, const char *value, struct cip_error *error)
{
        return option_seconds(value, &((struct fuzz_settings *)data)->deadline, error);
}

int take_findings(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct fuzz_settings *)data)->findings = value;
        return 0;
}

int take_known(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct fuzz_settings *)data)->known = value;
        return 0;
}

int take_no_known(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct fuzz_settings *)data)->no_known = true;
        return 0;
}

int take_profile(void *data, const char *value, struct cip_error *error)
{
        return profile_parse(value, &((struct fuzz_settings *)data)->profile, error);
}

int take_help(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct fuzz_settings *)data)->help = true;
        return 0;
}

void fuzz_settings_init(struct fuzz_settings *settings)
{
        cpu_set_t set;

        settings->start = monotonic_ns();
        settings->jobs = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (unsigned long)CPU_COUNT(&set);
        settings->deadline = DEADLINE_DEFAULT;
        settings->findings = "findings";
}

void fuzz_settings_complete(struct fuzz_settings *settings)
{
        if (settings->has_seed)
                return;
        if (getrandom(&settings->seed, sizeof(settings->seed), 0) < 0)
                settings->seed = (unsigned long)monotonic_ns();
        settings->seed &= SEED_MAX;
}
