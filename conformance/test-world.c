/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the closed world: what a server gets to see, and what it leaves behind.
 */
#include "conformance/world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/testing.h"
#include "base/tmpdir.h"

static const char *value_of(const struct world *world, const char *name)
{
        const char *const *environment = world_environment(world);

        for (size_t i = 0; environment[i]; i++)
                if (strncmp(environment[i], name, strlen(name)) == 0 && environment[i][strlen(name)] == '=')
                        return environment[i] + strlen(name) + 1;
        return NULL;
}

static struct world *make(char **ret_folder, const char *const *more)
{
        struct world *world = NULL;
        struct cip_error error = {0};

        ck_assert_ok(tmpdir_new("test-world", ret_folder, &error));
        ck_assert_msg(world_new(*ret_folder, more, &world, &error) == 0, "%s", error.message);
        return world;
}

START_TEST(the_machines_settings_do_not_get_in)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_world_free) struct world *world = NULL;

        setenv("http_proxy", "http://proxy", 1);
        setenv("HTTPS_PROXY", "http://proxy", 1);
        setenv("DOCKER_CONFIG", "/secret", 1);
        setenv("CIP_FAKEPROXY_SCENARIO", "some", 1);
        setenv("REGISTRY_AUTH_FILE", "/secret", 1);
        world = make(&folder, NULL);
        ck_assert_ptr_null(value_of(world, "http_proxy"));
        ck_assert_ptr_null(value_of(world, "HTTPS_PROXY"));
        ck_assert_ptr_null(value_of(world, "DOCKER_CONFIG"));
        ck_assert_str_eq(value_of(world, "CIP_FAKEPROXY_SCENARIO"), "some");
        ck_assert_str_eq(value_of(world, "PATH"), getenv("PATH"));
        ck_assert_ptr_nonnull(strstr(value_of(world, "REGISTRY_AUTH_FILE"), folder));
}
END_TEST

START_TEST(all_places_are_below_the_folder_and_there)
{
        static const char *const places[] = {
                "HOME",          "TMPDIR",         "XDG_RUNTIME_DIR",    "XDG_CONFIG_HOME",
                "XDG_DATA_HOME", "XDG_CACHE_HOME", "REGISTRY_AUTH_FILE", "CONTAINERS_REGISTRIES_CONF",
        };
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_world_free) struct world *world = make(&folder, NULL);

        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
                const char *value = value_of(world, places[i]);

                ck_assert_msg(value && strncmp(value, folder, strlen(folder)) == 0, "%s is %s", places[i],
                              value);
                ck_assert_msg(access(value, R_OK) == 0, "%s is not there", value);
        }
}
END_TEST

START_TEST(what_is_added_comes_first)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_world_free) struct world *world = NULL;

        setenv("CIP_FAKEPROXY_SCENARIO", "outer", 1);
        world = make(&folder, (const char *const[]){"CIP_FAKEPROXY_SCENARIO=inner", NULL});
        ck_assert_str_eq(value_of(world, "CIP_FAKEPROXY_SCENARIO"), "inner");
}
END_TEST

static void touch(const char *folder, const char *path)
{
        CLEANUP(cleanup_free) char *whole = NULL;
        CLEANUP_FD int fd = -1;

        ck_assert_int_gt(asprintf(&whole, "%s/%s", folder, path), 0);
        fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ck_assert_int_ge(fd, 0);
}

START_TEST(leftovers_are_named)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_world_free) struct world *world = make(&folder, NULL);
        char names[256];

        touch(folder, "tmp/one");
        touch(folder, "home/.config/containers/two\n");
        /* The check's own files, beside the world, are none. */
        touch(folder, "fixture");
        /* What a server remembers for its next start is not left behind. */
        touch(folder, "home/.local/share/containers/cache/blob-info-cache-v1.sqlite");
        ck_assert_int_eq(world_leftovers(world, names, sizeof(names)), 2);
        ck_assert_str_eq(names, "tmp/one, home/.config/containers/two ");
}
END_TEST

START_TEST(a_world_as_it_was_has_no_leftovers)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_world_free) struct world *world = make(&folder, NULL);
        char names[256];

        /* The check's own files, beside the world, stay. */
        touch(folder, "fixture");
        ck_assert_int_eq(world_leftovers(world, names, sizeof(names)), 0);
        ck_assert_str_eq(names, "");
        ck_assert_int_eq(access(value_of(world, "HOME"), F_OK), -1);
        touch(folder, "fixture-2");
}
END_TEST

START_TEST(what_the_check_made_is_no_leftover)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_world_free) struct world *world = make(&folder, NULL);
        CLEANUP(cleanup_free) char *made = NULL;
        char names[256];

        ck_assert_int_gt(asprintf(&made, "%s/home/.docker", folder), 0);
        ck_assert_int_eq(mkdir(made, 0700), 0);
        ck_assert_ok(world_own(world, "home/.docker/config.json"));
        touch(folder, "home/.docker/config.json");
        touch(folder, "home/.docker/config");
        ck_assert_int_eq(world_leftovers(world, names, sizeof(names)), 1);
        ck_assert_str_eq(names, "home/.docker/config");
}
END_TEST

START_TEST(what_a_server_took_away_or_remembers_is_no_leftover)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_world_free) struct world *world = make(&folder, NULL);
        char names[256];

        ck_assert_int_eq(unlink(value_of(world, "REGISTRY_AUTH_FILE")), 0);
        ck_assert_int_eq(rmdir(value_of(world, "TMPDIR")), 0);
        touch(folder, "home/.local/share/containers/cache/blob-info-cache-v1.sqlite");
        ck_assert_int_eq(world_leftovers(world, names, sizeof(names)), 0);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_an_error)
{
        struct world *world = NULL;
        struct cip_error error = {0};

        ck_assert_errno(world_new("/no/such/folder", NULL, &world, &error), -ENOENT);
        ck_assert_ptr_null(world);
        ck_assert_ptr_nonnull(strstr(error.message, "/no/such/folder"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("world");
        TCase *cases = testing_case(suite, "world");

        tcase_add_test(cases, the_machines_settings_do_not_get_in);
        tcase_add_test(cases, all_places_are_below_the_folder_and_there);
        tcase_add_test(cases, what_is_added_comes_first);
        tcase_add_test(cases, leftovers_are_named);
        tcase_add_test(cases, a_world_as_it_was_has_no_leftovers);
        tcase_add_test(cases, what_the_check_made_is_no_leftover);
        tcase_add_test(cases, what_a_server_took_away_or_remembers_is_no_leftover);
        tcase_add_test(cases, a_folder_that_cannot_be_made_is_an_error);
        return testing_main(suite);
}
