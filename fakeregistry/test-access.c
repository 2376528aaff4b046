/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is let in, by password and by token, and that nothing secret comes out of it for the log.
 */
#include "fakeregistry/access.h"

#include <stdio.h>

#include "base/testing.h"

/* base64 of the words in the name */
#define BASIC_TOM_SECRET "Basic dG9tOnNlY3JldA=="
#define BASIC_TOM_WRONG "Basic dG9tOndyb25n"
#define BASIC_ANN_SESAME "Basic YW5uOnNlc2FtZQ=="

static const char *const ann_may[] = {"team/*", NULL};
static const struct registry_user users[] = {
        {.name = "tom", .password = "secret", .identity_token = "id-of-tom", .registry_token = "rt-of-tom"},
        {.name = "ann", .password = "sesame", .repositories = ann_may},
        {.name = "bot", .identity_token = "id-of-bot"},
};

static struct registry_auth auth;
static struct registry_access *access_;

static void setup(void)
{
        testing_fds_setup();
        auth = (struct registry_auth){
                .kind = REGISTRY_AUTH_BEARER, .users = users, .n_users = ARRAY_SIZE(users)};
        ck_assert_ok(registry_access_new(&auth, &access_));
}

static void teardown(void)
{
        registry_access_free(access_);
        testing_fds_teardown();
}

static enum registry_verdict judge(const char *authorization, const char *repository,
                                   struct registry_identity *ret)
{
        return registry_access_judge(access_, authorization, repository, ret);
}

/* Asks for a token for @scope; "Bearer TOKEN" in @ret. */
static enum registry_verdict ask(struct registry_token_request request, const char *scope, char ret[100],
                                 struct registry_identity *ret_identity)
{
        char token[REGISTRY_TOKEN_MAX] = "", id[REGISTRY_NAME_MAX];
        enum registry_verdict verdict;

        request.scopes = &scope;
        request.n_scopes = 1;
        verdict = registry_access_give(access_, &request, ret_identity, token, id);
        if (ret)
                snprintf(ret, 100, "Bearer %s", token);
        return verdict;
}

START_TEST(a_registry_without_users_serves_everybody)
{
        struct registry_identity identity;

        auth.kind = REGISTRY_AUTH_NONE;
        ck_assert_int_eq(judge(NULL, "app", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(identity.credentials, REGISTRY_CREDENTIALS_NONE);
        ck_assert_int_eq(judge(BASIC_TOM_WRONG, "app", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(identity.credentials, REGISTRY_CREDENTIALS_BASIC);
        ck_assert_str_eq(identity.user, "tom");
        ck_assert_int_eq(judge("Bearer whatever", "app", &identity), REGISTRY_GRANTED);
        ck_assert_str_eq(identity.token, "unknown");
}
END_TEST

START_TEST(a_password_lets_in_who_has_it)
{
        struct registry_identity identity;

        auth.kind = REGISTRY_AUTH_BASIC;
        ck_assert_int_eq(judge(BASIC_TOM_SECRET, "app", &identity), REGISTRY_GRANTED);
        ck_assert_str_eq(identity.user, "tom");
        ck_assert_int_eq(judge("basic  dG9tOnNlY3JldA==", NULL, &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(BASIC_TOM_WRONG, "app", &identity), REGISTRY_WRONG);
        ck_assert_str_eq(identity.user, "tom");
        ck_assert_int_eq(judge(NULL, "app", &identity), REGISTRY_UNKNOWN);
        ck_assert_int_eq(judge("Basic !!!", "app", &identity), REGISTRY_WRONG);
        ck_assert_int_eq(judge("Basic dG9t", "app", &identity), REGISTRY_WRONG);
        ck_assert_int_eq(judge("Negotiate x", "app", &identity), REGISTRY_WRONG);
        ck_assert_int_eq(identity.credentials, REGISTRY_CREDENTIALS_OTHER);
        ck_assert_int_eq(judge("Basic Ym90Og==", "app", &identity), REGISTRY_WRONG); /* bot: */
        ck_assert_int_eq(judge(BASIC_ANN_SESAME, "team/app", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(BASIC_ANN_SESAME, "app", &identity), REGISTRY_DENIED);
        auth.anonymous = true;
        ck_assert_int_eq(judge(NULL, "app", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(BASIC_TOM_WRONG, "app", &identity), REGISTRY_WRONG);
}
END_TEST

START_TEST(a_token_is_good_for_its_scope_and_its_id_is_all_that_is_told)
{
        struct registry_identity identity;
        char bearer[100];

        ck_assert_int_eq(judge(NULL, "app", &identity), REGISTRY_UNKNOWN);
        ck_assert_int_eq(judge(BASIC_TOM_SECRET, "app", &identity), REGISTRY_WRONG);
        ck_assert_int_eq(ask((struct registry_token_request){.authorization = BASIC_TOM_SECRET},
                             "repository:app:pull repository:b:push,pull repository:c:push", bearer, &identity),
                         REGISTRY_GRANTED);
        ck_assert_str_eq(identity.user, "tom");
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_GRANTED);
        ck_assert_str_eq(identity.token, "t1");
        ck_assert_str_eq(identity.user, "tom");
        ck_assert_uint_gt(strlen(bearer), strlen("Bearer t1.") + 30);
        ck_assert_int_eq(judge(bearer, NULL, &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "b", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "c", &identity), REGISTRY_NOT_IN_SCOPE);
        ck_assert_int_eq(judge(bearer, "ap", &identity), REGISTRY_NOT_IN_SCOPE);
        ck_assert_int_eq(judge("Bearer t1.0000", "app", &identity), REGISTRY_INVALID_TOKEN);
        ck_assert_str_eq(identity.token, "unknown");
        ck_assert_int_eq(judge("Bearer t1", "app", &identity), REGISTRY_INVALID_TOKEN);
        ck_assert_int_eq(judge("Bearer t99999999999999999999.1", "app", &identity), REGISTRY_INVALID_TOKEN);
        ck_assert_int_eq(judge("Bearer ", "app", &identity), REGISTRY_INVALID_TOKEN);
}
END_TEST

START_TEST(who_shows_what_is_wrong_gets_no_token)
{
        struct registry_identity identity;

        ck_assert_int_eq(ask((struct registry_token_request){0}, "repository:app:pull", NULL, &identity),
                         REGISTRY_UNKNOWN);
        ck_assert_int_eq(
                ask((struct registry_token_request){.authorization = BASIC_TOM_WRONG}, "x", NULL, &identity),
                REGISTRY_WRONG);
        ck_assert_str_eq(identity.user, "tom");
        ck_assert_int_eq(
                ask((struct registry_token_request){.identity_token = "id-of-nobody"}, "x", NULL, &identity),
                REGISTRY_WRONG);
        ck_assert_int_eq(identity.credentials, REGISTRY_CREDENTIALS_IDENTITY);
        ck_assert_int_eq(
                ask((struct registry_token_request){.user = "tom", .password = "wrong"}, "x", NULL, &identity),
                REGISTRY_WRONG);
        ck_assert_int_eq(ask((struct registry_token_request){.user = "bot"}, "x", NULL, &identity),
                         REGISTRY_WRONG);
}
END_TEST

START_TEST(a_token_is_had_by_an_identity_token_a_password_or_by_nobody)
{
        struct registry_identity identity;
        char bearer[100];

        ck_assert_int_eq(ask((struct registry_token_request){.identity_token = "id-of-bot"},
                             "repository:app:pull", bearer, &identity),
                         REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_GRANTED);
        ck_assert_str_eq(identity.user, "bot");
        ck_assert_int_eq(ask((struct registry_token_request){.user = "tom", .password = "secret"},
                             "repository:app:pull", bearer, &identity),
                         REGISTRY_GRANTED);
        auth.anonymous = true;
        ck_assert_int_eq(ask((struct registry_token_request){0}, "repository:app:pull", bearer, &identity),
                         REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_GRANTED);
        ck_assert_str_eq(identity.user, "");
        ck_assert_str_eq(identity.token, "t3");
}
END_TEST

START_TEST(a_user_gets_no_token_for_what_the_user_may_not_pull)
{
        struct registry_identity identity;
        char bearer[100];

        ck_assert_int_eq(ask((struct registry_token_request){.authorization = BASIC_ANN_SESAME},
                             "repository:app:pull repository:team/app:pull", bearer, &identity),
                         REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "team/app", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_NOT_IN_SCOPE);
}
END_TEST

START_TEST(a_registry_token_is_always_good_and_told_by_its_users_name)
{
        struct registry_identity identity;

        auth.token_uses = 1;
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(judge("Bearer rt-of-tom", "app", &identity), REGISTRY_GRANTED);
        ck_assert_str_eq(identity.token, "tom");
        ck_assert_int_eq(judge("Bearer id-of-tom", "app", &identity), REGISTRY_INVALID_TOKEN);
}
END_TEST

START_TEST(tokens_expire_by_use_by_time_and_on_request)
{
        const struct registry_token_request request = {.authorization = BASIC_TOM_SECRET};
        struct registry_identity identity;
        char bearer[100], other[100];
        struct deadline end = deadline_in_ms(60000);

        auth.token_uses = 2;
        ck_assert_int_eq(ask(request, "repository:app:pull", bearer, &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_INVALID_TOKEN);
        ck_assert_str_eq(identity.token, "t1");
        auth.token_uses = 0;

        ck_assert_int_eq(ask(request, "repository:app:pull", bearer, &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(ask(request, "repository:app:pull", other, &identity), REGISTRY_GRANTED);
        registry_access_void(access_, "t2");
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_INVALID_TOKEN);
        ck_assert_int_eq(judge(other, "app", &identity), REGISTRY_GRANTED);
        registry_access_void(access_, NULL);
        ck_assert_int_eq(judge(other, "app", &identity), REGISTRY_INVALID_TOKEN);

        auth.token_ms = 1;
        ck_assert_int_eq(ask(request, "repository:app:pull", bearer, &identity), REGISTRY_GRANTED);
        while (judge(bearer, "app", &identity) == REGISTRY_GRANTED)
                ck_assert(!deadline_passed(end));
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_INVALID_TOKEN);
}
END_TEST

START_TEST(the_oldest_token_makes_room_for_a_new_one)
{
        const struct registry_token_request request = {.authorization = BASIC_TOM_SECRET};
        struct registry_identity identity;
        char first[100], bearer[100];

        ck_assert_int_eq(ask(request, "repository:app:pull", first, &identity), REGISTRY_GRANTED);
        for (int i = 0; i < 1000; i++)
                ck_assert_int_eq(ask(request, "repository:app:pull", bearer, &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(bearer, "app", &identity), REGISTRY_GRANTED);
        ck_assert_int_eq(judge(first, "app", &identity), REGISTRY_INVALID_TOKEN);
}
END_TEST

START_TEST(a_hostile_name_is_safe_to_show)
{
        struct registry_identity identity;

        auth.kind = REGISTRY_AUTH_BASIC;
        ck_assert_int_eq(judge("Basic G1szMW0K/w==", "app", &identity), REGISTRY_WRONG);
        ck_assert_int_eq(judge("Basic G1szMW0K/zp4", "app", &identity),
                         REGISTRY_WRONG); /* ESC [31m \n \xff : x */
        for (const char *c = identity.user; *c; c++)
                ck_assert_int_ge(*c, ' ');
        ck_assert_str_eq(identity.user, "?[31m ?");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("access");
        TCase *tcase = tcase_create("access");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, a_registry_without_users_serves_everybody);
        tcase_add_test(tcase, a_password_lets_in_who_has_it);
        tcase_add_test(tcase, a_token_is_good_for_its_scope_and_its_id_is_all_that_is_told);
        tcase_add_test(tcase, who_shows_what_is_wrong_gets_no_token);
        tcase_add_test(tcase, a_token_is_had_by_an_identity_token_a_password_or_by_nobody);
        tcase_add_test(tcase, a_user_gets_no_token_for_what_the_user_may_not_pull);
        tcase_add_test(tcase, a_registry_token_is_always_good_and_told_by_its_users_name);
        tcase_add_test(tcase, tokens_expire_by_use_by_time_and_on_request);
        tcase_add_test(tcase, the_oldest_token_makes_room_for_a_new_one);
        tcase_add_test(tcase, a_hostile_name_is_safe_to_show);
        return testing_main(suite);
}
