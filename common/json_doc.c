// json_doc.c - reading, see json_doc.h. Recursion is bounded by JSON_DEPTH_MAX.
//
// SPDX-License-Identifier: MIT

#include "json_doc.h"

#include "json_names.h"
#include "json_number.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NODES_LEAST    32
#define SURROGATE_MASK 0xfc00u

typedef struct reader {
    json_doc_t *doc;
    char *at;           //  within doc->bytes, which end with NUL
    const char *fault;  //  what was wrong there
    unsigned depth;
} reader_t;

static bool read_value (reader_t *self, size_t index);

static bool
fail (reader_t *self, const char *fault)
{
    self->fault = self->fault ? self->fault : fault;
    return false;
}

//  Its index; rows move when there are more, so nobody keeps a pointer. SIZE_MAX: no memory.
static size_t
add_node (reader_t *self)
{
    json_doc_t *doc = self->doc;

    if (doc->count == doc->capacity) {
        size_t capacity = doc->capacity * 2;
        json_node_t *nodes = realloc (doc->nodes, capacity * sizeof *nodes);
        if (!nodes) {
            fail (self, "out of memory");
            return SIZE_MAX;
        }
        doc->nodes = nodes;
        doc->capacity = capacity;
    }
    doc->nodes [doc->count] = (json_node_t){.span = 1};
    return doc->count++;
}

static void
skip_blanks (reader_t *self)
{
    while (*self->at == ' ' || *self->at == '\n' || *self->at == '\r' || *self->at == '\t') {
        self->at++;
    }
}

//  --- texts

static bool
read_hex (const char *at, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char digit = at [i];
        uint32_t part = digit >= '0' && digit <= '9'   ? (uint32_t) (digit - '0')
                        : digit >= 'a' && digit <= 'f' ? (uint32_t) (digit - 'a') + 10
                        : digit >= 'A' && digit <= 'F' ? (uint32_t) (digit - 'A') + 10
                                                       : 16;
        if (part == 16) {
            return false;
        }
        *value = *value * 16 + part;
    }
    return true;
}

static char *
put_utf8 (char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char) point;
    } else if (point < 0x800) {
        *to++ = (char) (0xc0 | point >> 6);
        *to++ = (char) (0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (char) (0xe0 | point >> 12);
        *to++ = (char) (0x80 | (point >> 6 & 0x3f));
        *to++ = (char) (0x80 | (point & 0x3f));
    } else {
        *to++ = (char) (0xf0 | point >> 18);
        *to++ = (char) (0x80 | (point >> 12 & 0x3f));
        *to++ = (char) (0x80 | (point >> 6 & 0x3f));
        *to++ = (char) (0x80 | (point & 0x3f));
    }
    return to;
}

//  Behind "\u". Half of a pair alone is U+FFFD. What is written is never longer than what was read.
static bool
read_point (reader_t *self, char **to)
{
    uint32_t point, low;

    if (!read_hex (self->at, &point)) {
        return fail (self, "an escape of four hex digits is wrong");
    }
    self->at += 4;
    if ((point & SURROGATE_MASK) == 0xd800) {
        if (self->at [0] == '\\' && self->at [1] == 'u' && read_hex (self->at + 2, &low) &&
            (low & SURROGATE_MASK) == 0xdc00) {
            point = 0x10000 + ((point & 0x3ff) << 10) + (low & 0x3ff);
            self->at += 6;
        } else {
            point = 0xfffd;
        }
    } else if ((point & SURROGATE_MASK) == 0xdc00) {
        point = 0xfffd;
    }
    *to = put_utf8 (*to, point);
    return true;
}

static bool
read_escape (reader_t *self, char **to)
{
    static const char LETTERS [] = "\"\\/bfnrt", MEANT [] = "\"\\/\b\f\n\r\t";
    char letter = *self->at++;
    const char *found = letter ? strchr (LETTERS, letter) : NULL;

    if (letter == 'u') {
        return read_point (self, to);
    }
    if (!found) {
        self->at--;
        return fail (self, "no such escape");
    }
    *(*to)++ = MEANT [found - LETTERS];
    return true;
}

//  The quote has been read; ends with NUL in place of the other one. Only the end has a NUL that was
//  not escaped: json_doc_read has looked.
static bool
read_text (reader_t *self, const char **text, uint32_t *size)
{
    char *start = self->at, *to;

    self->at += strcspn (self->at, "\"\\");
    to = self->at;
    while (*self->at != '"') {
        if (*self->at == '\0') {
            return fail (self, "cut off");
        }
        if (*self->at != '\\') {
            *to++ = *self->at++;
            continue;
        }
        self->at++;
        if (!read_escape (self, &to)) {
            return false;
        }
    }
    self->at++;
    *to = '\0';
    *text = start;
    *size = (uint32_t) (to - start);
    return true;
}

//  --- numbers and words

static bool
read_number (reader_t *self, size_t index)
{
    const char *fault = NULL, *end = json_number_read (&self->doc->nodes [index], self->at, &fault);

    self->at += end - self->at;
    return !fault || fail (self, fault);
}

static bool
read_word (reader_t *self, size_t index)
{
    static const struct {
        const char *text;
        json_kind_t kind;
        double number;
    } WORDS [] = {{"null", JSON_NULL, 0},
                  {"true", JSON_BOOL, 1},
                  {"false", JSON_BOOL, 0},
                  {"NaN", JSON_NUMBER, NAN},
                  {"Infinity", JSON_NUMBER, HUGE_VAL},
                  {"-Infinity", JSON_NUMBER, -HUGE_VAL}};
    json_node_t *node = &self->doc->nodes [index];

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        size_t size = strlen (WORDS [i].text);
        if (strncmp (self->at, WORDS [i].text, size) == 0) {
            self->at += size;
            node->kind = WORDS [i].kind;
            if (node->kind == JSON_BOOL) {
                node->integer = WORDS [i].number > 0;
            } else {
                node->number = WORDS [i].number;
            }
            return true;
        }
    }
    return fail (self, *self->at ? "a value is expected" : "cut off");
}

//  --- containers

static bool
read_array (reader_t *self)
{
    skip_blanks (self);
    if (*self->at == ']') {
        self->at++;
        return true;
    }
    for (;;) {
        size_t element = add_node (self);
        skip_blanks (self);
        if (element == SIZE_MAX || !read_value (self, element)) {
            return false;
        }
        skip_blanks (self);
        if (*self->at == ']') {
            self->at++;
            return true;
        }
        if (*self->at++ != ',') {
            self->at--;
            return fail (self, *self->at ? "',' or ']' is expected" : "cut off");
        }
    }
}

static bool
read_name (reader_t *self, size_t index)
{
    const char *name;
    uint32_t size;

    skip_blanks (self);
    if (*self->at++ != '"') {
        self->at--;
        return fail (self, *self->at ? "a name in quotes is expected" : "cut off");
    }
    if (!read_text (self, &name, &size)) {
        return false;
    }
    skip_blanks (self);
    if (*self->at++ != ':') {
        self->at--;
        return fail (self, *self->at ? "':' is expected" : "cut off");
    }
    json_node_t *node = &self->doc->nodes [index];
    node->name = name;
    node->name_size = size;
    return true;
}

//  For a large object, after its end.
static bool
hide_all (reader_t *self, size_t object, size_t members)
{
    const json_doc_t *doc = self->doc;
    int rc = json_names_hide (&doc->nodes [object + 1], &doc->nodes [doc->count], members);

    return rc >= 0 || fail (self, "out of memory");
}

//  One of 64 bits; alike names have the same.
static uint64_t
mark_of (const json_node_t *member)
{
    unsigned char first = (unsigned char) member->name [0];  //  of an empty name: NUL

    return UINT64_C (1) << ((first * 5 + member->name_size) & 63);
}

static bool
read_object (reader_t *self, size_t object)
{
    size_t members = 0;
    uint64_t seen = 0;

    skip_blanks (self);
    if (*self->at == '}') {
        self->at++;
        return true;
    }
    for (;;) {
        size_t member = add_node (self);
        if (member == SIZE_MAX || !read_name (self, member)) {
            return false;
        }
        uint64_t mark = mark_of (&self->doc->nodes [member]);
        if (++members <= JSON_PAIRWISE_MOST && (seen & mark)) {
            json_names_hide_pairwise (&self->doc->nodes [object + 1], &self->doc->nodes [member]);
        }
        seen |= mark;
        skip_blanks (self);
        if (!read_value (self, member)) {
            return false;
        }
        skip_blanks (self);
        if (*self->at == '}') {
            self->at++;
            return members <= JSON_PAIRWISE_MOST || hide_all (self, object, members);
        }
        if (*self->at++ != ',') {
            self->at--;
            return fail (self, *self->at ? "',' or '}' is expected" : "cut off");
        }
    }
}

static bool
read_container (reader_t *self, size_t index)
{
    bool is_array = *self->at++ == '[';

    if (++self->depth > JSON_DEPTH_MAX) {
        return fail (self, "nesting too deep");
    }
    bool done = is_array ? read_array (self) : read_object (self, index);
    self->depth--;
    json_node_t *node = &self->doc->nodes [index];
    node->kind = is_array ? JSON_ARRAY : JSON_OBJECT;
    node->span = (uint32_t) (self->doc->count - index);
    return done;
}

static bool
read_value (reader_t *self, size_t index)
{
    const char *text;
    uint32_t size;

    switch (*self->at) {
    case '{':
    case '[': return read_container (self, index);
    case '"':
        self->at++;
        if (!read_text (self, &text, &size)) {
            return false;
        }
        self->doc->nodes [index].kind = JSON_TEXT;
        self->doc->nodes [index].text = text;
        self->doc->nodes [index].size = size;
        return true;
    case '-': return self->at [1] == 'I' ? read_word (self, index) : read_number (self, index);
    default:
        return *self->at >= '0' && *self->at <= '9' ? read_number (self, index)
                                                    : read_word (self, index);
    }
}

static int
read_whole (json_doc_t *doc, size_t size, reason_t *why)
{
    reader_t self = {.doc = doc, .at = doc->bytes};
    const char *end = doc->bytes + size;

    skip_blanks (&self);
    if (!read_value (&self, add_node (&self))) {
        return reason_set (why, -EINVAL, "not JSON: %s at byte %zu of %zu", self.fault,
                           (size_t) (self.at - doc->bytes), size);
    }
    skip_blanks (&self);
    return self.at == end
               ? 0
               : reason_set (why, -EINVAL, "not JSON: more than one value, the second at byte %zu",
                             (size_t) (self.at - doc->bytes));
}

int
json_doc_read (json_doc_t *self, const void *bytes, size_t size, size_t size_max, reason_t *why)
{
    if (size > size_max || size > INT_MAX) {
        return reason_set (why, -E2BIG, "%zu bytes of JSON, at most %zu are taken", size, size_max);
    }
    if (size == 0 || memchr (bytes, '\0', size)) {
        return reason_set (why, -EINVAL, "not JSON: %s", size == 0 ? "empty" : "it has a NUL");
    }
    size_t capacity = NODES_LEAST + size / 16;
    json_doc_t doc = {.bytes = malloc (size + 1),
                      .nodes = malloc (capacity * sizeof *doc.nodes),
                      .capacity = capacity};
    if (!doc.bytes || !doc.nodes) {
        json_doc_clear (&doc);
        return reason_set (why, -ENOMEM, "out of memory");
    }
    memcpy (doc.bytes, bytes, size);
    doc.bytes [size] = '\0';
    int rc = read_whole (&doc, size, why);
    if (rc < 0) {
        json_doc_clear (&doc);
        return rc;
    }
    *self = doc;
    return 0;
}

void
json_doc_clear (json_doc_t *self)
{
    free (self->bytes);
    free (self->nodes);
    *self = (json_doc_t){0};
}
