// SPDX-License-Identifier: MIT

#include "ini_file.h"

#include "cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP (file_close, FILE *, fclose)

typedef struct reader {
    const char *path;
    unsigned line;
    bool nested;
    char *section;  //  owned; null before the first
    ini_file_fn *fn;
    void *argument;
    reason_t *why;
} reader_t;

//  Cuts white space at both ends, in place.
static char *
trim (char *text)
{
    text += strspn (text, " \t\r\n");
    for (size_t size = strlen (text); size > 0 && strchr (" \t\r\n", text [size - 1]);) {
        text [--size] = '\0';
    }
    return text;
}

static int
refuse (const reader_t *self, const char *what)
{
    return reason_set (self->why, -EINVAL, "%s:%u: %s", self->path, self->line, what);
}

static int
hand_on (const reader_t *self, const char *key, const char *value)
{
    reason_t why = {0};

    int rc = self->fn (self->argument, self->section, key, value, &why);
    if (rc < 0) {
        reason_set (self->why, rc, "%.150s:%u: %.340s", self->path, self->line, why.text);
    }
    return rc;
}

static int
take_section (reader_t *self, char *text)
{
    char *end = strchr (text, ']');

    if (!end) {
        return refuse (self, "a line that begins with '[' is [section]");
    }
    *end = '\0';
    free (self->section);
    self->section = strdup (trim (text + 1));
    return self->section ? hand_on (self, NULL, NULL) : -ENOMEM;
}

static int
take_line (reader_t *self, char *line)
{
    bool indented = *line == ' ' || *line == '\t';
    char *text = trim (line), *equals = strchr (text, '=');

    if (!*text || *text == '#' || *text == ';') {
        return 0;
    }
    if (indented) {
        return self->nested
                   ? 0
                   : refuse (self, "the line is indented; a key begins in the first column");
    }
    if (*text == '[') {
        return take_section (self, text);
    }
    if (!equals || equals == text) {
        return refuse (self, "neither [section] nor key = value nor a comment with #");
    }
    if (!self->section) {
        return refuse (self, "a key before any [section]");
    }
    *equals = '\0';
    return hand_on (self, trim (text), trim (equals + 1));
}

int
ini_file_read (const char *path, bool nested, ini_file_fn *fn, void *argument, reason_t *why)
{
    _cleanup_ (string_destroy) char *line = malloc (INI_FILE_LINE_MAX);
    reader_t reader = {.path = path, .nested = nested, .fn = fn, .argument = argument, .why = why};
    int rc = 0;

    _cleanup_ (file_close) FILE *file = fopen (path, "re");
    if (!file || !line) {
        return file ? -ENOMEM : reason_set (why, -errno, "%s: %s", path, strerror (errno));
    }
    while (rc == 0 && fgets (line, INI_FILE_LINE_MAX, file)) {
        bool whole = strchr (line, '\n') || feof (file);
        reader.line++;
        rc = !whole ? refuse (&reader, "the line is too long, or has a NUL byte")
             : reader.line > INI_FILE_LINES_MAX ? refuse (&reader, "the file has too many lines")
                                                : take_line (&reader, line);
    }
    if (rc == 0 && ferror (file)) {
        rc = reason_set (why, -EIO, "%s: cannot be read", path);
    }
    explicit_bzero (line, INI_FILE_LINE_MAX);
    free (reader.section);
    return rc;
}
