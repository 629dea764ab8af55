// schema.c - see schema.h: walks the tables and writes what they say as JSON Schema.
//
// SPDX-License-Identifier: MIT

#include "schema.h"

#include "observation.h"
#include "schema_table.h"
#include "snapshot.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define DIALECT "https://json-schema.org/draft/2020-12/schema"

typedef schema_piece_t piece_t;
typedef schema_member_t member_t;

static void write_type (json_writer_t *out, piece_t type);

static const char *
find_row (const schema_row_t *rows, piece_t name)
{
    for (; rows->name; rows++) {
        if (strlen (rows->name) == name.size && memcmp (rows->name, name.text, name.size) == 0) {
            return rows->text;
        }
    }
    return NULL;
}

bool
schema_next_member (const char **line, member_t *member)
{
    const char *at = *line + strspn (*line, " "), *end = at + strcspn (at, " ");
    const char *colon = memchr (at, ':', (size_t) (end - at));

    if (at == end) {
        return false;
    }
    *member = (member_t){.name = {at, (size_t) ((colon ? colon : end) - at)}};
    if (colon) {
        member->type = (piece_t){colon + 1, (size_t) (end - colon - 1)};
        member->optional = colon [-1] == '?';
        member->name.size -= member->optional;
    }
    *line = end;
    return true;
}

//  Keys of ours are plain ASCII words.
static void
put_key (json_writer_t *out, piece_t name)
{
    char key [80];

    assert (name.size < sizeof key);
    snprintf (key, sizeof key, "%.*s", (int) name.size, name.text);
    json_key (out, key);
}

static const char *
snapshot_type (snapshot_field_t field)
{
    static const char *const TYPES [SNAPSHOT_FIELD_COUNT] = {
#define TYPE_TEXT              "text|null"
#define TYPE_PERCENT           "percent|null"
#define TYPE_NUMBER            "number|null"
#define TYPE_INTEGER           "count|null"
#define TYPE_FLAG              "flag|null"
#define TYPE_TIME              "time|null"
#define TYPE_JSON              "object|null"
#define ROW(kind, name, group) [SNAPSHOT_##name] = TYPE_##kind,
        SNAPSHOT_FIELDS (ROW)
#undef ROW
    };
    switch (field) {
    case SNAPSHOT_worker_id:
    case SNAPSHOT_id: return "uuid";
    case SNAPSHOT_name:
    case SNAPSHOT_region:
    case SNAPSHOT_aws_instance_id: return "text";
    case SNAPSHOT_status: return "status";
    case SNAPSHOT_service_status: return "service";
    case SNAPSHOT_license_status: return "license|null";
    case SNAPSHOT_ec2_freshness:
    case SNAPSHOT_cloudwatch_freshness:
    case SNAPSHOT_cml_freshness: return "freshness";
    case SNAPSHOT_pause_reason: return "pause_reason|null";
    case SNAPSHOT_created_at:
    case SNAPSHOT_updated_at: return "time";
    case SNAPSHOT_is_idle_detection_enabled: return "flag";
    case SNAPSHOT_auto_pause_count:
    case SNAPSHOT_manual_pause_count:
    case SNAPSHOT_auto_resume_count:
    case SNAPSHOT_manual_resume_count: return "count";
    default: return TYPES [field];
    }
}

static void
write_snapshot_field (json_writer_t *out, snapshot_field_t field)
{
    const char *type = snapshot_type (field);

    json_key (out, snapshot_field_name (field));
    write_type (out, (piece_t){type, strlen (type)});
}

//  "*metrics" and "*details": the groups that such an event tells of.
static bool
is_of (piece_t set, snapshot_field_t field)
{
    snapshot_group_t group = snapshot_field_group (field);

    if (strncmp (set.text, "*details", set.size) == 0) {
        return group == SNAPSHOT_GROUP_DETAILS;
    }
    assert (strncmp (set.text, "*metrics", set.size) == 0 && "a set of schema_table.h");
    return group == SNAPSHOT_GROUP_EC2 || group == SNAPSHOT_GROUP_EC2_QUIET ||
           group == SNAPSHOT_GROUP_CLOUDWATCH || group == SNAPSHOT_GROUP_CLOUDWATCH_QUIET ||
           group == SNAPSHOT_GROUP_CML || group == SNAPSHOT_GROUP_CML_QUIET;
}

static void
write_properties (json_writer_t *out, const char *line)
{
    member_t member;

    while (schema_next_member (&line, &member)) {
        if (*member.name.text != '*') {
            put_key (out, member.name);
            write_type (out, member.type);
            continue;
        }
        for (int field = 0; field < SNAPSHOT_FIELD_COUNT; field++) {
            if (is_of (member.name, (snapshot_field_t) field)) {
                write_snapshot_field (out, (snapshot_field_t) field);
            }
        }
    }
}

static void
write_required (json_writer_t *out, const char *line)
{
    member_t member;

    while (schema_next_member (&line, &member)) {
        if (!member.optional && *member.name.text != '*') {
            json_put_text_n (out, member.name.text, member.name.size);
        }
    }
}

static void
open_object (json_writer_t *out)
{
    json_open_object (out);
    json_member_text (out, "type", "object");
    json_member_bool (out, "additionalProperties", false);
}

static void
write_object (json_writer_t *out, const char *line)
{
    open_object (out);
    json_key (out, "properties");
    json_open_object (out);
    write_properties (out, line);
    json_close_object (out);
    json_key (out, "required");
    json_open_array (out);
    write_required (out, line);
    json_close_array (out);
    json_close_object (out);
}

static void
write_snapshot (json_writer_t *out)
{
    open_object (out);
    json_key (out, "properties");
    json_open_object (out);
    for (int field = 0; field < SNAPSHOT_FIELD_COUNT; field++) {
        write_snapshot_field (out, (snapshot_field_t) field);
    }
    json_key (out, "_reason");
    write_type (out, (piece_t){"why_sent", 8});
    json_close_object (out);
    json_key (out, "required");
    json_open_array (out);
    for (int field = 0; field < SNAPSHOT_FIELD_COUNT; field++) {
        json_put_text (out, snapshot_field_name ((snapshot_field_t) field));
    }
    json_close_array (out);
    json_close_object (out);
}

//  [x] and {x}.
static void
write_collection (json_writer_t *out, piece_t type)
{
    bool array = *type.text == '[';

    json_open_object (out);
    json_member_text (out, "type", array ? "array" : "object");
    json_key (out, array ? "items" : "additionalProperties");
    write_type (out, (piece_t){type.text + 1, type.size - 2});
    json_close_object (out);
}

static void
write_known (json_writer_t *out, piece_t type)
{
    assert (type.text && "each member of the table has a type");
    const char *text = find_row (SCHEMA_TYPES, type), *line = find_row (SCHEMA_OBJECTS, type);

    if (*type.text == '[' || *type.text == '{') {
        write_collection (out, type);
    } else if (text) {
        json_put_raw (out, text, strlen (text));
    } else if (line) {
        write_object (out, line);
    } else {
        assert (type.size == 8 && memcmp (type.text, "snapshot", 8) == 0 && "a type of the table");
        write_snapshot (out);
    }
}

static void
write_type (json_writer_t *out, piece_t type)
{
    static const char OR_NULL [] = "|null";
    size_t size = sizeof OR_NULL - 1;

    if (type.size <= size || memcmp (type.text + type.size - size, OR_NULL, size) != 0) {
        write_known (out, type);
        return;
    }
    json_open_object (out);
    json_key (out, "anyOf");
    json_open_array (out);
    write_known (out, (piece_t){type.text, type.size - size});
    json_put_raw (out, "{\"type\":\"null\"}", 15);
    json_close_array (out);
    json_close_object (out);
}

void
schema_write_type (json_writer_t *out, schema_piece_t type)
{
    write_type (out, type);
}

static void
write_head (json_writer_t *out, const char *name)
{
    char id [120];

    snprintf (id, sizeof id, "https://cmlwatch.invalid/schema/%s.json", name);
    json_open_object (out);
    json_member_text (out, "$schema", DIALECT);
    json_member_text (out, "$id", id);
    json_member_text (out, "title", name);
}

//  As observation.h reads it: absent and null are the same there, and are not written.
static void
write_ingest_field (json_writer_t *out, const char *kind, const char *name, size_t bound,
                    const char *from)
{
    static const schema_row_t TYPES [] = {
        {"TEXT", "string"}, {"PERCENT", "number"}, {"INTEGER", "integer"}, {"FLAG", "boolean"},
        {"TIME", "string"}, {"OBJECT", "object"},  {"ARRAY", "array"},     {NULL, NULL}};

    json_key (out, name);
    json_open_object (out);
    json_key (out, "type");
    json_open_array (out);
    json_put_text (out, find_row (TYPES, (piece_t){kind, strlen (kind)}));
    json_put_text (out, "null");
    json_close_array (out);
    if (bound > 0) {
        json_member_integer (out, "maxLength", (int64_t) bound);
    }
    if (strcmp (kind, "TIME") == 0) {
        json_member_text (out, "format", "date-time");
    }
    if (*from) {
        json_member_text (out, "description", from);
    }
    json_close_object (out);
}

static void
write_ingest_data (json_writer_t *out, event_type_t type)
{
    open_object (out);
    json_key (out, "properties");
    json_open_object (out);
    switch (type) {
#define FIELD_OF(kind, name, bound, from) write_ingest_field (out, #kind, #name, bound, from);
#define CASE_OF(symbol, name, fields) \
    case EVENT_##symbol: fields (FIELD_OF) break;
        OBSERVATION_TYPES (CASE_OF)  //  NOLINT(bugprone-branch-clone): reports of a job are alike
    default: assert (false && "a type of ingest");
    }
    json_close_object (out);
    json_close_object (out);
}

static const char INGEST_ATTRIBUTES [] =
    "\"specversion\":{\"const\":\"1.0\"},"
    "\"source\":{\"type\":\"string\",\"maxLength\":200,\"pattern\":\"^/collector/[^/]+/.+$\"},"
    "\"id\":{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{8}-[0-9]{12,}$\"},"
    "\"subject\":{\"type\":\"string\",\"maxLength\":200},"
    "\"time\":{\"type\":\"string\",\"format\":\"date-time\"},"
    "\"datacontenttype\":{\"const\":\"application/json\"},"
    "\"sequence\":{\"type\":\"string\",\"pattern\":\"^[0-9]{12,}$\"},"
    "\"traceparent\":{\"type\":\"string\",\"pattern\":"
    "\"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-|$)\"}";

static void
write_ingest (json_writer_t *out, event_type_t type)
{
    static const char REQUIRED [] =
        "[\"specversion\",\"type\",\"source\",\"id\",\"time\",\"data\"]";

    write_head (out, event_type_document (type));
    if (type == EVENT_WORKER_TELEMETRY_OBSERVED) {
        json_member_bool (out, "deprecated", true);
    }
    json_member_text (out, "type", "object");
    json_member_bool (out, "additionalProperties", false);
    json_key (out, "properties");
    json_open_object (out);
    json_key (out, "type");
    json_open_object (out);
    json_member_text (out, "const", event_type_name (type));
    json_close_object (out);
    buffer_format (out->out, ",%s", INGEST_ATTRIBUTES);
    json_key (out, "data");
    write_ingest_data (out, type);
    json_close_object (out);
    json_member_raw (out, "required", REQUIRED, sizeof REQUIRED - 1);
    json_close_object (out);
}

static void
write_stream (json_writer_t *out, event_type_t type)
{
    static const char REQUIRED [] = "[\"type\",\"source\",\"time\",\"seq\",\"data\"]";
    const char *source = event_type_source (type);

    write_head (out, event_type_name (type));
    json_member_text (out, "type", "object");
    json_member_bool (out, "additionalProperties", false);
    json_key (out, "properties");
    json_open_object (out);
    json_key (out, "type");
    json_open_object (out);
    json_member_text (out, "const", event_type_name (type));
    json_close_object (out);
    json_key (out, "source");
    json_open_object (out);
    if (source) {
        json_member_text (out, "const", source);
    } else {
        json_member_text (out, "pattern", "^domain\\.cml_worker\\.[^.]+_metrics$");
    }
    json_close_object (out);
    json_key (out, "time");
    write_type (out, (piece_t){"time", 4});
    json_key (out, "seq");
    write_type (out, (piece_t){"count|null", 10});
    json_key (out, "data");
    if (type == EVENT_WORKER_SNAPSHOT) {
        write_snapshot (out);
    } else {
        write_object (out, SCHEMA_EVENTS [type]);
    }
    json_close_object (out);
    json_member_raw (out, "required", REQUIRED, sizeof REQUIRED - 1);
    json_close_object (out);
}

//  A document in itself: the head and then the members of what body wrote as an object.
static void
write_document (json_writer_t *out, const char *name, const char *line)
{
    buffer_t body = {0};
    json_writer_t inner = json_writer (&body);

    if (line) {
        write_object (&inner, line);
    } else {
        write_snapshot (&inner);
    }
    write_head (out, name);
    if (!buffer_failed (&body)) {
        buffer_format (out->out, ",%.*s", (int) body.size - 2, body.data + 1);
    }
    json_close_object (out);
    buffer_clear (&body);
}

static size_t
count_rows (const schema_row_t *rows)
{
    size_t count = 0;

    while (rows [count].name) {
        count++;
    }
    return count;
}

//  The event types in their order, then the snapshot, the answers of REST, and monitors' messages.
size_t
schema_count (void)
{
    return EVENT_TYPE_COUNT + 1 + count_rows (SCHEMA_REST) + count_rows (SCHEMA_MONITOR);
}

//  Of an index behind the snapshot's.
static const schema_row_t *
row_of (size_t index)
{
    size_t row = index - EVENT_TYPE_COUNT - 1, rest = count_rows (SCHEMA_REST);

    return row < rest ? &SCHEMA_REST [row] : &SCHEMA_MONITOR [row - rest];
}

const char *
schema_name (size_t index)
{
    assert (index < schema_count ());
    return index < EVENT_TYPE_COUNT    ? event_type_document ((event_type_t) index)
           : index == EVENT_TYPE_COUNT ? "snapshot"
                                       : row_of (index)->name;
}

size_t
schema_find (const char *name)
{
    size_t index = 0;

    while (index < schema_count () && strcmp (schema_name (index), name) != 0) {
        index++;
    }
    return index;
}

void
schema_write (json_writer_t *out, size_t index)
{
    assert (index < schema_count ());

    if (index >= EVENT_TYPE_COUNT) {
        write_document (out, schema_name (index),
                        index == EVENT_TYPE_COUNT ? NULL : row_of (index)->text);
    } else if (event_type_place ((event_type_t) index) == EVENT_PLACE_INGEST) {
        write_ingest (out, (event_type_t) index);
    } else {
        write_stream (out, (event_type_t) index);
    }
}
