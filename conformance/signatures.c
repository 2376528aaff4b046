/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures and what keeps them: files beside a manifest, a lookaside's folders, an image beside the signed one.
 * GnuPG's are made by gpg, whose agent is asked to end after each call; sigstore's on OpenSSL's libcrypto.
 * containers-signature(5), docs/protocol.md#policy-and-signatures
 */
#include "conformance/signatures.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/error.h"
#include "conformance/context.h"
#include "conformance/descendants.h"
#include "conformance/sample.h"
#include "image/layout.h"

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);
DEFINE_CLEANUP(BIO *, BIO_free_all);

#define MEDIA_SIMPLE_SIGNING "application/vnd.dev.cosign.simplesigning.v1+json"
#define SIGSTORE_ANNOTATION "dev.cosignproject.cosign/signature"

/* Bytes of the longest signature by a key of P-256. */
#define ECDSA_MAX 80

struct signer {
        const char *home; /* GnuPG's; NULL: sigstore's */
        EVP_PKEY *key;    /* sigstore's */
        const char *public_key;
};

const char *signer_public_key(const struct signer *signer)
{
        return signer->public_key;
}

static struct signer *signer_new(struct check_context *c, const char *public_key)
{
        struct signer *signer = calloc(1, sizeof(*signer));

        if (!signer)
                check_error(c, "out of memory");
        signer->public_key = public_key;
        return signer;
}

const char *signatures_base64(struct check_context *c, const void *data, size_t len)
{
        unsigned char *text = malloc(4 * ((len + 2) / 3) + 1);

        if (!text)
                check_error(c, "out of memory");
        EVP_EncodeBlock(text, data, (int)len);
        return (const char *)text;
}

static void make_folder(struct check_context *c, const char *path)
{
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                check_error(c, "cannot make the folder %s: %s", path, strerror(errno));
}

/* ---- GnuPG ---- */

#define GPG(...) ((const char *const[]){"gpg", "--batch", "--quiet", "--yes", __VA_ARGS__, NULL})

static void run_gnupg(struct check_context *c, const char *home, const char *const *argv)
{
        const char *path = getenv("PATH");
        const char *const environment[] = {
                check_text(c, "GNUPGHOME=%s", home),
                check_text(c, "HOME=%s", home),
                check_text(c, "PATH=%s", path ? path : "/usr/bin:/bin"),
                "LC_ALL=C",
                NULL,
        };
        CLEANUP(cleanup_child_free) struct child *child = NULL;
        struct cip_error error = {0};
        char how[128];
        size_t len;
        int r, status;

        context_doing(c, "waiting for %s", argv[0]);
        r = child_start(&(struct child_spec){.argv = argv, .envp = environment}, &child, &error);
        if (r == -ENOENT)
                check_skip(c, "there is no %s to make keys and signatures with (Debian's gnupg)", argv[0]);
        if (r < 0)
                check_error(c, "%s", error.message);
        r = child_wait(child, c->deadline, &status);
        if (r < 0)
                check_error(c, "%s does not end: %s", argv[0], strerror(-r));
        if (status != 0)
                check_error(c, "%s %s: %.400s", argv[0], child_status_text(status, how, sizeof(how)),
                            child_stderr(child, &len));
        child_reap(child);
}

/* The agent that gpg has started, a daemon, becomes a child of this process, and may be nothing of the server's. */
static void end_agent(struct check_context *c, const char *home)
{
        run_gnupg(c, home, (const char *const[]){"gpgconf", "--kill", "gpg-agent", NULL});
        descendants_end(NULL);
}

/*
 * A name for the folder that is short wherever it is: the agent's socket lies in it, and has to fit an address of 108
 * bytes.
 */
static const char *short_name(struct check_context *c, const char *path)
{
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0)
                check_error(c, "cannot open the folder %s: %s", path, strerror(errno));
        return check_text(c, "/proc/%d/fd/%d", (int)getpid(), fd);
}

struct signer *signatures_gnupg(struct check_context *c, const char *name)
{
        struct signer *signer = signer_new(c, check_text(c, "%s/%s.gpg", check_folder(c), name));
        const char *folder = check_text(c, "%s/%s", check_folder(c), name);

        make_folder(c, folder);
        signer->home = short_name(c, folder);
        run_gnupg(c, signer->home,
                  GPG("--passphrase", "", "--quick-generate-key", check_text(c, "%s@vendor.example", name),
                      "ed25519", "sign", "never"));
        run_gnupg(c, signer->home, GPG("--output", signer->public_key, "--export"));
        end_agent(c, signer->home);
        return signer;
}

static struct signature sign_by_gnupg(struct check_context *c, const struct signer *signer, const char *payload)
{
        const char *path = check_text(c, "%s/payload", signer->home);
        const char *made = check_text(c, "%s/signature", signer->home);
        struct signature signature;
        char *data;

        sample_write_file(c, path, payload, strlen(payload));
        run_gnupg(c, signer->home, GPG("--output", made, "--sign", path));
        end_agent(c, signer->home);
        sample_read_file(c, made, &data, &signature.len);
        signature.data = data;
        return signature;
}

/* ---- sigstore ---- */

struct signer *signatures_sigstore(struct check_context *c, const char *name)
{
        struct signer *signer = signer_new(c, check_text(c, "%s/%s.pem", check_folder(c), name));
        CLEANUP(cleanup_BIO_free_all) BIO *file = BIO_new_file(signer->public_key, "w");

        signer->key = EVP_EC_gen("P-256");
        if (!file || !signer->key || PEM_write_bio_PUBKEY(file, signer->key) != 1)
                check_error(c, "cannot make a key of the curve P-256");
        return signer;
}

static const char *sign_by_sigstore(struct check_context *c, const struct signer *signer, const char *payload)
{
        CLEANUP(cleanup_EVP_MD_CTX_free) EVP_MD_CTX *context = EVP_MD_CTX_new();
        unsigned char signature[ECDSA_MAX];
        size_t len = sizeof(signature);

        if (!context || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signer->key) != 1 ||
            EVP_DigestSign(context, signature, &len, (const unsigned char *)payload, strlen(payload)) != 1)
                check_error(c, "cannot sign by ECDSA");
        return signatures_base64(c, signature, len);
}

/* ---- either ---- */

/* What is signed: that a manifest is this image. */
static const char *claim(struct check_context *c, const struct signer *signer, const char *digest,
                         const char *identity)
{
        return check_text(c,
                          "{\"critical\":{\"type\":\"%s\",\"image\":{\"docker-manifest-digest\":\"%s\"},"
                          "\"identity\":{\"docker-reference\":\"%s\"}},\"optional\":{}}",
                          signer->home ? "atomic container signature" : "cosign container image signature",
                          digest, identity);
}

struct signature signatures_sign(struct check_context *c, const struct signer *signer, const char *digest,
                                 const char *identity)
{
        /* The first byte, NUL, tells this form from GnuPG's, whose first byte is 128 or more. */
        static const char head[] = "\0sigstore-json\n";
        const char *payload = claim(c, signer, digest, identity);
        struct signature signature;
        const char *body;
        char *data;

        if (signer->home)
                return sign_by_gnupg(c, signer, payload);
        body = check_text(c, "{\"mimeType\":\"%s\",\"payload\":\"%s\",\"annotations\":{\"%s\":\"%s\"}}",
                          MEDIA_SIMPLE_SIGNING, signatures_base64(c, payload, strlen(payload)),
                          SIGSTORE_ANNOTATION, sign_by_sigstore(c, signer, payload));
        signature.len = sizeof(head) - 1 + strlen(body);
        signature.data = data = malloc(signature.len + 1);
        if (!data)
                check_error(c, "out of memory");
        memcpy(data, head, sizeof(head) - 1);
        memcpy(data + sizeof(head) - 1, body, strlen(body) + 1);
        return signature;
}

void signatures_write_dir(struct check_context *c, const char *folder, unsigned n,
                          const struct signature *signature)
{
        sample_write_file(c, check_text(c, "%s/signature-%u", folder, n), signature->data, signature->len);
}

void signatures_write_lookaside(struct check_context *c, const char *lookaside, const char *repository,
                                const char *digest, const struct signature *signature)
{
        const char *folder = check_text(c, "%s/%s@sha256=%s", lookaside, repository, digest_hex(digest));

        make_folder(c, lookaside);
        make_folder(c, folder);
        signatures_write_dir(c, folder, 1, signature);
}

/* The text as a blob of the layout: the members of a descriptor. */
static const char *write_blob(struct check_context *c, struct layout *layout, const char *text)
{
        char digest[DIGEST_TEXT_SIZE];
        struct cip_error error = {0};

        if (layout_write_blob(layout, DIGEST_SHA256, text, strlen(text), digest, &error) < 0)
                check_error(c, "%s", error.message);
        return check_text(c, "\"digest\":\"%s\",\"size\":%zu", digest, strlen(text));
}

void signatures_attach(struct check_context *c, const struct signer *signer, const char *fixture,
                       const char *digest, const char *identity)
{
        const char *tag = check_text(c, "sha256-%s.sig", digest_hex(sample_digest(c, fixture)));
        const char *payload = claim(c, signer, digest, identity), *manifest, *config;
        CLEANUP(cleanup_layout_free) struct layout *layout = NULL;
        char own_digest[DIGEST_TEXT_SIZE], layer[DIGEST_TEXT_SIZE];
        struct cip_error error = {0};

        if (layout_create_unsynced(check_fixture_path(c, fixture), &layout, &error) < 0)
                check_error(c, "%s", error.message);
        if (digest_of(DIGEST_SHA256, payload, strlen(payload), layer) < 0)
                check_error(c, "cannot hash a signature's payload");
        config = check_text(c,
                            "{\"architecture\":\"\",\"os\":\"\",\"config\":{},"
                            "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
                            layer);
        manifest = check_text(c,
                              "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{\"mediaType\":\"%s\",%s},"
                              "\"layers\":[{\"mediaType\":\"%s\",%s,\"annotations\":{\"%s\":\"%s\"}}]}",
                              MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG, write_blob(c, layout, config),
                              MEDIA_SIMPLE_SIGNING, write_blob(c, layout, payload), SIGSTORE_ANNOTATION,
                              sign_by_sigstore(c, signer, payload));
        if (layout_write_blob(layout, DIGEST_SHA256, manifest, strlen(manifest), own_digest, &error) < 0 ||
            layout_add_manifest(layout, MEDIA_OCI_MANIFEST, own_digest, (int64_t)strlen(manifest), tag, NULL,
                                &error) < 0)
                check_error(c, "%s", error.message);
}
