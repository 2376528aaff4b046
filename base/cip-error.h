/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error record that every function which can fail for a reason worth telling fills in. It is part of
 * libcip's interface: cip.h includes it. It is plain data, needs no destructor and may live on the stack.
 */
#ifndef CIP_ERROR_H
#define CIP_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* Who is at fault, and so what a caller can do about it. */
enum cip_error_class {
        CIP_ERROR_NONE = 0,  /* no error was recorded */
        CIP_ERROR_LOCAL,     /* this machine or the caller: no memory, no such file, a wrong argument */
        CIP_ERROR_TRANSPORT, /* the server or its socket: did not start, died, was silent past a deadline */
        CIP_ERROR_PROTOCOL,  /* the server broke the protocol: a malformed reply, a wrong digest */
        CIP_ERROR_REMOTE,    /* the server answered, and its answer is an error */
};

/* Bytes of a message with its terminating NUL; a longer one is cut at a character and ends in "..". */
#define CIP_ERROR_MESSAGE_SIZE 4096

/*
 * One error. @errnum is the negative errno that the function returned; @code is 0, or for CIP_ERROR_REMOTE
 * the server's error code (enum cip_code of cip.h). @message is one sentence without a newline at its end,
 * valid UTF-8 without control characters whatever the server said.
 */
struct cip_error {
        enum cip_error_class error_class;
        int errnum;
        int code;
        char message[CIP_ERROR_MESSAGE_SIZE];
};

#ifdef __cplusplus
}
#endif

#endif
