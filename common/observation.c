// observation.c - see observation.h. Each table becomes three functions here: one that makes
// everything unknown, one that reads, one that writes.
//
// SPDX-License-Identifier: MIT

#include "observation.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static int
refuse (reason_t *why, const char *name, const char *wanted)
{
    return reason_set (why, -EINVAL, "data.%s is not %s", name, wanted);
}

//  Each read_ is given a member that is there, and leaves *value unknown when it refuses it.

static int
read_TEXT (const json_node_t *member, const char *name, size_t bound, observation_TEXT_t *value,
           reason_t *why)
{
    const char *text = json_node_text (member);

    if (!text) {
        return refuse (why, name, "a text");
    }
    if (member->size > bound) {
        return reason_set (why, -EINVAL, "data.%s is longer than %zu bytes", name, bound);
    }
    *value = text;
    return 0;
}

static int
read_PERCENT (const json_node_t *member, const char *name, size_t bound, double *value,
              reason_t *why)
{
    (void) bound;
    return json_node_number (member, value) && isfinite (*value) ? 0
                                                                 : refuse (why, name, "a number");
}

static int
read_INTEGER (const json_node_t *member, const char *name, size_t bound, int64_t *value,
              reason_t *why)
{
    (void) bound;
    return json_node_integer (member, value) ? 0 : refuse (why, name, "a whole number");
}

static int
read_FLAG (const json_node_t *member, const char *name, size_t bound, flag_t *value, reason_t *why)
{
    bool flag;

    (void) bound;
    if (!json_node_bool (member, &flag)) {
        return refuse (why, name, "true or false");
    }
    *value = flag ? FLAG_YES : FLAG_NO;
    return 0;
}

static int
read_TIME (const json_node_t *member, const char *name, size_t bound, time_us_t *value,
           reason_t *why)
{
    (void) bound;
    return json_node_time (member, value) ? 0 : refuse (why, name, "a time as in RFC 3339");
}

static int
read_OBJECT (const json_node_t *member, const char *name, size_t bound, observation_tree_t *value,
             reason_t *why)
{
    (void) bound;
    value->node = member;
    return member->kind == JSON_OBJECT ? 0 : refuse (why, name, "an object");
}

static int
read_ARRAY (const json_node_t *member, const char *name, size_t bound, observation_tree_t *value,
            reason_t *why)
{
    (void) bound;
    value->node = member;
    return member->kind == JSON_ARRAY ? 0 : refuse (why, name, "an array");
}

//  Each write_ leaves out what is unknown.

static void
put_tree (json_writer_t *out, observation_tree_t value)
{
    if (value.node) {
        json_put_node (out, value.node);
    } else {
        json_put_tree (out, value.tree);
    }
}

//  Cut to what read_TEXT takes: a source that answers nonsense is to be told of, not refused.
static void
write_TEXT (json_writer_t *out, const char *name, size_t bound, observation_TEXT_t value)
{
    if (value) {
        json_key (out, name);
        json_put_text_n (out, value, json_text_fit (value, bound));
    }
}

static void
write_PERCENT (json_writer_t *out, const char *name, size_t bound, double value)
{
    (void) bound;
    if (isfinite (value)) {
        json_member_number (out, name, value);
    }
}

static void
write_INTEGER (json_writer_t *out, const char *name, size_t bound, int64_t value)
{
    (void) bound;
    if (value != INTEGER_UNKNOWN) {
        json_member_integer (out, name, value);
    }
}

static void
write_FLAG (json_writer_t *out, const char *name, size_t bound, flag_t value)
{
    (void) bound;
    if (value != FLAG_UNKNOWN) {
        json_member_bool (out, name, value == FLAG_YES);
    }
}

static void
write_TIME (json_writer_t *out, const char *name, size_t bound, time_us_t value)
{
    (void) bound;
    if (value != TIME_UNKNOWN) {
        json_member_time (out, name, value);
    }
}

static void
write_OBJECT (json_writer_t *out, const char *name, size_t bound, observation_tree_t value)
{
    (void) bound;
    if (value.tree || value.node) {
        json_key (out, name);
        put_tree (out, value);
    }
}

static void
write_ARRAY (json_writer_t *out, const char *name, size_t bound, observation_tree_t value)
{
    write_OBJECT (out, name, bound, value);
}

#define NOTHING_TEXT    NULL
#define NOTHING_PERCENT UNKNOWN
#define NOTHING_INTEGER INTEGER_UNKNOWN
#define NOTHING_FLAG    FLAG_UNKNOWN
#define NOTHING_TIME    TIME_UNKNOWN
#define NOTHING_OBJECT \
    {                  \
        0              \
    }
#define NOTHING_ARRAY \
    {                 \
        0             \
    }

#define INIT_FIELD(kind, member, bound, from) .member = NOTHING_##kind,
//  The members are walked once, and not looked for by each field. One that is null was not read.
#define READ_FIELD(kind, member, bound, from)                          \
    if (seen->name_size == sizeof #member - 1 &&                       \
        memcmp (seen->name, #member, sizeof #member - 1) == 0) {       \
        rc = read_##kind (seen, #member, bound, &values->member, why); \
        continue;                                                      \
    }
#define WRITE_FIELD(kind, member, bound, from) write_##kind (&out, #member, bound, values->member);

#define DEFINE_TYPE(symbol, name, fields)                              \
    static void init_##name (observation_t *self)                      \
    {                                                                  \
        self->name = (name##_t){fields (INIT_FIELD)};                  \
    }                                                                  \
    static int read_##name (observation_t *self, reason_t *why)        \
    {                                                                  \
        name##_t *values = &self->name;                                \
        const json_node_t *data = self->envelope.data;                 \
        const json_node_t *seen = json_node_first (data);              \
        int rc = 0;                                                    \
        for (; seen && rc == 0; seen = json_node_after (data, seen)) { \
            if (seen->kind == JSON_NULL) {                             \
                continue;                                              \
            }                                                          \
            fields (READ_FIELD)                                        \
        }                                                              \
        return rc;                                                     \
    }                                                                  \
    static void write_##name (buffer_t *to, const observation_t *self) \
    {                                                                  \
        const name##_t *values = &self->name;                          \
        json_writer_t out = json_writer (to);                          \
        json_open_object (&out);                                       \
        fields (WRITE_FIELD) json_close_object (&out);                 \
    }
OBSERVATION_TYPES (DEFINE_TYPE)

static const struct {
    void (*init) (observation_t *self);
    int (*read) (observation_t *self, reason_t *why);
    void (*write) (buffer_t *to, const observation_t *self);
} TYPES [EVENT_TYPE_COUNT] = {
#define TYPE_ROW(symbol, name, fields) [EVENT_##symbol] = {init_##name, read_##name, write_##name},
    OBSERVATION_TYPES (TYPE_ROW)
#undef TYPE_ROW
};

void
observation_init (observation_t *self, event_type_t type)
{
    assert (type >= 0 && type < EVENT_TYPE_COUNT && TYPES [type].init);
    memset (self, 0, sizeof *self);
    self->envelope.type = type;
    self->envelope.time = TIME_UNKNOWN;
    TYPES [type].init (self);
}

int
observation_decode (observation_t *self, const void *bytes, size_t size, size_t size_max,
                    reason_t *why)
{
    envelope_t envelope;
    int rc = envelope_decode (&envelope, bytes, size, size_max, why);
    if (rc < 0) {
        return rc;
    }
    observation_t observation;
    observation_init (&observation, envelope.type);
    observation.envelope = envelope;
    reason_t data;
    rc = TYPES [envelope.type].read (&observation, &data);
    if (rc < 0) {
        reason_set (why, rc, "%s %s: %s", envelope.source, event_type_name (envelope.type),
                    data.text);
        envelope_clear (&observation.envelope);
        return rc;
    }
    *self = observation;
    return 0;
}

void
observation_clear (observation_t *self)
{
    envelope_clear (&self->envelope);
}

void
observation_write_data (buffer_t *out, const observation_t *self)
{
    TYPES [self->envelope.type].write (out, self);
}
