/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deliberate defects, each put in place of a function by the linker (--wrap), so that a test can show that the
 * targets' oracles see them. -DDEFECT_NAME chooses one; fuzz/meson.build has the table of them, with the words
 * that are expected.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "client/cip.h"
#include "protocol/bytes.h"
#include "protocol/message.h"
#include "protocol/packet.h"
#include "protocol/version.h"

#if defined(DEFECT_BLOCKING_READ) /* a client that leaves a pipe as it came */
int __wrap_fd_set_nonblocking(int fd, bool nonblocking);
int __wrap_fd_set_nonblocking(int fd, bool nonblocking)
{
        (void)fd;
        (void)nonblocking;
        return 0;
}
#elif defined(DEFECT_WRONG_BYTES)     /* a client hands out other bytes than came */
ssize_t __real_cip_blob_read(struct cip_blob *blob, void *data, size_t size, struct cip_error *error);
ssize_t __wrap_cip_blob_read(struct cip_blob *blob, void *data, size_t size, struct cip_error *error);
ssize_t __wrap_cip_blob_read(struct cip_blob *blob, void *data, size_t size, struct cip_error *error)
{
        ssize_t n = __real_cip_blob_read(blob, data, size, error);

        if (n > 0)
                ((char *)data)[0] ^= 1;
        return n;
}
#elif defined(DEFECT_NO_DIGEST_CHECK) /* a client takes every digest for the one that it wants */
int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b)
{
        if (strncmp(a, "sha256:", 7) == 0 && strncmp(b, "sha256:", 7) == 0 && strlen(a) == strlen(b))
                return 0;
        return __real_strcmp(a, b);
}
#elif defined(DEFECT_NO_DEADLINE)     /* a wait that nothing ends */
int __wrap_deadline_poll_ms(struct deadline deadline);
int __wrap_deadline_poll_ms(struct deadline deadline)
{
        (void)deadline;
        return -1;
}
#elif defined(DEFECT_LATE)            /* a deadline that is a day too late */
struct deadline __real_deadline_in_ms(uint64_t ms);
struct deadline __wrap_deadline_in_ms(uint64_t ms);
struct deadline __wrap_deadline_in_ms(uint64_t ms)
{
        return __real_deadline_in_ms(ms + UINT64_C(24) * 3600 * 1000);
}
#elif defined(DEFECT_LEAK)            /* a client that keeps a blob for good */
void __wrap_cip_blob_close(struct cip_blob *blob);
void __wrap_cip_blob_close(struct cip_blob *blob)
{
        (void)blob;
}
#elif defined(DEFECT_CUT_REPLY)       /* a reply without its last byte */
int __real_packet_send(int socket, const void *data, size_t len, const int *fds, size_t n_fds);
int __wrap_packet_send(int socket, const void *data, size_t len, const int *fds, size_t n_fds);
int __wrap_packet_send(int socket, const void *data, size_t len, const int *fds, size_t n_fds)
{
        bool reply = len > 0 && memmem(data, len, "\"success\"", 9);

        return __real_packet_send(socket, data, len - reply, fds, n_fds);
}
#elif defined(DEFECT_LOST_PIPEID)     /* a reply that says of no pipe which it is */
int __real_reply_format(const struct reply *reply, char **ret, size_t *ret_len);
int __wrap_reply_format(const struct reply *reply, char **ret, size_t *ret_len);
int __wrap_reply_format(const struct reply *reply, char **ret, size_t *ret_len)
{
        struct reply other = *reply;

        other.pipeid = 0;
        return __real_reply_format(&other, ret, ret_len);
}
#elif defined(DEFECT_OTHER_VERSION)   /* a version whose parts change places */
const char *__real_version_format(struct version version, char ret[VERSION_TEXT_SIZE]);
const char *__wrap_version_format(struct version version, char ret[VERSION_TEXT_SIZE]);
const char *__wrap_version_format(struct version version, char ret[VERSION_TEXT_SIZE])
{
        return __real_version_format((struct version){version.major, version.patch, version.minor}, ret);
}
#elif defined(DEFECT_KEPT_DESCRIPTOR) /* a descriptor of a packet that nobody gets */
int __real_packet_receive(int socket, struct packet *ret, struct cip_error *error);
int __wrap_packet_receive(int socket, struct packet *ret, struct cip_error *error);
int __wrap_packet_receive(int socket, struct packet *ret, struct cip_error *error)
{
        int r = __real_packet_receive(socket, ret, error);

        if (r == 1 && ret->n_fds > 1)
                ret->n_fds--;
        return r;
}
#endif
