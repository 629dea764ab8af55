// log.h - one line for each thing worth saying, on stderr, as logfmt or JSON.
//
//     log_warn ("bus message refused", LOG_TEXT ("source", source),
//               LOG_TEXT ("reason", why.text));
//
// Each place in the code has a bucket of its own (log_limit_t): LOG_BURST lines at
// once, then LOG_REFILL_PER_SECOND; the line after a silence says how many were held
// back (suppressed=n). So a flood of bad input costs neither disk nor speed.
// The message is a constant phrase; what varies is in the fields. Values are escaped:
// nothing from outside can break a line or add a field.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "clock.h"

#include <stdint.h>

typedef enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR
} log_level_t;
typedef enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON } log_format_t;

#define LOG_BURST             10
#define LOG_REFILL_PER_SECOND 1

typedef enum log_kind { LOG_KIND_END, LOG_KIND_TEXT, LOG_KIND_INTEGER, LOG_KIND_NUMBER } log_kind_t;

typedef struct log_field {
    log_kind_t kind;
    const char *key;
    const char *text;  //  null is written as an empty value
    int64_t integer;
    double number;
} log_field_t;

#define LOG_TEXT(name, value) ((log_field_t){.kind = LOG_KIND_TEXT, .key = (name), .text = (value)})
#define LOG_INTEGER(name, value) \
    ((log_field_t){.kind = LOG_KIND_INTEGER, .key = (name), .integer = (int64_t) (value)})
#define LOG_NUMBER(name, value) \
    ((log_field_t){.kind = LOG_KIND_NUMBER, .key = (name), .number = (value)})
#define LOG_END ((log_field_t){.kind = LOG_KIND_END})

typedef struct log_limit {  //  one a call site, zero at the start
    time_us_t refilled_steady;
    double used;
    uint64_t suppressed;
} log_limit_t;

#define LOG_AT(level, message, ...)                                                  \
    do {                                                                             \
        static log_limit_t limit_here_;                                              \
        log_write ((level), &limit_here_, (message), (log_field_t []){__VA_ARGS__}); \
    } while (0)

#define log_debug(...) LOG_AT (LOG_LEVEL_DEBUG, __VA_ARGS__, LOG_END)
#define log_info(...)  LOG_AT (LOG_LEVEL_INFO, __VA_ARGS__, LOG_END)
#define log_warn(...)  LOG_AT (LOG_LEVEL_WARN, __VA_ARGS__, LOG_END)
#define log_error(...) LOG_AT (LOG_LEVEL_ERROR, __VA_ARGS__, LOG_END)

//  program stays the caller's. Until it is called: logfmt, info, no program name.
void log_open (const char *program, log_level_t least, log_format_t format);

//  fields ends with LOG_END. A null limit: never held back.
void log_write (log_level_t level, log_limit_t *limit, const char *message,
                const log_field_t *fields);

//  Lines held back since the start, for the metric cmlwatch_log_suppressed_total.
uint64_t log_suppressed (void);

#endif
