//  Events in the words of the monitor protocol.

#include "../../../common/schema.h"
#include "../../../common/schema_table.h"
#include "../../../gateway/filter.h"
#include "../../../gateway/monitor_form.h"
#include "../../../gateway/websocket.h"
#include "gateway_rig.h"

#include <stdlib.h>

#define JOB_ID "11111111-2222-4333-8444-555555555555"
#define TIME   "2026-11-20T10:30:00.123Z"
#define MS     "1795170600123"

static frame_t *
event_of (event_type_t type, const char *data)
{
    feed_header_t header = header_of (FEED_EVENT, type, WORKER_A, 42);
    char json [2000];

    int size = snprintf (json, sizeof json,
                         "{\"type\":\"%s\",\"source\":\"of it\",\"time\":\"" TIME
                         "\",\"seq\":42,\"data\":%s}",
                         event_type_name (type), data);
    return frame_of_event (&header, 0, json, (size_t) size);
}

//  The message's JSON, and that the frame is a whole one around it.
static const char *
text_of (const frame_t *form)
{
    static char text [4000];
    char head [WEBSOCKET_HEAD_SIZE];
    size_t size = form->size - form->json_offset;

    assert_int_equal (websocket_write_head (head, size), form->json_offset);
    assert_memory_equal (form->bytes, head, form->json_offset);
    assert_memory_equal (form->bytes + form->size - 2, "\n\n", 2);
    snprintf (text, sizeof text, "%.*s", (int) size - 2, form->bytes + form->json_offset);
    return text;
}

static void
assert_form (event_type_t type, const char *data, const char *wanted)
{
    frame_t *frame = event_of (type, data);
    char whole [2000];

    snprintf (whole, sizeof whole,
              "{%s,\"timestamp\":" MS ",\"event_id\":\"" EPOCH "-42\",\"seq\":42,\"source\":\"of "
              "it\"}",
              wanted);
    assert_string_equal (text_of (monitor_form (frame, NULL, NULL)), whole);
    frame_release (&frame);
}

static void
events_are_flat_and_have_the_older_names (void **state)
{
    (void) state;
    assert_form (EVENT_WORKER_STATUS_UPDATED,
                 "{\"worker_id\":\"w\",\"old_status\":\"pending\",\"new_status\":\"running\","
                 "\"updated_at\":\"" TIME "\"}",
                 "\"type\":\"worker_status_changed\",\"worker_id\":\"w\",\"old_status\":"
                 "\"pending\",\"new_status\":\"running\",\"updated_at\":\"" TIME "\"");
    assert_form (
        EVENT_WORKER_DISCONNECTED, "{\"worker_id\":\"w\",\"at\":\"" TIME "\",\"reason\":null}",
        "\"type\":\"worker_disconnected\",\"worker_id\":\"w\",\"at\":\"" TIME "\",\"reason\":null");
    assert_form (EVENT_SYSTEM_STATS, "{\"total_workers\":1,\"by_status\":{\"running\":1}}",
                 "\"type\":\"system_stats\",\"stats\":{\"total_workers\":1,\"by_status\":{"
                 "\"running\":1}}");
    assert_form (EVENT_WORKER_SNAPSHOT, "{\"worker_id\":\"x\",\"status\":\"running\"}",
                 "\"type\":\"worker_snapshot\",\"worker_id\":\"" WORKER_A
                 "\",\"worker_data\":{\"worker_id\":\"x\",\"status\":\"running\"}");
    assert_form (EVENT_COLLECTOR_LEFT, "{\"collector_id\":\"c\"}",
                 "\"type\":\"collector_left\",\"collector_id\":\"c\"");
    assert_form (EVENT_WORKER_LAB_STATE_CHANGED, "{}", "\"type\":\"worker_lab_state_changed\"");
}

static void
jobs_have_their_times_in_milliseconds (void **state)
{
    (void) state;
    assert_form (EVENT_JOB_SUBMITTED,
                 "{\"job_id\":\"" JOB_ID "\",\"id\":\"" JOB_ID
                 "\",\"status\":\"pending\",\"created_at\":\"" TIME
                 "\",\"started_at\":null,\"payload\":{\"read_at\":\"" TIME "\"}}",
                 "\"type\":\"job_submitted\",\"job_id\":\"" JOB_ID
                 "\",\"job_data\":{\"id\":\"" JOB_ID "\",\"status\":\"pending\",\"created_at\":" MS
                 ",\"started_at\":null,\"payload\":{\"read_at\":\"" TIME "\"}}");
    assert_form (EVENT_JOB_ASSIGNED,
                 "{\"job_id\":\"j\",\"worker_id\":\"w\",\"old_status\":\"pending\",\"new_status\":"
                 "\"assigned\",\"assigned_at\":\"" TIME "\"}",
                 "\"type\":\"job_assigned\",\"job_id\":\"j\",\"worker_id\":\"w\",\"old_status\":"
                 "\"pending\",\"new_status\":\"assigned\",\"assigned_at\":" MS);
    assert_form (EVENT_JOB_STATUS_UPDATED, "{\"job_id\":\"j\",\"updated_at\":\"" TIME "\"}",
                 "\"type\":\"job_status_changed\",\"job_id\":\"j\",\"updated_at\":" MS);
    assert_form (EVENT_JOB_PROGRESS, "{\"job_id\":\"j\",\"progress\":7.5}",
                 "\"type\":\"job_progress\",\"job_id\":\"j\",\"progress\":7.5");
    assert_form (
        EVENT_JOB_COMPLETED,
        "{\"job_id\":\"j\",\"result\":{\"a\":[1,{\"b_at\":\"" TIME "\"}]},\"completed_at\":\"" TIME
        "\"}",
        "\"type\":\"job_completed\",\"job_id\":\"j\",\"result\":{\"a\":[1,{\"b_at\":\"" TIME
        "\"}]},\"completed_at\":" MS);
    assert_form (EVENT_JOB_FAILED,
                 "{\"job_id\":\"j\",\"error\":\"a \\\"b_at\\\":\",\"failed_at\":\"" TIME "\"}",
                 "\"type\":\"job_failed\",\"job_id\":\"j\",\"error\":\"a \\\"b_at\\\":\","
                 "\"failed_at\":" MS);
    assert_form (EVENT_JOB_CANCELLED, "{\"job_id\":\"j\",\"cancelled_at\":\"not a time\"}",
                 "\"type\":\"job_cancelled\",\"job_id\":\"j\",\"cancelled_at\":\"not a time\"");
}

//  The envelope's names are beside the data's: no event may have such a member.
static void
no_event_has_a_member_of_the_envelopes_names (void **state)
{
    static const char *const NAMES [] = {"type", "timestamp", "event_id", "seq", "source"};
    static const char *const UNDER [] = {"worker_data", "job_data", "stats"};
    schema_member_t member;

    (void) state;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if (event_type_place ((event_type_t) type) != EVENT_PLACE_FEED) {
            continue;
        }
        const char *line = SCHEMA_EVENTS [type];
        while (line && schema_next_member (&line, &member)) {
            for (size_t i = 0; i < COUNT (NAMES) + COUNT (UNDER); i++) {
                const char *name = i < COUNT (NAMES) ? NAMES [i] : UNDER [i - COUNT (NAMES)];
                assert_false (strlen (name) == member.name.size &&
                              memcmp (name, member.name.text, member.name.size) == 0);
            }
        }
    }
}

static void
no_two_events_have_one_name (void **state)
{
    char names [EVENT_TYPE_COUNT][MONITOR_NAME_SIZE];

    (void) state;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        bool told = event_type_place ((event_type_t) type) != EVENT_PLACE_INGEST;
        monitor_form_name ((event_type_t) type, told ? event_type_name ((event_type_t) type) : "",
                           names [type]);
        assert_null (strchr (names [type], '.'));
        for (int other = 0; told && other < type; other++) {
            assert_string_not_equal (names [type], names [other]);
        }
    }
}

static void
event_newer_than_this_gateway_goes_by_the_rule (void **state)
{
    feed_header_t header = header_of (FEED_EVENT, EVENT_UNKNOWN, WORKER_A, 7);
    static const char JSON [] = "{\"type\":\"moon.phase.changed\",\"time\":\"" TIME
                                "\",\"seq\":7,\"data\":{\"phase\":\"full\"}}";

    (void) state;
    snprintf (header.type_name, sizeof header.type_name, "moon.phase.changed");
    frame_t *frame = frame_of_event (&header, 0, JSON, sizeof JSON - 1);
    assert_string_equal (text_of (monitor_form (frame, NULL, NULL)),
                         "{\"type\":\"moon_phase_changed\",\"phase\":\"full\",\"timestamp\":" MS
                         ",\"event_id\":\"" EPOCH "-7\",\"seq\":7}");
    frame_release (&frame);
}

static void
form_is_made_once_and_shared (void **state)
{
    frame_t *frame = event_of (EVENT_SYSTEM_STATS, "{}");

    (void) state;
    frame_t *form = monitor_form (frame, NULL, NULL);
    assert_ptr_equal (monitor_form (frame, NULL, NULL), form);
    assert_int_equal (form->seq, 42);
    assert_int_equal (form->references, 1);
    frame_release (&frame);
}

static void
who_is_told_less_of_a_worker_is_so_when_it_connects (void **state)
{
    reason_t why;
    mask_t *mask = mask_new ("public_ip", &why);
    replica_t *replica = replica_new (mask);
    feed_header_t header = header_of (FEED_EVENT, EVENT_WORKER_SNAPSHOT, WORKER_A, 41);
    view_t *view = view_new ();
    filter_t *all = filter_new (1), *less = filter_new (1);
    static const char SNAPSHOT [] =
        "{\"worker_id\":\"" WORKER_A "\",\"status\":\"running\",\"public_ip\":\"1.2.3.4\"}";

    (void) state;
    assert_int_equal (replica_put (replica, &header, SNAPSHOT, sizeof SNAPSHOT - 1), 0);
    view->mask = mask;
    filter_see (less, view);
    all->monitor = less->monitor = replica;
    frame_t *frame =
        event_of (EVENT_WORKER_CONNECTED, "{\"worker_id\":\"" WORKER_A "\",\"at\":\"" TIME "\"}");

    const char *text = text_of (filter_form (all, frame));
    assert_non_null (strstr (text, "\"type\":\"worker_connected\",\"worker_id\":\"" WORKER_A "\""));
    assert_non_null (strstr (text, "\"worker_data\":{"));
    assert_non_null (strstr (text, "\"public_ip\":\"1.2.3.4\""));
    assert_non_null (strstr (text, "\"connected_at\":\"" TIME "\"}"));

    assert_non_null (strstr (text_of (filter_form (less, frame)), "\"public_ip\":null"));
    assert_non_null (strstr (text_of (filter_form (all, frame)), "1.2.3.4"));

    frame_release (&frame);
    filter_release (&all);
    filter_release (&less);
    view_release (&view);
    replica_destroy (&replica);
    mask_destroy (&mask);
}

static void
jobs_of_a_state_are_as_in_the_events (void **state)
{
    static const char JOBS [] =
        "{\"pending\":[{\"job_id\":\"j\",\"id\":\"j\",\"created_at\":\"" TIME
        "\"},{\"id\":\"k\",\"payload\":{\"a_at\":\"" TIME
        "\"}}],\"active\":[],\"completed\":[],\"failed\":[{\"failed_at\":\"" TIME "\"}]}";
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    (void) state;
    monitor_form_jobs (JOBS, sizeof JOBS - 1, &json);
    assert_string_equal (out.data, "{\"pending\":[{\"id\":\"j\",\"created_at\":" MS
                                   "},{\"id\":\"k\",\"payload\":{\"a_at\":\"" TIME
                                   "\"}}],\"active\":[],\"completed\":[],\"failed\":[{"
                                   "\"failed_at\":" MS "}]}");
    buffer_clear (&out);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (events_are_flat_and_have_the_older_names),
        cmocka_unit_test (jobs_have_their_times_in_milliseconds),
        cmocka_unit_test (no_event_has_a_member_of_the_envelopes_names),
        cmocka_unit_test (no_two_events_have_one_name),
        cmocka_unit_test (event_newer_than_this_gateway_goes_by_the_rule),
        cmocka_unit_test (form_is_made_once_and_shared),
        cmocka_unit_test (who_is_told_less_of_a_worker_is_so_when_it_connects),
        cmocka_unit_test (jobs_of_a_state_are_as_in_the_events),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
