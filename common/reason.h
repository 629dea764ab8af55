// reason.h - what went wrong, once for the program and once for the reader.
//
// A function that can fail returns 0 or a negative errno. Where a person will read
// the answer (a configuration, a request, a message from outside) it also takes a
// reason_t: what, where, and what would be right. It is filled where the fault is
// seen and logged where it is handled, never in between.
// (Not called error_t: glibc's <errno.h> has that name under _GNU_SOURCE.)
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_REASON_H
#define COMMON_REASON_H

typedef struct reason {
    char text [512];
} reason_t;

//  Writes the sentence and returns code, so that a check is one statement:
//  return reason_set (why, -ERANGE, "%s: %s is not 1 to 65535", where, value);
//  A null why is allowed: the caller does not care for the sentence.
int reason_set (reason_t *why, int code, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

#endif
