/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading scenarios: what is good comes out as it was written, and each mistake is told where it is, in a word
 * that helps.
 */
#include "fakeregistry/scenario.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"

static const char good[] =
        "{\"scenario\": \"all\", \"about\": \"All members.\","
        " \"listeners\": [{\"name\": \"main\", \"tls\": \"expired\", \"client_certificates\": \"wanted\"},"
        "  {\"name\": \"blobs\", \"address\": \"127.0.0.2\", \"host\": \"localhost\", \"port\": 0, \"open\": "
        "true},"
        "  {\"name\": \"gone\", \"down\": true}],"
        " \"images\": [{\"repository\": \"a/b\", \"tag\": \"v1\", \"fixture\": \"layers-1\"},"
        "  {\"repository\": \"c\", \"layout\": \"folder\", \"layout_tag\": \"x\", \"listener\": \"blobs\"},"
        "  {\"repository\": \"d\", \"layers\": [{\"size\": 5000, \"count\": 2, \"compression\": \"gzip\"}],"
        "   \"manifest\": {\"x\": 1}, \"config\": {\"y\": null}, \"digest\": \"sha512\"}],"
        " \"auth\": {\"kind\": \"bearer\", \"anonymous\": true, \"service\": \"s\", \"listener\": \"blobs\","
        "  \"token_uses\": 3, \"token_ms\": 1000, \"users\": [{\"name\": \"tom\", \"password\": \"p\","
        "  \"identity_token\": \"i\", \"registry_token\": \"r\", \"repositories\": [\"a/*\", \"b\"]}]},"
        " \"referrers\": \"tag\","
        " \"rules\": [{\"name\": \"one\", \"when\": {\"kind\": \"blob\", \"method\": \"GET\", \"listener\": "
        "\"main\","
        "   \"host\": \"localhost\", \"repository\": \"a/*\", \"reference\": \"sha256:*\", \"user\": \"tom\","
        "   \"user_agent\": \"skopeo\", \"credentials\": \"bearer\", \"outcome\": \"success\", \"range\": true,"
        "   \"nth\": 2}, \"cut\": {\"after\": 0, \"by\": \"reset\"}, \"delay_ms\": 5, \"bytes_per_s\": 100,"
        "   \"stall\": {\"after\": 7, \"for_ms\": 8, \"then\": \"go-on\"}, \"corrupt_at\": 0,"
        "   \"truncate_to\": 9, \"content_length\": 0, \"headers\": {\"X-A\": \"1\", \"ETag\": null}},"
        "  {\"when\": {\"from\": 3, \"until\": 4}, \"status\": 429, \"code\": \"C\", \"message\": \"M\","
        "   \"body\": \"B\", \"media_type\": \"text/plain\"},"
        "  {\"when\": {\"kind\": \"manifest\"}, \"redirect\": {\"listener\": \"blobs\", \"path\": \"/x\"}},"
        "  {\"when\": {\"kind\": \"token\"}, \"raw\": \"x\"}],"
        " \"limits\": {\"connections\": 5, \"idle_s\": 6, \"stall_ms\": 7}}";

START_TEST(what_is_written_is_what_is_read)
{
        CLEANUP(cleanup_problems) struct problems problems = {0};
        CLEANUP(cleanup_registry_scenario_free) struct registry_scenario *scenario = NULL;
        const struct registry_config *config;
        const struct registry_act *act;

        if (registry_scenario_parse(good, strlen(good), "all", &scenario, &problems) < 0)
                problems_print(&problems, "good", stderr);
        ck_assert_ptr_nonnull(scenario);
        config = &scenario->config;
        ck_assert_uint_eq(config->n_listeners, 3);
        ck_assert(config->listeners[0].tls);
        ck_assert_int_eq(config->listeners[0].certificate, REGISTRY_CERTIFICATE_EXPIRED);
        ck_assert_int_eq(config->listeners[0].clients, REGISTRY_CLIENT_CERTIFICATES_WANTED);
        ck_assert(!config->listeners[1].tls && config->listeners[1].open && !config->listeners[1].down);
        ck_assert_str_eq(config->listeners[1].host, "localhost");
        ck_assert(config->listeners[2].down);
        ck_assert_uint_eq(config->n_images, 3);
        ck_assert_str_eq(config->images[0].fixture, "layers-1");
        ck_assert(!config->images[0].has_recipe && config->images[2].has_recipe);
        ck_assert_str_eq(config->images[1].layout_tag, "x");
        ck_assert_uint_eq(config->images[2].recipe.n_layers, 1);
        ck_assert_uint_eq(config->images[2].recipe.layers[0].count, 2);
        ck_assert(config->images[2].recipe.sha512 && config->images[2].recipe.manifest);
        ck_assert_int_eq(config->auth.kind, REGISTRY_AUTH_BEARER);
        ck_assert_str_eq(config->auth.users[0].repositories[1], "b");
        ck_assert_ptr_null(config->auth.users[0].repositories[2]);
        ck_assert_int_eq(config->referrers, REGISTRY_REFERRERS_TAG);
        ck_assert_uint_eq(config->n_rules, 4);
        ck_assert_uint_eq(config->rules[0].when.nth, 2);
        act = &config->rules[0].act;
        ck_assert(act->cut.there && act->cut.reset && act->cut.after == 0 && !act->cut.in_headers);
        ck_assert(act->stall.there && act->stall.after == 7 && !act->stall.then_close);
        ck_assert(act->corrupt_at.there && act->truncate_to.value == 9 && act->content_length.there);
        ck_assert_uint_eq(act->n_headers, 2);
        ck_assert_ptr_null(act->headers[1].value);
        act = &config->rules[1].act;
        ck_assert(act->status == 429 && !act->cut.there && !act->redirect.there && !act->corrupt_at.there);
        ck_assert_str_eq(config->rules[2].act.redirect.path, "/x");
        ck_assert_uint_eq(config->limits.stall_ms, 7);
}
END_TEST

#define START "{\"scenario\": \"s\", \"about\": \"a\", "
#define RULES START "\"rules\": ["
#define IMAGES START "\"images\": ["

static const struct {
        const char *text, *pointer, *words;
} bad[] = {
        {"", "", "not JSON"},
        {"[]", "", "expected an object"},
        {"{\"scenario\": \"s\"", "", "line 1 is not JSON"},
        {"{}", "", "\"scenario\" is missing"},
        {"{\"scenario\": \"S\", \"about\": \"a\"}", "/scenario", "letters a to z"},
        {"{\"scenario\": \"other\", \"about\": \"a\"}", "/scenario", "called as its file is: \"s\""},
        {"{\"scenario\": \"s\", \"about\": \"\"}", "/about", "cannot be empty"},
        {"{\"scenario\": \"s\",\n \"about\": \"a\",\n \"about\": \"b\"}", "",
         "line 3: the key \"about\" stands twice"},
        {START "\"ruels\": []}", "/ruels", "did you mean \"rules\"?"},
        {START "\"rules\": {}}", "/rules", "expected an array, not an object"},
        {RULES "7]}", "/rules/0", "expected an object, not a number"},
        {RULES "{\"when\": {\"knd\": \"blob\"}}]}", "/rules/0/when/knd", "did you mean \"kind\"?"},
        {RULES "{\"when\": {\"kind\": \"blobb\"}}]}", "/rules/0/when/kind", "did you mean \"blob\"?"},
        {RULES "{\"when\": {\"nth\": 0}}]}", "/rules/0/when/nth", "integer of 1 to"},
        {RULES "{\"when\": {\"nth\": 1.5}}]}", "/rules/0/when/nth", "not a number with a fraction"},
        {RULES "{\"when\": {\"nth\": -1}}]}", "/rules/0/when/nth", "integer of 1 to"},
        {RULES "{\"when\": {\"nth\": 1, \"from\": 2}}]}", "/rules/0/when/from", "nth stands alone"},
        {RULES "{\"when\": {\"from\": 3, \"until\": 2}}]}", "/rules/0/when/until", "can never match"},
        {RULES "{\"when\": {\"range\": false}}]}", "/rules/0/when/range", "expected true, not false"},
        {RULES "{\"when\": {\"listener\": \"mian\"}}]}", "/rules/0/when/listener", "did you mean \"main\"?"},
        {RULES "{\"when\": {\"kind\": \"ping\", \"reference\": \"x\"}}]}", "/rules/0/when/reference",
         "can never match"},
        {RULES "{\"when\": {\"kind\": \"token\", \"repository\": \"x\"}}]}", "/rules/0/when/repository",
         "can never match"},
        {RULES "{\"when\": {\"user\": \"x\", \"credentials\": \"none\"}}]}", "/rules/0/when/user",
         "can never match"},
        {RULES "{\"when\": {\"kind\": \"blob\", \"credentials\": \"identity\"}}]}", "/rules/0/when/credentials",
         "can never match"},
        {RULES "{\"status\": 503}, {\"when\": {\"kind\": \"blob\"}, \"status\": 500}]}", "/rules/1",
         "rule 0 always does before it"},
        {RULES "{\"name\": \"x\", \"when\": {\"nth\": 1}}, {\"name\": \"x\"}]}", "/rules/1/name",
         "rule 0 has this name too"},
        {RULES "{\"status\": 99}]}", "/rules/0/status", "integer of 200 to 599"},
        {RULES "{\"code\": \"X\"}]}", "/rules/0/code", "`status` is missing"},
        {RULES "{\"redirect\": {}, \"status\": 200}]}", "/rules/0/status", "300 to 399"},
        {RULES "{\"redirect\": {\"listener\": \"nowhere\"}}]}", "/rules/0/redirect/listener", "no listener"},
        {RULES "{\"redirect\": {\"location\": \"x\", \"path\": \"/y\"}}]}", "/rules/0/redirect/location",
         "do nothing"},
        {RULES "{\"redirect\": {\"path\": \"y\"}}]}", "/rules/0/redirect/path", "begins with a slash"},
        {RULES "{\"redirect\": {\"location\": \"a\\nb\"}}]}", "/rules/0/redirect/location",
         "control character"},
        {RULES "{\"serve\": \"x\", \"status\": 500}]}", "/rules/0/serve", "no content"},
        {RULES "{\"raw\": \"x\", \"status\": 500}]}", "/rules/0/raw", "does nothing"},
        {RULES "{\"raw\": \"x\", \"stall\": {}}]}", "/rules/0/stall", "no body is sent"},
        {RULES "{\"cut\": {}, \"stall\": {\"then\": \"close\"}}]}", "/rules/0/cut", "cut already"},
        {RULES "{\"cut\": {\"in_headers\": true}, \"bytes_per_s\": 5}]}", "/rules/0/bytes_per_s",
         "no body is sent"},
        {RULES "{\"expire_token\": true, \"status\": 500}]}", "/rules/0/expire_token", "do nothing"},
        {RULES "{\"headers\": {\"a b\": \"x\"}}]}", "/rules/0/headers/a b", "no name of a header"},
        {RULES "{\"headers\": {\"A\": \"x\\r\\ny\"}}]}", "/rules/0/headers/A", "control character"},
        {RULES "{\"headers\": {\"content-length\": \"5\"}}]}", "/rules/0/headers/content-length",
         "use `content_length`"},
        {RULES "{\"headers\": {\"A/B\": 5}}]}", "/rules/0/headers/A~1B", "expected a string, not a number"},
        {RULES "{\"body\": \"\\u0000\"}]}", "/rules/0/body", "NUL"},
        {IMAGES "{\"repository\": \"a\"}]}", "/images/0", "just one of `layout`, `fixture` and `layers`"},
        {IMAGES "{\"repository\": \"A\", \"fixture\": \"tar\"}]}", "/images/0/repository",
         "no name of a repository"},
        {IMAGES "{\"repository\": \"a\", \"tag\": \"-\", \"fixture\": \"tar\"}]}", "/images/0/tag",
         "is no tag"},
        {IMAGES "{\"repository\": \"a\", \"fixture\": \"layers-11\"}]}", "/images/0/fixture",
         "did you mean \"layers-1\"?"},
        {IMAGES "{\"repository\": \"a\", \"fixture\": \"tar\", \"layout_tag\": \"x\"}]}",
         "/images/0/layout_tag", "no `layout`"},
        {IMAGES "{\"repository\": \"a\", \"fixture\": \"tar\", \"config\": {}}]}", "/images/0/config",
         "only an image of `layers` is made"},
        {IMAGES "{\"repository\": \"a\", \"fixture\": \"tar\", \"listener\": \"x\"}]}", "/images/0/listener",
         "no listener"},
        {IMAGES "{\"repository\": \"a\", \"layers\": [{}]}]}", "/images/0/layers/0", "\"size\" is missing"},
        {IMAGES "{\"repository\": \"a\", \"layers\": [{\"size\": 5, \"content\": \"tar\"}]}]}",
         "/images/0/layers/0/size", ""},
        {START "\"listeners\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}", "/listeners/1/name",
         "listener 0 has this name too"},
        {START "\"listeners\": [{\"name\": \"a\", \"address\": \"10.0.0.1\"}]}", "/listeners/0/address",
         "no address of loopback"},
        {START "\"listeners\": [{\"name\": \"a\", \"client_certificates\": \"wanted\"}]}",
         "/listeners/0/client_certificates", "without `tls`"},
        {START "\"listeners\": [{\"name\": \"a\", \"port\": 65536}]}", "/listeners/0/port", "0 to 65535"},
        {START "\"auth\": {}}", "/auth", "\"kind\" is missing"},
        {START "\"auth\": {\"kind\": \"basic\", \"token_uses\": 1}}", "/auth/token_uses", "only `bearer`"},
        {START "\"auth\": {\"kind\": \"basic\", \"users\": [{\"name\": \"a:b\"}]}}", "/auth/users/0/name",
         "colon"},
        {START "\"auth\": {\"kind\": \"basic\", \"users\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}}",
         "/auth/users/1/name", "user 0 has this name too"},
        {START "\"limits\": {\"connections\": 0}}", "/limits/connections", "1 to 1000"},
        {START "\"about\xff\": 1}", "", "not UTF-8"},
        {"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "", "nested too deep"},
};

START_TEST(each_mistake_is_told_where_it_is)
{
        CLEANUP(cleanup_problems) struct problems problems = {0};
        struct registry_scenario *scenario = NULL;
        bool found = false;

        ck_assert_errno(registry_scenario_parse(bad[_i].text, strlen(bad[_i].text), "s", &scenario, &problems),
                        -EINVAL);
        for (size_t i = 0; i < problems.n; i++)
                found |= !strcmp(problems.problems[i].pointer, bad[_i].pointer) &&
                         strstr(problems.problems[i].message, bad[_i].words);
        if (!found)
                problems_print(&problems, bad[_i].text, stderr);
        ck_assert_msg(found, "wanted %s: %s", bad[_i].pointer, bad[_i].words);
}
END_TEST

START_TEST(all_mistakes_are_told_at_once)
{
        static const char text[] = RULES "{\"statsu\": 1}, {\"when\": {\"kind\": 7}}], \"x\": 1}";
        CLEANUP(cleanup_problems) struct problems problems = {0};
        struct registry_scenario *scenario = NULL;

        ck_assert_errno(registry_scenario_parse(text, strlen(text), NULL, &scenario, &problems), -EINVAL);
        ck_assert_uint_eq(problems.n, 3);
}
END_TEST

START_TEST(a_file_is_called_as_its_scenario)
{
        CLEANUP(cleanup_problems) struct problems problems = {0};
        CLEANUP(cleanup_registry_scenario_free) struct registry_scenario *scenario = NULL;
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP_FD int fd = -1;
        char path[4096];

        ck_assert_ok(tmpdir_new("cip-test", &folder, NULL));
        snprintf(path, sizeof(path), "%s/all.json", folder);
        ck_assert_errno(registry_scenario_read(path, &scenario, &problems), -EINVAL);
        ck_assert_uint_eq(problems.n, 1);
        ck_assert_ptr_nonnull(strstr(problems.problems[0].message, "No such file"));
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_ok(write_all(fd, good, strlen(good)));
        ck_assert_ok(registry_scenario_read(path, &scenario, &problems));
        ck_assert_str_eq(scenario->name, "all");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("scenario");
        TCase *tcase = testing_case(suite, "scenario");

        tcase_add_test(tcase, what_is_written_is_what_is_read);
        tcase_add_loop_test(tcase, each_mistake_is_told_where_it_is, 0, ARRAY_SIZE(bad));
        tcase_add_test(tcase, all_mistakes_are_told_at_once);
        tcase_add_test(tcase, a_file_is_called_as_its_scenario);
        return testing_main(suite);
}
