#include "../../../aggregator/jobs_store.h"

#include "store_rig.h"

#define ASKED_AT "'created_at':'2026-11-20T10:00:00.000Z',"

static const char ID [] = "5f0c1a7e-0000-4000-8000-000000000001";

static void
put_row (store_t *store, const char *id, const char *row)
{
    char text [1000];

    snprintf (text, sizeof text, "%s", row);
    swap_quotes (text, sizeof text);
    store_put (store, STORE_JOBS, id, text, strlen (text));
}

//  The only job there is; the caller clears it.
static job_t
only_job (store_t *store)
{
    reason_t why = {""};
    job_t *jobs = NULL;
    size_t count = 0;

    assert_int_equal (jobs_store_load (store, &jobs, &count, &why), 0);
    assert_int_equal (count, 1);
    job_t job = jobs [0];
    free (jobs);
    return job;
}

static void
job_is_found_again_as_it_was_put (void **state)
{
    _cleanup_ (store_destroy) store_t *store = open_store (*state);
    _cleanup_ (buffer_clear) buffer_t before = {0}, after = {0}, one = {0};
    job_t job;

    job_init (&job);
    snprintf (job.id, sizeof job.id, "%s", ID);
    snprintf (job.type, sizeof job.type, "build");
    job_set_text (&job.submitted_by, "me");
    job_set_text (&job.payload, "{\"a\":1}");
    job.timeout_seconds = 5;
    job.order = 9;
    job.created_at = AT (0);
    jobs_store_put (store, &job);
    commit (store);
    job_save (&before, &job);
    job_t loaded = only_job (store), got;
    job_save (&after, &loaded);
    assert_true (jobs_store_get (store, ID, &got));
    job_save (&one, &got);
    jobs_store_forget (store, &job);
    commit (store);

    assert_string_equal (after.data, before.data);
    assert_string_equal (one.data, before.data);
    assert_int_equal (store_count (store, STORE_JOBS), 0);
    job_clear (&job);
    job_clear (&loaded);
    assert_false (jobs_store_get (store, ID, &got));
    job_clear (&got);
}

static void
what_is_no_job_is_left_and_the_others_are_read (void **state)
{
    _cleanup_ (store_destroy) store_t *store = open_store (*state);

    put_row (store, "a", "hello");
    put_row (store, "b", "{" ASKED_AT "'id':'b','job_type':'build','status':'pending'}");
    put_row (store, "c", "{" ASKED_AT "'id':'c','job_type':'build','status':'unheard of'}");
    put_row (store, "d", "{" ASKED_AT "'id':'b','job_type':'build','status':'pending'}");
    put_row (store, "e", "{'id':'e','job_type':'build','status':'pending'}");
    commit (store);
    job_t job = only_job (store);

    assert_string_equal (job.id, "b");
    assert_int_equal (job.timeout_seconds, 300);
    assert_string_equal (job.submitted_by, "system");
    assert_int_equal (store_count (store, STORE_JOBS), 5);
    job_clear (&job);
}

static void
step_that_there_is_not_goes_back_to_the_first (void **state)
{
    static const struct {
        const char *row, *step;
    } ROWS [] = {
        {"{" ASKED_AT "'id':'a','job_type':'metrics.refresh','status':'pending','step':'cml'}",
         "cml"},
        {"{" ASKED_AT "'id':'a','job_type':'metrics.refresh','status':'pending','step':'tea'}",
         "ec2"},
        {"{" ASKED_AT "'id':'a','job_type':'metrics.refresh','status':'pending'}", "ec2"},
        {"{" ASKED_AT "'id':'a','job_type':'worker.pause','status':'pending','step':'tea'}", NULL},
        {"{" ASKED_AT "'id':'a','job_type':'build','status':'pending','step':'tea'}", "tea"}};
    _cleanup_ (store_destroy) store_t *store = open_store (*state);

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        put_row (store, "a", ROWS [i].row);
        commit (store);
        job_t job = only_job (store);
        assert_int_equal (job.step == NULL, ROWS [i].step == NULL);
        if (job.step) {
            assert_string_equal (job.step, ROWS [i].step);
        }
        job_clear (&job);
    }
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    static const struct CMUnitTest TESTS [] = {
        TEST (job_is_found_again_as_it_was_put),
        TEST (what_is_no_job_is_left_and_the_others_are_read),
        TEST (step_that_there_is_not_goes_back_to_the_first)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
