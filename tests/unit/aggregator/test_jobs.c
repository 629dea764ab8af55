#include "job_rig.h"

static void
job_lives_from_being_asked_for_to_its_end (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = submit (jobs, "build", NULL, 7);

    jobs_assign (jobs, job, "a", now);
    jobs_start (jobs, job, now);
    jobs_complete (jobs, job, "{\"x\":1}", now);

    assert_int_equal (heard_count, 4);
    assert_int_equal (heard [0].event, EVENT_JOB_SUBMITTED);
    assert_int_equal (heard [1].event, EVENT_JOB_ASSIGNED);
    assert_int_equal (heard [2].event, EVENT_JOB_STATUS_UPDATED);
    assert_int_equal (heard [3].event, EVENT_JOB_COMPLETED);
    assert_string_equal (heard [3].runner, "a");
    assert_string_equal (job->result, "{\"x\":1}");
    assert_true (job->progress == 100 && job->attempts == 1 && job->completed_at == now.wall);
    assert_int_equal (jobs_open (jobs), 0);
    assert_int_equal (jobs_count (jobs, JOB_COMPLETED), 1);
    assert_true (jobs_due_at (jobs) == INT64_MAX);
}

static void
what_waits_is_ordered_by_priority_then_age (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *low = submit (jobs, "build", NULL, -5), *old = submit (jobs, "build", NULL, 5),
                *young = submit (jobs, "build", NULL, 5), *high = submit (jobs, "build", NULL, 900);
    const job_t *const wanted [] = {high, old, young, low};

    for (size_t i = 0; i < COUNT (wanted); i++) {
        assert_ptr_equal (first_of (jobs, "build"), wanted [i]);
        jobs_assign (jobs, wanted [i], "a", now);
    }
    assert_null (first_of (jobs, "build"));
    jobs_release (jobs, young, JOB_LOST, "runner_lost", 0, now);
    jobs_release (jobs, old, JOB_LOST, "runner_lost", 0, now);

    assert_ptr_equal (first_of (jobs, "build"), old);  //  it is as old as before
}

static void
same_key_is_the_same_job_as_long_as_it_is_known (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    job_order_t order = order_of ("build", NULL);
    const job_t *first, *again;

    order.client_key = "k";
    assert_int_equal (jobs_submit (jobs, &order, now, &first), JOB_IS_NEW);
    jobs_cancel (jobs, first, "me", NULL, now);
    assert_int_equal (jobs_submit (jobs, &order, now, &again), JOB_IS_KNOWN);
    assert_ptr_equal (first, again);
    pass (73 * HOUR_US);
    jobs_trim (jobs, now);

    assert_int_equal (jobs_submit (jobs, &order, now, &again), JOB_IS_NEW);
    assert_int_equal (forgotten_count, 1);
}

static void
one_job_of_a_built_in_type_is_open_for_a_worker (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);
    _cleanup_ (worker_destroy) worker_t *other = worker_that_runs (2, SERVICE_AVAILABLE);
    const job_t *job = submit (jobs, "worker.pause", worker, INTEGER_UNKNOWN), *open = NULL;
    job_order_t order = order_of ("worker.pause", worker);

    assert_int_equal (jobs_submit (jobs, &order, now, &open), JOB_IS_OPEN);
    assert_ptr_equal (open, job);
    submit (jobs, "worker.pause", other, INTEGER_UNKNOWN);
    submit (jobs, "worker.resume", worker, INTEGER_UNKNOWN);
    jobs_cancel (jobs, job, "me", NULL, now);

    assert_int_equal (jobs_submit (jobs, &order, now, &open), JOB_IS_NEW);
    assert_int_equal (job->priority, 8);
}

static void
what_is_shut_is_refused_and_a_refresh_is_not_asked_for_twice_at_once (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_UNAVAILABLE);
    _cleanup_ (worker_destroy) worker_t *unknown = worker_new ("r", "i-9", AT (0));
    job_order_t order = order_of ("metrics.refresh", unknown);
    const job_t *job;

    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_NOT_RUNNING);
    order.worker = worker;
    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_IS_NEW);
    jobs_cancel (jobs, job, "me", NULL, now);
    pass (SECOND_US / 2);
    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_TOO_SOON);
    assert_null (job);
    assert_int_equal (jobs_wait_seconds (jobs, &order, now), 10);
    pass (10 * SECOND_US);

    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_IS_NEW);
}

static void
no_more_than_jobs_max_are_open (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    job_order_t order = order_of ("build", NULL);
    const job_t *job = NULL;

    for (int64_t i = 0; i < RULES.jobs_max; i++) {
        assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_IS_NEW);
    }
    const job_t *last = job;
    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_TOO_MANY);
    jobs_cancel (jobs, last, "me", NULL, now);

    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_IS_NEW);
}

static void
payloads_of_open_jobs_are_bounded_together (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    job_order_t order = order_of ("build", NULL);
    const job_t *first = NULL, *job = NULL;
    char payload [501];
    snprintf (payload, sizeof payload, "{\"a\":%*d}", 494, 1);
    order.payload = payload;

    assert_int_equal (jobs_submit (jobs, &order, now, &first), JOB_IS_NEW);
    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_IS_NEW);
    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_TOO_LARGE);
    jobs_cancel (jobs, first, "me", NULL, now);

    assert_int_equal (jobs_submit (jobs, &order, now, &job), JOB_IS_NEW);
}

static void
lost_job_is_tried_three_times_in_all (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = submit (jobs, "build", NULL, 5);

    for (int attempt = 1; attempt <= JOB_ATTEMPTS_MAX; attempt++) {
        assert_ptr_equal (first_of (jobs, "build"), job);
        jobs_assign (jobs, job, "a", now);
        assert_int_equal (job->attempt, attempt);
        jobs_release (jobs, job, JOB_LOST, "runner_lost", 0, now);
    }

    assert_int_equal (job->status, JOB_FAILED);
    assert_string_equal (job->error_code, "runner_lost");
    assert_int_equal (job->attempts, JOB_ATTEMPTS_MAX);
}

static void
what_is_given_back_is_no_attempt_but_another_assignment_and_waits_its_time (void **state)
{
    (void) state;
    static const time_us_t RESTS [] = {1, 1, 1, 1, 2, 4, 8, 16, 32, 64, 64, 64};
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = submit (jobs, "build", NULL, 5);

    for (size_t times = 0; times < COUNT (RESTS); times++) {
        jobs_assign (jobs, job, "a", now);
        jobs_release (jobs, job, JOB_GIVEN_BACK, "released", SECOND_US, now);
        assert_int_equal (job->attempts, 0);
        assert_int_equal (job->attempt, times + 1);
        assert_null (first_of (jobs, "build"));
        assert_true (jobs_due_at (jobs) == now.steady + RESTS [times] * SECOND_US);
        pass (RESTS [times] * SECOND_US);
        jobs_do_due (jobs, now);
        assert_ptr_equal (first_of (jobs, "build"), job);
    }
}

static void
what_everybody_gives_back_ends_as_what_nobody_takes (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = submit (jobs, "build", NULL, 5);

    for (int times = 0; times < 100 && job->status != JOB_FAILED; times++) {
        jobs_assign (jobs, job, "a", now);
        jobs_release (jobs, job, JOB_GIVEN_BACK, "released", SECOND_US, now);
        heard_count = 0;
        now = (moment_t){.wall = now.wall, .steady = jobs_due_at (jobs)};
        jobs_do_due (jobs, now);
    }

    assert_int_equal (job->status, JOB_FAILED);
    assert_string_equal (job->error_code, "no_runner");
    assert_true (now.steady == (5 + 60 * 60) * SECOND_US);
}

static void
what_is_given_back_when_it_was_begun_has_all_its_time_again (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = submit (jobs, "build", NULL, 5);

    pass (59 * MINUTE_US);
    jobs_assign (jobs, job, "a", now);
    jobs_start (jobs, job, now);
    pass (2 * MINUTE_US);
    jobs_release (jobs, job, JOB_GIVEN_BACK, "released", 0, now);
    jobs_do_due (jobs, now);

    assert_int_equal (job->status, JOB_PENDING);
    assert_true (jobs_due_at (jobs) == now.steady + 60 * MINUTE_US);
}

static void
attempt_that_takes_too_long_is_over_and_the_time_begins_with_the_assignment (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = submit (jobs, "build", NULL, 5);

    for (int attempt = 1; attempt <= JOB_ATTEMPTS_MAX; attempt++) {
        jobs_assign (jobs, job, "a", now);
        pass (job->timeout_seconds * SECOND_US / 2);
        jobs_start (jobs, job, now);
        pass (job->timeout_seconds * SECOND_US / 2 - 1);
        jobs_do_due (jobs, now);
        assert_int_equal (job->status, JOB_IN_PROGRESS);
        pass (1);
        jobs_do_due (jobs, now);
        assert_int_equal (job->status, attempt < JOB_ATTEMPTS_MAX ? JOB_PENDING : JOB_FAILED);
    }
    assert_string_equal (job->error_code, "timeout");
}

static void
job_that_nobody_takes_fails (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = submit (jobs, "build", NULL, 5);

    pass (60 * MINUTE_US - 1);
    jobs_do_due (jobs, now);
    assert_int_equal (job->status, JOB_PENDING);
    pass (1);
    jobs_do_due (jobs, now);

    assert_int_equal (job->status, JOB_FAILED);
    assert_string_equal (job->error_code, "no_runner");
    assert_null (first_of (jobs, "build"));
}

static void
doubt_is_over_when_it_is_named_again_and_else_it_is_lost (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = submit (jobs, "build", NULL, 5);

    jobs_assign (jobs, job, "a", now);
    jobs_doubt (jobs, job, now.steady + SECOND_US);
    pass (SECOND_US / 2);
    jobs_doubt (jobs, job, now.steady + SECOND_US);  //  the first doubt counts
    jobs_doubt (jobs, job, TIME_UNKNOWN);
    pass (HOUR_US / 100);
    jobs_do_due (jobs, now);
    assert_int_equal (job->status, JOB_ASSIGNED);
    jobs_doubt (jobs, job, now.steady + SECOND_US);
    jobs_doubt (jobs, job, now.steady + 5 * SECOND_US);
    pass (SECOND_US);
    jobs_do_due (jobs, now);

    assert_int_equal (job->status, JOB_PENDING);
    assert_string_equal (heard [heard_count - 1].reason, "not_received");
}

//  --- progress

static const job_t *
job_in_progress (jobs_t *jobs)
{
    const job_t *job = submit (jobs, "build", NULL, 5);

    jobs_assign (jobs, job, "a", now);
    jobs_start (jobs, job, now);
    heard_count = 0;
    return job;
}

static void
progress_is_told_at_most_once_in_its_time_and_the_last_word_wins (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = job_in_progress (jobs);

    for (int percent = 0; percent < 50; percent++) {
        jobs_progress (jobs, job, percent, NULL, percent == 20 ? "twenty" : NULL, now);
    }
    assert_int_equal (heard_count, 1);
    assert_true (job->progress == 0);
    pass (249 * MS_US);
    jobs_do_due (jobs, now);
    assert_int_equal (heard_count, 1);
    pass (MS_US);
    jobs_do_due (jobs, now);
    assert_int_equal (heard_count, 2);
    assert_true (job->progress == 49);
    assert_string_equal (job->message, "twenty");
    pass (250 * MS_US);
    jobs_do_due (jobs, now);

    assert_int_equal (heard_count, 2);  //  nothing more to say
    jobs_progress (jobs, job, 60, NULL, NULL, now);
    assert_int_equal (heard_count, 3);
}

static void
progress_that_was_not_told_is_dropped_with_the_end (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    const job_t *job = job_in_progress (jobs);

    jobs_progress (jobs, job, 10, "one", "first", now);
    jobs_progress (jobs, job, 20, "two", "second", now);
    jobs_fail (jobs, job, "broken", "it broke", now);
    pass (HOUR_US);
    jobs_do_due (jobs, now);

    assert_int_equal (heard_count, 2);
    assert_int_equal (heard [1].event, EVENT_JOB_FAILED);
    assert_true (job->progress == 10);  //  as it was told last
    assert_string_equal (job->step, "one");
    assert_string_equal (job->message, "first");
}

//  --- what is over

static void
what_is_over_is_whole_as_long_as_it_is_of_the_state (void **state)
{
    (void) state;
    jobs_rules_t rules = RULES;
    rules.jobs_keep = 150;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&rules);
    const job_t *first = submit (jobs, "build", NULL, 5);
    jobs_cancel (jobs, first, "me", NULL, now);

    for (int i = 0; i < 149; i++) {
        heard_count = 0;
        const job_t *job = job_in_progress (jobs);
        pass (SECOND_US);
        jobs_complete (jobs, job, "{}", now);
    }
    size_t whole = 0, all = 0;
    for (const job_t *job = jobs_newest (jobs); job; job = jobs_older (job), all++) {
        whole += jobs_is_of_state (job);
        assert_int_equal (jobs_is_of_state (job), job->payload != NULL);
    }
    assert_int_equal (all, 150);
    assert_int_equal (whole, 101);  //  of each kind of end the last hundred
    jobs_trim (jobs, now);
    assert_int_equal (forgotten_count, 0);
    jobs_complete (jobs, job_in_progress (jobs), NULL, now);
    jobs_trim (jobs, now);

    assert_int_equal (forgotten_count, 1);  //  the one that ended first
    assert_int_equal (jobs_count (jobs, JOB_CANCELLED), 0);
}

static void
without_a_store_what_leaves_the_state_is_forgotten (void **state)
{
    (void) state;
    jobs_rules_t rules = RULES;
    rules.is_stored = false;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&rules);
    jobs_cancel (jobs, submit (jobs, "build", NULL, 5), "me", NULL, now);

    for (int i = 0; i < 130; i++) {
        heard_count = 0;
        jobs_complete (jobs, job_in_progress (jobs), "{}", now);
    }

    assert_int_equal (forgotten_count, 30);
    assert_int_equal (jobs_count (jobs, JOB_COMPLETED), 100);
    assert_int_equal (jobs_count (jobs, JOB_CANCELLED), 1);
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (job_lives_from_being_asked_for_to_its_end),
        cmocka_unit_test (what_waits_is_ordered_by_priority_then_age),
        cmocka_unit_test (same_key_is_the_same_job_as_long_as_it_is_known),
        cmocka_unit_test (one_job_of_a_built_in_type_is_open_for_a_worker),
        cmocka_unit_test (what_is_shut_is_refused_and_a_refresh_is_not_asked_for_twice_at_once),
        cmocka_unit_test (no_more_than_jobs_max_are_open),
        cmocka_unit_test (payloads_of_open_jobs_are_bounded_together),
        cmocka_unit_test (lost_job_is_tried_three_times_in_all),
        cmocka_unit_test (
            what_is_given_back_is_no_attempt_but_another_assignment_and_waits_its_time),
        cmocka_unit_test (what_everybody_gives_back_ends_as_what_nobody_takes),
        cmocka_unit_test (what_is_given_back_when_it_was_begun_has_all_its_time_again),
        cmocka_unit_test (
            attempt_that_takes_too_long_is_over_and_the_time_begins_with_the_assignment),
        cmocka_unit_test (job_that_nobody_takes_fails),
        cmocka_unit_test (doubt_is_over_when_it_is_named_again_and_else_it_is_lost),
        cmocka_unit_test (progress_is_told_at_most_once_in_its_time_and_the_last_word_wins),
        cmocka_unit_test (progress_that_was_not_told_is_dropped_with_the_end),
        cmocka_unit_test (what_is_over_is_whole_as_long_as_it_is_of_the_state),
        cmocka_unit_test (without_a_store_what_leaves_the_state_is_forgotten)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
