// SPDX-License-Identifier: MIT

#include "cml_labs.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <assert.h>
#include <ctype.h>
#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAB_MAGIC 0xc311ab00u

typedef struct lab {
    unsigned magic;
    char id [CML_LAB_ID_SIZE];
    struct json_object *row;    //  as told; null: not read yet
    struct json_object *nodes;  //  states by id; null: none was told
    bool nodes_read;            //  all of them; before that some may have been pushed
    bool is_running;
    bool listed;      //  by the list that is being read
    bool pushed;      //  its state, since the last list
    uint64_t waited;  //  rounds since it was read
} lab_t;

struct cml_labs {
    zhashx_t *by_id;
};

static void
lab_destroy (void **item)
{
    lab_t *self = *item;

    assert (self->magic == LAB_MAGIC);
    json_destroy (&self->row);
    json_destroy (&self->nodes);
    free (self);
    *item = NULL;
}

cml_labs_t *
cml_labs_new (void)
{
    cml_labs_t *self = calloc (1, sizeof *self);

    if (self) {
        self->by_id = zhashx_new ();
        zhashx_set_destructor (self->by_id, lab_destroy);
    }
    return self;
}

void
cml_labs_destroy (cml_labs_t **self_p)
{
    assert (self_p);

    cml_labs_t *self = *self_p;
    if (self) {
        zhashx_destroy (&self->by_id);
        free (self);
        *self_p = NULL;
    }
}

//  --- the list

//  It becomes part of a path: a UUID, or 6 hexadecimal digits before CML 2.3.
static bool
is_id (const char *text)
{
    size_t size = text ? strlen (text) : 0;

    for (size_t i = 0; i < size; i++) {
        if (!isalnum ((unsigned char) text [i]) && !strchr ("-_", text [i])) {
            return false;
        }
    }
    return size > 0 && size < CML_LAB_ID_SIZE;
}

static const char *
id_at (struct json_object *ids, size_t place)
{
    struct json_object *item = json_object_array_get_idx (ids, place);
    return json_object_is_type (item, json_type_string) ? json_object_get_string (item) : NULL;
}

static int
check_list (struct json_object *ids, reason_t *why)
{
    if (!json_object_is_type (ids, json_type_array)) {
        return reason_set (why, -EINVAL, "not a list of labs");
    }
    size_t count = json_object_array_length (ids);
    if (count > CML_LABS_MAX) {
        return reason_set (why, -E2BIG, "%zu labs are more than %d", count, CML_LABS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_id (id_at (ids, i))) {
            return reason_set (why, -EINVAL, "item %zu of the list of labs is not an id", i);
        }
    }
    return 0;
}

static int
mark (cml_labs_t *self, const char *id)
{
    lab_t *lab = zhashx_lookup (self->by_id, id);

    if (!lab) {
        lab = calloc (1, sizeof *lab);
        if (!lab) {
            return -ENOMEM;
        }
        lab->magic = LAB_MAGIC;
        snprintf (lab->id, sizeof lab->id, "%s", id);
        zhashx_insert (self->by_id, id, lab);
    }
    lab->listed = true;
    lab->pushed = false;
    lab->waited++;
    return 0;
}

static void
forget_those_not_listed (cml_labs_t *self)
{
    zlistx_t *ids = zhashx_keys (self->by_id);

    for (const char *id = zlistx_first (ids); id; id = zlistx_next (ids)) {
        const lab_t *lab = zhashx_lookup (self->by_id, id);
        if (!lab->listed) {
            zhashx_delete (self->by_id, id);
        }
    }
    zlistx_destroy (&ids);
}

int
cml_labs_list (cml_labs_t *self, struct json_object *ids, reason_t *why)
{
    int rc = check_list (ids, why);
    if (rc < 0) {
        return rc;
    }
    for (lab_t *lab = zhashx_first (self->by_id); lab; lab = zhashx_next (self->by_id)) {
        lab->listed = false;
    }
    for (size_t i = 0; i < json_object_array_length (ids); i++) {
        if (mark (self, id_at (ids, i)) < 0) {
            return reason_set (why, -ENOMEM, "out of memory");
        }
    }
    forget_those_not_listed (self);
    return 0;
}

//  --- which to read

static uint64_t
urgency (const lab_t *lab)
{
    if (!lab->row) {
        return UINT64_MAX;
    }
    return lab->waited * (lab->is_running ? CML_LABS_WEIGHT : 1);
}

static int
compare_urgency (const void *a, const void *b)
{
    const lab_t *const *left = a, *const *right = b;
    uint64_t first = urgency (*left), second = urgency (*right);

    if (first != second) {
        return first > second ? -1 : 1;
    }
    return strcmp ((*left)->id, (*right)->id);
}

static int
compare_id (const void *a, const void *b)
{
    const lab_t *const *left = a, *const *right = b;
    return strcmp ((*left)->id, (*right)->id);
}

DEFINE_CLEANUP (labs_free, lab_t **, free)

//  All labs in an order; null when memory is out.
static lab_t **
sorted (cml_labs_t *self, int (*compare) (const void *, const void *))
{
    lab_t **labs = calloc (zhashx_size (self->by_id) + 1, sizeof (lab_t *));
    size_t count = 0;

    if (labs) {
        for (lab_t *lab = zhashx_first (self->by_id); lab; lab = zhashx_next (self->by_id)) {
            labs [count++] = lab;
        }
        qsort (labs, count, sizeof (lab_t *), compare);
    }
    return labs;
}

size_t
cml_labs_choose (cml_labs_t *self, const char **ids, size_t most, size_t *deferred)
{
    _cleanup_ (labs_free) lab_t **labs = sorted (self, compare_urgency);
    size_t all = zhashx_size (self->by_id), count = 0;

    for (; labs && labs [count] && count < most; count++) {
        ids [count] = labs [count]->id;
    }
    *deferred = all - count;
    return count;
}

//  --- what a lab is

//  A copy cut to bytes, never inside of a UTF-8 character.
static struct json_object *
cut_text (const char *text)
{
    if (!text) {
        return NULL;
    }
    size_t size = strlen (text);
    if (size > CML_LAB_TEXT_BYTES) {
        size = CML_LAB_TEXT_BYTES;
        while (size > 0 && ((unsigned char) text [size] & 0xc0) == 0x80) {
            size--;
        }
    }
    return json_object_new_string_len (text, (int) size);
}

static struct json_object *
first_text (struct json_object *answer, const char *const keys [])
{
    for (; *keys; keys++) {
        const char *text = json_get_text (answer, *keys);
        if (text && *text) {
            return cut_text (text);
        }
    }
    return NULL;
}

static struct json_object *
write_text (struct json_object *answer, const char *const keys [])
{
    return first_text (answer, keys);
}

static struct json_object *
write_count (struct json_object *answer, const char *const keys [])
{
    int64_t count;
    bool known = json_get_integer (answer, keys [0], &count) && count >= 0;
    return known ? json_object_new_int64 (count) : NULL;
}

//  CML writes an offset (2022-06-10T14:23:33+00:00); what is told ends with Z.
static struct json_object *
write_time (struct json_object *answer, const char *const keys [])
{
    time_us_t wall;
    char text [CLOCK_TEXT_SIZE];
    bool known = json_get_time (answer, keys [0], &wall);
    return known ? json_object_new_string (clock_format (text, wall)) : NULL;
}

typedef struct json_object *lab_field_fn (struct json_object *answer, const char *const keys []);

static const struct {
    const char *told;
    lab_field_fn *write;
    const char *keys [4];  //  of CML's answer; the first that is there
} FIELDS [] = {
    {"title", write_text, {"lab_title", "title"}},
    {"state", write_text, {"state"}},
    {"owner", write_text, {"owner_username", "owner_fullname", "owner"}},
    {"node_count", write_count, {"node_count"}},
    {"link_count", write_count, {"link_count"}},
    {"created", write_time, {"created"}},
    {"modified", write_time, {"modified"}},
};

static struct json_object *
row_of (const char *id, struct json_object *answer)
{
    _cleanup_ (json_destroy) struct json_object *row = json_object_new_object ();

    if (!row || json_object_object_add (row, "lab_id", json_object_new_string (id)) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        struct json_object *value = FIELDS [i].write (answer, FIELDS [i].keys);
        if (json_object_object_add (row, FIELDS [i].told, value) != 0) {
            json_destroy (&value);
            return NULL;
        }
    }
    return take_ptr (row);
}

bool
cml_labs_runs (const char *state)
{
    return state && strcmp (state, "STOPPED") != 0 && strcmp (state, "DEFINED_ON_CORE") != 0;
}

int
cml_labs_take (cml_labs_t *self, const char *id, struct json_object *answer)
{
    lab_t *lab = zhashx_lookup (self->by_id, id);

    if (!lab) {
        return 0;
    }
    if (!json_object_is_type (answer, json_type_object)) {
        return -EINVAL;
    }
    struct json_object *row = row_of (id, answer);
    if (!row) {
        return -ENOMEM;
    }
    if (lab->pushed && lab->row) {
        json_object_object_add (row, "state", json_object_get (json_get (lab->row, "state")));
    }
    json_destroy (&lab->row);
    lab->row = row;
    lab->is_running = cml_labs_runs (json_get_text (row, "state"));
    lab->waited = 0;
    return 0;
}

bool
cml_labs_set_state (cml_labs_t *self, const char *id, const char *state)
{
    lab_t *lab = zhashx_lookup (self->by_id, id);
    const char *before = cml_labs_state (self, id);

    if (before && strcmp (before, state) == 0) {
        return false;
    }
    if (lab && lab->row) {
        json_object_object_add (lab->row, "state", json_object_new_string (state));
        lab->is_running = cml_labs_runs (state);
        lab->pushed = true;
    }
    return true;
}

bool
cml_labs_set_node (cml_labs_t *self, const char *id, const char *node_id, const char *state)
{
    lab_t *lab = zhashx_lookup (self->by_id, id);
    const char *before = lab ? json_get_text (lab->nodes, node_id) : NULL;

    if (before && strcmp (before, state) == 0) {
        return false;
    }
    if (lab && !lab->nodes) {
        lab->nodes = json_object_new_object ();
    }
    if (lab && lab->nodes) {
        json_object_object_add (lab->nodes, node_id, json_object_new_string (state));
    }
    return true;
}

const char *
cml_labs_state (const cml_labs_t *self, const char *id)
{
    const lab_t *lab = zhashx_lookup (self->by_id, id);

    return lab && lab->row ? json_get_text (lab->row, "state") : NULL;
}

int
cml_labs_take_nodes (cml_labs_t *self, const char *id, struct json_object *answer, cml_node_fn *fn,
                     void *argument)
{
    lab_t *lab = zhashx_lookup (self->by_id, id);
    struct json_object *nodes = json_get_object (answer, "nodes");

    if (!lab) {
        return 0;
    }
    if (!nodes) {
        return -EINVAL;
    }
    if (lab->nodes_read) {
        json_object_object_foreach (nodes, node_id, value)
        {
            const char *before = json_get_text (lab->nodes, node_id);
            const char *state = json_object_is_type (value, json_type_string)
                                    ? json_object_get_string (value)
                                    : NULL;
            if (state && (!before || strcmp (before, state) != 0)) {
                fn (argument, id, node_id, state);
            }
        }
    }
    json_destroy (&lab->nodes);
    lab->nodes = json_object_get (nodes);
    lab->nodes_read = true;
    return 0;
}

void
cml_labs_drop (cml_labs_t *self, const char *id)
{
    zhashx_delete (self->by_id, id);
}

size_t
cml_labs_count (const cml_labs_t *self)
{
    return zhashx_size (self->by_id);
}

struct json_object *
cml_labs_array (cml_labs_t *self)
{
    _cleanup_ (labs_free) lab_t **labs = sorted (self, compare_id);
    _cleanup_ (json_destroy) struct json_object *array = json_object_new_array ();

    if (!labs || !array) {
        return NULL;
    }
    for (size_t i = 0; labs [i]; i++) {
        if (!labs [i]->row || json_object_array_add (array, json_object_get (labs [i]->row)) != 0) {
            return NULL;
        }
    }
    return take_ptr (array);
}
