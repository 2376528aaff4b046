/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of a scenario's objects. To add one is to add a row here, and to act on what it fills in.
 */
#include "fakeregistry/scenario-fields.h"

#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(__typeof__(((type *)0)->member))
#define COUNT(type, member) .count = offsetof(type, member)
#define THERE(type, member) .there = offsetof(type, member)
#define FIELDS(name_, title_, table, type)                            \
        {                                                             \
                name_, title_, table, ARRAY_SIZE(table), sizeof(type) \
        }

#define TEXT REGISTRY_FIELD_TEXT
#define LINE REGISTRY_FIELD_LINE
#define TRUE REGISTRY_FIELD_TRUE
#define NUMBER REGISTRY_FIELD_NUMBER
#define CHOICE REGISTRY_FIELD_CHOICE
#define TEXTS REGISTRY_FIELD_TEXTS
#define OBJECT REGISTRY_FIELD_OBJECT
#define OBJECTS REGISTRY_FIELD_OBJECTS
#define ANY_OBJECT REGISTRY_FIELD_ANY_OBJECT

/* ---- choices ---- */

static const struct registry_choice kinds[] = {
        {"ping", REGISTRY_PING},           {"manifest", REGISTRY_MANIFEST},
        {"blob", REGISTRY_BLOB},           {"tags", REGISTRY_TAGS},
        {"referrers", REGISTRY_REFERRERS}, {"token", REGISTRY_TOKEN},
        {"other", REGISTRY_OTHER},         {NULL, 0}};

static const struct registry_choice credentials[] = {
        {"none", REGISTRY_CREDENTIALS_NONE},     {"basic", REGISTRY_CREDENTIALS_BASIC},
        {"bearer", REGISTRY_CREDENTIALS_BEARER}, {"identity", REGISTRY_CREDENTIALS_IDENTITY},
        {"other", REGISTRY_CREDENTIALS_OTHER},   {NULL, 0}};

static const struct registry_choice outcomes[] = {
        {"success", REGISTRY_OUTCOME_SUCCESS}, {"failure", REGISTRY_OUTCOME_FAILURE}, {NULL, 0}};

static const struct registry_choice certificates[] = {
        {"good", REGISTRY_CERTIFICATE_GOOD},
        {"expired", REGISTRY_CERTIFICATE_EXPIRED},
        {"not-yet", REGISTRY_CERTIFICATE_NOT_YET},
        {"wrong-name", REGISTRY_CERTIFICATE_WRONG_NAME},
        {"unknown-authority", REGISTRY_CERTIFICATE_UNKNOWN_AUTHORITY},
        {"self-signed", REGISTRY_CERTIFICATE_SELF_SIGNED},
        {NULL, 0}};

static const struct registry_choice client_certificates[] = {
        {"wanted", REGISTRY_CLIENT_CERTIFICATES_WANTED},
        {"required", REGISTRY_CLIENT_CERTIFICATES_REQUIRED},
        {NULL, 0}};

static const struct registry_choice auth_kinds[] = {
        {"basic", REGISTRY_AUTH_BASIC}, {"bearer", REGISTRY_AUTH_BEARER}, {NULL, 0}};

static const struct registry_choice referrers[] = {{"api", REGISTRY_REFERRERS_API},
                                                   {"tag", REGISTRY_REFERRERS_TAG},
                                                   {"none", REGISTRY_REFERRERS_NONE},
                                                   {NULL, 0}};

static const struct registry_choice contents[] = {{"tar", GENERATED_TAR},
                                                  {"random", GENERATED_RANDOM},
                                                  {"zero", GENERATED_ZERO},
                                                  {"same", GENERATED_SAME},
                                                  {NULL, 0}};

static const struct registry_choice compressions[] = {
        {"none", GENERATED_PLAIN}, {"gzip", GENERATED_GZIP}, {"zstd", GENERATED_ZSTD}, {NULL, 0}};

static const struct registry_choice algorithms[] = {{"sha256", false}, {"sha512", true}, {NULL, 0}};

static const struct registry_choice ways_on[] = {{"go-on", false}, {"close", true}, {NULL, 0}};

static const struct registry_choice ends[] = {{"close", false}, {"reset", true}, {NULL, 0}};

/* ---- where it listens ---- */

static const struct registry_field listener_table[] = {
        {"name", LINE, .required = true, AT(struct registry_listener, name),
         .about = "what the rest of the file and the log call it"},
        {"address", LINE, AT(struct registry_listener, address), .about = "`127.X.X.X`; default `127.0.0.1`"},
        {"host", LINE, AT(struct registry_listener, host),
         .about = "its name in URLs and in its certificate, as `localhost`; default: the address"},
        {"port", NUMBER, AT(struct registry_listener, port), .max = 65535, .about = "default 0: a free one"},
        {"tls", CHOICE, AT(struct registry_listener, certificate), THERE(struct registry_listener, tls),
         .choices = certificates, .about = "it speaks TLS, with such a certificate"},
        {"client_certificates", CHOICE, AT(struct registry_listener, clients), .choices = client_certificates,
         .about = "whether it asks clients for a certificate of its own authority, or lets nobody in without"},
        {"open", TRUE, AT(struct registry_listener, open), .about = "it asks nobody for credentials"},
        {"down", TRUE, AT(struct registry_listener, down),
         .about = "it is not there: connections to its port are refused"},
};
static const struct registry_fields listener_fields =
        FIELDS("listener", "listeners[i]", listener_table, struct registry_listener);

/* ---- what it serves ---- */

static const struct registry_field layer_table[] = {
        {"size", NUMBER, .required = true, AT(struct generated_layer, size), .max = GENERATED_SIZE_MAX,
         .about = "bytes before compression"},
        {"count", NUMBER, AT(struct generated_layer, count), .min = 1, .max = GENERATED_LAYERS_MAX,
         .about = "so many layers of this kind; default 1"},
        {"compression", CHOICE, AT(struct generated_layer, compression), .choices = compressions,
         .about = "default `none`; the others store the bytes in frames"},
        {"content", CHOICE, AT(struct generated_layer, content), .choices = contents,
         .about = "default: a `tar` of one file where there is room for one, else `random` bytes"},
        {"media_type", LINE, AT(struct generated_layer, media_type), .about = "default: what fits"},
        {"digest", LINE, AT(struct generated_layer, digest),
         .about = "taken on trust instead of being computed; known anyway for `zero` of 1 MiB, 1 GiB and 10 "
                  "GiB"},
        {"entry", ANY_OBJECT, AT(struct generated_layer, entry),
         .about = "merged into the layer's entry of the manifest; null removes"},
};
static const struct registry_fields layer_fields =
        FIELDS("layer", "images[i].layers[k]", layer_table, struct generated_layer);

static const struct registry_field image_table[] = {
        {"repository", REGISTRY_FIELD_REPOSITORY, .required = true, AT(struct registry_image, repository),
         .about = "its name, as `team/app`"},
        {"tag", REGISTRY_FIELD_TAG, AT(struct registry_image, tag),
         .about = "default: all tags of a layout, else `latest`"},
        {"layout", TEXT, AT(struct registry_image, layout),
         .about = "the folder of an OCI layout, seen from where the program runs"},
        {"layout_tag", LINE, AT(struct registry_image, layout_tag), .about = "only this tag of the layout"},
        {"fixture", REGISTRY_FIELD_FIXTURE, AT(struct registry_image, fixture),
         .about = "one of the images that `cip-fixture list` names"},
        {"layers", OBJECTS, AT(struct registry_image, recipe.layers),
         COUNT(struct registry_image, recipe.n_layers), THERE(struct registry_image, has_recipe),
         .object = &layer_fields, .about = "an image that is made for this, from the bottom up"},
        {"manifest", ANY_OBJECT, AT(struct registry_image, recipe.manifest),
         .about = "merged into the manifest of a made image (RFC 7396); null removes"},
        {"config", ANY_OBJECT, AT(struct registry_image, recipe.config), .about = "likewise, into its config"},
        {"digest", CHOICE, AT(struct registry_image, recipe.sha512), .choices = algorithms,
         .about = "the algorithm of a made image's layers; default `sha256`"},
        {"listener", LINE, AT(struct registry_image, listener),
         .about = "only there, by the listener's name; default: everywhere"},
};
static const struct registry_fields image_fields =
        FIELDS("image", "images[i]", image_table, struct registry_image);

/* ---- to whom ---- */

static const struct registry_field user_table[] = {
        {"name", LINE, .required = true, AT(struct registry_user, name), .about = "without a colon"},
        {"password", TEXT, AT(struct registry_user, password),
         .about = "without one, only tokens let the user in"},
        {"identity_token", TEXT, AT(struct registry_user, identity_token),
         .about = "what the user may show to the token service instead (POST, `grant_type=refresh_token`)"},
        {"registry_token", TEXT, AT(struct registry_user, registry_token),
         .about = "a bearer token that is always good"},
        {"repositories", TEXTS, AT(struct registry_user, repositories),
         .about = "patterns of what the user may pull, as `team/*`; default: everything"},
};
static const struct registry_fields user_fields =
        FIELDS("user", "auth.users[i]", user_table, struct registry_user);

static const struct registry_field auth_table[] = {
        {"kind", CHOICE, .required = true, AT(struct registry_auth, kind), .choices = auth_kinds,
         .about = "`bearer`: by a token service at `/token`"},
        {"anonymous", TRUE, AT(struct registry_auth, anonymous),
         .about = "who shows no credentials is served, or given a token"},
        {"service", LINE, AT(struct registry_auth, service), .about = "default `cip-fakeregistry`"},
        {"listener", LINE, AT(struct registry_auth, listener),
         .about = "where the token service is said to be; default: where the request came to"},
        {"token_uses", NUMBER, AT(struct registry_auth, token_uses), .min = 1,
         .about = "a token has expired after so many requests"},
        {"token_ms", NUMBER, AT(struct registry_auth, token_ms), .min = 1,
         .about = "likewise, milliseconds; default one hour"},
        {"users", OBJECTS, AT(struct registry_auth, users), COUNT(struct registry_auth, n_users),
         .object = &user_fields, .about = "default: none"},
};
static const struct registry_fields auth_fields = FIELDS("auth", "auth", auth_table, struct registry_auth);

/* ---- rules ---- */

static const struct registry_field when_table[] = {
        {"kind", CHOICE, AT(struct registry_when, kind), .choices = kinds,
         .about = "what the request is about"},
        {"method", LINE, AT(struct registry_when, method), .about = "`GET`, `HEAD`, `POST`"},
        {"listener", LINE, AT(struct registry_when, listener), .about = "the one that it came to"},
        {"host", LINE, AT(struct registry_when, host), .about = "the `Host` header, without its port"},
        {"repository", LINE, AT(struct registry_when, repository), .about = "a pattern, as `team/*`"},
        {"reference", LINE, AT(struct registry_when, reference), .about = "a tag or a digest; a pattern too"},
        {"user", LINE, AT(struct registry_when, user), .about = "who was let in, or tried to be"},
        {"user_agent", LINE, AT(struct registry_when, user_agent), .about = "text in the `User-Agent`"},
        {"credentials", CHOICE, AT(struct registry_when, credentials), .choices = credentials,
         .about = "what the request brings; `identity`: a token request with an identity token"},
        {"outcome", CHOICE, AT(struct registry_when, outcome), .choices = outcomes,
         .about = "of the faithful answer: a status below 400, or another one"},
        {"range", TRUE, AT(struct registry_when, range), .about = "a part was asked for"},
        {"nth", NUMBER, AT(struct registry_when, nth), .min = 1, .max = 1000000000,
         .about = "1 is the first of those that fit all else of this `when`"},
        {"from", NUMBER, AT(struct registry_when, from), .min = 1, .max = 1000000000,
         .about = "that one and those behind it"},
        {"until", NUMBER, AT(struct registry_when, until), .min = 1, .max = 1000000000,
         .about = "those up to that one"},
};
static const struct registry_fields when_fields =
        FIELDS("when", "rules[i].when", when_table, struct registry_when);

static const struct registry_field redirect_table[] = {
        {"listener", LINE, AT(struct registry_redirect, listener),
         .about = "its name; default: the same one, which is a loop as long as the rule acts there too"},
        {"path", LINE, AT(struct registry_redirect, path), .about = "default: that of the request"},
        {"location", LINE, AT(struct registry_redirect, location),
         .about = "the text of the `Location` header, instead of both"},
};
static const struct registry_fields redirect_fields =
        FIELDS("redirect", "rules[i].redirect", redirect_table, struct registry_redirect);

static const struct registry_field stall_table[] = {
        {"after", NUMBER, AT(struct registry_stall, after), .about = "bytes of the body; default 0"},
        {"for_ms", NUMBER, AT(struct registry_stall, for_ms), .min = 1,
         .about = "default: as long as is allowed, see `limits`"},
        {"then", CHOICE, AT(struct registry_stall, then_close), .choices = ways_on, .about = "default `go-on`"},
};
static const struct registry_fields stall_fields =
        FIELDS("stall", "rules[i].stall", stall_table, struct registry_stall);

static const struct registry_field cut_table[] = {
        {"after", NUMBER, AT(struct registry_cut, after), .about = "bytes of the body; default 0"},
        {"in_headers", TRUE, AT(struct registry_cut, in_headers),
         .about = "`after` counts from the status line on, and it ends before the body at the latest"},
        {"by", CHOICE, AT(struct registry_cut, reset), .choices = ends,
         .about = "default `close`: in an orderly manner; `reset`: by a RST"},
};
static const struct registry_fields cut_fields = FIELDS("cut", "rules[i].cut", cut_table, struct registry_cut);

#define ACT(member) AT(struct registry_rule, act.member)

static const struct registry_field rule_table[] = {
        {"name", LINE, AT(struct registry_rule, name),
         .about = "what the log calls it; default `rule N`, from 0"},
        {"when", OBJECT, AT(struct registry_rule, when), .object = &when_fields, .about = "default: always"},
        {"status", NUMBER, ACT(status), .min = 200, .max = 599,
         .about = "with the error that belongs to it; of a `redirect`, default 307"},
        {"code", LINE, ACT(code), .about = "of the error, as `TOOMANYREQUESTS`; default: what fits the status"},
        {"message", TEXT, ACT(message), .about = "of the error; default likewise"},
        {"body", TEXT, ACT(body), .about = "in place of the content, or of the error's"},
        {"media_type", LINE, ACT(media_type), .about = "`Content-Type`"},
        {"headers", REGISTRY_FIELD_HEADERS, ACT(headers), COUNT(struct registry_rule, act.n_headers),
         .about = "set, or with null left out, as `{\"Retry-After\": \"1\", \"ETag\": null}`"},
        {"redirect", OBJECT, ACT(redirect), THERE(struct registry_rule, act.redirect.there),
         .object = &redirect_fields, .about = "to another place"},
        {"serve", LINE, ACT(serve),
         .about = "the bytes of another tag or digest of the repository, under the name that was asked for"},
        {"corrupt_at", NUMBER, ACT(corrupt_at.value), THERE(struct registry_rule, act.corrupt_at.there),
         .about = "the byte at this offset of the content is another one"},
        {"truncate_to", NUMBER, ACT(truncate_to.value), THERE(struct registry_rule, act.truncate_to.there),
         .about = "the content has so many bytes, and `Content-Length` agrees"},
        {"lengthen_by", NUMBER, ACT(lengthen_by), .min = 1, .max = GENERATED_SIZE_MAX,
         .about = "so many zero bytes stand behind the content, and `Content-Length` agrees"},
        {"content_length", NUMBER, ACT(content_length.value),
         THERE(struct registry_rule, act.content_length.there),
         .about = "what the header says, whatever is sent; the connection is closed behind it"},
        {"ignore_range", TRUE, ACT(ignore_range), .about = "the whole is sent, with status 200"},
        {"expire_token", TRUE, ACT(expire_token),
         .about = "the token of the request is void from now on, and so the request is refused"},
        {"delay_ms", NUMBER, ACT(delay_ms), .min = 1, .about = "before the first byte"},
        {"bytes_per_s", NUMBER, ACT(bytes_per_s), .min = 1, .about = "the body drips"},
        {"stall", OBJECT, ACT(stall), THERE(struct registry_rule, act.stall.there), .object = &stall_fields,
         .about = "nothing comes for a while"},
        {"cut", OBJECT, ACT(cut), THERE(struct registry_rule, act.cut.there), .object = &cut_fields,
         .about = "the connection is closed in the middle"},
        {"raw", TEXT, ACT(raw),
         .about = "these bytes in place of head and body; then the connection is closed"},
};
static const struct registry_fields rule_fields = FIELDS("rule", "rules[i]", rule_table, struct registry_rule);

/* ---- the file ---- */

static const struct registry_field limits_table[] = {
        {"connections", NUMBER, AT(struct registry_limits, connections), .min = 1, .max = 1000,
         .about = "at once, for each listener; more are closed; default 100"},
        {"idle_s", NUMBER, AT(struct registry_limits, idle_s), .min = 1, .max = 3600,
         .about = "a connection that is silent for so long is closed; default 60"},
        {"stall_ms", NUMBER, AT(struct registry_limits, stall_ms), .min = 1, .max = 3600000,
         .about = "of one request, no more milliseconds are waited in all; default 60000"},
};
static const struct registry_fields limits_fields =
        FIELDS("limits", "limits", limits_table, struct registry_limits);

#define TOP(member) AT(struct registry_scenario, config.member)

static const struct registry_field scenario_table[] = {
        {"scenario", REGISTRY_FIELD_SLUG, .required = true, AT(struct registry_scenario, name),
         .about = "its name, which is the file's without `.json`"},
        {"about", TEXT, .required = true, AT(struct registry_scenario, about),
         .about = "what happens, and what should come of it"},
        {"listeners", OBJECTS, TOP(listeners), COUNT(struct registry_scenario, config.n_listeners),
         .object = &listener_fields,
         .about = "default: `main` alone; the first is the one whose address is told"},
        {"images", OBJECTS, TOP(images), COUNT(struct registry_scenario, config.n_images),
         .object = &image_fields, .about = "default: none but those of the command line"},
        {"auth", OBJECT, TOP(auth), .object = &auth_fields, .about = "default: everybody is served"},
        {"referrers", CHOICE, TOP(referrers), .choices = referrers,
         .about = "default `api`; `tag`: there is a tag `sha256-HEX` with the index instead"},
        {"rules", OBJECTS, TOP(rules), COUNT(struct registry_scenario, config.n_rules), .object = &rule_fields,
         .about = "tried in order; the first whose `when` holds acts; default: none"},
        {"limits", OBJECT, TOP(limits), .object = &limits_fields, .about = "what it allows itself and clients"},
};
static const struct registry_fields scenario_fields =
        FIELDS("scenario", "The file", scenario_table, struct registry_scenario);

const struct registry_fields *const registry_all_fields[] = {
        &scenario_fields, &listener_fields, &image_fields,    &layer_fields, &auth_fields, &user_fields,
        &rule_fields,     &when_fields,     &redirect_fields, &stall_fields, &cut_fields,  &limits_fields,
};
const size_t registry_n_all_fields = ARRAY_SIZE(registry_all_fields);
