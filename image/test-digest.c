/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests: their form, known values, and the words for what is wrong with one.
 */
#include "image/digest.h"

#include "base/testing.h"

#define EMPTY_256 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_256 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512                                                                                   \
        "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a8" \
        "36ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

START_TEST(known_values_come_out)
{
        char text[DIGEST_TEXT_SIZE];

        ck_assert_ok(digest_of(DIGEST_SHA256, "", 0, text));
        ck_assert_str_eq(text, EMPTY_256);
        ck_assert_ok(digest_of(DIGEST_SHA256, "abc", 3, text));
        ck_assert_str_eq(text, ABC_256);
        ck_assert_ok(digest_of(DIGEST_SHA512, "abc", 3, text));
        ck_assert_str_eq(text, ABC_512);
        ck_assert_uint_eq(strlen(text) + 1, DIGEST_TEXT_SIZE);
}
END_TEST

START_TEST(pieces_give_the_digest_of_the_whole_and_it_starts_anew)
{
        CLEANUP(cleanup_digest_free) struct digest *digest = NULL;
        char text[DIGEST_TEXT_SIZE];

        ck_assert_ok(digest_new(DIGEST_SHA512, &digest));
        for (int round = 0; round < 2; round++) {
                ck_assert_ok(digest_update(digest, "a", 1));
                ck_assert_ok(digest_update(digest, "", 0));
                ck_assert_ok(digest_update(digest, "bc", 2));
                ck_assert_ok(digest_finish(digest, text));
                ck_assert_str_eq(text, ABC_512);
        }
        digest_free(NULL);
}
END_TEST

START_TEST(good_digests_are_told_by_algorithm)
{
        enum digest_algorithm algorithm = DIGEST_SHA512;

        ck_assert(digest_parse(ABC_256, &algorithm));
        ck_assert_int_eq(algorithm, DIGEST_SHA256);
        ck_assert(digest_parse(ABC_512, &algorithm));
        ck_assert_int_eq(algorithm, DIGEST_SHA512);
        ck_assert(digest_parse(ABC_512, NULL));
        ck_assert_str_eq(digest_hex(ABC_256), strchr(ABC_256, ':') + 1);
}
END_TEST

static const struct {
        const char *text, *problem;
} bad[] = {
        {"", "invalid checksum digest format"},
        {"sha256", "invalid checksum digest format"},
        {"sha256:", "invalid checksum digest format"},
        {":abc", "invalid checksum digest format"},
        {"SHA256:e3b0", "invalid checksum digest format"},
        {"sha256:../../../etc/passwd", "invalid checksum digest length"},
        {"sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
         "invalid checksum digest format"},
        {EMPTY_256 "\n", "invalid checksum digest length"},
        {"sha256:abc", "invalid checksum digest length"},
        {EMPTY_256 "0", "invalid checksum digest length"},
        {"sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "invalid checksum digest length"},
        {"md5:d41d8cd98f00b204e9800998ecf8427e", "unsupported digest algorithm"},
};

START_TEST(bad_digests_are_refused_with_the_words_of_servers)
{
        ck_assert(!digest_parse(bad[_i].text, NULL));
        ck_assert_str_eq(digest_problem(bad[_i].text), bad[_i].problem);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("digest");
        TCase *tcase = testing_case(suite, "digest");

        tcase_add_test(tcase, known_values_come_out);
        tcase_add_test(tcase, pieces_give_the_digest_of_the_whole_and_it_starts_anew);
        tcase_add_test(tcase, good_digests_are_told_by_algorithm);
        tcase_add_loop_test(tcase, bad_digests_are_refused_with_the_words_of_servers, 0, ARRAY_SIZE(bad));
        return testing_main(suite);
}
