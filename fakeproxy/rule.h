/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the fake departs from being faithful: rules (when this happens, do that) and behaviours (switches that
 * hold for the whole session). A release's quirks are behaviours, a scenario has both. Plain data that any
 * parser can fill in; every member left at zero means "as a faithful server does".
 */
#ifndef FAKEPROXY_RULE_H
#define FAKEPROXY_RULE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- behaviours ---- */

/*
 * Switches: X(name, what the server then does). To add one: a row here, and the branch where it matters.
 */
#define BEHAVIOURS(X)                                                                                          \
        /* requests */                                                                                         \
        X(accepts_trailing_text, "ignores what stands behind the JSON object of a request")                    \
        X(needs_no_initialize, "serves before Initialize")                                                     \
        X(allows_second_initialize, "answers a second Initialize like the first")                              \
        X(matches_keys_exactly, "takes only lower-case keys for the request's members")                        \
        X(first_key_wins, "of two equal keys takes the first")                                                 \
        X(refuses_unknown_keys, "refuses a request with a member that it does not know")                       \
        X(refuses_invalid_utf8, "refuses a request that is not valid UTF-8")                                   \
        X(refuses_missing_args, "refuses a request without args, or with null in their place")                 \
        X(matches_methods_loosely, "takes method names without regard to case")                                \
        X(accepts_unknown_methods, "answers success to a method that does not exist")                          \
        X(drops_pipelined_requests, "throws away requests that wait behind the one it serves")                 \
        X(answers_out_of_order, "answers each pair of pipelined requests in reverse order")                    \
        X(keeps_received_fds, "does not close descriptors that come with a request")                           \
        X(dies_of_received_fds, "ends with status 1 when descriptors come with a request")                     \
        /* arguments */                                                                                        \
        X(ignores_extra_args, "takes more arguments than the method has")                                      \
        X(ignores_missing_args, "takes the default for a missing argument")                                    \
        X(cuts_fractions, "cuts 1.5 to 1 in the place of an integer")                                          \
        X(wraps_negatives, "takes -1 for 2^64-1 in the place of an integer")                                   \
        X(image_ids_are_32_bit, "takes image ids modulo 2^32")                                                 \
        X(pipe_ids_wrap, "takes pipe ids modulo 2^32")                                                         \
        X(finish_ignores_extra_args, "FinishPipe takes more arguments than one")                               \
        X(accepts_string_numbers, "takes \"1\" for 1")                                                         \
        X(accepts_large_numbers, "takes numbers over 2^53-1")                                                  \
        X(accepts_image_zero, "takes image 0 for the image that was opened last")                              \
        X(answers_no_image_for_zero, "has no message of its own for image 0")                                  \
        X(panics_on_finish_without_args, "FinishPipe without arguments ends it by a Go panic")                 \
        X(panics_on_negative_sockfd, "--sockfd -1 ends it by a Go panic")                                      \
        /* images */                                                                                           \
        X(reuses_image_ids, "gives a new image the lowest id that is free")                                    \
        X(image_ids_start_at_zero, "gives the first image id 0")                                               \
        X(same_image_id, "gives every image the same id")                                                      \
        X(optional_oci_tag_is_error, "OpenImageOptional of a missing oci: tag is an error")                    \
        X(optional_missing_is_error, "OpenImageOptional of any missing image is an error")                     \
        X(optional_layout_is_error, "OpenImageOptional of a missing oci: layout is an error")                  \
        X(optional_errors_are_zero, "OpenImageOptional answers 0 whatever goes wrong")                         \
        X(open_answers_zero, "OpenImage of a missing image answers 0")                                         \
        X(open_is_lazy, "OpenImage does not look at the image, a later call finds out")                        \
        X(keeps_closed_images, "serves an image after CloseImage")                                             \
        X(close_twice_succeeds, "CloseImage of an image that is closed succeeds")                              \
        X(close_ends_pipes, "CloseImage cuts the pipes that are open")                                         \
        X(one_image_at_a_time, "OpenImage closes the image that was open before")                              \
        X(ignores_policy, "opens images whatever the signature policy says")                                   \
        X(oci_ignores_other_types, "does not find what it refuses in an oci: layout")                          \
        X(names_platform_unquoted, "names a platform that is missing without quotes")                          \
        X(oci_refuses_docker, "refuses docker manifests in an oci: layout")                                    \
        X(oci_refuses_other_types, "refuses entries of other media types in an oci: layout")                   \
        X(names_artifact_by_config, "names the type of an artifact after that of its config")                  \
        X(quotes_plainly, "puts a reference between quotes in an error without escaping it")                   \
        X(archives_in_old_words, "words what is wrong with an archive as skopeo before 1.18 did")              \
        X(docker_archive_in_gzip_is_error, "does not read a docker-archive: file in gzip")                     \
        X(docker_archive_links_are_empty, "says 0 for the size of a docker-archive: layer that is a link")     \
        X(docker_archive_says_gzip, "says of docker-archive: layers that they are in gzip")                    \
        /* manifest, config, layers */                                                                         \
        X(keeps_docker_manifests, "hands out docker's schema 2 as it is")                                      \
        X(picks_wrong_platform, "picks an entry of another platform out of a list")                            \
        X(ignores_overrides, "ignores --override-arch, --override-os and --override-variant")                  \
        X(answers_platform_digest,                                                                             \
          "GetManifest's value is the digest of the platform's manifest, not the list's")                      \
        X(answers_wrong_digest, "GetManifest's value is no digest of this image")                              \
        X(answers_converted_digest, "GetManifest's value is the digest of the manifest as converted")          \
        X(reformats_manifests, "writes an OCI manifest anew instead of passing its bytes on")                  \
        X(get_config_gives_full, "GetConfig sends the whole config")                                           \
        X(get_full_config_gives_part, "GetFullConfig sends the config member alone")                           \
        X(ignores_config_digest, "sends a config whatever its digest is")                                      \
        X(variant_before_os, "a full config has variant before os")                                            \
        X(reverses_layers, "lists layers from the top down")                                                   \
        X(drops_last_layer, "leaves the top layer out of its list")                                            \
        X(lists_docker_layer_types, "names layers' media types in docker's words")                             \
        X(lists_wrong_layer_sizes, "says -1 for each layer's size")                                            \
        X(sends_large_layer_info, "answers GetLayerInfo with more than the 32 KiB that clients read")          \
        /* pipes */                                                                                            \
        X(finish_does_not_wait, "FinishPipe answers before the writer is done, which goes on")                 \
        X(finish_cuts, "FinishPipe ends the pipe whatever was not written yet")                                \
        X(finish_always_succeeds, "FinishPipe never reports what went wrong")                                  \
        X(finish_always_fails, "FinishPipe answers an error even when all went well")                          \
        X(finish_twice_succeeds, "FinishPipe of a pipe that is finished succeeds")                             \
        X(finish_waits_for_all, "FinishPipe waits for every writer, not for that pipe's alone")                \
        X(finish_leaves_pipe_open, "FinishPipe does not close the server's write end")                         \
        X(finish_ends_another, "FinishPipe ends the pipe that was opened first, whichever was asked for")      \
        X(serves_while_finishing, "serves other requests while FinishPipe waits")                              \
        X(stops_writing_while_finishing, "writes nothing while FinishPipe waits")                              \
        X(pipes_end_early, "a pipe ends when its data is written, without FinishPipe")                         \
        X(writes_one_pipe_at_a_time, "fills a pipe only when those opened before are done")                    \
        X(writes_before_reply, "answers only when the pipe's data is written")                                 \
        X(writes_after_finish, "writes data only when FinishPipe was called")                                  \
        X(dies_of_sigpipe, "a reader that leaves early ends it by SIGPIPE")                                    \
        X(forgets_reader_gone, "a reader that leaves early is not reported")                                   \
        X(never_notices_reader_gone, "a reader that leaves early lets the writer wait for ever")               \
        X(sends_nonblocking_pipes, "the read ends that it sends are non-blocking")                             \
        X(same_pipe_id, "gives every pipe the id 1")                                                           \
        X(mixes_pipes, "every second pipe gets the data of the one before")                                    \
        /* blobs */                                                                                            \
        X(ignores_blob_size, "GetBlob does not compare sizes")                                                 \
        X(ignores_blob_digest, "GetBlob does not verify the digest")                                           \
        X(answers_unknown_blob_size, "GetBlob and GetRawBlob say -1 for the size")                             \
        X(answers_wrong_blob_size, "GetBlob and GetRawBlob say one byte too many")                             \
        X(answers_requested_size, "GetBlob's value is the size that was asked for")                            \
        X(missing_blob_is_empty, "a blob that does not exist is an empty pipe")                                \
        X(leaves_blobs_open, "keeps each blob's file open for a while after FinishPipe")                       \
        /* raw blobs */                                                                                        \
        X(verifies_raw_blobs, "GetRawBlob verifies the digest, and reports on the error pipe")                 \
        X(swaps_raw_pipes, "sends the error pipe before the data pipe")                                        \
        X(raw_blobs_have_pipe_id, "GetRawBlob's reply names a pipe id")                                        \
        X(raw_error_pipe_stays_open, "never ends GetRawBlob's error pipe")                                     \
        X(raw_data_pipe_stays_open, "never ends GetRawBlob's data pipe")                                       \
        X(raw_errors_are_silent, "leaves the error pipe empty when something went wrong")                      \
        X(raw_errors_on_success, "writes an error on the error pipe when all went well")                       \
        X(raw_blobs_need_finish, "GetRawBlob's pipes end after FinishPipe only")                               \
        /* replies */                                                                                          \
        X(dies_of_large_replies, "a reply that does not fit the socket ends it with status 1")                 \
        X(sends_large_errors, "repeats what was sent in an error, whatever size the reply gets")               \
        X(says_faccessat, "calls its look at a path faccessat, and not lstat")                                 \
        X(omits_error_code, "leaves error_code out of replies at 0.2.8")                                       \
        X(adds_error_code, "sends error_code before 0.2.8")                                                    \
        X(omits_null_members, "leaves members of replies out that are null, 0, false or empty")                \
        X(fails_without_text, "answers failures with an empty error")                                          \
        X(fails_with_pipe, "sends a descriptor with failures")                                                 \
        X(succeeds_on_failure, "answers success: true with an error")                                          \
        X(sends_newlines, "ends each reply with a newline and a zero byte")                                    \
        /* the end */                                                                                          \
        X(ignores_shutdown, "does not end at Shutdown, and sends no reply")                                    \
        X(replies_to_shutdown, "answers Shutdown before it ends")                                              \
        X(ignores_end_of_input, "stays when the client is gone")                                               \
        X(ignores_empty_packet, "does not end at an empty packet")                                             \
        X(waits_for_pipes_at_end, "ends only when every pipe was read")                                        \
        X(leaks_per_image, "keeps a descriptor open for each image that was closed")                           \
        X(leaks_per_pipe, "keeps a descriptor open for each pipe that was finished")                           \
        X(leaks_per_failure, "keeps a descriptor open for each request that failed")                           \
        X(leaks_threads, "keeps a thread for each request that failed")                                        \
        X(leaves_file, "leaves a file in TMPDIR")                                                              \
        X(leaves_file_per_archive, "leaves a file in its temporary folder for each archive that it opens")     \
        X(leaves_archives_at_end, "leaves a file in the folder of --tmpdir for each archive open at its end")  \
        X(leaves_missing_archives, "leaves a file in the folder of --tmpdir for each archive that is missing") \
        X(leaves_child, "leaves a process behind")                                                             \
        X(writes_on_stderr, "writes a line on stderr for each request")                                        \
        X(writes_on_stdout, "writes a line on stdout for each request")                                        \
        X(spins, "never sleeps while it waits for a request")                                                  \
        X(accepts_unknown_flags, "ignores flags that it does not know")                                        \
        X(accepts_any_socket, "starts whatever the descriptor is, and waits")                                  \
        X(leaves_stdin_closed, "does not open /dev/null where descriptor 0 is closed at the start")            \
        X(ignores_sockfd, "serves on descriptor 0 whatever --sockfd says")                                     \
        X(sockfd_wraps, "takes --sockfd modulo 2^32")                                                          \
        X(sockfd_needs_equals, "does not take --sockfd and its value as two arguments")                        \
        X(panics_on_other_sockets, "a socket of another family than unix ends it by a Go panic")               \
        X(refuses_stream_sockets, "ends with status 1 on a stream socket")                                     \
        X(ignores_missing_policy, "does without a policy file that does not exist")                            \
        X(accepts_conflicting_credentials, "takes --creds along with --no-creds")                              \
        X(version_on_stderr, "prints --version on stderr")                                                     \
        X(accepts_extra_words, "ignores words behind the subcommand")                                          \
        X(reads_sockfd_loosely, "takes the digits that --sockfd begins with")                                  \
        X(silent_about_closed_sockfd, "says nothing when the descriptor is not open")                          \
        X(silent_about_no_socket, "says nothing when the descriptor is no socket")                             \
        X(panics_on_garbage, "a request that is no JSON ends it by a Go panic")                                \
        X(ends_on_garbage, "a request that is no JSON ends it with status 1")                                  \
        X(ignores_garbage, "does not answer a request that is no JSON")

/* Numbers: X(name, what it is). 0 is always "as a faithful server does". */
#define BEHAVIOUR_NUMBERS(X)                                                            \
        X(sockfd_at_most, "the largest --sockfd that is taken")                         \
        X(request_buffer, "bytes of a request that are read, instead of 32768")         \
        X(cut_replies_at, "bytes of a reply that are sent")                             \
        X(pad_replies_to, "bytes that a reply has at least, by white space behind it")  \
        X(serve_at_most, "requests that are answered before it ends with status 1")     \
        X(pipes_at_most, "pipes that may be open at once; one more is an error")        \
        X(images_at_most, "images that may be open at once; one more is an error")      \
        X(nesting_at_most, "levels of nesting that a request may have")                 \
        X(layers_at_most, "layers that are listed")                                     \
        X(manifest_at_most, "bytes of a manifest or config that are sent")              \
        X(blob_at_most, "bytes of a blob that are sent")                                \
        X(exit_status, "status of an end that should have status 0")                    \
        X(error_exit_status, "status of an end that should have status 1")              \
        X(request_delay_ms, "milliseconds that each request waits before it is served") \
        X(leak_per_request, "bytes of memory that each request costs for good")         \
        X(leak_per_mib, "bytes of memory that each MiB of data costs for good")

struct behaviours {
#define BEHAVIOUR_MEMBER(name, about) bool name;
        BEHAVIOURS(BEHAVIOUR_MEMBER)
#undef BEHAVIOUR_MEMBER
#define BEHAVIOUR_MEMBER(name, about) uint64_t name;
        BEHAVIOUR_NUMBERS(BEHAVIOUR_MEMBER)
#undef BEHAVIOUR_MEMBER
        const char *announces;   /* Initialize's value instead of the emulated version */
        const char *stderr_text; /* written on stderr at the start */
        const char
                *refuses_flag;  /* "--debug": is unknown; "--sockfd=": is unknown with its value in one word */
        const char *hides_flag; /* "--debug": --help does not name it */
        const char *needs_variable; /* starts only with this environment variable, and what it names */
};

/* A behaviour by name: what a parser, a list or a hint needs. */
struct behaviour {
        const char *name;
        const char *about;
        size_t offset; /* in struct behaviours */
        bool is_number;
};

extern const struct behaviour behaviour_table[];
extern const size_t n_behaviours;

/* Whether anything is switched on. */
bool behaviours_any(const struct behaviours *behaviours);

/* What the first behaviour does that is switched on, as a phrase; "" for none. Static text. */
const char *behaviours_about(const struct behaviours *behaviours);

/* Adds to @behaviours all that @more switches on. */
void behaviours_add(struct behaviours *behaviours, const struct behaviours *more);

/* ---- when ---- */

enum rule_event {
        EVENT_REQUEST = 0,  /* a packet came; the rest of struct rule_when says which */
        EVENT_START,        /* before the first packet is read */
        EVENT_END_OF_INPUT, /* the client closed its end */
        EVENT_EMPTY_PACKET, /* a packet of zero bytes */
        EVENT_FINISH_WAIT,  /* FinishPipe was called and has to wait for the writer */
};

enum rule_phase {
        PHASE_ANY = 0,
        PHASE_BEFORE_INITIALIZE,
        PHASE_AFTER_INITIALIZE,
};

enum rule_outcome {
        OUTCOME_ANY = 0,
        OUTCOME_SUCCESS, /* the faithful answer is a success (its side effects have happened) */
        OUTCOME_FAILURE,
};

/* Every member that is not zero must hold. */
struct rule_when {
        enum rule_event event;
        const char *method;      /* exact; "" for a packet that is no request. NULL: any packet */
        unsigned nth;            /* 1: the first of those that fit all else of this `when` */
        unsigned from;           /* like nth, and all behind it */
        unsigned packet;         /* 1: the first packet of the session */
        const char *contains;    /* in the packet's text */
        const char *after;       /* in the text of an earlier packet of the session */
        size_t length_at_least;  /* of the packet, in bytes */
        bool has_descriptors;    /* any came along */
        unsigned argument;       /* 1: the first argument .. */
        const char *argument_is; /* .. equals this JSON text */
        int arguments_at_least;  /* number of arguments */
        enum rule_phase phase;
        enum rule_outcome outcome;
        uint64_t image_id;    /* the id of the image that the request is about */
        const char *image;    /* the reference that it is about, or with which its image was opened */
        const char *digest;   /* GetBlob's and GetRawBlob's second argument */
        unsigned pipe;        /* FinishPipe of the n-th pipe that was opened in this session, from 1 on */
        unsigned after_rule;  /* 1: only when the first rule has acted, .. */
        unsigned before_rule; /* likewise: only until it has */
};

/* ---- do ---- */

/* Bytes that may hold NUL. */
struct bytes {
        const char *data;
        size_t len;
};
#define BYTES(literal)                         \
        {                                      \
                (literal), sizeof(literal) - 1 \
        } /* in an initializer */

/* What is done with the data of a pipe, step by step. Behind the last step the rest follows faithfully. */
enum data_op {
        DATA_REST = 0, /* ends the list: the rest of the content, then as a faithful server ends a pipe */
        DATA_SEND,     /* n bytes of the content (DATA_ALL: all that is left) */
        DATA_SKIP,     /* n bytes of the content are not sent */
        DATA_FLIP,     /* n bytes of the content, each bit inverted */
        DATA_BYTES,    /* these bytes, which are not of the content */
        DATA_ZEROS,    /* n zero bytes, which are not of the content */
        DATA_DRIP,     /* n bytes of the content, `rate` bytes a second (0: one each millisecond) */
        DATA_REPEAT,   /* the last n bytes of the content that were sent, again */
        DATA_RANDOM,   /* n random bytes, which are not of the content */
        DATA_FOREVER,  /* random bytes without an end */
        DATA_EXIT,     /* the process exits with status n */
        DATA_SIGNAL,   /* the process ends itself by signal n */
        DATA_WAIT,     /* n milliseconds pass */
        DATA_END,      /* no more data; the pipe then ends as usual */
        DATA_CLOSE,    /* no more data, and the pipe's write end is closed at once */
        DATA_STALL,    /* no more data, and the writer is never done */
        DATA_FAIL,     /* no more data, and the writer reports the error `bytes` */
};
#define DATA_ALL UINT64_MAX

struct data_step {
        enum data_op op;
        uint64_t n;
        struct bytes bytes;
        uint64_t rate; /* bytes a second */
        unsigned code; /* of DATA_FAIL, an enum error_code; 0: other */
};

/* The descriptors of the reply, instead of those of the faithful answer (which are closed). */
enum rule_descriptors {
        DESCRIPTORS_FAITHFUL = 0,
        DESCRIPTORS_NONE,
        DESCRIPTORS_ONE_EXTRA,   /* the faithful ones and the read end of an ended pipe */
        DESCRIPTORS_MANY_EXTRA,  /* the faithful ones and 200 of those */
        DESCRIPTORS_FIRST_ONLY,  /* of two only the first */
        DESCRIPTORS_FILE,        /* in place of each: a regular file with the content "fake" */
        DESCRIPTORS_DIRECTORY,   /* in place of each: "/" */
        DESCRIPTORS_SOCKET,      /* in place of each: one end of a socket pair */
        DESCRIPTORS_WRITE_END,   /* in place of each: the write end of a pipe */
        DESCRIPTORS_CLOSED_PIPE, /* in place of each: the read end of a pipe that has ended, empty */
        DESCRIPTORS_DEVICE,      /* in place of each: /dev/zero */
        DESCRIPTORS_OWN_SOCKET,  /* in place of each: a duplicate of the server's end of the session's socket */
        DESCRIPTORS_COUNT,       /* so many as n_descriptors says: the faithful ones, then ended pipes */
};

/* Everything that is not zero is done. Order: stderr, delay, before, the answer, after, then the end. */
struct rule_do {
        /* the answer */
        struct bytes reply; /* the packet, as it is, in place of the answer's text */
        bool no_execution;  /* the request is not carried out; the answer is `reply` without descriptors */
        const char
                *fail; /* the answer is a well-formed failure with this text. FinishPipe is carried out all the
                               same, other requests only where an outcome is asked for */
        const char *replace, *by;          /* in the request's text before it is handed on to an upstream */
        unsigned fail_code;                /* an enum error_code; 0: other */
        const char *merge;                 /* JSON object whose members replace or join those of the answer */
        const char *remove;                /* names of members to leave out, with blanks between them */
        size_t pad_to;                     /* bytes; the answer gets white space behind it */
        size_t cut_at;                     /* bytes; the answer is cut */
        bool no_reply;                     /* nothing is sent */
        bool empty_packet;                 /* a packet of zero bytes is sent in place of the answer */
        const struct bytes *before;        /* packets sent before the answer; ends with a {NULL, 0} */
        const struct bytes *after;         /* packets sent behind it; likewise */
        enum rule_descriptors descriptors; /* a kind is sent once where the faithful answer has none */
        uint64_t n_descriptors;
        size_t split_at; /* bytes; the answer goes in two packets, of which the first has so many */

        /* the data of the pipe that the answer sends */
        const struct data_step *data;   /* ends with {0} (DATA_REST) */
        const struct data_step *errors; /* likewise, for GetRawBlob's error pipe */

        /* what else happens */
        uint64_t delay_ms;       /* before the answer; nothing is served meanwhile, data still flows */
        uint64_t delay_after_ms; /* likewise, behind the answer */
        const char *stderr_text; /* written as it is */
        uint64_t stderr_flood;   /* bytes that are written on stderr in the background */
        bool child_holds_pipe;   /* a child keeps the pipe's write ends open until its reader has gone */
        bool ignore_end;         /* Shutdown, an empty packet and the end of input, from now on */
        bool stop_reading;       /* no request is read any more */
        bool ignore_signals;     /* SIGTERM and SIGINT, from now on */
        bool close_socket;       /* behind the answer; the process stays until its pipes are done */
        bool panic;              /* behind the answer: text like a Go panic's on stderr, status 2 */
        bool exit;               /* behind the answer, with exit_status */
        int exit_status;
        int signal;                      /* behind the answer: ends itself by this signal */
        const struct behaviours *become; /* switched on for the rest of the session */
        const struct behaviours
                *become_first; /* the same, before the request is carried out; not with an outcome */
};

struct rule {
        const char *name; /* NULL: none; after_rule and before_rule go by number */
        struct rule_when when;
        struct rule_do act;
};

/* What is known of a packet when rules are tried. */
struct rule_packet {
        enum rule_event event;
        const char *data;
        size_t len;
        size_t n_fds;
        uint64_t number;          /* 1: the first of the session; 0 where it is no packet */
        uint64_t serial;          /* of the event, from 1 on */
        const char *method;       /* NULL where it is no request */
        struct json_object *args; /* NULL likewise */
        bool initialized;
        uint64_t image_id;         /* that the request is about; 0: none */
        const char *image;         /* reference; NULL: none */
        unsigned pipe;             /* FinishPipe's, as rule_when has it; 0: none */
        enum rule_outcome outcome; /* OUTCOME_ANY: not carried out yet */
};

/* How often each rule's `when` held so far. */
struct rule_state {
        unsigned hits;
        unsigned fired;  /* how often the rule acted; the caller counts */
        uint64_t serial; /* of the event for which hits was last raised */
        uint64_t after;  /* the event from which on `after` holds; 0: not yet */
};

/*
 * The first rule that acts on @packet, or NULL. @states has @n_rules elements, zero at the session's start.
 * Where @packet has no outcome yet, a rule that asks for one is returned too if all else of it holds: the
 * caller carries the request out and asks again.
 */
const struct rule *rules_match(const struct rule *rules, size_t n_rules, struct rule_state *states,
                               const struct rule_packet *packet);

#endif
