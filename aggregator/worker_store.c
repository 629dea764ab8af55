// worker_store.c - a worker to a line of JSON and back; see worker.h.
//
// The snapshot is written by the one writer of snapshots. Beside it stands what it does not show:
// when each source last spoke, its loads, its labs, what was told. Times inside are microseconds,
// for order hangs on them; -1 stands for a time that never was.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "worker_state.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT    1
#define LINE_MOST ((size_t) 16 * 1024 * 1024)

//  --- out

static void
member_at (json_writer_t *json, const char *key, time_us_t at)
{
    json_member_integer (json, key, at == TIME_UNKNOWN ? -1 : at);
}

static void
write_load (json_writer_t *json, const char *key, const utilization_t *load)
{
    json_key (json, key);
    json_open_object (json);
    json_member_number (json, "cpu", load->cpu);
    json_member_number (json, "memory", load->memory);
    json_member_number (json, "storage", load->storage);
    json_close_object (json);
}

static void
write_sources (const worker_t *self, json_writer_t *json)
{
    json_key (json, "sources");
    json_open_object (json);
    for (int each = 0; each < SOURCE_COUNT; each++) {
        const source_state_t *source = &self->sources [each];
        json_key (json, worker_source_name ((worker_source_t) each));
        json_open_object (json);
        member_at (json, "at", source->at);
        member_at (json, "good_at", source->good_at);
        json_member_integer (json, "freshness", source->freshness);
        json_member_integer (json, "interval_seconds", source->interval_seconds);
        json_member_text (json, "error", source->error);
        json_close_object (json);
    }
    json_close_object (json);
}

static void
write_others (const worker_t *self, json_writer_t *json)
{
    json_key (json, "others");
    json_open_array (json);
    for (size_t i = 0; i < self->others_count; i++) {
        const other_load_t *other = &self->others [i];
        json_open_object (json);
        json_member_text (json, "kind", other->kind);
        member_at (json, "at", other->at);
        json_member_bool (json, "counts", other->counts);
        write_load (json, "load", &other->load);
        json_close_object (json);
    }
    json_close_array (json);
}

static void
write_elements (const worker_t *self, json_writer_t *json)
{
    json_key (json, "elements");
    json_open_array (json);
    for (size_t i = 0; self->elements && i < WORKER_ELEMENTS; i++) {
        json_open_array (json);
        json_put_integer (json, (int64_t) (self->elements [i].element >> 1));
        json_put_integer (json, self->elements [i].element & 1);
        json_put_integer (json, self->elements [i].at == TIME_UNKNOWN ? -1 : self->elements [i].at);
        json_close_array (json);
    }
    json_close_array (json);
    json_member_integer (json, "elements_next", (int64_t) self->elements_next);
}

static void
write_inside (const worker_t *self, json_writer_t *json)
{
    json_open_object (json);
    json_member_integer (json, "status", self->status);
    json_member_integer (json, "service", self->service);
    json_member_bool (json, "connected", self->connected);
    json_member_bool (json, "paused", self->paused);
    json_member_integer (json, "power", self->power);
    json_member_integer (json, "service_worse", self->service_worse);
    member_at (json, "status_at", self->status_at);
    member_at (json, "labs_at", self->labs_at);
    member_at (json, "activity_at", self->activity_at);
    write_sources (self, json);
    write_load (json, "cml_load", &self->cml_load);
    write_load (json, "cloudwatch_load", &self->cloudwatch_load);
    write_others (self, json);
    write_elements (self, json);
    json_member_raw (json, "labs", worker_labs (self), strlen (worker_labs (self)));
    json_member_integer (json, "labs_total", self->labs_total);
    json_member_raw (json, "activity_events", worker_activity_events (self),
                     strlen (worker_activity_events (self)));
    json_close_object (json);
}

void
worker_save (const worker_t *self, worker_text_t written, buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_member_integer (&json, "format", FORMAT);
    json_key (&json, "snapshot");
    if (written.bytes) {
        json_put_raw (&json, written.bytes, written.size);
        buffer_append (out, "}", 1);
    } else {
        snapshot_t snapshot = worker_snapshot (self);
        snapshot_write (&json, &snapshot, NULL);
    }
    json_key (&json, "inside");
    write_inside (self, &json);
    json_close_object (&json);
}

//  --- and back

static int64_t
integer_of (const json_node_t *object, const char *key)
{
    int64_t value = 0;

    (void) json_node_integer (json_node_get (object, key), &value);
    return value;
}

static time_us_t
at_of (const json_node_t *object, const char *key)
{
    int64_t at = -1;

    (void) json_node_integer (json_node_get (object, key), &at);
    return at == -1 ? TIME_UNKNOWN : at;
}

static bool
flag_of (const json_node_t *object, const char *key)
{
    bool value = false;

    (void) json_node_bool (json_node_get (object, key), &value);
    return value;
}

static double
number_of (const json_node_t *object, const char *key)
{
    double value;

    return json_node_number (json_node_get (object, key), &value) ? value : UNKNOWN;
}

static char *
line_of (const json_node_t *tree)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    if (!tree) {
        return NULL;
    }
    json_put_node (&json, tree);
    if (buffer_failed (&text)) {
        buffer_clear (&text);
    }
    return text.data;
}

static char *
text_of (const json_node_t *object, const char *key)
{
    const char *text = json_node_get_text (object, key);

    return text ? strdup (text) : NULL;
}

static flag_t
snapshot_flag_of (const json_node_t *object, const char *key)
{
    bool value;

    return !json_node_bool (json_node_get (object, key), &value) ? FLAG_UNKNOWN
           : value                                               ? FLAG_YES
                                                                 : FLAG_NO;
}

//  What the snapshot shows and state does not hold: it comes from inside.
static bool
is_shown_only (snapshot_field_t field)
{
    switch (snapshot_field_group (field)) {
    case SNAPSHOT_GROUP_IDENTITY:
    case SNAPSHOT_GROUP_STATUS:
    case SNAPSHOT_GROUP_SERVICE:
    case SNAPSHOT_GROUP_FRESHNESS: return true;
    default: break;
    }
    return field == SNAPSHOT_ec2_last_checked_at ||
           field == SNAPSHOT_cloudwatch_last_collected_at || field == SNAPSHOT_cml_last_synced_at;
}

static void
read_TEXT (const json_node_t *from, const char *key, const char **slot)
{
    *slot = text_of (from, key);
}

static void
read_JSON (const json_node_t *from, const char *key, const char **slot)
{
    *slot = line_of (json_node_get (from, key));
}

static void
read_PERCENT (const json_node_t *from, const char *key, double *slot)
{
    *slot = number_of (from, key);
}

static void
read_NUMBER (const json_node_t *from, const char *key, double *slot)
{
    *slot = number_of (from, key);
}

static void
read_INTEGER (const json_node_t *from, const char *key, int64_t *slot)
{
    *slot = INTEGER_UNKNOWN;
    (void) json_node_integer (json_node_get (from, key), slot);
}

static void
read_FLAG (const json_node_t *from, const char *key, flag_t *slot)
{
    *slot = snapshot_flag_of (from, key);
}

static void
read_TIME (const json_node_t *from, const char *key, time_us_t *slot)
{
    *slot = TIME_UNKNOWN;
    (void) json_node_time (json_node_get (from, key), slot);
}

static void
read_snapshot (worker_t *self, const json_node_t *snapshot)
{
#define READ(kind, name, group)                           \
    if (!is_shown_only (SNAPSHOT_##name)) {               \
        read_##kind (snapshot, #name, &self->state.name); \
    }
    SNAPSHOT_FIELDS (READ)
#undef READ
}

static void
read_load (const json_node_t *from, const char *key, utilization_t *load)
{
    const json_node_t *object = json_node_get_object (from, key);

    *load = (utilization_t){.cpu = number_of (object, "cpu"),
                            .memory = number_of (object, "memory"),
                            .storage = number_of (object, "storage")};
}

static void
read_sources (worker_t *self, const json_node_t *inside, time_us_t steady)
{
    const json_node_t *sources = json_node_get_object (inside, "sources");

    for (int each = 0; each < SOURCE_COUNT; each++) {
        source_state_t *source = &self->sources [each];
        const json_node_t *from =
            json_node_get_object (sources, worker_source_name ((worker_source_t) each));
        int64_t freshness = integer_of (from, "freshness");
        source->at = at_of (from, "at");
        source->good_at = at_of (from, "good_at");
        source->freshness = freshness < FRESH_ABSENT || freshness > FRESH_ERROR
                                ? FRESH_ABSENT
                                : (freshness_t) freshness;
        source->interval_seconds = integer_of (from, "interval_seconds");
        source->error = text_of (from, "error");
        if (source->freshness == FRESH_FRESH || source->freshness == FRESH_ERROR) {
            source->stale_at = freshness_deadline (source->interval_seconds, steady);
        }
    }
}

static void
read_others (worker_t *self, const json_node_t *inside, time_us_t steady)
{
    const json_node_t *others = json_node_get_array (inside, "others");

    if (json_node_count (others) == 0 ||
        !(self->others = calloc (WORKER_KINDS_MAX, sizeof *self->others))) {
        return;
    }
    FOR_EACH_NODE (from, others)
    {
        if (self->others_count == WORKER_KINDS_MAX) {
            break;
        }
        other_load_t *other = &self->others [self->others_count++];
        const char *kind = json_node_get_text (from, "kind");
        snprintf (other->kind, sizeof other->kind, "%s", kind ? kind : "");
        other->at = at_of (from, "at");
        other->counts = flag_of (from, "counts");
        other->stale_at = other->counts ? freshness_deadline (0, steady) : NO_DEADLINE;
        read_load (from, "load", &other->load);
    }
}

//  [half of the element, its last bit, when].
static void
read_element (element_seen_t *out, const json_node_t *row)
{
    int64_t numbers [3] = {0};
    size_t at = 0;

    FOR_EACH_NODE (number, row)
    {
        if (at < 3) {
            (void) json_node_integer (number, &numbers [at++]);
        }
    }
    *out = (element_seen_t){.element = (uint64_t) numbers [0] << 1 | (uint64_t) numbers [1],
                            .at = numbers [2] == -1 ? TIME_UNKNOWN : numbers [2]};
}

static void
read_elements (worker_t *self, const json_node_t *inside)
{
    const json_node_t *elements = json_node_get_array (inside, "elements");
    size_t at = 0;

    if (json_node_count (elements) == 0 ||
        !(self->elements = calloc (WORKER_ELEMENTS, sizeof *self->elements))) {
        return;
    }
    FOR_EACH_NODE (row, elements)
    {
        if (at == WORKER_ELEMENTS) {
            break;
        }
        read_element (&self->elements [at++], row);
    }
    self->elements_next = (size_t) integer_of (inside, "elements_next");
}

static void
read_inside (worker_t *self, const json_node_t *inside, time_us_t steady)
{
    int64_t status = integer_of (inside, "status"), service = integer_of (inside, "service");
    int64_t power = integer_of (inside, "power");

    self->status =
        status < 0 || status >= WORKER_STATUS_COUNT ? WORKER_UNKNOWN : (worker_status_t) status;
    self->service = service < SERVICE_UNAVAILABLE || service > SERVICE_ERROR
                        ? SERVICE_UNAVAILABLE
                        : (worker_service_t) service;
    self->power = power < POWER_UNKNOWN || power > POWER_DOWN ? POWER_UNKNOWN : (power_t) power;
    self->connected = flag_of (inside, "connected");
    self->paused = flag_of (inside, "paused");
    self->service_worse = integer_of (inside, "service_worse");
    self->status_at = at_of (inside, "status_at");
    self->labs_at = at_of (inside, "labs_at");
    self->activity_at = at_of (inside, "activity_at");
    read_sources (self, inside, steady);
    read_load (inside, "cml_load", &self->cml_load);
    read_load (inside, "cloudwatch_load", &self->cloudwatch_load);
    read_others (self, inside, steady);
    read_elements (self, inside);
    self->labs =
        self->labs_at == TIME_UNKNOWN ? NULL : line_of (json_node_get_array (inside, "labs"));
    self->labs_total = integer_of (inside, "labs_total");
    self->activity_events = line_of (json_node_get_array (inside, "activity_events"));
}

worker_t *
worker_restore (const char *text, size_t size, time_us_t steady, reason_t *why)
{
    _cleanup_ (json_doc_clear) json_doc_t doc = {0};
    _cleanup_ (worker_destroy) worker_t *self = NULL;

    if (json_doc_read (&doc, text, size, LINE_MOST, why) < 0) {
        return NULL;
    }
    const json_node_t *tree = json_doc_root (&doc);
    const json_node_t *snapshot = json_node_get_object (tree, "snapshot");
    const json_node_t *inside = json_node_get_object (tree, "inside");
    const char *region = json_node_get_text (snapshot, "region");
    const char *instance_id = json_node_get_text (snapshot, "aws_instance_id");
    time_us_t created_at;
    if (integer_of (tree, "format") != FORMAT || !region || !instance_id || !inside ||
        strchr (region, '|') || strchr (instance_id, '|') ||
        !json_node_time (json_node_get (snapshot, "created_at"), &created_at)) {
        reason_set (why, -EINVAL,
                    "a worker's row lacks format %d, region, instance id, created_at or inside",
                    FORMAT);
        return NULL;
    }
    self = worker_new (region, instance_id, 0);
    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    read_snapshot (self, snapshot);
    read_inside (self, inside, steady);
    return take_ptr (self);
}
