// json_writer.c - writing, see json.h.
//
// SPDX-License-Identifier: MIT

#include "json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"  //  U+FFFD

json_writer_t
json_writer (buffer_t *out)
{
    return (json_writer_t){.out = out};
}

//  The comma before a member or element, unless it is the first or follows its key: 1 or 0 bytes.
static bool
wants_comma (json_writer_t *self)
{
    bool is_value = self->after_key, more = self->more [self->depth];

    self->after_key = false;
    self->more [self->depth] = true;
    return !is_value && more;
}

//  Room for the comma, which is put, and so many bytes more; null when memory is out.
static char *
begin_value (json_writer_t *self, size_t size)
{
    bool comma = wants_comma (self);
    char *room = buffer_reserve (self->out, size + 1);

    if (room && comma) {
        *room++ = ',';
    }
    return room;
}

//  What was written at room, which begin_value gave, ends here.
static void
end_value (json_writer_t *self, const char *end)
{
    self->out->size = (size_t) (end - self->out->data);
    self->out->data [self->out->size] = '\0';
}

static void
put_word (json_writer_t *self, const char *word, size_t size)
{
    char *room = begin_value (self, size);

    if (room) {
        memcpy (room, word, size);
        end_value (self, room + size);
    }
}

static void
open_level (json_writer_t *self, const char *bracket)
{
    put_word (self, bracket, 1);
    assert (self->depth + 1 < JSON_NESTING_MAX && "our own documents are shallow");
    self->more [++self->depth] = false;
}

static void
close_level (json_writer_t *self, const char *bracket)
{
    assert (self->depth > 0);
    self->depth--;
    buffer_append (self->out, bracket, 1);
}

void
json_open_object (json_writer_t *self)
{
    open_level (self, "{");
}

void
json_close_object (json_writer_t *self)
{
    close_level (self, "}");
}

void
json_open_array (json_writer_t *self)
{
    open_level (self, "[");
}

void
json_close_array (json_writer_t *self)
{
    close_level (self, "]");
}

void
json_key (json_writer_t *self, const char *key)
{
    size_t size = strlen (key);
    char *room = begin_value (self, size + 3);

    if (room) {
        room [0] = '"';
        memcpy (room + 1, key, size);
        memcpy (room + 1 + size, "\":", 2);
        end_value (self, room + size + 3);
    }
    self->after_key = true;
}

void
json_key_literal (json_writer_t *self, const char *quoted, size_t size)
{
    put_word (self, quoted, size);
    self->after_key = true;
}

void
json_put_null (json_writer_t *self)
{
    put_word (self, "null", 4);
}

void
json_put_bool (json_writer_t *self, bool value)
{
    put_word (self, value ? "true" : "false", value ? 4 : 5);
}

void
json_put_flag (json_writer_t *self, flag_t value)
{
    if (value == FLAG_UNKNOWN) {
        json_put_null (self);
    } else {
        json_put_bool (self, value == FLAG_YES);
    }
}

void
json_put_integer (json_writer_t *self, int64_t value)
{
    char text [24], *end = text + sizeof text;

    if (value == INTEGER_UNKNOWN) {
        json_put_null (self);
        return;
    }
    char *start = buffer_digits_before (end, value < 0 ? 0 - (uint64_t) value : (uint64_t) value);
    if (value < 0) {
        *--start = '-';
    }
    put_word (self, start, (size_t) (end - start));
}

void
json_put_number (json_writer_t *self, double value)
{
    char text [32], *end = text + sizeof text;

    if (!isfinite (value)) {
        json_put_null (self);
        return;
    }
    if (fabs (value) > 1e14) {  //  beyond what thousandths can say in 64 bits
        char wide [64];
        int size = snprintf (wide, sizeof wide, "%.15g", value);
        put_word (self, wide, (size_t) size);
        return;
    }
    int64_t thousandths = llround (value * 1000);
    uint64_t size = thousandths < 0 ? 0 - (uint64_t) thousandths : (uint64_t) thousandths;
    uint64_t part = size % 1000;
    char *start = end;
    if (part > 0) {
        int places = 3;
        for (; part % 10 == 0; part /= 10) {
            places--;
        }
        for (; places > 0; places--) {
            *--start = (char) ('0' + part % 10);
            part /= 10;
        }
        *--start = '.';
    }
    start = buffer_digits_before (start, size / 1000);
    if (thousandths < 0) {
        *--start = '-';
    }
    put_word (self, start, (size_t) (end - start));
}

//  The length of the UTF-8 sequence at text, 0 when it is not one (RFC 3629, table in section 4).
static size_t
utf8_length (const unsigned char *text, size_t left)
{
    unsigned char first = text [0];
    size_t length = first < 0x80   ? 1
                    : first < 0xc2 ? 0
                    : first < 0xe0 ? 2
                    : first < 0xf0 ? 3
                    : first < 0xf5 ? 4
                                   : 0;

    if (length == 0 || length > left) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text [i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (first == 0xe0 && text [1] < 0xa0) || (first == 0xf0 && text [1] < 0x90);
    bool beyond = (first == 0xed && text [1] > 0x9f) || (first == 0xf4 && text [1] > 0x8f);
    return overlong || beyond ? 0 : length;
}

size_t
json_text_fit (const char *text, size_t bound)
{
    size_t size = strlen (text), fits = 0, read = 0;

    while (fits < size) {
        size_t length = utf8_length ((const unsigned char *) text + fits, size - fits);
        read += length > 0 ? length : strlen (REPLACEMENT);
        if (read > bound) {
            break;
        }
        fits += length > 0 ? length : 1;
    }
    return fits;
}

static void
put_escaped (buffer_t *out, unsigned char byte)
{
    static const char SHORT [] = "\b\f\n\r\t", LETTERS [] = "bfnrt";
    const char *found = byte ? strchr (SHORT, byte) : NULL;

    if (byte == '"' || byte == '\\') {
        buffer_append (out, (char []){'\\', (char) byte}, 2);
    } else if (found) {
        buffer_append (out, (char []){'\\', LETTERS [found - SHORT]}, 2);
    } else {
        buffer_format (out, "\\u%04x", byte);
    }
}

//  Behind the first byte that is not plain.
static void
put_rest (json_writer_t *self, const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *) text;
    size_t plain = 0;  //  start of what can be copied as it is

    for (size_t i = 0; i < size;) {
        size_t length = utf8_length (bytes + i, size - i);
        if (length > 1 ||
            (length == 1 && bytes [i] >= 0x20 && bytes [i] != '"' && bytes [i] != '\\')) {
            i += length;
            continue;
        }
        buffer_append (self->out, text + plain, i - plain);
        if (length == 1) {
            put_escaped (self->out, bytes [i]);
        } else {
            buffer_text (self->out, REPLACEMENT);
        }
        plain = ++i;
    }
    buffer_append (self->out, text + plain, size - plain);
}

#define EACH_BYTE(value) (UINT64_C (0x0101010101010101) * (value))

//  Nonzero when one of the eight bytes is not ASCII, a control character, a quote or a backslash
//  (https://graphics.stanford.edu/~seander/bithacks.html#HasLessInWord; exact while all are ASCII).
static uint64_t
not_plain (uint64_t eight)
{
    uint64_t quote = eight ^ EACH_BYTE ('"'), backslash = eight ^ EACH_BYTE ('\\');

    return (eight | (eight - EACH_BYTE (0x20)) | (quote - EACH_BYTE (1)) |
            (backslash - EACH_BYTE (1))) &
           EACH_BYTE (0x80);
}

//  How many bytes from the start can be copied as they are: nearly always all.
static size_t
plain_length (const char *text, size_t size)
{
    size_t at = 0;
    uint64_t eight;

    for (; at + sizeof eight <= size; at += sizeof eight) {
        memcpy (&eight, text + at, sizeof eight);
        if (not_plain (eight)) {
            break;
        }
    }
    if (size >= sizeof eight && size - at < sizeof eight) {  //  the last, some once more
        memcpy (&eight, text + size - sizeof eight, sizeof eight);
        if (!not_plain (eight)) {
            return size;
        }
    }
    for (; at < size; at++) {
        unsigned char byte = (unsigned char) text [at];
        if (byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\') {
            break;
        }
    }
    return at;
}

//  Of bytes that are plain.
static void
put_quoted (json_writer_t *self, const char *text, size_t size)
{
    char *room = begin_value (self, size + 2);

    if (room) {
        *room = '"';
        memcpy (room + 1, text, size);
        room [1 + size] = '"';
        end_value (self, room + size + 2);
    }
}

void
json_put_text_n (json_writer_t *self, const char *text, size_t size)
{
    size_t clean = text ? plain_length (text, size) : 0;

    if (!text) {
        json_put_null (self);
    } else if (clean == size) {
        put_quoted (self, text, size);
    } else {
        put_word (self, "\"", 1);
        buffer_append (self->out, text, clean);
        put_rest (self, text + clean, size - clean);
        buffer_append (self->out, "\"", 1);
    }
}

void
json_put_text (json_writer_t *self, const char *text)
{
    json_put_text_n (self, text, text ? strlen (text) : 0);
}

void
json_put_time (json_writer_t *self, time_us_t wall)
{
    char text [CLOCK_TEXT_SIZE];

    if (wall == TIME_UNKNOWN) {
        json_put_null (self);
    } else {
        clock_format (text, wall);
        put_quoted (self, text, CLOCK_TEXT_SIZE - 1);
    }
}

void
json_put_raw (json_writer_t *self, const char *json, size_t size)
{
    if (!json || size == 0) {
        json_put_null (self);
    } else {
        put_word (self, json, size);
    }
}

static void
put_container (json_writer_t *self, struct json_object *tree)
{
    if (json_object_is_type (tree, json_type_array)) {
        json_open_array (self);
        for (size_t i = 0; i < json_object_array_length (tree); i++) {
            json_put_tree (self, json_object_array_get_idx (tree, i));
        }
        json_close_array (self);
        return;
    }
    json_open_object (self);
    json_object_object_foreach (tree, key, value)
    {
        json_put_text (self, key);  //  keys from outside are escaped like any text
        buffer_append (self->out, ":", 1);
        self->after_key = true;
        json_put_tree (self, value);
    }
    json_close_object (self);
}

void
json_put_tree (json_writer_t *self, struct json_object *tree)
{
    switch (json_object_get_type (tree)) {
    case json_type_null: json_put_null (self); return;
    case json_type_boolean: json_put_bool (self, json_object_get_boolean (tree)); return;
    case json_type_int: json_put_integer (self, json_object_get_int64 (tree)); return;
    case json_type_double: json_put_number (self, json_object_get_double (tree)); return;
    case json_type_string:
        json_put_text_n (self, json_object_get_string (tree),
                         (size_t) json_object_get_string_len (tree));
        return;
    case json_type_array:
    case json_type_object:
        if (self->depth + 2 >= JSON_NESTING_MAX) {
            json_put_null (self);  //  deeper than any source we know: the rest is left out
            return;
        }
        put_container (self, tree);
        return;
    }
}

void
json_member_text (json_writer_t *self, const char *key, const char *text)
{
    json_key (self, key);
    json_put_text (self, text);
}

void
json_member_integer (json_writer_t *self, const char *key, int64_t value)
{
    json_key (self, key);
    json_put_integer (self, value);
}

void
json_member_number (json_writer_t *self, const char *key, double value)
{
    json_key (self, key);
    json_put_number (self, value);
}

void
json_member_bool (json_writer_t *self, const char *key, bool value)
{
    json_key (self, key);
    json_put_bool (self, value);
}

void
json_member_time (json_writer_t *self, const char *key, time_us_t wall)
{
    json_key (self, key);
    json_put_time (self, wall);
}

void
json_member_raw (json_writer_t *self, const char *key, const char *json, size_t size)
{
    json_key (self, key);
    json_put_raw (self, json, size);
}
