#include "../../../common/digest.h"
#include "../../../gateway/replica.h"

#include "gateway_rig.h"

static void
put (replica_t *replica, const char *worker_id, const char *instance_id, const char *status,
     uint64_t seq)
{
    feed_header_t header = header_of (FEED_STATE, EVENT_UNKNOWN, worker_id, seq);
    char json [300];

    int size = snprintf (json, sizeof json,
                         "{\"worker_id\":\"%s\",\"aws_instance_id\":\"%s\",\"status\":\"%s\"}",
                         worker_id, instance_id, status);
    assert_int_equal (replica_put (replica, &header, json, (size_t) size), 0);
}

static void
what_is_no_object_is_no_worker (void **state)
{
    (void) state;
    static const char *const WRONG [] = {"", "{", "[]", "{\"a\":1", "\"a\":1}"};
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);
    feed_header_t header = header_of (FEED_STATE, EVENT_UNKNOWN, WORKER_A, 1);

    for (size_t i = 0; i < COUNT (WRONG); i++) {
        assert_int_equal (replica_put (replica, &header, WRONG [i], strlen (WRONG [i])), 0);
    }

    assert_int_equal (replica_size (replica), 0);
}

static void
take_away (replica_t *replica, const char *worker_id, uint64_t seq)
{
    feed_header_t header = header_of (FEED_GONE, EVENT_UNKNOWN, worker_id, seq);

    replica_remove (replica, &header);
}

static void
older_state_never_overwrites_newer_whatever_way_it_came (void **state)
{
    (void) state;
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);

    put (replica, WORKER_A, "i-0a", "stopped", 20);
    put (replica, WORKER_A, "i-0a", "running", 19);

    assert_string_equal (replica_find (replica, WORKER_A)->status, "stopped");
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);
    replica_write_worker (replica_find (replica, WORKER_A), NULL, &json);
    assert_string_equal (text.data, "{\"worker_id\":\"" WORKER_A
                                    "\",\"aws_instance_id\":\"i-0a\",\"status\":\"stopped\"}");
}

static void
masked_worker_and_its_digest_lack_what_is_masked_and_nothing_else (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (mask_destroy) mask_t *mask = mask_new ("aws_instance_id", &why);
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (mask);
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);
    uint64_t plain, masked;

    replica_begin (replica);
    put (replica, WORKER_A, "i-0a", "stopped", 20);
    replica_end (replica);

    replica_write_worker (replica_find (replica, WORKER_A), mask, &json);
    assert_string_equal (text.data, "{\"worker_id\":\"" WORKER_A
                                    "\",\"aws_instance_id\":null,\"status\":\"stopped\"}");
    assert_true (replica_digest (replica, false, &plain));
    assert_true (replica_digest (replica, true, &masked));
    assert_true (plain != masked);
    assert_int_equal (masked, digest_of_snapshot (text.data, text.size));
    assert_int_equal (replica_region_digest (replica, true, "us-east-1"), masked);
    take_away (replica, WORKER_A, 21);
    assert_true (replica_digest (replica, true, &masked));
    assert_int_equal (masked, 0);
}

static void
state_of_the_same_number_is_taken_for_it_may_be_a_later_look (void **state)
{
    (void) state;
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);

    put (replica, WORKER_A, "i-0a", "stopped", 20);
    put (replica, WORKER_A, "i-0a", "running", 20);

    assert_string_equal (replica_find (replica, WORKER_A)->status, "running");
}

static void
worker_is_found_by_either_id (void **state)
{
    (void) state;
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);

    put (replica, WORKER_A, "i-0a", "running", 1);
    put (replica, WORKER_B, "i-0b", "running", 1);

    assert_string_equal (replica_find (replica, WORKER_B)->instance_id, "i-0b");
    assert_string_equal (replica_find (replica, "i-0a")->worker_id, WORKER_A);
    assert_null (replica_find (replica, "i-0c"));
    assert_null (replica_find (replica, ""));
}

static void
worker_that_left_is_found_no_more_and_one_with_its_instance_id_takes_its_place (void **state)
{
    (void) state;
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);

    put (replica, WORKER_A, "i-0same", "running", 1);
    put (replica, WORKER_B, "i-0same", "running", 1);
    take_away (replica, replica_find (replica, "i-0same")->worker_id, 2);

    assert_int_equal (replica_size (replica), 1);
    assert_non_null (replica_find (replica, "i-0same"));
    take_away (replica, replica_find (replica, "i-0same")->worker_id, 2);
    assert_null (replica_find (replica, "i-0same"));
    assert_null (replica_next (replica, ""));
}

static void
news_of_leaving_that_is_older_than_the_state_is_ignored (void **state)
{
    (void) state;
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);

    put (replica, WORKER_A, "i-0a", "running", 20);
    take_away (replica, WORKER_A, 19);
    take_away (replica, WORKER_B, 30);

    assert_non_null (replica_find (replica, WORKER_A));
}

static void
workers_come_in_the_order_of_their_ids_and_go_on_after_one_that_is_gone (void **state)
{
    (void) state;
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);

    put (replica, WORKER_B, "i-0b", "running", 1);
    put (replica, WORKER_A, "i-0a", "running", 1);
    const char *first = replica_next (replica, "")->worker_id;

    assert_string_equal (first, WORKER_A);
    take_away (replica, WORKER_A, 2);
    assert_string_equal (replica_next (replica, WORKER_A)->worker_id, WORKER_B);
    assert_null (replica_next (replica, WORKER_B));
}

static void
state_taken_anew_replaces_the_old_at_its_end_whatever_the_numbers (void **state)
{
    (void) state;
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);
    put (replica, WORKER_A, "i-0a", "running", 100);
    put (replica, WORKER_B, "i-0b", "running", 100);

    replica_begin (replica);
    size_t meanwhile = replica_size (replica);
    put (replica, WORKER_A, "i-0a", "stopped", 1);
    replica_end (replica);

    assert_int_equal (meanwhile, 2);
    assert_int_equal (replica_size (replica), 1);
    assert_string_equal (replica_find (replica, "i-0a")->status, "stopped");
    assert_null (replica_find (replica, "i-0b"));
    assert_null (replica_next (replica, WORKER_A));
    put (replica, WORKER_A, "i-0a", "running", 0);
    assert_string_equal (replica_find (replica, "i-0a")->status, "stopped");
}

static void
jobs_of_a_state_take_the_place_of_the_old_when_it_ends_each_in_its_workers_region (void **state)
{
    (void) state;
    static const char JOBS [] =
        "[{\"id\":\"j1\",\"job_type\":\"labs.refresh\",\"status\":\"pending\",\"priority\":-3,"
        "\"worker_id\":\"" WORKER_A "\",\"payload\":{\"x\":0.12345},\"created_at\":null}]";
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);
    struct json_object *jobs = NULL;
    assert_int_equal (json_parse (&jobs, JOBS, sizeof JOBS - 1, sizeof JOBS, NULL), 0);
    replica_jobs_put (replica_jobs (replica), &(feed_header_t){0},
                      "{\"id\":\"old\",\"status\":\"pending\"}", 31);

    replica_begin (replica);
    replica_put_jobs (replica, jobs);
    json_destroy (&jobs);
    bool before = replica_jobs_find (replica_jobs (replica), "old");
    put (replica, WORKER_A, "i-0a", "running", 5);
    replica_end (replica);
    const replica_job_t *job = replica_jobs_find (replica_jobs (replica), "j1");

    assert_true (before);
    assert_null (replica_jobs_find (replica_jobs (replica), "old"));
    assert_string_equal (job->what.region, "us-east-1");
    assert_string_equal (job->what.worker_id, WORKER_A);
    assert_string_equal (job->what.job_type, "labs.refresh");
    assert_int_equal (job->what.priority, -3);
    assert_non_null (strstr (job->record.data, "\"payload\":{\"x\":0.12345}"));
}

static void
numbers_of_the_fleet_are_an_empty_object_before_the_first (void **state)
{
    (void) state;
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (NULL);

    assert_string_equal (replica_stats (replica), "{}");
    replica_set_stats (replica, "{\"a\":1}x", 7);

    assert_string_equal (replica_stats (replica), "{\"a\":1}");
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (older_state_never_overwrites_newer_whatever_way_it_came),
        cmocka_unit_test (what_is_no_object_is_no_worker),
        cmocka_unit_test (masked_worker_and_its_digest_lack_what_is_masked_and_nothing_else),
        cmocka_unit_test (state_of_the_same_number_is_taken_for_it_may_be_a_later_look),
        cmocka_unit_test (worker_is_found_by_either_id),
        cmocka_unit_test (
            worker_that_left_is_found_no_more_and_one_with_its_instance_id_takes_its_place),
        cmocka_unit_test (news_of_leaving_that_is_older_than_the_state_is_ignored),
        cmocka_unit_test (workers_come_in_the_order_of_their_ids_and_go_on_after_one_that_is_gone),
        cmocka_unit_test (state_taken_anew_replaces_the_old_at_its_end_whatever_the_numbers),
        cmocka_unit_test (
            jobs_of_a_state_take_the_place_of_the_old_when_it_ends_each_in_its_workers_region),
        cmocka_unit_test (numbers_of_the_fleet_are_an_empty_object_before_the_first)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
