//  Jobs on a stream: what is left out for one that is slow or asked for less, and what never is.

#include "stream_rig.h"

#define JOB_A "a0000000-0000-4000-8000-00000000000a"
#define JOB_B "b0000000-0000-4000-8000-00000000000b"

//  As the feed brings it. mark stands in it, and makes it so large.
static void
say_job (event_type_t type, const char *id, const char *status, const char *mark, size_t padding)
{
    feed_header_t header = header_of (FEED_EVENT, type, WORKER_A, ++rig.seq);
    _cleanup_ (buffer_clear) buffer_t data = {0}, json = {0};

    snprintf (header.job_type, sizeof header.job_type, "render");
    header.priority = 3;
    buffer_format (&data, "{\"job_id\":\"%s\",\"id\":\"%s\",\"%s\":\"%s\",\"message\":\"%s", id, id,
                   type == EVENT_JOB_SUBMITTED ? "status" : "new_status", status, mark);
    for (size_t i = 0; i < padding; i++) {
        buffer_append (&data, &"0123456789abcdef" [(i * 7 + i / 16 + rig.seq) % 16], 1);
    }
    buffer_text (&data, "\"}");
    buffer_format (&json, "{\"type\":\"%s\",\"seq\":%llu,\"data\":%s}", event_type_name (type),
                   (unsigned long long) rig.seq, data.data);
    assert_true (event_log_append (rig.log, &header, json.data, json.size));
    event_log_supersede (
        rig.log, replica_jobs_apply (replica_jobs (rig.replica), &header, data.data, data.size),
        type);
}

static void
progress (const char *id, const char *mark, size_t padding)
{
    say_job (EVENT_JOB_PROGRESS, id, "in_progress", mark, padding);
}

//  Of the only client.
static const char *
client_id (char id [17])
{
    buffer_t clients = {0};
    json_writer_t json = json_writer (&clients);

    hub_write_clients (rig.hub, NULL, &json);
    const char *at = strstr (clients.data, "\"id\":\"");
    snprintf (id, 17, "%s", at ? at + strlen ("\"id\":\"") : "");
    buffer_clear (&clients);
    return at ? id : NULL;
}

static void
reader_that_is_far_behind_gets_the_newest_progress_of_each_job_and_every_end (void **state)
{
    (void) state;
    peer_t *slow = open_stream (NULL, NULL, NULL, false);
    forget (slow);
    say_job (EVENT_JOB_SUBMITTED, JOB_A, "pending", "begin of a", 0);
    say_job (EVENT_JOB_SUBMITTED, JOB_B, "pending", "begin of b", 0);
    for (int i = 0; i < 2000; i++) {
        progress (i % 2 ? JOB_A : JOB_B, "between", 1500);
        turn ();
    }
    progress (JOB_A, "last of a", 0);
    say_job (EVENT_JOB_COMPLETED, JOB_A, "completed", "end of a", 0);
    progress (JOB_B, "last of b", 0);
    turn ();

    const char *text = hear (slow);

    assert_true (has_in_order (
        text, IN_ORDER ("begin of a", "begin of b", "last of a", "end of a", "last of b")));
    assert_in_range (times (text, "between"), 0, 1900);
    assert_int_equal ((size_t) value_of ("cmlwatch_gateway_conflated_total") +
                          times (text, "event: job.progress\n"),
                      2002);
    assert_int_equal (times (text, "system.reset"), 0);
    progress (JOB_B, "live again", 0);
    turn ();
    assert_int_equal (times (hear (slow), "live again"), 1);
}

static void
state_tells_open_jobs_as_they_stand_and_those_that_ended_not (void **state)
{
    (void) state;
    say_job (EVENT_JOB_SUBMITTED, JOB_A, "pending", "begin of a", 0);
    say_job (EVENT_JOB_SUBMITTED, JOB_B, "pending", "begin of b", 0);
    say_job (EVENT_JOB_ASSIGNED, JOB_A, "assigned", "where a is", 0);
    say_job (EVENT_JOB_FAILED, JOB_B, "failed", "end of b", 0);

    const char *text = hear (open_stream (NULL, NULL, NULL, false));

    assert_true (has_in_order (text, IN_ORDER ("{\"workers\":0,\"jobs\":1}",
                                               "event: job.submitted\n", "\"status\":\"assigned\"",
                                               "where a is", "event: system.state.end\n")));
    assert_int_equal (times (text, JOB_B), 0);
}

static void
rhythm_tells_the_newest_progress_at_its_tick_and_none_behind_the_end (void **state)
{
    (void) state;
    peer_t *peer = open_stream ("max_hz", "20", NULL, false);
    forget (peer);
    say_job (EVENT_JOB_SUBMITTED, JOB_A, "pending", "begin of a", 0);
    say_job (EVENT_JOB_SUBMITTED, JOB_B, "pending", "begin of b", 0);
    progress (JOB_A, "first of all", 0);
    turn ();
    forget (peer);  //  the first tick comes at once
    for (int i = 0; i < 5; i++) {
        progress (JOB_A, "between", 0);
        progress (JOB_B, "between", 0);
    }
    progress (JOB_A, "last of a", 0);
    progress (JOB_B, "last of b", 0);
    say_job (EVENT_JOB_COMPLETED, JOB_A, "completed", "end of a", 0);
    turn ();
    assert_int_equal (times (hear (peer), "last of"), 0);
    for (int i = 0; i < 200 && times (peer->text, "last of b") == 0; i++) {
        loop_turn (rig.loop, 10);
        (void) hear (peer);
    }

    assert_true (has_in_order (peer->text, IN_ORDER ("end of a", "last of b")));
    assert_int_equal (times (peer->text, "last of a"), 0);
    assert_int_equal (times (peer->text, "between"), 0);
}

static void
stream_of_progress_alone_hears_the_last_of_it_although_the_job_has_ended (void **state)
{
    (void) state;
    peer_t *peer = open_stream ("topics", "jobs:progress", NULL, false);
    char id [17];
    filter_t *filter;
    forget (peer);
    assert_non_null (client_id (id));
    filter = filter_copy (hub_filter (rig.hub, id));
    assert_int_equal (filter_set (filter, "max_hz", "20", NULL), 0);
    assert_int_equal (hub_change (rig.hub, id, filter), 0);
    say_job (EVENT_JOB_SUBMITTED, JOB_A, "pending", "begin of a", 0);
    progress (JOB_A, "first of all", 0);
    turn ();
    progress (JOB_A, "last of a", 0);
    say_job (EVENT_JOB_COMPLETED, JOB_A, "completed", "end of a", 0);
    for (int i = 0; i < 200 && times (peer->text, "last of a") == 0; i++) {
        loop_turn (rig.loop, 10);
        (void) hear (peer);
    }

    assert_int_equal (times (peer->text, "last of a"), 1);
    assert_int_equal (times (peer->text, "begin of a") + times (peer->text, "end of a"), 0);
}

static void
filter_that_is_changed_takes_nothing_with_it_that_waited_for_a_tick (void **state)
{
    (void) state;
    peer_t *peer = open_stream ("max_hz", "0.01", NULL, false);
    char id [17];
    say_job (EVENT_JOB_SUBMITTED, JOB_A, "pending", "begin of a", 0);
    progress (JOB_A, "first of all", 0);
    turn ();
    forget (peer);
    progress (JOB_A, "last of a", 0);
    say (EVENT_WORKER_SNAPSHOT, WORKER_A, "snapshot", 0);
    turn ();
    assert_int_equal (times (hear (peer), "last of a"), 0);
    assert_non_null (client_id (id));

    filter_t *filter = filter_copy (hub_filter (rig.hub, id));
    assert_int_equal (filter_unset (filter, "max_hz", NULL), 0);
    assert_int_equal (hub_change (rig.hub, id, filter), 0);

    assert_int_equal (times (hear (peer), "last of a"), 1);
    assert_int_equal (times (peer->text, "\"mark\":\"snapshot\""), 1);
    progress (JOB_A, "at once", 0);
    turn ();
    assert_int_equal (times (hear (peer), "at once"), 1);
}

//  One that is behind reads its ticks out of the log as well, and what comes before a job's
//  progress there comes before it here.
static void
rhythm_of_one_that_is_behind_keeps_a_jobs_order (void **state)
{
    (void) state;
    peer_t *slow = open_stream ("max_hz", "100", NULL, false);
    forget (slow);
    for (int i = 0; i < 400; i++) {
        say (EVENT_WORKER_LABS_UPDATED, WORKER_A, "large", 2000);
        turn ();
    }
    say_job (EVENT_JOB_SUBMITTED, JOB_A, "pending", "begin of a", 0);
    progress (JOB_A, "progress of a", 0);
    for (int i = 0; i < 100; i++) {
        say (EVENT_WORKER_LABS_UPDATED, WORKER_A, "large", 2000);
        loop_turn (rig.loop, 1);
    }
    assert_true (value_of ("cmlwatch_gateway_clients_behind") == 1);

    for (int i = 0; i < 200 && times (slow->text, "progress of a") == 0; i++) {
        loop_turn (rig.loop, 5);
        (void) hear (slow);
    }

    assert_true (has_in_order (slow->text, IN_ORDER ("begin of a", "progress of a")));
}

static void
filter_that_lets_more_jobs_through_brings_them_as_they_stand (void **state)
{
    (void) state;
    peer_t *peer = open_stream ("job_types", "labs.refresh", NULL, false);
    char id [17];
    say_job (EVENT_JOB_SUBMITTED, JOB_A, "pending", "begin of a", 0);
    say_job (EVENT_JOB_ASSIGNED, JOB_A, "assigned", "where a is", 0);
    turn ();
    assert_int_equal (times (hear (peer), JOB_A), 0);
    assert_non_null (client_id (id));

    filter_t *filter = filter_copy (hub_filter (rig.hub, id));
    assert_int_equal (filter_unset (filter, "job_types", NULL), 0);
    assert_int_equal (hub_change (rig.hub, id, filter), 0);
    assert_true (has_in_order (hear (peer), IN_ORDER ("event: job.submitted\n", "where a is")));
    forget (peer);
    filter = filter_copy (hub_filter (rig.hub, id));
    assert_int_equal (filter_set (filter, "min_priority", "1", NULL), 0);
    assert_int_equal (hub_change (rig.hub, id, filter), 0);

    assert_int_equal (times (hear (peer), JOB_A), 0);  //  it has that one
    progress (JOB_A, "goes on", 0);
    turn ();
    assert_int_equal (times (hear (peer), "goes on"), 1);
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown (test, rig_setup, rig_teardown)

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        WITH_RIG (reader_that_is_far_behind_gets_the_newest_progress_of_each_job_and_every_end),
        WITH_RIG (state_tells_open_jobs_as_they_stand_and_those_that_ended_not),
        WITH_RIG (rhythm_tells_the_newest_progress_at_its_tick_and_none_behind_the_end),
        WITH_RIG (stream_of_progress_alone_hears_the_last_of_it_although_the_job_has_ended),
        WITH_RIG (filter_that_is_changed_takes_nothing_with_it_that_waited_for_a_tick),
        WITH_RIG (rhythm_of_one_that_is_behind_keeps_a_jobs_order),
        WITH_RIG (filter_that_lets_more_jobs_through_brings_them_as_they_stand)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
