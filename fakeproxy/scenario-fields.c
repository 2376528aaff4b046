/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of a scenario's objects. To add one is to add a row here, and to act on what it fills in.
 */
#include "fakeproxy/scenario-fields.h"

#include <signal.h>
#include <string.h>

#include "protocol/message.h"

#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(__typeof__(((type *)0)->member))
#define HAS(type, member) .has = offsetof(type, member)
#define FIELDS(name_, title_, table, type)                            \
        {                                                             \
                name_, title_, table, ARRAY_SIZE(table), sizeof(type) \
        }

/* ---- choices ---- */

static const struct choice levels[] = {
        {"MUST", SCENARIO_MUST}, {"SHOULD", SCENARIO_SHOULD}, {"INFO", SCENARIO_INFO}, {NULL, 0}};

static const struct choice groups[] = {{"start", 0}, {"packets", 0},    {"replies", 0}, {"descriptors", 0},
                                       {"data", 0},  {"pipes", 0},      {"images", 0},  {"ends", 0},
                                       {"time", 0},  {"registries", 0}, {"unusual", 0}, {NULL, 0}};

static const struct choice musts[] = {
        {"succeed", CLIENT_SUCCEEDS}, {"fail", CLIENT_FAILS}, {"either", CLIENT_EITHER}, {NULL, 0}};

static const struct choice results[] = {{"image", false}, {"none", true}, {NULL, 0}};

static const struct choice events[] = {
        {"request", EVENT_REQUEST},           {"start", EVENT_START},
        {"end-of-input", EVENT_END_OF_INPUT}, {"empty-packet", EVENT_EMPTY_PACKET},
        {"finish-wait", EVENT_FINISH_WAIT},   {NULL, 0}};

static const struct choice phases[] = {{"before-initialize", PHASE_BEFORE_INITIALIZE},
                                       {"after-initialize", PHASE_AFTER_INITIALIZE},
                                       {NULL, 0}};

static const struct choice outcomes[] = {{"success", OUTCOME_SUCCESS}, {"failure", OUTCOME_FAILURE}, {NULL, 0}};

static const struct choice contents[] = {{"tar", GENERATED_TAR},
                                         {"random", GENERATED_RANDOM},
                                         {"zero", GENERATED_ZERO},
                                         {"same", GENERATED_SAME},
                                         {NULL, 0}};

static const struct choice compressions[] = {
        {"none", GENERATED_PLAIN}, {"gzip", GENERATED_GZIP}, {"zstd", GENERATED_ZSTD}, {NULL, 0}};

static const struct choice algorithms[] = {{"sha256", false}, {"sha512", true}, {NULL, 0}};

static const struct choice codes[] = {{"EPIPE", ERROR_CODE_EPIPE},
                                      {"retryable", ERROR_CODE_RETRYABLE},
                                      {"other", ERROR_CODE_OTHER},
                                      {NULL, 0}};

const struct choice descriptor_choices[] = {{"none", DESCRIPTORS_NONE},
                                            {"one-extra", DESCRIPTORS_ONE_EXTRA},
                                            {"many-extra", DESCRIPTORS_MANY_EXTRA},
                                            {"two", DESCRIPTORS_COUNT},
                                            {"first-only", DESCRIPTORS_FIRST_ONLY},
                                            {"file", DESCRIPTORS_FILE},
                                            {"directory", DESCRIPTORS_DIRECTORY},
                                            {"socket", DESCRIPTORS_SOCKET},
                                            {"write-end", DESCRIPTORS_WRITE_END},
                                            {"closed-pipe", DESCRIPTORS_CLOSED_PIPE},
                                            {"device", DESCRIPTORS_DEVICE},
                                            {"own-socket", DESCRIPTORS_OWN_SOCKET},
                                            {NULL, 0}};

const struct choice signal_choices[] = {{"KILL", SIGKILL}, {"SEGV", SIGSEGV}, {"ABRT", SIGABRT},
                                        {"TERM", SIGTERM}, {"INT", SIGINT},   {"HUP", SIGHUP},
                                        {"PIPE", SIGPIPE}, {"QUIT", SIGQUIT}, {"BUS", SIGBUS},
                                        {"STOP", SIGSTOP}, {NULL, 0}};

const struct choice member_choices[] = {{"success", 0},    {"value", 0}, {"pipeid", 0},
                                        {"error_code", 0}, {"error", 0}, {NULL, 0}};

/* ---- behaviours ---- */

const struct behaviour_text behaviour_texts[] = {
        {"announces", offsetof(struct behaviours, announces),
         "Initialize's value instead of the emulated version"},
        {"stderr_text", offsetof(struct behaviours, stderr_text), "written on stderr at the start"},
        {"refuses_flag", offsetof(struct behaviours, refuses_flag),
         "\"--debug\": this flag is unknown; \"--sockfd=\": it is unknown with its value in one word"},
        {"hides_flag", offsetof(struct behaviours, hides_flag), "\"--debug\": --help does not name this flag"},
        {"needs_variable", offsetof(struct behaviours, needs_variable),
         "ends with status 1 where this environment variable is not set, or names a path that is not there"},
};
const size_t n_behaviour_texts = ARRAY_SIZE(behaviour_texts);

const char *behaviour_scenario_name(const char *name, char ret[BEHAVIOUR_NAME_MAX])
{
        size_t i = 0;

        for (; name[i] && i < BEHAVIOUR_NAME_MAX - 1; i++)
                ret[i] = name[i] == '_' ? '-' : name[i];
        ret[i] = '\0';
        return ret;
}

/* ---- client ---- */

static const struct field client_table[] = {
        {"must", FIELD_CHOICE, .required = true, AT(struct scenario_client, must), .choices = musts,
         .about = "what a good client does: exit 0 (`succeed`), exit with another status (`fail`), either of "
                  "them "
                  "in time (`either`)"},
        {"within_s", FIELD_NUMBER, AT(struct scenario_client, within_s), .min = 1, .max = 3600,
         .about = "in so many seconds of its own time; the runner adds its own patience"},
        {"mention", FIELD_TEXTS, AT(struct scenario_client, mention),
         .about = "texts that must all be in its output"},
        {"not_mention", FIELD_TEXTS, AT(struct scenario_client, not_mention),
         .about = "texts that must not be in its output"},
        {"calls_at_most", FIELD_NUMBER, AT(struct scenario_client, calls_at_most),
         HAS(struct scenario_client, has_calls_at_most), .max = 1000000,
         .about = "the number of requests that it may need"},
        {"result", FIELD_CHOICE, AT(struct scenario_client, no_result), .choices = results,
         .about = "what it leaves behind when it succeeds: the whole `image` (the default), or `none`"},
};
const struct fields client_fields = FIELDS("client", "client", client_table, struct scenario_client);

/* ---- image ---- */

static const struct field layer_table[] = {
        {"size", FIELD_NUMBER, .required = true, AT(struct generated_layer, size), .max = GENERATED_SIZE_MAX,
         .about = "bytes before compression; more than 64 MiB cannot be compressed, more than 1 GiB needs a "
                  "digest "
                  "that is known"},
        {"count", FIELD_NUMBER, AT(struct generated_layer, count), .min = 1, .max = GENERATED_LAYERS_MAX,
         .about = "so many layers of this kind; 10,000 is the most in all; default 1"},
        {"compression", FIELD_CHOICE, AT(struct generated_layer, compression), .choices = compressions,
         .about = "default `none`; the others store the bytes in frames, so the layer grows a little"},
        {"media_type", FIELD_TEXT, AT(struct generated_layer, media_type),
         .about = "default: the OCI layer type that fits the compression"},
        {"content", FIELD_CHOICE, AT(struct generated_layer, content), .choices = contents,
         .about =
                 "`tar`: a tar of one file, filled up to just this size (at least 1536 bytes); `random` bytes; "
                 "`zero` bytes; `same`: random, but all layers of this content and size are the same blob; "
                 "default: `tar`, or `random` where that does not fit"},
        {"digest", FIELD_TEXT, AT(struct generated_layer, digest),
         .about = "its digest, taken on trust instead of being computed; known anyway for `zero` of 1 MiB, 1 "
                  "GiB "
                  "and 10 GiB"},
        {"entry", FIELD_ANY_OBJECT, AT(struct generated_layer, entry),
         .about = "members of the layer's entry in the manifest (`mediaType`, `digest`, `size`, ..) replaced "
                  "or, "
                  "with null, removed"},
};
const struct fields layer_fields = FIELDS("layer", "image.layers[i]", layer_table, struct generated_layer);

static const struct field image_table[] = {
        {"layers", FIELD_OBJECTS, AT(struct generated_recipe, layers), HAS(struct generated_recipe, n_layers),
         .object = &layer_fields, .about = "from the bottom up; default: none"},
        {"manifest", FIELD_ANY_OBJECT, AT(struct generated_recipe, manifest),
         .about =
                 "merged into the manifest as RFC 7396 has it: members are replaced, null removes, objects are "
                 "merged, arrays are replaced whole"},
        {"config", FIELD_ANY_OBJECT, AT(struct generated_recipe, config), .about = "likewise, into the config"},
        {"digest", FIELD_CHOICE, AT(struct generated_recipe, sha512), .choices = algorithms,
         .about = "the algorithm of the layers' digests; manifest and config have sha256; default `sha256`"},
};
const struct fields image_fields = FIELDS("image", "image", image_table, struct generated_recipe);

/* ---- rules ---- */

static const struct field argument_table[] = {
        {"index", FIELD_NUMBER, .required = true, AT(struct rule_when, argument), .min = 1, .max = 100,
         .about = "1 is the first argument"},
        {"is", FIELD_JSON, AT(struct rule_when, argument_is),
         .about = "any JSON value; without it, the argument is only to be there"},
};
const struct fields argument_fields =
        FIELDS("argument", "rules[i].when.argument", argument_table, struct rule_when);

static const struct field when_table[] = {
        {"event", FIELD_CHOICE, AT(struct rule_when, event), .choices = events,
         .about = "`request` (the default): a packet came; `start`: before the first packet is read; "
                  "`end-of-input`: the client closed its end; `empty-packet`; `finish-wait`: FinishPipe was "
                  "called "
                  "and has to wait for the writer"},
        {"method", FIELD_METHOD, AT(struct rule_when, method), .about = "the request's method"},
        {"nth", FIELD_NUMBER, AT(struct rule_when, nth), .min = 1, .max = 1000000000,
         .about = "1 is the first of those that fit all else of this `when`"},
        {"from", FIELD_NUMBER, AT(struct rule_when, from), .min = 1, .max = 1000000000,
         .about = "that one and all behind it"},
        {"packet", FIELD_NUMBER, AT(struct rule_when, packet), .min = 1, .max = 1000000000,
         .about = "the n-th packet of the session"},
        {"contains", FIELD_CSTRING, AT(struct rule_when, contains), .about = "text in this packet"},
        {"earlier", FIELD_CSTRING, AT(struct rule_when, after),
         .about = "text in an earlier packet of the session"},
        {"length_at_least", FIELD_NUMBER, AT(struct rule_when, length_at_least), .min = 1,
         .about = "of the packet, in bytes"},
        {"has_descriptors", FIELD_TRUE, AT(struct rule_when, has_descriptors),
         .about = "descriptors came with the packet"},
        {"arguments_at_least", FIELD_NUMBER, AT(struct rule_when, arguments_at_least), .min = 1, .max = 1000000,
         .about = "the number of arguments"},
        {"argument", FIELD_OBJECT, .object = &argument_fields,
         .about = "one argument: `{\"index\": 1, \"is\": 7}`"},
        {"image", FIELD_IMAGE_OF,
         .about = "the image that the request is about: its id (a number), or the reference that it is or was "
                  "opened by"},
        {"digest", FIELD_TEXT, AT(struct rule_when, digest),
         .about = "the blob that GetBlob or GetRawBlob asks for"},
        {"pipe", FIELD_NUMBER, AT(struct rule_when, pipe), .min = 1, .max = 1000000000,
         .about = "FinishPipe of the n-th pipe of the session, whatever its id (a GetRawBlob counts as one)"},
        {"phase", FIELD_CHOICE, AT(struct rule_when, phase), .choices = phases,
         .about = "whether Initialize was answered with success"},
        {"outcome", FIELD_CHOICE, AT(struct rule_when, outcome), .choices = outcomes,
         .about = "of the faithful answer, whose side effects have happened"},
        {"after_rule", FIELD_RULE, AT(struct rule_when, after_rule),
         .about = "a rule, by name, that has fired"},
        {"before_rule", FIELD_RULE, AT(struct rule_when, before_rule),
         .about = "a rule that has not fired yet; its own name makes a rule act once"},
};
const struct fields when_fields = FIELDS("when", "rules[i].when", when_table, struct rule_when);

/* The members that say what a step is, by operation. */
static const struct {
        const char *name;
        enum data_op op;
} step_ops[] = {
        {"send", DATA_SEND},       {"skip", DATA_SKIP},   {"repeat", DATA_REPEAT}, {"corrupt", DATA_FLIP},
        {"bytes", DATA_BYTES},     {"zeros", DATA_ZEROS}, {"random", DATA_RANDOM}, {"drip", DATA_DRIP},
        {"wait_ms", DATA_WAIT},    {"end", DATA_END},     {"close", DATA_CLOSE},   {"stall", DATA_STALL},
        {"forever", DATA_FOREVER}, {"fail", DATA_FAIL},   {"exit", DATA_EXIT},     {"signal", DATA_SIGNAL},
};

enum data_op step_op(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(step_ops); i++)
                if (!strcmp(step_ops[i].name, name))
                        return step_ops[i].op;
        return DATA_REST;
}

static const struct field step_table[] = {
        {"send", FIELD_COUNT, .one_of = true, AT(struct step_form, n),
         .about = "so many bytes of the content, or `\"all\"` that is left"},
        {"skip", FIELD_COUNT, .one_of = true, AT(struct step_form, n),
         .about = "so many bytes of the content are left out, or `\"all\"`"},
        {"repeat", FIELD_NUMBER, .one_of = true, AT(struct step_form, n), .min = 1,
         .about = "the last so many bytes of the content again"},
        {"corrupt", FIELD_COUNT, .one_of = true, AT(struct step_form, n),
         .about = "so many bytes of the content, each bit inverted"},
        {"bytes", FIELD_BYTES, .one_of = true, AT(struct step_form, bytes),
         .about = "these bytes, which are not of the content: a string or `{\"base64\": \"..\"}`"},
        {"zeros", FIELD_NUMBER, .one_of = true, AT(struct step_form, n), .min = 1,
         .about = "so many zero bytes that are not of the content"},
        {"random", FIELD_NUMBER, .one_of = true, AT(struct step_form, n), .min = 1,
         .about = "so many random bytes that are not of the content"},
        {"drip", FIELD_COUNT, .one_of = true, AT(struct step_form, n),
         .about = "so many bytes of the content, slowly"},
        {"bytes_per_s", FIELD_NUMBER, AT(struct step_form, rate), .min = 1, .max = UINT64_C(1) << 30,
         .about = "how slowly `drip` goes; default 1000, one byte at a time"},
        {"wait_ms", FIELD_NUMBER, .one_of = true, AT(struct step_form, n), .max = 86400000,
         .about = "nothing is written for so long"},
        {"end", FIELD_TRUE, .one_of = true, AT(struct step_form, flag),
         .about = "no more data; the pipe then ends as usual, and the writer has done well"},
        {"close", FIELD_TRUE, .one_of = true, AT(struct step_form, flag),
         .about = "no more data, and the write end is closed at once, before FinishPipe"},
        {"stall", FIELD_TRUE, .one_of = true, AT(struct step_form, flag),
         .about = "no more data, and the writer is never done: FinishPipe waits for ever"},
        {"forever", FIELD_TRUE, .one_of = true, AT(struct step_form, flag),
         .about = "random bytes without an end"},
        {"fail", FIELD_TEXT, .one_of = true, AT(struct step_form, fail),
         .about = "no more data, and the writer reports this error"},
        {"code", FIELD_CHOICE, AT(struct step_form, code), .choices = codes,
         .about = "the error code of `fail`; default `other`"},
        {"exit", FIELD_NUMBER, .one_of = true, AT(struct step_form, n), .max = 255,
         .about = "the process exits here with this status"},
        {"signal", FIELD_SIGNAL, .one_of = true, AT(struct step_form, signal),
         .about = "the process ends itself here by this signal: `\"KILL\"`, `\"SEGV\"`, .."},
};
const struct fields step_fields =
        FIELDS("step", "rules[i].data[j] and errors[j]", step_table, struct step_form);

#define DO(member) AT(struct rule, act.member)

static const struct field forward_table[] = {
        {"replace", FIELD_TEXT, .required = true, DO(replace),
         .about = "text of the request, as it stands in the packet; each occurrence is replaced"},
        {"by", FIELD_TEXT, .required = true, DO(by), .about = "what the upstream reads in its place"},
};
const struct fields forward_fields = FIELDS("forward", "rules[i].forward", forward_table, struct rule);

static const struct field rule_table[] = {
        {"name", FIELD_SLUG, AT(struct rule, name), .about = "for after_rule, before_rule and the verdict"},
        {"when", FIELD_OBJECT, AT(struct rule, when), .object = &when_fields,
         .about = "all members must hold; without it, every request"},
        {"fail", FIELD_TEXT, DO(fail),
         .about = "the answer is a well-formed failure with this text; the request is not carried out, unless "
                  "it is "
                  "FinishPipe or the rule asks for an outcome"},
        {"code", FIELD_CHOICE, DO(fail_code), .choices = codes,
         .about = "the error code of `fail`; default `other`"},
        {"reply", FIELD_MERGE, DO(merge), .about = "members that replace or join those of the faithful answer"},
        {"remove", FIELD_MEMBERS, DO(remove), .choices = member_choices,
         .about = "members of the answer that are left out"},
        {"answer", FIELD_ANSWER,
         .about = "the whole reply, in place: the request is not carried out, and no descriptor "
                  "goes along unless `descriptors` says so"},
        {"raw", FIELD_BYTES, DO(reply),
         .about = "the packet in place of the answer's text: a string or `{\"base64\": \"..\"}`; the faithful "
                  "answer's descriptors go along"},
        {"before", FIELD_PACKETS, DO(before), .about = "packets sent before the answer, each like `raw`"},
        {"after", FIELD_PACKETS, DO(after), .about = "packets sent behind it"},
        {"split_at", FIELD_NUMBER, DO(split_at), .min = 1,
         .about = "the answer goes in two packets, the first with so many bytes and the descriptors"},
        {"cut_at", FIELD_NUMBER, DO(cut_at), .min = 1, .about = "the answer is cut to so many bytes"},
        {"pad_to", FIELD_NUMBER, DO(pad_to), .min = 1, .max = 1 << 24,
         .about = "white space behind the answer, up to so many bytes"},
        {"no_reply", FIELD_TRUE, DO(no_reply), .about = "nothing is sent"},
        {"empty", FIELD_TRUE, DO(empty_packet), .about = "a packet of zero bytes in place of the answer"},
        {"descriptors", FIELD_DESCRIPTORS, .choices = descriptor_choices,
         .about = "in place of the faithful answer's: a number (so many: the faithful ones first, then ended "
                  "pipes; "
                  "at most 253), or a kind, which takes the place of each, and is sent once where there is "
                  "none"},
        {"data", FIELD_STEPS, DO(data), .object = &step_fields,
         .about = "what is done with the content of the pipe that the answer opens; behind the last step the "
                  "rest "
                  "follows faithfully"},
        {"errors", FIELD_STEPS, DO(errors), .object = &step_fields,
         .about = "likewise, for GetRawBlob's error pipe"},
        {"forward", FIELD_OBJECT, .object = &forward_fields,
         .about = "beside `--upstream` only: the request is handed on with another text"},
        {"delay_ms", FIELD_NUMBER, DO(delay_ms), .min = 1, .max = 86400000,
         .about = "before the answer; nothing is served meanwhile, data flows on"},
        {"delay_after_ms", FIELD_NUMBER, DO(delay_after_ms), .min = 1, .max = 86400000,
         .about = "likewise, between the answer and what follows, such as `exit`"},
        {"stderr", FIELD_TEXT, DO(stderr_text), .about = "written on stderr, at once"},
        {"stderr_flood", FIELD_NUMBER, DO(stderr_flood), .min = 1, .max = UINT64_C(1) << 40,
         .about = "so many bytes, written on stderr in the background"},
        {"stop_reading", FIELD_TRUE, DO(stop_reading), .about = "no request is read any more"},
        {"close_socket", FIELD_TRUE, DO(close_socket),
         .about = "behind the answer; the process stays until its pipes are done"},
        {"panic", FIELD_TRUE, DO(panic), .about = "behind the answer: a Go panic's text on stderr, status 2"},
        {"exit", FIELD_NUMBER, DO(exit_status), HAS(struct rule, act.exit), .max = 255,
         .about = "behind the answer: the process exits with this status"},
        {"signal", FIELD_SIGNAL, DO(signal), .choices = signal_choices,
         .about = "behind the answer: the process ends itself by this signal"},
        {"child_holds_pipe", FIELD_TRUE, DO(child_holds_pipe),
         .about = "a child keeps the write ends of the answer's pipes open, also when the process has gone, "
                  "until "
                  "their readers have gone or a minute has passed"},
        {"ignore_sigterm", FIELD_TRUE, DO(ignore_signals), .about = "SIGTERM and SIGINT, from now on"},
        {"ignore_end", FIELD_TRUE, DO(ignore_end),
         .about = "Shutdown, an empty packet and the end of input, from now on"},
        {"become", FIELD_BEHAVIOURS, .is_pointer = true, DO(become),
         .about = "behaviours that are switched on behind the answer, for the rest of the session"},
        {"become_first", FIELD_BEHAVIOURS, .is_pointer = true, DO(become_first),
         .about = "the same, before the request is carried out"},
};
const struct fields rule_fields = FIELDS("rule", "rules[i]", rule_table, struct rule);

/* ---- the whole ---- */

static const struct field upstream_table[] = {
        {"without", FIELD_FLAGS, AT(struct scenario_upstream, without),
         .about = "flags of the client's that are left out, each with its value: `[\"--authfile\"]`"},
        {"with", FIELD_WORDS, AT(struct scenario_upstream, with),
         .about = "words that are added behind the subcommand's flags: `[\"--tls-verify=false\"]`"},
        {"with_global", FIELD_WORDS, AT(struct scenario_upstream, with_global),
         .about = "words that are added before the subcommand: `[\"--insecure-policy\"]`"},
        {"environment", FIELD_VARIABLES, AT(struct scenario_upstream, environment),
         .about = "variables of its environment: a string sets one, null unsets it"},
        {"since", FIELD_TEXT, AT(struct scenario_upstream, since),
         .about = "the release of skopeo from which on it does what the scenario tells of; the client suite "
                  "skips "
                  "the scenario on older ones"},
};
const struct fields upstream_fields = FIELDS("upstream", "upstream", upstream_table, struct scenario_upstream);

static const struct field scenario_table[] = {
        {"scenario", FIELD_SLUG, .required = true, AT(struct scenario, name),
         .about = "its name: the file's name without `.json`"},
        {"about", FIELD_TEXT, .required = true, AT(struct scenario, about),
         .about = "one or two sentences: what the server does, and what a careless client makes of it"},
        {"group", FIELD_CHOICE, AT(struct scenario, group), .choices = groups,
         .about = "where the client suite lists it"},
        {"reference", FIELD_SLUG, AT(struct scenario, reference),
         .about = "an anchor of docs/protocol.md, without `#`"},
        {"level", FIELD_CHOICE, AT(struct scenario, level), .choices = levels, .about = "default `MUST`"},
        {"breaks", FIELD_TEXT, AT(struct scenario, breaks),
         .about = "the id of the server check that must notice"},
        {"emulate", FIELD_TEXT, AT(struct scenario, emulate),
         .about = "a release of skopeo or a version of the protocol; default `0.2.8`"},
        {"seed", FIELD_NUMBER, AT(struct scenario, seed), .about = "of all that is random; default 1"},
        {"with", FIELD_BEHAVIOURS, AT(struct scenario, with), .about = "behaviours, from the start on"},
        {"image", FIELD_IMAGE, .object = &image_fields,
         .about = "what `fake:scenario` is: a fixture's name, or a recipe; default `\"layers-1\"`"},
        {"rules", FIELD_OBJECTS, AT(struct scenario, rules), HAS(struct scenario, n_rules),
         .object = &rule_fields, .about = "tried in order, the first that matches acts"},
        {"client", FIELD_OBJECT, AT(struct scenario, client), HAS(struct scenario, has_client),
         .object = &client_fields, .about = "what a good client does"},
        {"upstream", FIELD_OBJECT, AT(struct scenario, upstream), HAS(struct scenario, has_upstream),
         .object = &upstream_fields,
         .about = "beside `--upstream` only: how the server behind the interposer is started"},
        {"registry", FIELD_ANY_OBJECT, AT(struct scenario, registry),
         .about = "for the client suite: a registry behind a real server, as a scenario of `cip-fakeregistry` "
                  "without `scenario` and `about`; it has `image` as `app:latest`"},
        {"files", FIELD_ANY_OBJECT, AT(struct scenario, files),
         .about = "likewise: files for that server by name, each a text or a JSON object"},
};
const struct fields scenario_fields = FIELDS("scenario", "the scenario", scenario_table, struct scenario);

const struct fields *const all_fields[] = {
        &scenario_fields, &image_fields, &layer_fields,   &rule_fields,   &when_fields,
        &argument_fields, &step_fields,  &forward_fields, &client_fields, &upstream_fields,
};
const size_t n_all_fields = ARRAY_SIZE(all_fields);
