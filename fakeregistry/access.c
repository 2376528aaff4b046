/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and tokens. A token is "tN.SECRET": the number says where it stands in the table, which holds the
 * latest TOKENS_MAX of them. What a token is good for was decided when it was given out.
 */
#include "fakeregistry/access.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/text.h"
#include "protocol/bytes.h"

#define TOKENS_MAX 1000
#define SECRET_BYTES 16
#define TOKEN_DEFAULT_MS UINT64_C(3600000)
#define SCOPES_MAX 8192

struct token {
        uint64_t number; /* 0: none */
        char text[REGISTRY_TOKEN_MAX];
        char *repositories; /* "NAME NAME " */
        char user[REGISTRY_NAME_MAX];
        uint64_t uses;
        struct deadline until;
        bool is_void;
};

struct registry_access {
        const struct registry_auth *auth;
        pthread_mutex_t mutex;
        uint64_t n_given;
        struct token tokens[TOKENS_MAX];
};

int registry_access_new(const struct registry_auth *auth, struct registry_access **ret)
{
        struct registry_access *access = calloc(1, sizeof(*access));

        if (!access)
                return -ENOMEM;
        access->auth = auth;
        pthread_mutex_init(&access->mutex, NULL);
        *ret = access;
        return 0;
}

void registry_access_free(struct registry_access *access)
{
        if (!access)
                return;
        for (size_t i = 0; i < TOKENS_MAX; i++)
                free(access->tokens[i].repositories);
        pthread_mutex_destroy(&access->mutex);
        free(access);
}

uint64_t registry_access_token_ms(const struct registry_access *access)
{
        return access->auth->token_ms ? access->auth->token_ms : TOKEN_DEFAULT_MS;
}

/* ---- users ---- */

static void set_name(char to[REGISTRY_NAME_MAX], const char *name)
{
        text_make_safe(to, REGISTRY_NAME_MAX, name, strlen(name));
}

static bool may_pull(const struct registry_user *user, const char *repository)
{
        if (!repository || !user->repositories)
                return true;
        for (const char *const *pattern = user->repositories; *pattern; pattern++)
                if (fnmatch(*pattern, repository, 0) == 0)
                        return true;
        return false;
}

static const struct registry_user *find_user(const struct registry_access *access, const char *name,
                                             const char *password)
{
        for (size_t i = 0; i < access->auth->n_users; i++) {
                const struct registry_user *user = &access->auth->users[i];

                if (!strcmp(user->name, name) && user->password && !strcmp(user->password, password))
                        return user;
        }
        return NULL;
}

/* Which of the two texts that a user may have is @text. */
static const struct registry_user *find_by_text(const struct registry_access *access, const char *text,
                                                bool identity)
{
        for (size_t i = 0; i < access->auth->n_users; i++) {
                const struct registry_user *user = &access->auth->users[i];
                const char *own = identity ? user->identity_token : user->registry_token;

                if (own && !strcmp(own, text))
                        return user;
        }
        return NULL;
}

/* What stands behind "Basic " or "Bearer "; NULL: it is no such header. */
static const char *behind(const char *header, const char *scheme)
{
        size_t len = strlen(scheme);

        if (!header || strncasecmp(header, scheme, len) != 0 || header[len] != ' ')
                return NULL;
        return header + len + strspn(header + len, " ");
}

/* Takes the header apart and looks for the user. */
static const struct registry_user *judge_basic(const struct registry_access *access, const char *text,
                                               struct registry_identity *ret)
{
        const struct registry_user *user = NULL;
        char *decoded = NULL;
        char *colon;
        size_t len;

        if (base64_decode(text, strlen(text), &decoded, &len) < 0)
                return NULL;
        colon = strchr(decoded, ':');
        if (colon) {
                *colon = '\0';
                set_name(ret->user, decoded);
                user = find_user(access, decoded, colon + 1);
        }
        free(decoded);
        return user;
}

/* ---- tokens ---- */

/* The table's row of a token's text or id, "t7"; NULL: it was not given out, or long ago. */
static struct token *find_token(struct registry_access *access, const char *text, bool whole)
{
        uint64_t number = *text == 't' ? strtoull(text + 1, NULL, 10) : 0;
        struct token *token = &access->tokens[number % TOKENS_MAX];

        if (!number || token->number != number || (whole && strcmp(token->text, text) != 0))
                return NULL;
        return token;
}

/* Whether NAME is one of "NAME NAME ". */
static bool is_listed(const char *list, const char *name)
{
        size_t len = strlen(name);

        for (const char *at = list; (at = strstr(at, name)); at++)
                if ((at == list || at[-1] == ' ') && at[len] == ' ')
                        return true;
        return false;
}

static enum registry_verdict judge_token(struct registry_access *access, const char *text,
                                         const char *repository, struct registry_identity *ret)
{
        struct token *token = find_token(access, text, true);

        if (!token)
                return REGISTRY_INVALID_TOKEN;
        snprintf(ret->token, sizeof(ret->token), "t%" PRIu64, token->number);
        memcpy(ret->user, token->user, sizeof(ret->user));
        if (token->is_void || deadline_passed(token->until) ||
            (access->auth->token_uses && token->uses >= access->auth->token_uses))
                return REGISTRY_INVALID_TOKEN;
        if (repository && !is_listed(token->repositories, repository))
                return REGISTRY_NOT_IN_SCOPE;
        token->uses++;
        return REGISTRY_GRANTED;
}

static enum registry_verdict judge_bearer(struct registry_access *access, const char *text,
                                          const char *repository, struct registry_identity *ret)
{
        const struct registry_user *user = find_by_text(access, text, false);
        enum registry_verdict verdict;

        set_name(ret->token, "unknown");
        if (user) {
                set_name(ret->user, user->name);
                set_name(ret->token, user->name);
                return may_pull(user, repository) ? REGISTRY_GRANTED : REGISTRY_DENIED;
        }
        pthread_mutex_lock(&access->mutex);
        verdict = judge_token(access, text, repository, ret);
        pthread_mutex_unlock(&access->mutex);
        return verdict;
}

/* What credentials there are, and in @ret_text what stands behind the scheme. */
static enum registry_credentials credentials_of(const char *authorization, const char **ret_text)
{
        const char *text;

        if (!authorization)
                return REGISTRY_CREDENTIALS_NONE;
        text = behind(authorization, "Basic");
        if (text) {
                *ret_text = text;
                return REGISTRY_CREDENTIALS_BASIC;
        }
        text = behind(authorization, "Bearer");
        if (!text)
                return REGISTRY_CREDENTIALS_OTHER;
        *ret_text = text;
        return REGISTRY_CREDENTIALS_BEARER;
}

enum registry_verdict registry_access_judge(struct registry_access *access, const char *authorization,
                                            const char *repository, struct registry_identity *ret)
{
        const struct registry_auth *auth = access->auth;
        const char *text = "";
        const struct registry_user *user;

        *ret = (struct registry_identity){.credentials = credentials_of(authorization, &text)};
        switch (ret->credentials) {
        case REGISTRY_CREDENTIALS_BASIC:
                user = judge_basic(access, text, ret);
                if (auth->kind != REGISTRY_AUTH_BASIC)
                        return auth->kind == REGISTRY_AUTH_NONE ? REGISTRY_GRANTED : REGISTRY_WRONG;
                if (!user)
                        return REGISTRY_WRONG;
                return may_pull(user, repository) ? REGISTRY_GRANTED : REGISTRY_DENIED;
        case REGISTRY_CREDENTIALS_BEARER:
                if (auth->kind != REGISTRY_AUTH_BEARER) {
                        set_name(ret->token, "unknown");
                        return auth->kind == REGISTRY_AUTH_NONE ? REGISTRY_GRANTED : REGISTRY_WRONG;
                }
                return judge_bearer(access, text, repository, ret);
        case REGISTRY_CREDENTIALS_NONE:
                /* With a token service nobody is served without a token: who is nobody gets one there. */
                if (auth->kind == REGISTRY_AUTH_NONE || (auth->kind == REGISTRY_AUTH_BASIC && auth->anonymous))
                        return REGISTRY_GRANTED;
                return REGISTRY_UNKNOWN;
        default:
                return auth->kind == REGISTRY_AUTH_NONE ? REGISTRY_GRANTED : REGISTRY_WRONG;
        }
}

/* ---- giving out ---- */

/* Who asks. @ret_user NULL: nobody. */
static enum registry_verdict judge_asker(const struct registry_access *access,
                                         const struct registry_token_request *request,
                                         const struct registry_user **ret_user, struct registry_identity *ret)
{
        const char *text = "";

        *ret = (struct registry_identity){.credentials = credentials_of(request->authorization, &text)};
        *ret_user = NULL;
        if (request->identity_token) {
                ret->credentials = REGISTRY_CREDENTIALS_IDENTITY;
                *ret_user = find_by_text(access, request->identity_token, true);
                if (*ret_user)
                        set_name(ret->user, (*ret_user)->name);
        } else if (request->user) {
                ret->credentials = REGISTRY_CREDENTIALS_BASIC;
                set_name(ret->user, request->user);
                *ret_user = find_user(access, request->user, request->password ? request->password : "");
        } else if (ret->credentials == REGISTRY_CREDENTIALS_BASIC) {
                *ret_user = judge_basic(access, text, ret);
        } else if (ret->credentials == REGISTRY_CREDENTIALS_NONE) {
                return access->auth->anonymous ? REGISTRY_GRANTED : REGISTRY_UNKNOWN;
        }
        return *ret_user ? REGISTRY_GRANTED : REGISTRY_WRONG;
}

/* Adds the repository of "repository:NAME:pull,push" to the list, if it may be pulled. */
static void grant(const struct registry_user *user, char *scope, char *list, size_t *len)
{
        char *name = scope + strlen("repository:");
        char *end = strrchr(scope, ':');
        int n;

        if (strncmp(scope, "repository:", strlen("repository:")) != 0 || end < name || !strstr(end, "pull"))
                return;
        *end = '\0';
        if (user && !may_pull(user, name))
                return;
        n = snprintf(list + *len, SCOPES_MAX - *len, "%s ", name);
        if (n > 0 && (size_t)n < SCOPES_MAX - *len)
                *len += (size_t)n;
        else
                list[*len] = '\0';
}

/* The list of what is granted, for the caller to free. */
static char *grants(const struct registry_user *user, const struct registry_token_request *request)
{
        char *list = calloc(1, SCOPES_MAX);
        size_t len = 0;

        for (size_t i = 0; list && i < request->n_scopes; i++) {
                char *scopes = strdup(request->scopes[i]);
                char *rest = NULL;

                for (char *scope = scopes ? strtok_r(scopes, " ", &rest) : NULL; scope;
                     scope = strtok_r(NULL, " ", &rest))
                        grant(user, scope, list, &len);
                free(scopes);
        }
        return list;
}

static int make_text(uint64_t number, char ret[REGISTRY_TOKEN_MAX])
{
        unsigned char secret[SECRET_BYTES];
        int len = snprintf(ret, REGISTRY_TOKEN_MAX, "t%" PRIu64 ".", number);

        if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
                return -EIO;
        for (size_t i = 0; i < sizeof(secret); i++)
                len += snprintf(ret + len, REGISTRY_TOKEN_MAX - (size_t)len, "%02x", secret[i]);
        return 0;
}

/* Puts a token into the table, in place of the oldest. @take_list is its own. */
static int put_token(struct registry_access *access, const struct registry_identity *identity, char *take_list,
                     char ret_token[REGISTRY_TOKEN_MAX], char ret_id[REGISTRY_NAME_MAX])
{
        uint64_t number = access->n_given + 1;
        struct token token = {
                .number = number,
                .repositories = take_list,
                .until = deadline_in_ms(registry_access_token_ms(access)),
        };
        int r = make_text(number, token.text);

        if (r < 0) {
                free(take_list);
                return r;
        }
        memcpy(token.user, identity->user, sizeof(token.user));
        access->n_given = number;
        free(access->tokens[number % TOKENS_MAX].repositories);
        access->tokens[number % TOKENS_MAX] = token;
        memcpy(ret_token, token.text, sizeof(token.text));
        snprintf(ret_id, REGISTRY_NAME_MAX, "t%" PRIu64, number);
        return 0;
}

enum registry_verdict registry_access_give(struct registry_access *access,
                                           const struct registry_token_request *request,
                                           struct registry_identity *ret, char ret_token[REGISTRY_TOKEN_MAX],
                                           char ret_id[REGISTRY_NAME_MAX])
{
        const struct registry_user *user;
        enum registry_verdict verdict = judge_asker(access, request, &user, ret);
        char *list;

        if (verdict != REGISTRY_GRANTED)
                return verdict;
        list = grants(user, request);
        if (!list)
                return REGISTRY_UNKNOWN;
        pthread_mutex_lock(&access->mutex);
        if (put_token(access, ret, list, ret_token, ret_id) < 0)
                verdict = REGISTRY_UNKNOWN;
        pthread_mutex_unlock(&access->mutex);
        return verdict;
}

void registry_access_void(struct registry_access *access, const char *id)
{
        struct token *token;

        pthread_mutex_lock(&access->mutex);
        if (!id) {
                for (size_t i = 0; i < TOKENS_MAX; i++)
                        access->tokens[i].is_void = true;
        } else {
                token = find_token(access, id, false);
                if (token)
                        token->is_void = true;
        }
        pthread_mutex_unlock(&access->mutex);
}
