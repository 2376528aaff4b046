/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a Go program writes and reads things: type names in errors, booleans and integers on the command line,
 * log lines, panics. What the fake needs to look like skopeo.
 */
#ifndef FAKEPROXY_GO_H
#define FAKEPROXY_GO_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Stands for a NUL byte in text of ours, and is one again in replies: an overlong form, as no text has that
 * JSON gave.
 */
#define GO_NUL "\xc0\x80"

/* A JSON string with GO_NUL in the place of each NUL byte. The caller frees. NULL: no memory. */
char *go_text(struct json_object *string);

/* The JSON string that text with GO_NUL stands for. NULL: no memory. */
struct json_object *go_string(const char *text);

/* What %T says of a value that encoding/json read: "float64", "map[string]interface {}", .. Static text. */
const char *go_type_name(struct json_object *object);

/* What uint64(f) is on amd64, where nothing checks the range. */
uint64_t go_uint64(double f);

/* strconv.ParseBool. False: it is none. */
bool go_parse_bool(const char *text, bool *ret);

/* strconv.ParseInt(text, 0, 64). NULL, or what is wrong: "invalid syntax", "value out of range". */
const char *go_parse_int(const char *text, int64_t *ret);

/* A byte, taken for the character of that number, as it stands between single quotes in a JSON error. */
void go_quote_byte(FILE *to, unsigned char byte);

/* Text in double quotes as %q writes it. The caller frees. NULL: no memory. */
char *go_quote(const char *text);

/*
 * Why encoding/json takes @len bytes for no JSON, in its words: "invalid character 'x' looking for beginning of
 * value", "unexpected end of JSON input". NULL: it is JSON, or there is no memory. The caller frees.
 */
char *go_json_problem(const char *data, size_t len);

/* A line of logrus on stderr: time="..." level=LEVEL msg="...". */
void go_log(const char *level, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum go_panic {
        PANIC_INDEX, /* FinishPipe without arguments */
        PANIC_NIL,   /* a nil pointer: --sockfd -1 */
        PANIC_OTHER, /* of a fault's making */
};

/* Writes what the Go runtime writes on stderr, and ends the process with status 2. */
void go_panic(enum go_panic what) __attribute__((noreturn));

#endif
