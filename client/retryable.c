/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which errors may be gone when the same is tried again. Servers since protocol 0.2.8 say it by a code; before,
 * only their words tell, which are those of skopeo's libraries. The words are looked at where the code is
 * `other` too, as released servers give that to a connection that was cut in the middle of a blob.
 * docs/protocol.md#error-codes
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/cip.h"

/*
 * Texts in a server's words. Each has a blank or a quotation mark in it, which no reference to a registry can
 * have: the name of an image, which the words repeat, makes no difference.
 */
static const struct {
        const char *words;
        enum cip_retry retry;
} texts[] = {
        /* data that is not what it should be */
        {"corrupted blob, expecting ", CIP_RETRY_ONCE},
        {" does not match expected sha", CIP_RETRY_ONCE},
        {"does not match provided manifest digest", CIP_RETRY_ONCE},

        /* a registry that is busy */
        {"toomanyrequests: ", CIP_RETRY_LATER},
        {"too many requests to registry", CIP_RETRY_LATER},

        /* connections that end too early, or do not come to be */
        {"unexpected EOF", CIP_RETRY_LATER},
        {"\": EOF", CIP_RETRY_LATER},
        {"transport connection broken", CIP_RETRY_LATER},
        {"server closed idle connection", CIP_RETRY_LATER},
        {"http2: server sent GOAWAY", CIP_RETRY_LATER},
        {"stream error: stream ID", CIP_RETRY_LATER},
        {"connection reset by peer", CIP_RETRY_LATER},
        {"connection refused", CIP_RETRY_LATER},
        {"write: broken pipe", CIP_RETRY_LATER},
        {"network is unreachable", CIP_RETRY_LATER},
        {"no route to host", CIP_RETRY_LATER},

        /* names of hosts that cannot be looked up at the moment */
        {": server misbehaving", CIP_RETRY_LATER},
        {"Temporary failure in name resolution", CIP_RETRY_LATER},

        /* time that ran out */
        {"i/o timeout", CIP_RETRY_LATER},
        {"connection timed out", CIP_RETRY_LATER},
        {"TLS handshake timeout", CIP_RETRY_LATER},
        {"timeout awaiting response headers", CIP_RETRY_LATER},
        {"context deadline exceeded", CIP_RETRY_LATER},
};

/* What stands before the status of an HTTP answer, and the statuses that pass. */
static const char *const before_status[] = {"unexpected HTTP status: ", "invalid status code from registry "};
static const long passing[] = {408, 429, 500, 502, 503, 504};

static bool has_passing_status(const char *words)
{
        for (size_t i = 0; i < ARRAY_SIZE(before_status); i++) {
                const char *found = strstr(words, before_status[i]);
                long status = found ? strtol(found + strlen(before_status[i]), NULL, 10) : 0;

                for (size_t k = 0; k < ARRAY_SIZE(passing); k++)
                        if (status == passing[k])
                                return true;
        }
        return false;
}

static enum cip_retry judge_words(const char *words)
{
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
                if (strstr(words, texts[i].words))
                        return texts[i].retry;
        return has_passing_status(words) ? CIP_RETRY_LATER : CIP_RETRY_NEVER;
}

enum cip_retry cip_error_retry(const struct cip_error *error)
{
        switch (error->error_class) {
        case CIP_ERROR_TRANSPORT:
                return CIP_RETRY_LATER;
        case CIP_ERROR_PROTOCOL:
                return error->errnum == -EBADMSG ? CIP_RETRY_ONCE : CIP_RETRY_NEVER;
        case CIP_ERROR_REMOTE:
                if (error->code == CIP_CODE_RETRYABLE)
                        return CIP_RETRY_LATER;
                return error->code == CIP_CODE_EPIPE ? CIP_RETRY_NEVER : judge_words(error->message);
        case CIP_ERROR_NONE:
        case CIP_ERROR_LOCAL:
                break;
        }
        return CIP_RETRY_NEVER;
}
