// log.c - see log.h. A line is built whole and written with one write(), so that lines of
// several processes on one descriptor do not mix.
//
// It is bounded: a value over VALUE_MAX is cut, one that no longer fits into the line is left
// out, and both are marked with CUT_MARK. Quoted values are JSON's in both forms, by the one
// JSON writer there is.
//
// SPDX-License-Identifier: MIT

#include "log.h"

#include "buffer.h"
#include "cleanup.h"
#include "json.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define LINE_TAIL      512  //  kept free for the marks of values left out, and for the end
#define VALUE_MAX      1024
#define CUT_MARK       "…"

//  The log is one of the two things a program has of its own (style: no hidden state).
static struct {
    const char *program;
    log_level_t least;
    log_format_t format;
    uint64_t suppressed;
} LOG = {.least = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT};

static const char *const LEVEL_NAMES [] = {"debug", "info", "warn", "error"};

//  ASCII without what logfmt has a meaning for. An empty value is bare too.
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
put_key (buffer_t *line, const char *key)
{
    if (LOG.format == LOG_FORMAT_JSON) {
        buffer_format (line, "%s\"%s\":", line->size == 0 ? "{" : ",", key);
    } else {
        buffer_format (line, "%s%s=", line->size == 0 ? "" : " ", key);
    }
}

//  The first VALUE_MAX bytes, not ending within a character, and the mark.
static void
cut_text (char cut [VALUE_MAX + sizeof CUT_MARK], const char *text)
{
    size_t size = VALUE_MAX;

    while (size > 0 && ((unsigned char) text [size] & 0xc0) == 0x80) {
        size--;
    }
    memcpy (cut, text, size);
    memcpy (cut + size, CUT_MARK, sizeof CUT_MARK);
}

static void
put_text (buffer_t *line, const char *text)
{
    char cut [VALUE_MAX + sizeof CUT_MARK];

    if (strnlen (text, VALUE_MAX + 1) > VALUE_MAX) {
        cut_text (cut, text);
        text = cut;
    }
    if (LOG.format == LOG_FORMAT_LOGFMT && is_bare (text)) {
        buffer_text (line, text);
    } else {
        json_writer_t out = json_writer (line);
        json_put_text (&out, text);
    }
}

static void
put_number (buffer_t *line, double number)
{
    if (isfinite (number)) {
        buffer_format (line, "%.6g", number);
    } else {
        buffer_text (line, "null");
    }
}

static void
put_value (buffer_t *line, const log_field_t *field)
{
    switch (field->kind) {
    case LOG_KIND_TEXT: put_text (line, field->text ? field->text : ""); return;
    case LOG_KIND_INTEGER: buffer_format (line, "%lld", (long long) field->integer); return;
    case LOG_KIND_NUMBER: put_number (line, field->number); return;
    case LOG_KIND_END: return;
    }
}

//  A field that makes the line too long is told by its key and the mark; when even that does
//  not fit it is not told.
static void
put_field (buffer_t *line, const log_field_t *field)
{
    size_t before = line->size;

    put_key (line, field->key);
    size_t value = line->size;
    put_value (line, field);
    if (line->size > LINE_MAX_BYTES - LINE_TAIL) {
        line->size = value;
        put_text (line, CUT_MARK);
    }
    if (line->size > LINE_MAX_BYTES - LINE_TAIL / 4) {
        line->size = before;
    }
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

static void
put_line (buffer_t *line, log_level_t level, const char *message, const log_field_t *fields,
          time_us_t wall)
{
    char time [CLOCK_TEXT_SIZE];

    put_field (line, &LOG_TEXT ("time", clock_format (time, wall)));
    put_field (line, &LOG_TEXT ("level", LEVEL_NAMES [level]));
    if (LOG.program) {
        put_field (line, &LOG_TEXT ("program", LOG.program));
    }
    put_field (line, &LOG_TEXT ("msg", message));
    for (; fields->kind != LOG_KIND_END; fields++) {
        put_field (line, fields);
    }
}

void
log_write (log_level_t level, log_limit_t *limit, const char *message, const log_field_t *fields)
{
    moment_t now = clock_now ();
    uint64_t suppressed = 0;

    if (level < LOG.least || (limit && is_held (limit, now.steady, &suppressed))) {
        return;
    }
    _cleanup_ (buffer_clear) buffer_t line = {0};
    put_line (&line, level, message, fields, now.wall);
    if (suppressed > 0) {
        put_field (&line, &LOG_INTEGER ("suppressed", suppressed));
    }
    buffer_text (&line, LOG.format == LOG_FORMAT_JSON ? "}\n" : "\n");
    if (!buffer_failed (&line)) {
        ssize_t written = write (STDERR_FILENO, line.data, line.size);
        (void) written;  //  a log that cannot be written has nobody to tell
    }
}

uint64_t
log_suppressed (void)
{
    return LOG.suppressed;
}
