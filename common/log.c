// log.c - see log.h. A line is built in one bounded buffer and written with one write(), so
// that lines of several processes on one descriptor do not mix.
//
// SPDX-License-Identifier: MIT

#include "log.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define LINE_TAIL      64  //  kept free for the end of the line
#define CUT_MARK       "…"

//  The log is one of the two things a program has of its own (style: no hidden state).
static struct {
    const char *program;
    log_level_t least;
    log_format_t format;
    uint64_t suppressed;
} LOG = {.least = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT};

static const char *const LEVEL_NAMES [] = {"debug", "info", "warn", "error"};

typedef struct line {
    char text [LINE_MAX_BYTES];
    size_t size;
} line_t;

static void
put (line_t *line, const char *text, size_t size)
{
    size_t room = sizeof line->text - LINE_TAIL - line->size;

    if (size > room) {
        size = room;
    }
    memcpy (line->text + line->size, text, size);
    line->size += size;
}

static void
put_text (line_t *line, const char *text)
{
    put (line, text, strlen (text));
}

//  Control bytes and quotes are escaped as JSON does it; both forms use the same.
static void
put_quoted (line_t *line, const char *text)
{
    put (line, "\"", 1);
    for (; *text; text++) {
        unsigned char byte = (unsigned char) *text;
        if (line->size + 16 > sizeof line->text - LINE_TAIL) {
            put_text (line, CUT_MARK);
            break;
        }
        if (byte == '"' || byte == '\\') {
            put (line, (char []){'\\', (char) byte}, 2);
        } else if (byte < 0x20 || byte == 0x7f) {
            char escaped [8];
            snprintf (escaped, sizeof escaped, "\\u%04x", byte);
            put_text (line, escaped);
        } else {
            put (line, text, 1);
        }
    }
    put (line, "\"", 1);
}

static bool
is_bare (const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text == '"' || *text == '=' || *text == '\\' || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

static void
put_key (line_t *line, const char *key)
{
    bool json = LOG.format == LOG_FORMAT_JSON;

    put_text (line, line->size == 0 ? (json ? "{" : "") : (json ? "," : " "));
    put_text (line, json ? "\"" : "");
    put_text (line, key);
    put_text (line, json ? "\":" : "=");
}

static void
put_member (line_t *line, const char *key, const char *text)
{
    put_key (line, key);
    if (LOG.format == LOG_FORMAT_JSON || !is_bare (text)) {
        put_quoted (line, text);
    } else {
        put_text (line, text);
    }
}

static void
put_field (line_t *line, const log_field_t *field)
{
    char number [48];

    if (field->kind == LOG_KIND_TEXT) {
        put_member (line, field->key, field->text ? field->text : "");
        return;
    }
    if (field->kind == LOG_KIND_INTEGER) {
        snprintf (number, sizeof number, "%lld", (long long) field->integer);
    } else {
        snprintf (number, sizeof number, isfinite (field->number) ? "%.6g" : "null", field->number);
    }
    put_key (line, field->key);
    put_text (line, number);
}

//  True when this place has spoken enough; suppressed tells what it held back before.
static bool
is_held (log_limit_t *limit, time_us_t steady, uint64_t *suppressed)
{
    double refill =
        (double) (steady - limit->refilled_steady) / (double) SECOND_US * LOG_REFILL_PER_SECOND;

    limit->used = limit->used > refill ? limit->used - refill : 0;
    limit->refilled_steady = steady;
    if (limit->used + 1 > LOG_BURST) {
        limit->suppressed++;
        LOG.suppressed++;
        return true;
    }
    limit->used += 1;
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    return false;
}

void
log_open (const char *program, log_level_t least, log_format_t format)
{
    LOG.program = program;
    LOG.least = least;
    LOG.format = format;
}

void
log_write (log_level_t level, log_limit_t *limit, const char *message, const log_field_t *fields)
{
    moment_t now = clock_now ();
    uint64_t suppressed = 0;

    if (level < LOG.least || (limit && is_held (limit, now.steady, &suppressed))) {
        return;
    }
    line_t line = {.size = 0};
    char time [CLOCK_TEXT_SIZE];
    put_member (&line, "time", clock_format (time, now.wall));
    put_member (&line, "level", LEVEL_NAMES [level]);
    if (LOG.program) {
        put_member (&line, "program", LOG.program);
    }
    put_member (&line, "msg", message);
    for (; fields->kind != LOG_KIND_END; fields++) {
        put_field (&line, fields);
    }
    if (suppressed > 0) {
        put_field (&line, &LOG_INTEGER ("suppressed", suppressed));
    }
    memcpy (line.text + line.size, "}\n", 2);
    size_t start = LOG.format == LOG_FORMAT_JSON ? 0 : 1;
    if (start == 1) {
        line.text [line.size] = '\n';
    }
    ssize_t written = write (STDERR_FILENO, line.text, line.size + 2 - start);
    (void) written;  //  a log that cannot be written has nobody to tell
}

uint64_t
log_suppressed (void)
{
    return LOG.suppressed;
}
