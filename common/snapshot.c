// snapshot.c - see snapshot.h.
//
// SPDX-License-Identifier: MIT

#include "snapshot.h"

#include <assert.h>
#include <string.h>

#define PERCENT_SAME 0.0005  //  half of the last decimal that is written

static const struct {
    const char *name;
    snapshot_group_t group;
} ROWS [SNAPSHOT_FIELD_COUNT] = {
#define ROW(kind, name, group) [SNAPSHOT_##name] = {#name, SNAPSHOT_GROUP_##group},
    SNAPSHOT_FIELDS (ROW)
#undef ROW
};

void
field_set_add (field_set_t *self, snapshot_field_t field)
{
    self->words [field / 64] |= (uint64_t) 1 << (field % 64);
}

bool
field_set_has (const field_set_t *self, snapshot_field_t field)
{
    return self->words [field / 64] >> (field % 64) & 1;
}

void
field_set_merge (field_set_t *self, const field_set_t *other)
{
    for (size_t i = 0; i < sizeof self->words / sizeof *self->words; i++) {
        self->words [i] |= other->words [i];
    }
}

bool
field_set_is_empty (const field_set_t *self)
{
    uint64_t all = 0;

    for (size_t i = 0; i < sizeof self->words / sizeof *self->words; i++) {
        all |= self->words [i];
    }
    return all == 0;
}

int
field_set_next (const field_set_t *self, int from)
{
    for (int word = from / 64; word < FIELD_SET_WORDS; word++) {
        uint64_t left =
            self->words [word] & (word == from / 64 ? ~UINT64_C (0) << (from % 64) : ~UINT64_C (0));
        if (left) {
            return word * 64 + __builtin_ctzll (left);
        }
    }
    return SNAPSHOT_FIELD_COUNT;
}

field_set_t
field_set_of_group (const field_set_t *self, snapshot_group_t group)
{
    field_set_t chosen = {0};

    FOR_EACH_FIELD (field, self)
    {
        if (ROWS [field].group == group) {
            field_set_add (&chosen, (snapshot_field_t) field);
        }
    }
    return chosen;
}

bool
field_set_has_group (const field_set_t *self, snapshot_group_t group)
{
    field_set_t chosen = field_set_of_group (self, group);

    return !field_set_is_empty (&chosen);
}

const char *
snapshot_field_name (snapshot_field_t field)
{
    return ROWS [field].name;
}

snapshot_group_t
snapshot_field_group (snapshot_field_t field)
{
    return ROWS [field].group;
}

#define NOTHING_TEXT    NULL
#define NOTHING_JSON    NULL
#define NOTHING_PERCENT UNKNOWN
#define NOTHING_NUMBER  UNKNOWN
#define NOTHING_INTEGER INTEGER_UNKNOWN
#define NOTHING_FLAG    FLAG_UNKNOWN
#define NOTHING_TIME    TIME_UNKNOWN

void
snapshot_init (snapshot_t *self)
{
    *self = (snapshot_t){
#define UNKNOWN_FIELD(kind, name, group) .name = NOTHING_##kind,
        SNAPSHOT_FIELDS (UNKNOWN_FIELD)
#undef UNKNOWN_FIELD
    };
}

static bool
same_TEXT (const char *a, const char *b)
{
    return a == b || (a && b && strcmp (a, b) == 0);
}

static bool
same_JSON (const char *a, const char *b)
{
    return same_TEXT (a, b);
}

//  NaN differs from itself, which is right for sums and wrong for "did it change?".
static bool
same_PERCENT (double a, double b)
{
    return (isnan (a) && isnan (b)) || fabs (a - b) < PERCENT_SAME;
}

static bool
same_NUMBER (double a, double b)
{
    return same_PERCENT (a, b);
}

static bool
same_INTEGER (int64_t a, int64_t b)
{
    return a == b;
}

static bool
same_FLAG (flag_t a, flag_t b)
{
    return a == b;
}

static bool
same_TIME (time_us_t a, time_us_t b)
{
    return a == b;
}

field_set_t
snapshot_difference (const snapshot_t *self, const snapshot_t *other)
{
    field_set_t set = {0};

#define COMPARE(kind, name, group)                \
    if (!same_##kind (self->name, other->name)) { \
        field_set_add (&set, SNAPSHOT_##name);    \
    }
    SNAPSHOT_FIELDS (COMPARE)
#undef COMPARE
    return set;
}

#define put_TEXT(out, value)    json_put_text (out, value)
#define put_JSON(out, value)    json_put_raw (out, value, (value) ? strlen (value) : 0)
#define put_PERCENT(out, value) json_put_number (out, value)
#define put_NUMBER(out, value)  json_put_number (out, value)
#define put_INTEGER(out, value) json_put_integer (out, value)
#define put_FLAG(out, value)    json_put_flag (out, value)
#define put_TIME(out, value)    json_put_time (out, value)

void
snapshot_write (json_writer_t *out, const snapshot_t *self, const char *reason)
{
    json_open_object (out);
#define WRITE(kind, name, group)   \
    JSON_KEY_LITERAL (out, #name); \
    put_##kind (out, self->name);
    SNAPSHOT_FIELDS (WRITE)
#undef WRITE
    if (reason) {
        json_member_text (out, "_reason", reason);
    }
    json_close_object (out);
}

void
snapshot_write_fields (json_writer_t *out, const snapshot_t *self, const field_set_t *fields)
{
#define WRITE(kind, name, group)                   \
    if (field_set_has (fields, SNAPSHOT_##name)) { \
        JSON_KEY_LITERAL (out, #name);             \
        put_##kind (out, self->name);              \
    }
    SNAPSHOT_FIELDS (WRITE)
#undef WRITE
}

void
snapshot_splice_reason (buffer_t *out, const char *json, size_t size, const char *reason)
{
    assert (size > 1 && json [size - 1] == '}');
    buffer_append (out, json, size - 1);
    buffer_format (out, ",\"_reason\":\"%s\"}", reason);
}
