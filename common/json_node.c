// json_node.c - looking into what json_doc.c has read; see json_doc.h.
//
// SPDX-License-Identifier: MIT

#include "json_doc.h"

#include <string.h>

const json_node_t *
json_doc_root (const json_doc_t *self)
{
    return self->nodes;
}

const json_node_t *
json_node_first (const json_node_t *self)
{
    bool has_any =
        self && (self->kind == JSON_OBJECT || self->kind == JSON_ARRAY) && self->span > 1;
    const json_node_t *first = has_any ? self + 1 : NULL;

    return first && first->hidden ? json_node_after (self, first) : first;
}

const json_node_t *
json_node_after (const json_node_t *self, const json_node_t *child)
{
    const json_node_t *end = self + self->span;

    do {
        child += child->span;
    } while (child < end && child->hidden);
    return child < end ? child : NULL;
}

const json_node_t *
json_node_get (const json_node_t *self, const char *name)
{
    size_t size = strlen (name);

    if (!self || self->kind != JSON_OBJECT) {
        return NULL;
    }
    FOR_EACH_NODE (child, self)
    {
        if (child->name_size == size && memcmp (child->name, name, size) == 0) {
            return child->kind == JSON_NULL ? NULL : child;
        }
    }
    return NULL;
}

static const json_node_t *
get_of_kind (const json_node_t *self, const char *name, json_kind_t kind)
{
    const json_node_t *member = json_node_get (self, name);

    return member && member->kind == kind ? member : NULL;
}

const char *
json_node_get_text (const json_node_t *self, const char *name)
{
    return json_node_text (json_node_get (self, name));
}

const json_node_t *
json_node_get_object (const json_node_t *self, const char *name)
{
    return get_of_kind (self, name, JSON_OBJECT);
}

const json_node_t *
json_node_get_array (const json_node_t *self, const char *name)
{
    return get_of_kind (self, name, JSON_ARRAY);
}

const char *
json_node_text (const json_node_t *self)
{
    //  With a NUL within it would be cut there, and two that differ would be the same.
    return self && self->kind == JSON_TEXT && strlen (self->text) == self->size ? self->text : NULL;
}

bool
json_node_number (const json_node_t *self, double *value)
{
    if (!self || (self->kind != JSON_INTEGER && self->kind != JSON_NUMBER)) {
        return false;
    }
    *value = self->kind == JSON_INTEGER ? (double) self->integer : self->number;
    return true;
}

bool
json_node_integer (const json_node_t *self, int64_t *value)
{
    if (self && self->kind == JSON_INTEGER && self->integer != INTEGER_UNKNOWN) {
        *value = self->integer;
        return true;
    }
    double number = self && self->kind == JSON_NUMBER ? self->number : UNKNOWN;
    if (isnan (number) || number != trunc (number) || fabs (number) > 9e15) {
        return false;
    }
    *value = (int64_t) number;
    return true;
}

bool
json_node_bool (const json_node_t *self, bool *value)
{
    if (!self || self->kind != JSON_BOOL) {
        return false;
    }
    *value = self->integer != 0;
    return true;
}

bool
json_node_time (const json_node_t *self, time_us_t *wall)
{
    const char *text = json_node_text (self);
    return text && clock_parse (text, wall) == 0;
}

size_t
json_node_count (const json_node_t *self)
{
    size_t count = 0;

    FOR_EACH_NODE (child, self)
    {
        count++;
    }
    return count;
}

void
json_node_set_text (const json_node_t *self, const char *name, const char *text)
{
    //  The rows are the document's own; const only says that who reads it is not to change them.
    json_node_t *member = (json_node_t *) (uintptr_t) json_node_get (self, name);

    if (member && member->kind == JSON_TEXT) {
        member->text = text;
        member->size = (uint32_t) strlen (text);
    }
}

static void
put_container (json_writer_t *out, const json_node_t *node)
{
    if (node->kind == JSON_ARRAY) {
        json_open_array (out);
    } else {
        json_open_object (out);
    }
    FOR_EACH_NODE (child, node)
    {
        if (child->name) {
            json_put_text_n (out, child->name, child->name_size);
            buffer_append (out->out, ":", 1);
            out->after_key = true;
        }
        json_put_node (out, child);
    }
    if (node->kind == JSON_ARRAY) {
        json_close_array (out);
    } else {
        json_close_object (out);
    }
}

void
json_put_node (json_writer_t *out, const json_node_t *node)
{
    switch (node ? node->kind : JSON_NULL) {
    case JSON_NULL: json_put_null (out); return;
    case JSON_BOOL: json_put_bool (out, node->integer != 0); return;
    case JSON_INTEGER: json_put_integer (out, node->integer); return;
    case JSON_NUMBER: json_put_number (out, node->number); return;
    case JSON_TEXT: json_put_text_n (out, node->text, node->size); return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        if (out->depth + 2 >= JSON_NESTING_MAX) {
            json_put_null (out);  //  deeper than any source we know: the rest is left out
            return;
        }
        put_container (out, node);
        return;
    }
}
