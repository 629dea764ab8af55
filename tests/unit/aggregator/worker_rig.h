// worker_rig.h - a worker that is told things as collectors say them, at times of our own.
//
// What is told is the data of an observation with ' for ", decoded by the very table that the
// aggregator uses; what is seen is the JSON of one snapshot field, again with ' for ".
#ifndef TESTS_UNIT_AGGREGATOR_WORKER_RIG_H
#define TESTS_UNIT_AGGREGATOR_WORKER_RIG_H

#include "../../../aggregator/worker.h"
#include "../../../common/cleanup.h"
#include "../../../common/worker_id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define COUNT(array) (sizeof (array) / sizeof *(array))

//  Wall time of the fake clock: 2023-11-14T22:13:20.000Z and these seconds.
#define AT(seconds)    ((time_us_t) (1700000000 + (seconds)) * SECOND_US)
#define AT_TEXT(mm_ss) "'2023-11-14T22:" mm_ss ".000Z'"  //  AT (0) is 13:20

static inline void
swap_quotes (char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        text [i] = (char) (text [i] == '\'' ? '"' : text [i] == '"' ? '\'' : text [i]);
    }
}

static inline worker_change_t
apply (worker_t *worker, const char *kind, const observation_t *said, time_us_t at)
{
    switch (said->envelope.type) {
    case EVENT_INSTANCE_OBSERVED:
        return strcmp (kind, "cml") == 0
                   ? worker_update_listed (worker, &said->instance_observed, at)
                   : worker_update_ec2 (worker, &said->instance_observed, at);
    case EVENT_UTILIZATION_OBSERVED:
        return strcmp (kind, "cloudwatch") == 0
                   ? worker_update_cloudwatch (worker, &said->utilization_observed, at)
                   : worker_update_other (worker, kind, &said->utilization_observed, at);
    case EVENT_SYSTEM_OBSERVED: return worker_update_cml (worker, &said->system_observed, at);
    case EVENT_LABS_OBSERVED: return worker_update_labs (worker, &said->labs_observed, at);
    case EVENT_LAB_STATE_CHANGED:
        return worker_update_lab_state (worker, &said->lab_state_changed, at);
    case EVENT_ACTIVITY_OBSERVED:
        return worker_update_activity (worker, &said->activity_observed, at);
    default: return worker_update_telemetry (worker, &said->worker_telemetry_observed, at);
    }
}

//  The kind of collector matters to utilisation, and to who lists an instance.
static inline worker_change_t
tell_from (worker_t *worker, const char *kind, event_type_t type, const char *data, int64_t seconds)
{
    _cleanup_ (buffer_clear) buffer_t json = {0}, body = {0};
    observation_t said;
    reason_t why = {""};

    buffer_text (&json, data);
    swap_quotes (json.data, json.size);
    envelope_write (&body, type, "/collector/any/host", "0123abcd", 1, "us-east-1/i-0abc",
                    AT (seconds), NULL, json.data, json.size);
    if (observation_decode (&said, body.data, body.size, OBSERVATION_BYTES_MAX, &why) < 0) {
        fail_msg ("%s: %s", data, why.text);
    }
    worker_change_t change = apply (worker, kind, &said, said.envelope.time);
    observation_clear (&said);
    return change;
}

#define tell(worker, type, data, seconds) \
    tell_from (worker, "cloudwatch", EVENT_##type, data, seconds)

static inline worker_t *
new_worker (void)
{
    worker_t *worker = worker_new ("us-east-1", "i-0abc", AT (0));

    assert_non_null (worker);
    return worker;
}

//  EC2 said so at AT (1).
static inline worker_t *
running_worker (void)
{
    worker_t *worker = new_worker ();

    tell (worker, INSTANCE_OBSERVED, "{'state':'running','public_ip':'203.0.113.7'}", 1);
    assert_int_equal (worker_status (worker), WORKER_RUNNING);
    return worker;
}

//  The canonical snapshot as it goes out; the caller frees it.
static inline char *
snapshot_text (const worker_t *worker)
{
    snapshot_t snapshot = worker_snapshot (worker);
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    snapshot_write (&json, &snapshot, NULL);
    assert_false (buffer_failed (&text));
    return text.data;
}

static inline void
check_field (const worker_t *worker, snapshot_field_t field, const char *wanted, const char *file,
             int line)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);
    snapshot_t snapshot = worker_snapshot (worker);
    field_set_t one = {0};

    field_set_add (&one, field);
    json_open_object (&json);
    snapshot_write_fields (&json, &snapshot, &one);
    json_close_object (&json);
    swap_quotes (text.data, text.size);
    const char *value = strchr (text.data, ':') + 1;
    int size = (int) (text.size - 1 - (size_t) (value - text.data));
    if (strlen (wanted) != (size_t) size || strncmp (value, wanted, (size_t) size) != 0) {
        print_error ("%s is %.*s, not %s\n", snapshot_field_name (field), size, value, wanted);
        _fail (file, line);
    }
}

#define assert_field(worker, name, wanted) \
    check_field (worker, SNAPSHOT_##name, wanted, __FILE__, __LINE__)

//  What was done left every byte of the snapshot as it was.
static inline void
check_unchanged (const worker_t *worker, const char *before, const char *file, int line)
{
    _cleanup_ (string_destroy) char *after = snapshot_text (worker);

    if (strcmp (before, after) != 0) {
        print_error ("was %s\nis  %s\n", before, after);
        _fail (file, line);
    }
}

#define assert_unchanged(worker, before) check_unchanged (worker, before, __FILE__, __LINE__)

#endif
