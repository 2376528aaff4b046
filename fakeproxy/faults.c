/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding a named fault in the tables. To add a fault is to add a row to one of them; where no behaviour or action
 * of rule.h fits, add one there first.
 */
#include "fakeproxy/faults.h"

#include <string.h>

#include "base/cleanup.h"

static const struct {
        const struct fault *faults;
        const size_t *n;
} tables[] = {{faults_one, &n_faults_one}, {faults_two, &n_faults_two}};

size_t fault_count(void)
{
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
                n += *tables[i].n;
        return n;
}

const struct fault *fault_at(size_t i)
{
        size_t t = 0;

        while (i >= *tables[t].n)
                i -= *tables[t++].n;
        return &tables[t].faults[i];
}

const char *fault_about(const struct fault *fault)
{
        const char *about = fault->about ? fault->about : behaviours_about(&fault->with);

        for (size_t i = 0; !*about && i < fault->n_rules; i++)
                if (fault->rules[i].act.become)
                        about = behaviours_about(fault->rules[i].act.become);
        return about;
}

const struct fault *fault_find(const char *name)
{
        for (size_t i = 0; i < fault_count(); i++)
                if (!strcmp(fault_at(i)->name, name))
                        return fault_at(i);
        return NULL;
}
