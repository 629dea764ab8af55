#include "../../../aggregator/runners.h"

#include "job_rig.h"

#define RUNNERS_MAX 3

static runner_offer_t
offer_of (const char *types, const char *workers, const char *regions, int64_t concurrency)
{
    return (runner_offer_t){.types = types ? json_tokener_parse (types) : NULL,
                            .workers = workers ? json_tokener_parse (workers) : NULL,
                            .regions = regions ? json_tokener_parse (regions) : NULL,
                            .concurrency = concurrency};
}

static void
put_offer (runner_offer_t *offer)
{
    json_object_put (offer->types);
    json_object_put (offer->workers);
    json_object_put (offer->regions);
}

static runner_t *
hear (runners_t *runners, const char *id, const char *types, const char *workers,
      const char *regions)
{
    runner_offer_t offer = offer_of (types, workers, regions, 2);
    reason_t why = {""};

    assert_int_equal (runners_check (&offer, &why), 0);
    runner_t *runner = runners_hear (runners, id, &offer, now.steady);
    put_offer (&offer);
    return runner;
}

static void
runner_takes_what_it_says_and_nothing_else (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (runners_destroy) runners_t *runners = runners_new (RUNNERS_MAX);
    _cleanup_ (worker_destroy) worker_t *one = worker_that_runs (1, SERVICE_AVAILABLE);
    _cleanup_ (worker_destroy) worker_t *other = worker_new ("elsewhere", "i-2", AT (0));
    const job_t *of_none = submit (jobs, "build", NULL, 9),
                *of_one = submit (jobs, "build", one, 5),
                *of_other = submit (jobs, "build", other, 7),
                *test = submit (jobs, "test", NULL, 1);
    char worker [64];
    snprintf (worker, sizeof worker, "[\"%s\"]", worker_id (one));
    const struct {
        const char *types, *workers, *regions;
        const job_t *wanted;
    } rows [] = {{"[\"build\"]", NULL, NULL, of_none},
                 {"[\"test\",\"build\"]", NULL, NULL, of_none},
                 {"[\"test\"]", NULL, NULL, test},
                 {"[\"buil\"]", NULL, NULL, NULL},
                 {"[]", NULL, NULL, NULL},
                 {NULL, NULL, NULL, NULL},
                 {"[\"build\"]", worker, NULL, of_one},
                 {"[\"build\"]", NULL, "[\"elsewhere\"]", of_other},
                 {"[\"build\"]", worker, "[\"elsewhere\"]", of_other},
                 {"[\"build\"]", "[\"nobody\"]", "[\"nowhere\"]", NULL}};

    for (size_t i = 0; i < COUNT (rows); i++) {
        const runner_t *runner =
            hear (runners, "a", rows [i].types, rows [i].workers, rows [i].regions);
        if (runner_choose (runner, jobs_queue (jobs)) != rows [i].wanted) {
            fail_msg ("row %zu", i);
        }
    }
    assert_int_equal (runners_count (runners), 1);
}

static void
built_in_work_is_its_owners_whatever_a_runner_says (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (runners_destroy) runners_t *runners = runners_new (RUNNERS_MAX);
    _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);
    owner_of_all = "b";
    const job_t *job = submit (jobs, "worker.pause", worker, 5);

    const runner_t *a = hear (runners, "a", "[\"worker.pause\"]", NULL, "[\"r\"]");
    const runner_t *b = hear (runners, "b", "[\"worker.pause\"]", NULL, NULL);

    assert_null (runner_choose (a, jobs_queue (jobs)));
    assert_ptr_equal (runner_choose (b, jobs_queue (jobs)), job);
}

static void
offer_that_is_none_is_refused (void **state)
{
    (void) state;
    static const struct {
        const char *types, *workers;
        int64_t concurrency;
    } WRONG [] = {{"[\"a\"]", NULL, 0},      {"[\"a\"]", NULL, 1001}, {"[7]", NULL, 1},
                  {"[\"\"]", NULL, 1},       {"[\"a|b\"]", NULL, 1},  {"[null]", NULL, 1},
                  {"[\"a\"]", "[\"|\"]", 1}, {"[\"a\"]", "[{}]", 1}};

    for (size_t i = 0; i < COUNT (WRONG); i++) {
        runner_offer_t offer =
            offer_of (WRONG [i].types, WRONG [i].workers, NULL, WRONG [i].concurrency);
        reason_t why = {""};
        if (runners_check (&offer, &why) >= 0 || !*why.text) {
            fail_msg ("row %zu", i);
        }
        put_offer (&offer);
    }
}

static void
no_more_than_there_may_be_and_no_more_than_it_can_hold (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (runners_destroy) runners_t *runners = runners_new (2);
    runner_t *runner = hear (runners, "a", "[\"build\"]", NULL, NULL);
    const job_t *one = submit (jobs, "build", NULL, 5), *two = submit (jobs, "build", NULL, 5);

    runner_hold (runner, one);
    assert_true (runner_has_room (runner));
    runner_hold (runner, two);
    assert_false (runner_has_room (runner));
    runner_drop (runner, one);
    assert_true (runner_has_room (runner));
    assert_non_null (hear (runners, "b", "[]", NULL, NULL));
    assert_null (hear (runners, "c", "[]", NULL, NULL));
    assert_non_null (hear (runners, "a", "[]", NULL, NULL));
    runner_drop (runner, two);
}

static void
who_waits_longest_is_first_and_who_waits_shortest_is_due (void **state)
{
    (void) state;
    _cleanup_ (runners_destroy) runners_t *runners = runners_new (RUNNERS_MAX);
    runner_t *a = hear (runners, "a", "[]", NULL, NULL), *b = hear (runners, "b", "[]", NULL, NULL),
             *c = hear (runners, "c", "[]", NULL, NULL);
    int questions [3];

    assert_true (runners_due_at (runners) == INT64_MAX);
    runners_park (runners, b, &questions [1], 30);
    runners_park (runners, a, &questions [0], 10);
    runners_park (runners, c, &questions [2], 20);
    assert_ptr_equal (runners_waiting (runners), b);
    assert_true (runners_due_at (runners) == 10);
    assert_ptr_equal (runners_unpark (runners, a), &questions [0]);
    assert_true (runners_due_at (runners) == 20);
    assert_ptr_equal (b->next, c);
    assert_ptr_equal (runners_unpark (runners, b), &questions [1]);
    assert_ptr_equal (runners_waiting (runners), c);
    assert_ptr_equal (runners_unpark (runners, c), &questions [2]);

    assert_null (runners_waiting (runners));
    assert_null (runners_unpark (runners, c));
}

static void
who_was_not_heard_is_silent (void **state)
{
    (void) state;
    _cleanup_ (runners_destroy) runners_t *runners = runners_new (RUNNERS_MAX);
    hear (runners, "a", "[]", NULL, NULL);
    pass (SECOND_US);
    hear (runners, "b", "[]", NULL, NULL);

    assert_null (runners_silent (runners, now.steady - SECOND_US));
    runner_t *silent = runners_silent (runners, now.steady - SECOND_US / 2);
    assert_string_equal (silent->id, "a");
    runners_remove (runners, silent);

    assert_null (runners_find (runners, "a"));
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (runner_takes_what_it_says_and_nothing_else),
        cmocka_unit_test (built_in_work_is_its_owners_whatever_a_runner_says),
        cmocka_unit_test (offer_that_is_none_is_refused),
        cmocka_unit_test (no_more_than_there_may_be_and_no_more_than_it_can_hold),
        cmocka_unit_test (who_waits_longest_is_first_and_who_waits_shortest_is_due),
        cmocka_unit_test (who_was_not_heard_is_silent)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
