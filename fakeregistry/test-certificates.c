/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates as OpenSSL's verification sees them: the right ones hold, and each wrong one fails for the one
 * reason that it is there for.
 */
#include "fakeregistry/certificates.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/testing.h"

static struct registry_authority *authority;
static const char *const hosts[] = {"localhost", "127.0.0.1", NULL};

static void setup(void)
{
        testing_fds_setup();
        ck_assert_ok(registry_authority_new("an authority", &authority, NULL));
}

static void teardown(void)
{
        registry_authority_free(authority);
        testing_fds_teardown();
}

static X509 *parse(const char *pem)
{
        BIO *bio = BIO_new_mem_buf(pem, -1);
        X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        BIO_free(bio);
        ck_assert_ptr_nonnull(certificate);
        return certificate;
}

/* What is wrong with a certificate, X509_V_OK for nothing, for a peer that trusts the authority. */
static int verify(const char *pem, const char *host, const char *address, int purpose)
{
        X509 *certificate = parse(pem), *ca = parse(registry_authority_pem(authority));
        X509_STORE *store = X509_STORE_new();
        X509_STORE_CTX *context = X509_STORE_CTX_new();
        X509_VERIFY_PARAM *param;
        int result;

        X509_STORE_add_cert(store, ca);
        X509_STORE_CTX_init(context, store, certificate, NULL);
        param = X509_STORE_CTX_get0_param(context);
        X509_VERIFY_PARAM_set_purpose(param, purpose);
        if (host)
                X509_VERIFY_PARAM_set1_host(param, host, 0);
        if (address)
                X509_VERIFY_PARAM_set1_ip_asc(param, address);
        result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
        X509_STORE_CTX_free(context);
        X509_STORE_free(store);
        X509_free(certificate);
        X509_free(ca);
        return result;
}

START_TEST(a_good_server_holds_for_its_names_and_addresses_alone)
{
        CLEANUP(cleanup_registry_certificate) struct registry_certificate pair = {0};

        ck_assert_ok(registry_certificate_server(authority, REGISTRY_CERTIFICATE_GOOD, hosts, &pair, NULL));
        ck_assert_int_eq(verify(pair.certificate, "localhost", NULL, X509_PURPOSE_SSL_SERVER), X509_V_OK);
        ck_assert_int_eq(verify(pair.certificate, NULL, "127.0.0.1", X509_PURPOSE_SSL_SERVER), X509_V_OK);
        ck_assert_int_eq(verify(pair.certificate, "example.com", NULL, X509_PURPOSE_SSL_SERVER),
                         X509_V_ERR_HOSTNAME_MISMATCH);
        ck_assert_int_eq(verify(pair.certificate, NULL, "127.0.0.2", X509_PURPOSE_SSL_SERVER),
                         X509_V_ERR_IP_ADDRESS_MISMATCH);
        ck_assert_int_eq(verify(pair.certificate, NULL, NULL, X509_PURPOSE_SSL_CLIENT),
                         X509_V_ERR_INVALID_PURPOSE);
}
END_TEST

START_TEST(each_wrong_server_is_wrong_for_one_reason)
{
        static const struct {
                enum registry_certificate_kind kind;
                int wanted;
        } cases[] = {
                {REGISTRY_CERTIFICATE_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED},
                {REGISTRY_CERTIFICATE_NOT_YET, X509_V_ERR_CERT_NOT_YET_VALID},
                {REGISTRY_CERTIFICATE_WRONG_NAME, X509_V_ERR_HOSTNAME_MISMATCH},
                {REGISTRY_CERTIFICATE_UNKNOWN_AUTHORITY, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
                {REGISTRY_CERTIFICATE_SELF_SIGNED, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(cleanup_registry_certificate) struct registry_certificate pair = {0};
                int got;

                ck_assert_ok(registry_certificate_server(authority, cases[i].kind, hosts, &pair, NULL));
                got = verify(pair.certificate, "localhost", NULL, X509_PURPOSE_SSL_SERVER);
                ck_assert_msg(got == cases[i].wanted, "case %zu: %s", i, X509_verify_cert_error_string(got));
                ck_assert_ok(registry_certificate_judge(pair.certificate, "a", pair.key, "b", NULL));
        }
}
END_TEST

START_TEST(a_clients_certificate_is_for_clients_and_has_its_name)
{
        CLEANUP(cleanup_registry_certificate) struct registry_certificate pair = {0};
        CLEANUP(cleanup_registry_certificate) struct registry_certificate other = {0};
        char name[100];
        X509 *certificate;

        ck_assert_ok(
                registry_certificate_client(authority, REGISTRY_CERTIFICATE_GOOD, "somebody", &pair, NULL));
        ck_assert_int_eq(verify(pair.certificate, NULL, NULL, X509_PURPOSE_SSL_CLIENT), X509_V_OK);
        ck_assert_int_eq(verify(pair.certificate, NULL, NULL, X509_PURPOSE_SSL_SERVER),
                         X509_V_ERR_INVALID_PURPOSE);
        certificate = parse(pair.certificate);
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof(name));
        ck_assert_str_eq(name, "somebody");
        X509_free(certificate);
        ck_assert_ok(registry_certificate_client(authority, REGISTRY_CERTIFICATE_UNKNOWN_AUTHORITY, "somebody",
                                                 &other, NULL));
        ck_assert_int_eq(verify(other.certificate, NULL, NULL, X509_PURPOSE_SSL_CLIENT),
                         X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}
END_TEST

START_TEST(what_is_no_certificate_is_refused_with_the_files_name)
{
        CLEANUP(cleanup_registry_certificate) struct registry_certificate pair = {0};
        CLEANUP(cleanup_registry_certificate) struct registry_certificate other = {0};
        struct cip_error error = {0};

        ck_assert_ok(registry_certificate_server(authority, REGISTRY_CERTIFICATE_GOOD, hosts, &pair, NULL));
        ck_assert_ok(registry_certificate_server(authority, REGISTRY_CERTIFICATE_GOOD, hosts, &other, NULL));
        ck_assert_ok(registry_certificate_judge(pair.certificate, "c.pem", pair.key, "k.pem", &error));
        ck_assert_errno(registry_certificate_judge("hello", "c.pem", pair.key, "k.pem", &error), -EINVAL);
        ck_assert_str_eq(error.message, "there is no certificate in c.pem (PEM is wanted)");
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_errno(registry_certificate_judge(pair.certificate, "c.pem", "", "k.pem", &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "no key in k.pem"));
        ck_assert_errno(registry_certificate_judge(pair.certificate, "c.pem", other.key, "k.pem", &error),
                        -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "is not that of the certificate in c.pem"));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("certificates");
        TCase *tcase = tcase_create("certificates");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, a_good_server_holds_for_its_names_and_addresses_alone);
        tcase_add_test(tcase, each_wrong_server_is_wrong_for_one_reason);
        tcase_add_test(tcase, a_clients_certificate_is_for_clients_and_has_its_name);
        tcase_add_test(tcase, what_is_no_certificate_is_refused_with_the_files_name);
        return testing_main(suite);
}
