/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of cip-fakeregistry, and the config that comes of it and of the files that it names.
 * Passwords come from files alone: a command line can be read by everybody.
 */
#ifndef FAKEREGISTRY_OPTIONS_H
#define FAKEREGISTRY_OPTIONS_H

#include "fakeregistry/scenario.h"

enum registry_action {
        REGISTRY_SERVE = 0,
        REGISTRY_HELP,
        REGISTRY_VERSION,
        REGISTRY_CHECK,
        REGISTRY_SCHEMA,
        REGISTRY_FORMAT,
};

struct registry_options {
        enum registry_action action;
        char **words; /* of check: the files */
        size_t n_words;
        const char *scenario_file, *log, *users, *certificates_out, *certificate_file, *key_file;
        bool json, has_port, tls, has_auth;
        uint16_t port;
        enum registry_certificate_kind certificate;
        enum registry_client_certificates clients;
        enum registry_auth_kind auth;

        /* What was read. */
        struct problems problems; /* of the scenario */
        struct registry_scenario *scenario;
        struct registry_config config;
        struct registry_listener *listeners;
        struct registry_image *images;
        struct registry_user *user_list;
        char *users_text, *certificate_text, *key_text;
        char **image_texts; /* what the images' strings are cut from */
        size_t n_image_texts;
};

/*
 * Reads the words behind the program's name. -EINVAL with @error for what is wrong. Cleared in any case by the
 * caller.
 */
int registry_options_parse(int argc, char **argv, struct registry_options *ret, struct cip_error *error);

/* Reads the files that the options name, and makes the config. The log is the caller's to open. */
int registry_options_read(struct registry_options *options, struct cip_error *error);

void registry_options_clear(struct registry_options *options);

/* Writes --help. */
void registry_options_help(FILE *to);

/* Answers what may stand in place of the last of @words. */
void registry_options_complete(const char *const *words, size_t n_words, FILE *to);

#endif
