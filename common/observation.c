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

//  Each read_ leaves *value unknown when the member is absent or null.

static int
read_TEXT (struct json_object *data, const char *name, size_t bound, observation_TEXT_t *value,
           reason_t *why)
{
    struct json_object *member = json_get (data, name);

    if (!member) {
        return 0;
    }
    *value = json_get_text (data, name);
    if (!*value) {
        return refuse (why, name, "a text");
    }
    if (strlen (*value) > bound) {
        return reason_set (why, -EINVAL, "data.%s is longer than %zu bytes", name, bound);
    }
    return 0;
}

static int
read_PERCENT (struct json_object *data, const char *name, size_t bound, double *value,
              reason_t *why)
{
    (void) bound;
    return json_get (data, name) && (!json_get_number (data, name, value) || !isfinite (*value))
               ? refuse (why, name, "a number")
               : 0;
}

static int
read_INTEGER (struct json_object *data, const char *name, size_t bound, int64_t *value,
              reason_t *why)
{
    (void) bound;
    return json_get (data, name) && !json_get_integer (data, name, value)
               ? refuse (why, name, "a whole number")
               : 0;
}

static int
read_FLAG (struct json_object *data, const char *name, size_t bound, flag_t *value, reason_t *why)
{
    bool flag;

    (void) bound;
    if (!json_get (data, name)) {
        return 0;
    }
    if (!json_get_bool (data, name, &flag)) {
        return refuse (why, name, "true or false");
    }
    *value = flag ? FLAG_YES : FLAG_NO;
    return 0;
}

static int
read_TIME (struct json_object *data, const char *name, size_t bound, time_us_t *value,
           reason_t *why)
{
    (void) bound;
    return json_get (data, name) && !json_get_time (data, name, value)
               ? refuse (why, name, "a time as in RFC 3339")
               : 0;
}

static int
read_OBJECT (struct json_object *data, const char *name, size_t bound, struct json_object **value,
             reason_t *why)
{
    (void) bound;
    *value = json_get_object (data, name);
    return json_get (data, name) && !*value ? refuse (why, name, "an object") : 0;
}

static int
read_ARRAY (struct json_object *data, const char *name, size_t bound, struct json_object **value,
            reason_t *why)
{
    (void) bound;
    *value = json_get_array (data, name);
    return json_get (data, name) && !*value ? refuse (why, name, "an array") : 0;
}

//  Each write_ leaves out what is unknown.

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
write_OBJECT (json_writer_t *out, const char *name, size_t bound, struct json_object *value)
{
    (void) bound;
    if (value) {
        json_key (out, name);
        json_put_tree (out, value);
    }
}

static void
write_ARRAY (json_writer_t *out, const char *name, size_t bound, struct json_object *value)
{
    write_OBJECT (out, name, bound, value);
}

#define NOTHING_TEXT    NULL
#define NOTHING_PERCENT UNKNOWN
#define NOTHING_INTEGER INTEGER_UNKNOWN
#define NOTHING_FLAG    FLAG_UNKNOWN
#define NOTHING_TIME    TIME_UNKNOWN
#define NOTHING_OBJECT  NULL
#define NOTHING_ARRAY   NULL

#define INIT_FIELD(kind, member, bound, from) .member = NOTHING_##kind,
#define READ_FIELD(kind, member, bound, from)                                         \
    if (rc == 0) {                                                                    \
        rc = read_##kind (self->envelope.data, #member, bound, &values->member, why); \
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
        int rc = 0;                                                    \
        fields (READ_FIELD) return rc;                                 \
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
