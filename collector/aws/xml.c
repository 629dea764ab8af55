// SPDX-License-Identifier: MIT

#include "xml.h"

#include "../../common/buffer.h"
#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <expat.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CHUNK 65536  //  bytes given to expat at once

typedef struct rule_length {
    const xml_rule_t *rule;
    size_t length;
} rule_length_t;

#define RULES_MAX 64

typedef struct reader {
    XML_Parser parser;
    const char *root;
    rule_length_t rules [RULES_MAX];
    size_t rules_count;
    void *argument;
    reason_t *why;
    int rc;
    size_t depth;  //  of open elements, the root is 1
    size_t elements;
    char path [XML_PATH_MAX];     //  below the root
    size_t ends [XML_DEPTH_MAX];  //  path's length at each depth
    const xml_rule_t *matched;    //  the innermost open element's rule, until a child opens
    buffer_t text;
} reader_t;

DEFINE_CLEANUP (parser_destroy, XML_Parser, XML_ParserFree)

__attribute__ ((format (printf, 3, 4))) static void
stop (reader_t *self, int code, const char *format, ...)
{
    reason_t what = {0};
    va_list args;

    if (self->rc < 0) {
        return;
    }
    va_start (args, format);
    vsnprintf (what.text, sizeof what.text, format, args);
    va_end (args);
    self->rc = reason_set (self->why, code, "%.400s at byte %lld", what.text,
                           (long long) XML_GetCurrentByteIndex (self->parser));
    XML_StopParser (self->parser, XML_FALSE);
}

static const xml_rule_t *
find_rule (const reader_t *self, size_t length)
{
    for (size_t i = 0; i < self->rules_count; i++) {
        if (self->rules [i].length == length &&
            memcmp (self->rules [i].rule->path, self->path, length) == 0) {
            return self->rules [i].rule;
        }
    }
    return NULL;
}

static void
call (reader_t *self, const xml_rule_t *rule, xml_fn *fn, const char *text)
{
    int rc = fn ? fn (rule->own ? rule->own : self->argument, rule, text) : 0;

    if (rc < 0) {
        stop (self, rc, "<%.100s> is not usable", rule->path);
    }
}

//  Appends the name to the path; false when it would be too deep or too long.
static bool
descend (reader_t *self, const char *name)
{
    size_t before = self->depth > 1 ? self->ends [self->depth - 1] : 0;
    size_t size = strlen (name);

    if (self->depth + 1 >= XML_DEPTH_MAX) {
        stop (self, -E2BIG, "more than %d elements deep", XML_DEPTH_MAX);
        return false;
    }
    if (before + size + 2 > sizeof self->path) {
        stop (self, -E2BIG, "element names of over %d characters in all", XML_PATH_MAX);
        return false;
    }
    if (before > 0) {
        self->path [before++] = '/';
    }
    memcpy (self->path + before, name, size + 1);
    self->depth++;
    self->ends [self->depth - 1] = before + size;
    return true;
}

static void
on_start (void *argument, const XML_Char *name, const XML_Char **attributes)
{
    reader_t *self = argument;
    (void) attributes;

    if (++self->elements > XML_ELEMENTS_MAX) {
        stop (self, -E2BIG, "more than %d elements", XML_ELEMENTS_MAX);
        return;
    }
    if (self->depth == 0) {
        self->depth = 1;
        if (strcmp (name, self->root) != 0) {
            stop (self, -EBADMSG, "the root element is <%.60s>, not <%s>", name, self->root);
        }
        return;
    }
    buffer_reset (&self->text);
    self->matched = NULL;
    if (descend (self, name)) {
        self->matched = find_rule (self, self->ends [self->depth - 1]);
        if (self->matched) {
            call (self, self->matched, self->matched->at_start, NULL);
        }
    }
}

//  White space around a value is the writer's indentation.
static const char *
trimmed (buffer_t *text)
{
    const char *white = " \t\r\n";

    if (text->size == 0) {
        return "";
    }
    while (text->size > 0 && strchr (white, text->data [text->size - 1])) {
        text->data [--text->size] = '\0';
    }
    return text->data + strspn (text->data, white);
}

static void
on_end (void *argument, const XML_Char *name)
{
    reader_t *self = argument;
    (void) name;

    if (self->rc < 0 || self->depth <= 1) {
        return;
    }
    size_t length = self->ends [self->depth - 1];
    const xml_rule_t *rule = self->matched ? self->matched : find_rule (self, length);
    if (rule) {
        call (self, rule, rule->at_end, self->matched ? trimmed (&self->text) : "");
    }
    self->depth--;
    self->path [self->depth > 1 ? self->ends [self->depth - 1] : 0] = '\0';
    self->matched = NULL;
    buffer_reset (&self->text);
}

//  Only the text of an element that a rule wants, and that has no child, is kept.
static void
on_text (void *argument, const XML_Char *text, int size)
{
    reader_t *self = argument;

    if (self->rc < 0 || !self->matched || !self->matched->at_end) {
        return;
    }
    if (self->text.size + (size_t) size > XML_TEXT_MAX) {
        stop (self, -E2BIG, "<%.100s> holds over %d bytes", self->path, XML_TEXT_MAX);
        return;
    }
    buffer_append (&self->text, text, (size_t) size);
}

static void
on_doctype (void *argument, const XML_Char *name, const XML_Char *system, const XML_Char *public,
            int has_internal)
{
    (void) system, (void) public, (void) has_internal;
    stop (argument, -EPERM, "a document type declaration (%.60s), which is refused", name);
}

static void
on_entity (void *argument, const XML_Char *name, int is_parameter, const XML_Char *value, int size,
           const XML_Char *base, const XML_Char *system, const XML_Char *public,
           const XML_Char *notation)
{
    (void) is_parameter, (void) value, (void) size, (void) base, (void) system, (void) public;
    (void) notation;
    stop (argument, -EPERM, "an entity declaration (%.60s), which is refused", name);
}

static int
feed (reader_t *self, const char *bytes, size_t size)
{
    size_t offset = 0;

    do {
        size_t part = size - offset < CHUNK ? size - offset : CHUNK;
        bool last = offset + part == size;
        if (XML_Parse (self->parser, bytes + offset, (int) part, last) != XML_STATUS_OK) {
            if (self->rc == 0) {
                enum XML_Error error = XML_GetErrorCode (self->parser);
                bool cut =
                    last &&
                    (error == XML_ERROR_NO_ELEMENTS || error == XML_ERROR_UNCLOSED_TOKEN ||
                     error == XML_ERROR_PARTIAL_CHAR || error == XML_ERROR_UNCLOSED_CDATA_SECTION);
                stop (self, -EBADMSG, "%s%s",
                      cut ? "cut off: " : "not well-formed XML: ", XML_ErrorString (error));
            }
            return self->rc;
        }
        offset += part;
    } while (offset < size);
    return self->rc;
}

static void
take_rules (reader_t *self, const xml_rule_t *rules)
{
    for (; rules->path; rules++) {
        assert (self->rules_count < RULES_MAX);
        self->rules [self->rules_count++] =
            (rule_length_t){.rule = rules, .length = strlen (rules->path)};
    }
}

int
xml_read (const char *bytes, size_t size, const char *root, const xml_rule_t *rules, void *argument,
          reason_t *why)
{
    _cleanup_ (parser_destroy) XML_Parser parser = XML_ParserCreate (NULL);
    reader_t reader = {.parser = parser, .root = root, .argument = argument, .why = why};

    if (!parser) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    take_rules (&reader, rules);
    XML_SetUserData (parser, &reader);
    XML_SetElementHandler (parser, on_start, on_end);
    XML_SetCharacterDataHandler (parser, on_text);
    XML_SetStartDoctypeDeclHandler (parser, on_doctype);
    XML_SetEntityDeclHandler (parser, on_entity);
    int rc = feed (&reader, bytes, size);
    bool lost = buffer_failed (&reader.text);
    buffer_clear (&reader.text);
    return rc == 0 && lost ? reason_set (why, -ENOMEM, "out of memory") : rc;
}
