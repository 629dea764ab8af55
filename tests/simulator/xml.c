// SPDX-License-Identifier: MIT

#include "xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void
xml_open (buffer_t *out, const char *tag)
{
    buffer_format (out, "<%s>", tag);
}

void
xml_close (buffer_t *out, const char *tag)
{
    buffer_format (out, "</%s>", tag);
}

static const char *
entity (char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&apos;";
    default: return (uint8_t) c < ' ' && c != '\n' && c != '\t' && c != '\r' ? " " : NULL;
    }
}

void
xml_escape (buffer_t *out, const char *text)
{
    const char *from = text;

    for (const char *at = text; *at; at++) {
        const char *escaped = entity (*at);
        if (escaped) {
            buffer_append (out, from, (size_t) (at - from));
            buffer_text (out, escaped);
            from = at + 1;
        }
    }
    buffer_text (out, from);
}

void
xml_text (buffer_t *out, const char *tag, const char *text)
{
    if (!text || !*text) {
        buffer_format (out, "<%s/>", tag);
        return;
    }
    xml_open (out, tag);
    xml_escape (out, text);
    xml_close (out, tag);
}

void
xml_integer (buffer_t *out, const char *tag, int64_t value)
{
    buffer_format (out, "<%s>%" PRId64 "</%s>", tag, value, tag);
}

void
xml_number (buffer_t *out, const char *tag, double value)
{
    buffer_format (out, "<%s>%.15g</%s>", tag, value, tag);
}

void
xml_flag (buffer_t *out, const char *tag, bool value)
{
    xml_text (out, tag, value ? "true" : "false");
}

void
xml_time (buffer_t *out, const char *tag, time_us_t wall)
{
    char text [CLOCK_TEXT_SIZE];

    if (wall != TIME_UNKNOWN) {
        xml_text (out, tag, clock_format (text, wall));
    }
}

void
xml_second (buffer_t *out, const char *tag, time_us_t wall)
{
    char text [32];
    time_t seconds = (time_t) (wall / SECOND_US);
    struct tm parts;

    gmtime_r (&seconds, &parts);
    strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    xml_text (out, tag, text);
}
