/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcip: fetching container images through `skopeo experimental-image-proxy`. A session is one running
 * server; through it images are opened, and their manifest, config, layers and blobs fetched, each checked here
 * against its digest and size. The library never prints, exits, aborts or raises a signal, every wait has a
 * deadline and can be cancelled, and memory use does not grow with the size of a blob. See libcip(3).
 */
#ifndef CIP_H
#define CIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cip-error.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef CIP_PUBLIC
#define CIP_PUBLIC __attribute__((visibility("default")))
#endif

/*
 * What holds for every function here.
 *
 * Results: 0 (or what the function says), or a negative errno. Outputs called ret_.. are written only on
 * success. @error may be NULL; on failure it says who is at fault and why (see cip-error.h):
 *
 *   CIP_ERROR_LOCAL      -EINVAL a wrong argument or combination of options, -ENOMEM, -ENOENT or -EACCES for a
 *                        command that cannot be started, -ENOTSUP what the server's version cannot do,
 *                        -ECANCELED after the cancel descriptor, and what the system said of a file.
 *   CIP_ERROR_TRANSPORT  -ETIMEDOUT a deadline passed, -ECONNRESET the server ended; the message has its exit
 *                        status and the last lines of its stderr.
 *   CIP_ERROR_PROTOCOL   -EBADMSG the server broke the protocol, or data is not what its digest or size says.
 *   CIP_ERROR_REMOTE     -EREMOTEIO the server's own error; the message has its words, code its enum cip_code.
 *
 * Sessions end: a timeout, a cancellation, the server's end or a malformed reply breaks the session. The server
 * is then killed, and every later call fails at once with -ENOTCONN and the class and message of the first
 * reason. An error of class REMOTE, and data that does not match its digest or size, leave the session usable.
 *
 * Threads: one session, with its images and blobs, is used by one thread at a time, not always the same.
 * Different sessions are independent. The cancel descriptor may be written by any thread or signal handler.
 * SIGCHLD, SIGPIPE and other children of the program are left alone; SIGCHLD may be ignored.
 */

/* The server's error code, in cip_error.code of class REMOTE. Servers before 0.2.8 give none: NONE. */
enum cip_code {
        CIP_CODE_NONE = 0,
        CIP_CODE_EPIPE,     /* the client had closed its end of a pipe */
        CIP_CODE_RETRYABLE, /* trying again may help: the network, a registry that is busy */
        CIP_CODE_OTHER,
};

/* What to make of an error; see cip_error_retry. */
enum cip_retry {
        CIP_RETRY_NEVER = 0, /* the same again ends the same */
        CIP_RETRY_ONCE,      /* data came wrong: once more tells whether it was an accident */
        CIP_RETRY_LATER,     /* it may pass: again after a while, and a few times */
};

/*
 * Whether trying again may help, for each version of the protocol alike. LATER: what the server calls
 * retryable, or by its words a registry that is busy (status 408, 429, 500, 502, 503, 504), a connection that
 * was refused, reset, cut or too slow; and class TRANSPORT, the end of a session that had been opened. ONCE:
 * data that does not match its digest or size, here or in the server, and a malformed reply. NEVER: all else,
 * so a refusal for lack of credentials or rights, by the signature policy, or since something does not exist,
 * and class LOCAL. docs/protocol.md#error-codes
 */
CIP_PUBLIC enum cip_retry cip_error_retry(const struct cip_error *error);

/* The library's version, "MAJOR.MINOR.PATCH". Static text. */
CIP_PUBLIC const char *cip_version(void);

/* ---- options ---- */

/* How to start a server, and how long to wait for it. Sessions copy what they need of it. */
struct cip_options;

/* The deadlines that hold unless they are set, in milliseconds. */
#define CIP_REQUEST_TIMEOUT_MS 120000
#define CIP_STALL_TIMEOUT_MS 60000

/*
 * Options with the defaults: `skopeo` from PATH, its own settings. *@ret is for cip_options_free.
 * Returns 0 or -ENOMEM.
 */
CIP_PUBLIC int cip_options_new(struct cip_options **ret);

/* Frees them, overwriting secrets. Takes NULL. Sessions opened with them go on. */
CIP_PUBLIC void cip_options_free(struct cip_options *options);

/*
 * Every setter below copies what it is given; NULL takes a setting back. Where it can fail it returns 0,
 * -EINVAL for what can never be right, or -ENOMEM (for descriptors: another negative errno), and has changed
 * nothing then.
 */

/*
 * The command to run in place of `skopeo`: a NULL-terminated array of at least one word, found on PATH unless
 * it has a slash. `experimental-image-proxy` and its flags are put behind it, so {"setpriv", "--reuid=65534",
 * "--", "skopeo"} works. The socket is the command's standard input.
 */
CIP_PUBLIC int cip_options_set_command(struct cip_options *options, const char *const *argv);

/* The same as one line, split at blanks and tabs. No shell reads it: there is no quoting. */
CIP_PUBLIC int cip_options_set_command_line(struct cip_options *options, const char *line);

/* The server's environment as NULL-terminated NAME=VALUE words, in place of this process's. */
CIP_PUBLIC int cip_options_set_environment(struct cip_options *options, const char *const *envp);

/* The folder that the server runs in, in place of this process's. */
CIP_PUBLIC int cip_options_set_directory(struct cip_options *options, const char *path);

/*
 * Credentials. At most one of the four ways; cip_session_open refuses more with -EINVAL. With none, the server
 * looks where containers-auth.json(5) says. No secret ever reaches an argument list, the environment or a
 * file with a name: auth data and credentials go to the server as an open descriptor of memory.
 */

/* --authfile: the path of a containers-auth.json(5) file. */
CIP_PUBLIC int cip_options_set_authfile(struct cip_options *options, const char *path);

/* The content of such a file, @len bytes. */
CIP_PUBLIC int cip_options_set_auth_data(struct cip_options *options, const void *data, size_t len);

/* --no-creds: credentials are neither looked for nor sent. */
CIP_PUBLIC void cip_options_set_anonymous(struct cip_options *options, bool anonymous);

/*
 * A user's name and password for @registry: HOST[:PORT][/NAMESPACE] as containers-auth.json(5) has it (Docker
 * Hub is "docker.io"). May be called for many registries; the last call for one holds. A colon in @user is
 * -EINVAL. @registry NULL forgets all.
 */
CIP_PUBLIC int cip_options_add_credentials(struct cip_options *options, const char *registry, const char *user,
                                           const char *password);

/* --cert-dir: a folder with *.crt, *.cert and *.key for the registry. */
CIP_PUBLIC int cip_options_set_cert_dir(struct cip_options *options, const char *path);

/* --decryption-key: a key for encrypted images, as ocicrypt names them (a path). Many. NULL forgets all. */
CIP_PUBLIC int cip_options_add_decryption_key(struct cip_options *options, const char *key);

/* --tls-verify: true is the default; false allows plain HTTP and any certificate. */
CIP_PUBLIC void cip_options_set_tls_verify(struct cip_options *options, bool verify);

/* --insecure-policy: signatures are not asked for, whatever policy.json says. */
CIP_PUBLIC void cip_options_set_insecure_policy(struct cip_options *options, bool insecure);

/* --policy: the path of a containers-policy.json(5) file. */
CIP_PUBLIC int cip_options_set_policy(struct cip_options *options, const char *path);

/*
 * --user-agent-prefix: put before skopeo's own user agent. The command is run once with `--help` when a session
 * is opened; where that does not know the flag, this setting has no effect.
 */
CIP_PUBLIC int cip_options_set_user_agent_prefix(struct cip_options *options, const char *prefix);

/*
 * --override-arch, --override-os, --override-variant: the platform picked out of a list, in Go's words
 * ("arm64", "linux", "v8"). NULL: what the server runs on.
 */
CIP_PUBLIC int cip_options_set_platform(struct cip_options *options, const char *architecture, const char *os,
                                        const char *variant);

/*
 * --debug: the server logs in detail. Its stderr is then this process's own, as nothing is lost that way;
 * otherwise it is kept for error messages alone.
 */
CIP_PUBLIC void cip_options_set_debug(struct cip_options *options, bool debug);

/*
 * How long the server may take to start and to answer one request, counted from when it has nothing before
 * it. 0 is for ever; the default is CIP_REQUEST_TIMEOUT_MS.
 */
CIP_PUBLIC void cip_options_set_request_timeout(struct cip_options *options, uint64_t ms);

/*
 * How long data may fail to come while it is waited for: no byte, and no word of the server, for so long.
 * 0 is for ever; the default is CIP_STALL_TIMEOUT_MS.
 */
CIP_PUBLIC void cip_options_set_stall_timeout(struct cip_options *options, uint64_t ms);

/*
 * A descriptor that cancels: as soon as it is readable (or hung up), every wait of the session ends with
 * -ECANCELED. It is never read. An eventfd(2) or the read end of a pipe. Duplicated; -1 takes it back.
 */
CIP_PUBLIC int cip_options_set_cancel_fd(struct cip_options *options, int fd);

/* A descriptor to write a transcript of the session to, as JSON Lines. Duplicated; -1 takes it back. */
CIP_PUBLIC int cip_options_set_transcript_fd(struct cip_options *options, int fd);

/* ---- sessions ---- */

/* One running server. */
struct cip_session;

/*
 * Starts a server and agrees with it on the protocol: 0.2.3 or later, of the same major and minor version; any
 * other is class PROTOCOL and -EPROTONOSUPPORT (-EBADMSG for what is no version at all). @options may be NULL:
 * the defaults. *@ret is for cip_session_close or cip_session_free. docs/protocol.md#transport
 */
CIP_PUBLIC int cip_session_open(const struct cip_options *options, struct cip_session **ret,
                                struct cip_error *error);

/*
 * Ends the session well: Shutdown, then the server's exit is waited for (30 seconds, or the request deadline
 * where that is shorter), and @session is freed in any case. A server that ends with another status than 0 is
 * class TRANSPORT. The session that was broken before gives -ENOTCONN. Takes NULL. Images and blobs that are
 * still open stay valid to be closed; all else with them fails with -ENOTCONN.
 */
CIP_PUBLIC int cip_session_close(struct cip_session *session, struct cip_error *error);

/* Kills the server and frees the session, without a word. Takes NULL. As for images and blobs, see above. */
CIP_PUBLIC void cip_session_free(struct cip_session *session);

/* The version that the server announced, "0.2.8". Valid as long as the session. */
CIP_PUBLIC const char *cip_session_version(const struct cip_session *session);

/*
 * What the server has written to stderr until now, the last 64 KiB, terminated by NUL: hostile text, and ""
 * with cip_options_set_debug. @ret_len may be NULL. Valid until the next call with the session.
 */
CIP_PUBLIC const char *cip_session_stderr(struct cip_session *session, size_t *ret_len);

/* ---- images ---- */

/* An image that the server holds open. */
struct cip_image;

/*
 * Opens TRANSPORT:REFERENCE ("docker://quay.io/a/b:latest", "oci:/path:tag", ..): OpenImage. *@ret is for
 * cip_image_close. docs/protocol.md#methods
 */
CIP_PUBLIC int cip_image_open(struct cip_session *session, const char *reference, struct cip_image **ret,
                              struct cip_error *error);

/*
 * The same, where an image that does not exist is no error: *@ret is NULL then. OpenImageOptional, which needs
 * 0.2.4: -ENOTSUP before, as there nothing tells a missing image from another failure. (For `oci:` references
 * skopeo up to 1.18 answers an error where the tag is missing.)
 */
CIP_PUBLIC int cip_image_open_optional(struct cip_session *session, const char *reference,
                                       struct cip_image **ret, struct cip_error *error);

/*
 * Closes it in the server (CloseImage) and frees it, in any case; on a session that has ended it only frees,
 * and returns 0. Close its blobs first. Takes NULL.
 */
CIP_PUBLIC int cip_image_close(struct cip_image *image, struct cip_error *error);

/*
 * The manifest as OCI: GetManifest, fetched once, at most 4 MiB. *@ret (of *@ret_len bytes, terminated by NUL)
 * and *@ret_digest, the digest that the server gives, are valid as long as the image. @ret_len and @ret_digest
 * may be NULL. For an image out of a list it is the picked platform's manifest.
 *
 * The bytes are hashed and compared to that digest. A server that converts docker's schema 2 sends the digest
 * of the original, which never comes: what is plainly the result of such a conversion is accepted, and
 * cip_image_manifest_verified is false then. Everything else that does not match is class PROTOCOL.
 */
CIP_PUBLIC int cip_image_manifest(struct cip_image *image, const char **ret, size_t *ret_len,
                                  const char **ret_digest, struct cip_error *error);

/* Whether the manifest that cip_image_manifest gave has the digest that came with it (else: converted). */
CIP_PUBLIC bool cip_image_manifest_verified(const struct cip_image *image);

/*
 * The config, at most 4 MiB, with exactly the digest that the manifest names; valid as long as the image.
 * GetFullConfig gives it, or, where the server has written that anew so that its digest differs, the blob.
 */
CIP_PUBLIC int cip_image_config(struct cip_image *image, const char **ret, size_t *ret_len,
                                struct cip_error *error);

/* A layer of an image, as the server says it can be fetched. The strings are valid as long as the image. */
struct cip_layer {
        const char *digest;
        int64_t size; /* bytes, -1 unknown */
        const char *media_type;
};

/*
 * The layers, bottom first; valid as long as the image. GetLayerInfoPiped where there is one (0.2.7), else
 * GetLayerInfo (0.2.5) unless there are so many that the server could not send them, else what the manifest
 * says.
 */
CIP_PUBLIC int cip_image_layers(struct cip_image *image, const struct cip_layer **ret, size_t *ret_n,
                                struct cip_error *error);

/* ---- blobs ---- */

/* A blob, or another piped value, on its way. Any number may be open in a session at once. */
struct cip_blob;

enum cip_blob_flags {
        /* cip_blob_open and cip_blob_read never wait: -EAGAIN. See cip_blobs_wait. */
        CIP_BLOB_NONBLOCK = 1 << 0,
        /* The digest is not checked here. The size is, and what the server reports. */
        CIP_BLOB_UNVERIFIED = 1 << 1,
        /* GetBlob even where GetRawBlob could be used, so that the server checks too. */
        CIP_BLOB_SERVER_VERIFIED = 1 << 2,
};

/*
 * Starts fetching the blob @digest ("sha256:.." or "sha512:..") of @size bytes, -1 where that is not known. By
 * GetRawBlob (0.2.8) or GetBlob. GetBlob wants the size: where it is not known it is looked up in the
 * manifest, which is fetched for that (and waited for) where it was not yet; -ENOTSUP where it is not there.
 * *@ret is for cip_blob_close. @flags: enum cip_blob_flags. docs/protocol.md#data-pipes
 *
 * With CIP_BLOB_NONBLOCK the request is only sent, and what the server answers shows in cip_blob_read.
 */
CIP_PUBLIC int cip_blob_open(struct cip_image *image, const char *digest, int64_t size, unsigned flags,
                             struct cip_blob **ret, struct cip_error *error);

/*
 * Reads at most @size bytes (more than 0). Returns how many, as soon as there are some; 0 at the end, when all
 * of the size has come, the digest holds and the server has reported no error; -EAGAIN as said above (@error is
 * left alone then); or another negative errno, and the same again then on each call. What was read before is
 * good only once 0 has been returned.
 */
CIP_PUBLIC ssize_t cip_blob_read(struct cip_blob *blob, void *buffer, size_t size, struct cip_error *error);

/*
 * Waits until cip_blob_read would not give -EAGAIN on at least one of the @n blobs, all of one session, at most
 * @timeout_ms milliseconds (-1: as long as the deadlines allow). Returns 1, 0 when that time is over (which
 * changes nothing), or a negative errno when the session broke.
 */
CIP_PUBLIC int cip_blobs_wait(struct cip_blob *const *blobs, size_t n, int timeout_ms, struct cip_error *error);

/* The blob's size in bytes as the caller or the server gave it; -1: not known (yet). */
CIP_PUBLIC int64_t cip_blob_size(const struct cip_blob *blob);

/* How many bytes have been read. */
CIP_PUBLIC uint64_t cip_blob_bytes(const struct cip_blob *blob);

/*
 * Writes all that was not read yet to @fd (waiting, with CIP_BLOB_NONBLOCK too). Unverified data is spliced
 * where the kernel can. 0: everything was written, and is as cip_blob_read's 0 says; else @fd may hold a part.
 * A failed write is class LOCAL. @fd is borrowed; a pipe or socket whose reader is gone gives -EPIPE without a
 * signal.
 */
CIP_PUBLIC int cip_blob_to_fd(struct cip_blob *blob, int fd, struct cip_error *error);

/*
 * Hands all that was not read yet to @callback, piece by piece, in order. A negative return of @callback ends
 * it and is returned (class LOCAL); it must not use the session. Else as cip_blob_to_fd.
 */
CIP_PUBLIC int cip_blob_to_callback(struct cip_blob *blob,
                                    int (*callback)(void *data, const void *bytes, size_t n), void *data,
                                    struct cip_error *error);

/*
 * Ends fetching, at any moment, and frees @blob. Never waits: where it was not read to its end the pipe is
 * closed, and the server's word on that is taken in later. Takes NULL.
 */
CIP_PUBLIC void cip_blob_close(struct cip_blob *blob);

/* ---- anything else ---- */

/*
 * Calls any method. @args is the text of a JSON array, NULL means []. The reply must be well-formed and, where
 * the protocol knows the method, what it says; its text is *@ret_reply, terminated by NUL, for free(3). A reply
 * with a pipe gives *@ret_data to read it from (unverified, for cip_blob_close; FinishPipe and the error pipe
 * are seen to), all others NULL. Both may be NULL; data that is not asked for is closed. A refusal by the
 * server is -EREMOTEIO, and *@ret_reply is written then too. Shutdown has no reply: "" after a good end.
 */
CIP_PUBLIC int cip_call(struct cip_session *session, const char *method, const char *args, char **ret_reply,
                        struct cip_blob **ret_data, struct cip_error *error);

#ifdef __cplusplus
}
#endif

#endif
