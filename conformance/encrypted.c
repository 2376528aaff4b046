/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encrypting layers. What a recipient must know of a layer, its key and the counter's start, is a JSON text, wrapped as
 * a JSON Web Encryption (RFC 7516) with RSA-OAEP and A256GCM; what everybody may know is the HMAC of the encrypted
 * bytes. Both are annotations of the layer, in base64. That real programs decrypt this, test-encrypted shows.
 */
#include "conformance/encrypted.h"

#include <errno.h>
#include <json-c/json.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "image/layout.h"
#include "image/local-error.h"

#define ANNOTATION_KEYS "org.opencontainers.image.enc.keys.jwe"
#define ANNOTATION_PUBLIC "org.opencontainers.image.enc.pubopts"

/* Short: it is made anew for each check, which takes a while, and has nothing to guard. */
#define RSA_BITS 1024
#define LAYER_MAX ((size_t)64 * 1024 * 1024)

enum {
        KEY_SIZE = 32,
        NONCE_SIZE = 16, /* of AES-256-CTR */
        HMAC_SIZE = 32,
        IV_SIZE = 12, /* of A256GCM */
        TAG_SIZE = 16,
};

DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free);
DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free);
DEFINE_CLEANUP(BIO *, BIO_free_all);

struct encrypted_key {
        EVP_PKEY *key;
        char *pem;
};

static int crypto_error(struct cip_error *error, const char *what)
{
        return local_error(error, -EIO, "cannot %s: libcrypto fails", what);
}

void encrypted_key_free(struct encrypted_key *key)
{
        if (!key)
                return;
        EVP_PKEY_free(key->key);
        free(key->pem);
        free(key);
}

int encrypted_key_new(struct encrypted_key **ret, struct cip_error *error)
{
        CLEANUP(cleanup_encrypted_key_free) struct encrypted_key *key = calloc(1, sizeof(*key));
        CLEANUP(cleanup_BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());
        char *text;
        long len;

        if (!key || !bio)
                return local_errno(error, -ENOMEM, "cannot make a key");
        key->key = EVP_RSA_gen(RSA_BITS);
        if (!key->key || PEM_write_bio_PrivateKey(bio, key->key, NULL, NULL, 0, NULL, NULL) != 1)
                return crypto_error(error, "make a key");
        len = BIO_get_mem_data(bio, &text);
        key->pem = len > 0 ? calloc(1, (size_t)len + 1) : NULL;
        if (!key->pem)
                return local_errno(error, -ENOMEM, "cannot make a key");
        memcpy(key->pem, text, (size_t)len);
        *ret = STEAL(key);
        return 0;
}

const char *encrypted_key_pem(const struct encrypted_key *key)
{
        return key->pem;
}

/* ---- base64 ---- */

/* NULL: no memory. */
static char *base64(const void *data, size_t len)
{
        char *text = malloc(4 * ((len + 2) / 3) + 1);

        if (text)
                EVP_EncodeBlock((unsigned char *)text, data, (int)len);
        return text;
}

/* The alphabet of URLs, without padding, as JSON Web Encryption has it. */
static char *base64url(const void *data, size_t len)
{
        char *text = base64(data, len);

        if (!text)
                return NULL;
        for (char *p = text; *p; p++)
                *p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
        text[strcspn(text, "=")] = '\0';
        return text;
}

/* ---- for the recipient ---- */

/* The parts of the wrapping, each in base64url. */
struct wrapped {
        char *protected, *key, *iv, *text, *tag;
};

static void wrapped_clear(struct wrapped *wrapped)
{
        free(wrapped->protected);
        free(wrapped->key);
        free(wrapped->iv);
        free(wrapped->text);
        free(wrapped->tag);
}

static bool wrap_key(EVP_PKEY *recipient, const unsigned char key[KEY_SIZE], char **ret)
{
        CLEANUP(cleanup_EVP_PKEY_CTX_free) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(recipient, NULL);
        unsigned char wrapped[RSA_BITS / 8];
        size_t len = sizeof(wrapped);

        /* RSA-OAEP without a further name is the one with SHA-1, which is libcrypto's default. */
        if (!context || EVP_PKEY_encrypt_init(context) != 1 ||
            EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1 ||
            EVP_PKEY_encrypt(context, wrapped, &len, key, KEY_SIZE) != 1)
                return false;
        *ret = base64url(wrapped, len);
        return *ret;
}

static bool wrap_text(const unsigned char key[KEY_SIZE], const unsigned char iv[IV_SIZE], const char *text,
                      struct wrapped *wrapped)
{
        CLEANUP(cleanup_EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        CLEANUP(cleanup_free) unsigned char *out = malloc(strlen(text) + 1);
        unsigned char tag[TAG_SIZE];
        const char *aad = wrapped->protected;
        int n;

        if (!context || !out || EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv) != 1 ||
            EVP_EncryptUpdate(context, NULL, &n, (const unsigned char *)aad, (int)strlen(aad)) != 1 ||
            EVP_EncryptUpdate(context, out, &n, (const unsigned char *)text, (int)strlen(text)) != 1 ||
            EVP_EncryptFinal_ex(context, out + n, &n) != 1 ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) != 1)
                return false;
        wrapped->text = base64url(out, strlen(text));
        wrapped->tag = base64url(tag, TAG_SIZE);
        return wrapped->text && wrapped->tag;
}

/* The JSON Web Encryption of @text, in base64. */
static int wrap(const struct encrypted_key *recipient, const char *text, char **ret, struct cip_error *error)
{
        static const char header[] = "{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}";
        CLEANUP(wrapped_clear) struct wrapped wrapped = {0};
        CLEANUP(cleanup_free) char *json = NULL;
        unsigned char key[KEY_SIZE], iv[IV_SIZE];

        if (RAND_bytes(key, KEY_SIZE) != 1 || RAND_bytes(iv, IV_SIZE) != 1)
                return crypto_error(error, "make a random key");
        wrapped.protected = base64url(header, strlen(header));
        wrapped.iv = base64url(iv, IV_SIZE);
        if (!wrapped.protected || !wrapped.iv || !wrap_key(recipient->key, key, &wrapped.key) ||
            !wrap_text(key, iv, text, &wrapped))
                return crypto_error(error, "wrap a layer's key");
        if (asprintf(&json,
                     "{\"protected\":\"%s\",\"encrypted_key\":\"%s\",\"iv\":\"%s\",\"ciphertext\":\"%s\","
                     "\"tag\":\"%s\"}",
                     wrapped.protected, wrapped.key, wrapped.iv, wrapped.text, wrapped.tag) < 0) {
                json = NULL;
                return local_errno(error, -ENOMEM, "cannot wrap a layer's key");
        }
        *ret = base64(json, strlen(json));
        return *ret ? 0 : local_errno(error, -ENOMEM, "cannot wrap a layer's key");
}

/* ---- a layer ---- */

/* The secrets of one. */
struct secrets {
        unsigned char key[KEY_SIZE], nonce[NONCE_SIZE], hmac[HMAC_SIZE];
};

/* In place. */
static bool encrypt(struct secrets *secrets, char *data, size_t len)
{
        CLEANUP(cleanup_EVP_CIPHER_CTX_free) EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
        unsigned char *bytes = (unsigned char *)data;
        unsigned n_hmac = HMAC_SIZE;
        int n;

        return context && RAND_bytes(secrets->key, KEY_SIZE) == 1 &&
               RAND_bytes(secrets->nonce, NONCE_SIZE) == 1 &&
               EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), NULL, secrets->key, secrets->nonce) == 1 &&
               EVP_EncryptUpdate(context, bytes, &n, bytes, (int)len) == 1 &&
               HMAC(EVP_sha256(), secrets->key, KEY_SIZE, bytes, len, secrets->hmac, &n_hmac);
}

/* What the recipient must know, and what everybody may. @digest is that of the plain layer. */
static int tell(const struct encrypted_key *key, const struct secrets *secrets, const char *digest,
                struct json_object *annotations, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *symmetric = base64(secrets->key, KEY_SIZE);
        CLEANUP(cleanup_free) char *nonce = base64(secrets->nonce, NONCE_SIZE);
        CLEANUP(cleanup_free) char *hmac = base64(secrets->hmac, HMAC_SIZE);
        CLEANUP(cleanup_free) char *private_text = NULL;
        CLEANUP(cleanup_free) char *public_text = NULL;
        CLEANUP(cleanup_free) char *wrapped = NULL;
        CLEANUP(cleanup_free) char *open = NULL;
        int r;

        if (!symmetric || !nonce || !hmac ||
            asprintf(&private_text,
                     "{\"symkey\":\"%s\",\"digest\":\"%s\",\"cipheroptions\":{\"nonce\":\"%s\"}}", symmetric,
                     digest, nonce) < 0 ||
            asprintf(&public_text,
                     "{\"cipher\":\"AES_256_CTR_HMAC_SHA256\",\"hmac\":\"%s\",\"cipheroptions\":{}}", hmac) < 0)
                return local_errno(error, -ENOMEM, "cannot encrypt a layer");
        r = wrap(key, private_text, &wrapped, error);
        if (r < 0)
                return r;
        open = base64(public_text, strlen(public_text));
        if (!open ||
            json_object_object_add(annotations, ANNOTATION_KEYS, json_object_new_string(wrapped)) < 0 ||
            json_object_object_add(annotations, ANNOTATION_PUBLIC, json_object_new_string(open)) < 0)
                return local_errno(error, -ENOMEM, "cannot encrypt a layer");
        return 0;
}

static int set_text(struct json_object *object, const char *name, const char *text)
{
        struct json_object *string = json_object_new_string(text);

        return string && json_object_object_add(object, name, string) == 0 ? 0 : -ENOMEM;
}

/* Writes the encrypted layer, and changes the manifest's descriptor of it. */
static int encrypt_layer(struct layout *layout, const struct content *layer, struct json_object *descriptor,
                         const struct encrypted_key *key, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *media_type = NULL;
        struct json_object *annotations;
        struct secrets secrets;
        char digest[DIGEST_TEXT_SIZE];
        size_t len;
        int r;

        r = layout_read_blob(layout, layer->digest, LAYER_MAX, &data, &len, error);
        if (r < 0)
                return r;
        if (!encrypt(&secrets, data, len))
                return crypto_error(error, "encrypt a layer");
        r = layout_write_blob(layout, DIGEST_SHA256, data, len, digest, error);
        if (r < 0)
                return r;
        if (asprintf(&media_type, "%s" MEDIA_ENCRYPTED, layer->media_type) < 0) {
                media_type = NULL;
                return local_errno(error, -ENOMEM, "cannot encrypt a layer");
        }
        annotations = json_object_new_object();
        if (!annotations || json_object_object_add(descriptor, "annotations", annotations) < 0 ||
            set_text(descriptor, "mediaType", media_type) < 0 || set_text(descriptor, "digest", digest) < 0)
                return local_errno(error, -ENOMEM, "cannot encrypt a layer");
        return tell(key, &secrets, layer->digest, annotations, error);
}

/* ---- an image ---- */

static int read_manifest(struct layout *layout, const char *tag, struct manifest **ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        const struct content *content;
        size_t len;
        int r;

        r = layout_find(layout, tag, &content, error);
        if (r == 0)
                r = layout_read_blob(layout, content->digest, MANIFEST_MAX, &text, &len, error);
        if (r == 0)
                r = manifest_parse(text, len, ret, error);
        return r;
}

int encrypted_add_image(const char *layout_path, const char *tag, const char *new_tag, size_t from,
                        const struct encrypted_key *key, struct cip_error *error)
{
        CLEANUP(cleanup_layout_free) struct layout *reader = NULL;
        CLEANUP(cleanup_layout_free) struct layout *writer = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        struct json_object *layers;
        char digest[DIGEST_TEXT_SIZE];
        const char *text;
        size_t len;
        int r;

        r = layout_open(layout_path, &reader, error);
        if (r == 0)
                r = read_manifest(reader, tag, &manifest, error);
        if (r == 0)
                r = layout_create_unsynced(layout_path, &writer, error);
        if (r < 0 || !manifest)
                return r;
        if (manifest->kind != MANIFEST_OCI)
                return local_error(error, -ENOTSUP, "only an OCI image's layers can be encrypted");
        layers = json_object_object_get(manifest->json, "layers");
        for (size_t i = from; i < manifest->n_entries; i++) {
                r = encrypt_layer(writer, &manifest->entries[i], json_object_array_get_idx(layers, i), key,
                                  error);
                if (r < 0)
                        return r;
        }
        text = json_object_to_json_string_length(manifest->json,
                                                 JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
        if (!text)
                return local_errno(error, -ENOMEM, "cannot encrypt an image");
        r = layout_write_blob(writer, DIGEST_SHA256, text, len, digest, error);
        if (r < 0)
                return r;
        return layout_add_manifest(writer, MEDIA_OCI_MANIFEST, digest, (int64_t)len, new_tag, NULL, error);
}
