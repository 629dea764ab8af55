// json_doc.h - JSON that comes in by the hundred thousand: read in place, in one pass, without a tree
// of objects.
//
// json-c makes an object of each value and a hash of each object, some forty allocations for an
// observation, which was a third of the aggregator's time. Here the bytes are copied once, texts are
// unescaped where they stand and ended with NUL, and each value is a row of one array, in the order of
// the document: a container's row is followed by those within it. What is built here is read, and
// thrown away with the message; for all else json.h's trees are simpler.
//
// Taken is JSON (RFC 8259), and as json-c does it NaN, Infinity, control characters in texts, and
// bytes that are not UTF-8: the writer makes JSON of them again. Of a name that an object has twice the
// last one counts.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_JSON_DOC_H
#define COMMON_JSON_DOC_H

#include "json.h"

typedef enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_INTEGER,
    JSON_NUMBER,
    JSON_TEXT,
    JSON_ARRAY,
    JSON_OBJECT
} json_kind_t;

typedef struct json_node {
    const char *name;  //  of an object's member, else null; ended with NUL
    union {
        const char *text;  //  ended with NUL
        int64_t integer;   //  also of a bool
        double number;
    };
    uint32_t name_size, size;  //  size of a text
    uint32_t span;             //  rows until the next one that is not within this
    json_kind_t kind;
    bool hidden;  //  a later member has this name
} json_node_t;

typedef struct json_doc {
    char *bytes;
    json_node_t *nodes;  //  the first is the value itself
    size_t count, capacity;
} json_doc_t;

//  As json_parse. 0 and *self, which the caller clears; -E2BIG, -EINVAL or -ENOMEM and why, and *self
//  is untouched.
int json_doc_read (json_doc_t *self, const void *bytes, size_t size, size_t size_max,
                   reason_t *why);
void json_doc_clear (json_doc_t *self);
const json_node_t *json_doc_root (const json_doc_t *self);

//  As json_get_* of json.h: null or false when self is null, no object, or has no such member of that
//  type; a member that is null is "no such member".
const json_node_t *json_node_get (const json_node_t *self, const char *name);
const char *json_node_get_text (const json_node_t *self, const char *name);
const json_node_t *json_node_get_object (const json_node_t *self, const char *name);
const json_node_t *json_node_get_array (const json_node_t *self, const char *name);

//  Of the value itself.
const char *json_node_text (const json_node_t *self);  //  null also with a NUL within
bool json_node_number (const json_node_t *self, double *value);
bool json_node_integer (const json_node_t *self, int64_t *value);
bool json_node_bool (const json_node_t *self, bool *value);
bool json_node_time (const json_node_t *self, time_us_t *wall);

//  The members or elements: the first, and the one after child; null: none.
const json_node_t *json_node_first (const json_node_t *self);
const json_node_t *json_node_after (const json_node_t *self, const json_node_t *child);
#define FOR_EACH_NODE(child, self)                                   \
    for (const json_node_t *child = json_node_first (self); (child); \
         (child) = json_node_after (self, child))

size_t json_node_count (const json_node_t *self);  //  of members or elements

//  From here on the text of that member is another, which is borrowed.
void json_node_set_text (const json_node_t *self, const char *name, const char *text);

//  As json_put_tree.
void json_put_node (json_writer_t *out, const json_node_t *node);

#endif
