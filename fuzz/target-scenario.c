/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenario files. One that is refused has at least one problem with words, and each problem's pointer begins with a
 * slash or is empty.
 */
#include "fakeproxy/scenario.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_scenario_free) struct scenario *scenario = NULL;
        CLEANUP(cleanup_problems) struct problems problems = {0};
        int r = scenario_parse((const char *)data, size, NULL, &scenario, &problems);

        target_that((r == 0) == (problems.n == 0),
                    "the result and the number of problems contradict each other");
        for (size_t i = 0; i < problems.n; i++)
                target_that(*problems.problems[i].message &&
                                    (!*problems.problems[i].pointer || *problems.problems[i].pointer == '/'),
                            "a problem has no words, or no pointer");
        if (scenario)
                target_that(scenario->name && scenario->about, "a scenario has no name");
        return 0;
}
