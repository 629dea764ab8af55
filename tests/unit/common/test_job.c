#include "../../../common/job.h"

#include "../../../common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static void
each_status_has_a_name_that_leads_back_to_it (void **state)
{
    (void) state;

    for (int status = 0; status < JOB_STATUS_COUNT; status++) {
        assert_int_equal (job_status_parse (job_status_name ((job_status_t) status)), status);
    }
    assert_int_equal (job_status_parse ("done"), JOB_STATUS_COUNT);
    assert_int_equal (job_status_parse (""), JOB_STATUS_COUNT);
    assert_int_equal (job_status_parse (NULL), JOB_STATUS_COUNT);
    assert_null (job_status_name (JOB_STATUS_COUNT));
}

//  Every pair; what is not marked may not be.
static void
only_these_transitions_there_are (void **state)
{
    (void) state;
    static const char *const MAY [JOB_STATUS_COUNT] = {
        //   p a i c f x
        ".a.cfx",  //  pending: completed when all that is left is skipped
        "p.i.fx",  //  assigned
        "p..cfx",  //  in_progress
        "......", "......", "......"};

    for (int from = 0; from < JOB_STATUS_COUNT; from++) {
        for (int to = 0; to < JOB_STATUS_COUNT; to++) {
            bool may = job_status_may_follow ((job_status_t) from, (job_status_t) to);
            if (may != (MAY [from][to] != '.')) {
                fail_msg ("%s to %s: %d", job_status_name ((job_status_t) from),
                          job_status_name ((job_status_t) to), may);
            }
        }
        assert_int_equal (job_status_is_over ((job_status_t) from), from >= JOB_COMPLETED);
        assert_int_equal (job_status_is_active ((job_status_t) from),
                          from == JOB_ASSIGNED || from == JOB_IN_PROGRESS);
    }
}

static void
type_is_a_short_word_of_a_small_alphabet (void **state)
{
    (void) state;
    char longest [JOB_TYPE_SIZE + 1];

    memset (longest, 'a', sizeof longest);
    longest [JOB_TYPE_SIZE] = '\0';
    assert_false (job_type_is_valid (longest));
    longest [JOB_TYPE_SIZE - 1] = '\0';
    assert_true (job_type_is_valid (longest));
    assert_true (job_type_is_valid ("lab.start_2-x"));
    assert_false (job_type_is_valid (""));
    assert_false (job_type_is_valid ("Lab"));
    assert_false (job_type_is_valid ("a b"));
    assert_false (job_type_is_valid ("a|b"));
    assert_false (job_type_is_valid ("a:b"));
    assert_false (job_type_is_valid ("é"));
}

static job_t
parse (const char *text)
{
    _cleanup_ (json_destroy) struct json_object *row = NULL;
    reason_t why = {""};
    job_t job;

    assert_int_equal (json_parse (&row, text, strlen (text), strlen (text), &why), 0);
    if (job_restore (&job, row, &why) < 0) {
        fail_msg ("%s: %s", text, why.text);
    }
    return job;
}

static const char FULL [] =
    "{\"id\":\"5f0c1a7e-0000-4000-8000-000000000001\",\"job_type\":\"metrics.refresh\","
    "\"status\":\"failed\",\"priority\":-7,"
    "\"worker_id\":\"e8f523ea-a9a5-569d-9866-987d0bd076e4\",\"workflow_id\":\"w\","
    "\"client_key\":\"k \\\"1\\\"\",\"payload\":{\"a\":[1,2.5]},\"progress\":62.5,"
    "\"step\":\"cloudwatch\",\"message\":\"half\",\"created_at\":\"2026-11-20T10:00:00.001Z\","
    "\"assigned_at\":\"2026-11-20T10:00:01.000Z\",\"started_at\":\"2026-11-20T10:00:02.000Z\","
    "\"completed_at\":null,\"failed_at\":\"2026-11-20T10:00:03.000Z\",\"cancelled_at\":null,"
    "\"error\":\"no\",\"error_code\":\"forbidden\",\"result\":null,\"submitted_by\":\"me\","
    "\"cancelled_by\":null,\"attempts\":2,\"runner_id\":\"/collector/ec2/a\","
    "\"timeout_seconds\":60,\"kept\":{\"region\":\"us-east-1\",\"instance_id\":\"i-0abc\","
    "\"attempt\":4,\"order\":7,\"end_order\":9,\"gathered\":{\"ec2\":{}}}}";

static void
what_is_saved_is_restored_to_the_byte (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t again = {0};
    _cleanup_ (job_clear) job_t job = parse (FULL);

    job_save (&again, &job);

    assert_string_equal (again.data, FULL);
}

static void
record_is_without_what_only_its_keeper_knows (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t text = {0};
    _cleanup_ (job_clear) job_t job = parse (FULL);
    json_writer_t json = json_writer (&text);

    json_open_object (&json);
    job_write (&json, &job);
    json_close_object (&json);

    assert_null (strstr (text.data, "kept"));
    assert_memory_equal (text.data, FULL, text.size - 1);
}

static void
row_of_an_older_program_is_understood (void **state)
{
    (void) state;
    _cleanup_ (job_clear) job_t job = parse (
        "{\"worker_id\":\"e8f523ea-a9a5-569d-9866-987d0bd076e4\",\"id\":\"x\",\"job_type\":"
        "\"worker."
        "pause\",\"status\":\"pending\",\"priority\":5,\"payload\":{\"reason\":\"idle_timeout\"},"
        "\"progress\":0,\"attempts\":0,\"created_at\":\"2026-11-20T10:00:00.000Z\","
        "\"submitted_by\":\"system\"}");

    assert_int_equal (job.status, JOB_PENDING);
    assert_string_equal (job.payload, "{\"reason\":\"idle_timeout\"}");
    assert_string_equal (job.region, "");
    assert_true (job.assigned_at == TIME_UNKNOWN);
    assert_null (job.runner_id);
}

static void
number_that_nobody_can_have_written_is_as_none (void **state)
{
    (void) state;
    _cleanup_ (job_clear) job_t job =
        parse ("{\"id\":\"x\",\"job_type\":\"a\",\"status\":\"pending\",\"priority\":1001,"
               "\"created_at\":\"2026-11-20T10:00:00.000Z\",\"attempts\":9223372036854775807,"
               "\"timeout_seconds\":9223372036854775807,\"kept\":{\"attempt\":-1,"
               "\"order\":9223372036854775807,\"end_order\":-9223372036854775808}}");

    assert_int_equal (job.priority, JOB_PRIORITY_DEFAULT);
    assert_int_equal (job.attempts, 0);
    assert_int_equal (job.attempt, 0);
    assert_int_equal (job.timeout_seconds, 0);
    assert_int_equal (job.order, 0);
    assert_int_equal (job.end_order, 0);
}

static void
what_is_no_job_is_refused (void **state)
{
    (void) state;
#define ASKED_AT "\"created_at\":\"2026-11-20T10:00:00.000Z\","
    static const char *const WRONG [] = {
        "{}",
        "[]",
        "{" ASKED_AT "\"id\":\"\",\"job_type\":\"a\",\"status\":\"pending\"}",
        "{" ASKED_AT "\"id\":\"x\",\"job_type\":\"A\",\"status\":\"pending\"}",
        "{" ASKED_AT "\"id\":\"x\",\"job_type\":\"a\",\"status\":\"done\"}",
        "{\"id\":\"x\",\"job_type\":\"a\",\"status\":\"pending\"}",
        "{" ASKED_AT "\"id\":\"x\",\"job_type\":\"a\",\"status\":\"completed\",\"failed_at\":"
        "\"2026-11-20T10:00:00.000Z\"}",
        "{" ASKED_AT "\"id\":\"0123456789012345678901234567890123456\",\"job_"
        "type\":\"a\",\"status\":\"pending\"}",
        "{" ASKED_AT
        "\"id\":\"x\",\"job_type\":\"a\",\"status\":\"pending\",\"kept\":{\"region\":\"a|b\"}}",
        "{" ASKED_AT "\"id\":7,\"job_type\":\"a\",\"status\":\"pending\"}"};

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        _cleanup_ (json_destroy) struct json_object *row = NULL;
        reason_t why = {""};
        job_t job;
        assert_int_equal (json_parse (&row, WRONG [i], strlen (WRONG [i]), 1000, &why), 0);
        assert_int_equal (job_restore (&job, row, &why), -EINVAL);
    }
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (each_status_has_a_name_that_leads_back_to_it),
        cmocka_unit_test (only_these_transitions_there_are),
        cmocka_unit_test (type_is_a_short_word_of_a_small_alphabet),
        cmocka_unit_test (what_is_saved_is_restored_to_the_byte),
        cmocka_unit_test (record_is_without_what_only_its_keeper_knows),
        cmocka_unit_test (row_of_an_older_program_is_understood),
        cmocka_unit_test (number_that_nobody_can_have_written_is_as_none),
        cmocka_unit_test (what_is_no_job_is_refused)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
