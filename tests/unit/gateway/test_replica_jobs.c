//  Records of jobs: what an event changes, where a job stands, which are held.

#include "../../../gateway/replica_jobs.h"

#include "gateway_rig.h"

#include <stdlib.h>

#define JOB "11111111-0000-4000-8000-000000000001"

static uint64_t seq;

static int
setup (void **state)
{
    seq = 0;
    *state = replica_jobs_new ();
    return *state ? 0 : -1;
}

static int
teardown (void **state)
{
    replica_jobs_t *self = *state;

    replica_jobs_destroy (&self);
    return 0;
}

static uint64_t
apply (replica_jobs_t *self, event_type_t type, const char *data)
{
    feed_header_t header = header_of (FEED_EVENT, type, WORKER_A, ++seq);

    snprintf (header.job_type, sizeof header.job_type, "render");
    header.priority = -7;
    return replica_jobs_apply (self, &header, data, strlen (data));
}

static void
submit (replica_jobs_t *self, const char *id, const char *created_at)
{
    char data [400];

    snprintf (data, sizeof data,
              "{\"job_id\":\"%s\",\"id\":\"%s\",\"job_type\":\"render\",\"status\":\"pending\","
              "\"payload\":{\"status\":\"lost\",\"progress\":99,\"t\":\"}\\\",\"},\"progress\":0,"
              "\"step\":null,\"created_at\":\"%s\",\"completed_at\":null,\"attempts\":0}",
              id, id, created_at);
    apply (self, EVENT_JOB_SUBMITTED, data);
}

static const char *
record_of (replica_jobs_t *self, const char *id)
{
    const replica_job_t *job = replica_jobs_find (self, id);

    return job ? job->record.data : "";
}

static void
members_of_the_same_name_replace_and_the_new_status_is_the_status (void **state)
{
    replica_jobs_t *self = *state;
    submit (self, JOB, "2026-01-01T00:00:00.000Z");

    apply (self, EVENT_JOB_ASSIGNED,
           "{\"job_id\":\"" JOB "\",\"old_status\":\"pending\",\"new_status\":\"assigned\","
           "\"attempts\":1,\"step\":\"ec2\",\"unheard\":[1]}");
    apply (self, EVENT_JOB_PROGRESS,
           "{\"job_id\":\"" JOB
           "\",\"progress\":33.3,\"step\":\"a \\\"b\\\"\",\"updated_at\":\"x\"}");

    assert_string_equal (
        record_of (self, JOB),
        "{\"id\":\"" JOB "\",\"job_type\":\"render\",\"status\":\"assigned\","
        "\"payload\":{\"status\":\"lost\",\"progress\":99,\"t\":\"}\\\",\"},\"progress\":33.3,"
        "\"step\":\"a \\\"b\\\"\",\"created_at\":\"2026-01-01T00:00:00.000Z\","
        "\"completed_at\":null,\"attempts\":1}");
    assert_true (replica_jobs_find (self, JOB)->is_active);
}

static void
full_state_tells_an_open_job_as_it_stands_under_the_name_of_its_first_event (void **state)
{
    replica_jobs_t *self = *state;
    submit (self, JOB, "2026-01-01T00:00:00.000Z");
    frame_t *before = frame_hold (replica_job_frame (replica_jobs_find (self, JOB)));
    apply (self, EVENT_JOB_STATUS_UPDATED,
           "{\"job_id\":\"" JOB "\",\"new_status\":\"in_progress\"}");
    size_t size;

    const frame_t *frame = replica_job_frame (replica_jobs_find (self, JOB));

    static const char BEGIN [] = "{\"job_id\":\"" JOB "\",\"id\":\"" JOB "\",";
    assert_memory_equal (frame_data (frame, &size), BEGIN, sizeof BEGIN - 1);
    assert_non_null (strstr (frame->bytes, "\"status\":\"in_progress\""));
    assert_non_null (strstr (before->bytes, "\"status\":\"pending\""));
    assert_int_equal (frame->type, EVENT_JOB_SUBMITTED);
    assert_string_equal (frame->worker_id, WORKER_A);
    assert_string_equal (frame->job_type, "render");
    assert_int_equal (frame->priority, -7);
    frame_release (&before);
}

static void
last_hundred_that_ended_are_held_by_when_they_ended (void **state)
{
    replica_jobs_t *self = *state;
    char id [40], data [200];

    for (int i = 0; i < REPLICA_JOBS_KEPT + 20; i++) {
        snprintf (id, sizeof id, "job-%03d", i);
        submit (self, id, "2026-01-01T00:00:00.000Z");
        //  The first ends last.
        snprintf (data, sizeof data,
                  "{\"job_id\":\"%s\",\"new_status\":\"completed\",\"completed_at\":"
                  "\"2026-01-01T01:%02d:%02d.000Z\"}",
                  id, i == 0 ? 59 : i / 60, i % 60);
        apply (self, EVENT_JOB_COMPLETED, data);
    }

    assert_int_equal (replica_jobs_count (self, JOBS_OPEN), 0);
    assert_int_equal (replica_jobs_count (self, JOBS_COMPLETED), REPLICA_JOBS_KEPT);
    assert_string_equal (replica_jobs_first (self, JOBS_COMPLETED)->id, "job-021");
    assert_non_null (replica_jobs_find (self, "job-000"));
    assert_null (replica_jobs_find (self, "job-020"));
    for (const replica_job_t *job = replica_jobs_first (self, JOBS_COMPLETED); job->next;
         job = job->next) {
        assert_true (strcmp (job->since, job->next->since) <= 0);
        assert_ptr_equal (job->next->previous, job);
    }
}

static void
open_jobs_stand_by_their_begin_whoever_has_them (void **state)
{
    replica_jobs_t *self = *state;
    submit (self, "b", "2026-01-01T00:00:02.000Z");
    submit (self, "a", "2026-01-01T00:00:01.000Z");
    submit (self, "c", "2026-01-01T00:00:03.000Z");

    apply (self, EVENT_JOB_ASSIGNED, "{\"job_id\":\"a\",\"new_status\":\"assigned\"}");
    apply (self, EVENT_JOB_CANCELLED, "{\"job_id\":\"b\",\"new_status\":\"cancelled\"}");

    const replica_job_t *first = replica_jobs_first (self, JOBS_OPEN);
    assert_string_equal (first->id, "a");
    assert_true (first->is_active);
    assert_string_equal (first->next->id, "c");
    assert_false (first->next->is_active);
    assert_null (first->next->next);
    assert_int_equal (replica_jobs_count (self, JOBS_CANCELLED), 1);
}

static void
progress_is_the_last_word_until_anything_else_comes_of_the_job (void **state)
{
    replica_jobs_t *self = *state;
    static const char PROGRESS [] = "{\"job_id\":\"" JOB "\",\"progress\":1}";
    submit (self, JOB, "2026-01-01T00:00:00.000Z");

    assert_int_equal (apply (self, EVENT_JOB_PROGRESS, PROGRESS), 0);
    assert_int_equal (apply (self, EVENT_JOB_PROGRESS, PROGRESS), 2);
    assert_int_equal (apply (self, EVENT_JOB_STATUS_UPDATED,
                             "{\"job_id\":\"" JOB "\",\"new_status\":\"pending\"}"),
                      3);
    assert_int_equal (apply (self, EVENT_JOB_PROGRESS, PROGRESS), 0);
    assert_int_equal (
        apply (self, EVENT_JOB_FAILED, "{\"job_id\":\"" JOB "\",\"new_status\":\"failed\"}"), 5);
    assert_int_equal (apply (self, EVENT_JOB_PROGRESS, "{\"job_id\":\"nobody\"}"), 0);
}

static void
record_that_is_cut_or_strange_is_no_job_and_no_harm (void **state)
{
    replica_jobs_t *self = *state;
    static const char *const ROWS [] = {
        "",
        "{",
        "}",
        "[]",
        "null",
        "{\"id\"",
        "{\"id\":",
        "{\"id\":\"",
        "{\"id\":7}",
        "{\"id\":\"\"}",
        "{\"id\":\"1234567890123456789012345678901234567\",\"status\":\"pending\"}"};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        apply (self, EVENT_JOB_SUBMITTED, ROWS [i]);
        apply (self, EVENT_JOB_PROGRESS, ROWS [i]);
    }
    apply (self, EVENT_JOB_SUBMITTED, "{\"id\":\"odd\",\"status\":\"dreaming\"}");
    submit (self, JOB, "2026-01-01T00:00:00.000Z");
    apply (self, EVENT_JOB_PROGRESS, "{\"job_id\":\"" JOB "\",\"progress\":");

    assert_int_equal (replica_jobs_count (self, JOBS_OPEN), 1);
    assert_non_null (strstr (record_of (self, JOB), "\"progress\":0,"));
}

#define WITH_JOBS(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        WITH_JOBS (members_of_the_same_name_replace_and_the_new_status_is_the_status),
        WITH_JOBS (full_state_tells_an_open_job_as_it_stands_under_the_name_of_its_first_event),
        WITH_JOBS (last_hundred_that_ended_are_held_by_when_they_ended),
        WITH_JOBS (open_jobs_stand_by_their_begin_whoever_has_them),
        WITH_JOBS (progress_is_the_last_word_until_anything_else_comes_of_the_job),
        WITH_JOBS (record_that_is_cut_or_strange_is_no_job_and_no_harm)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
