// The built-in types: their table, their gates, and how a job goes through its steps.
#include "../../../aggregator/job_types.h"

#include "job_rig.h"

static worker_t *
worker_of_status (worker_status_t status)
{
    worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);

    worker_update_status (worker, status, AT (9));
    return worker;
}

static void
table_of_types_says_who_runs_what (void **state)
{
    (void) state;
    static const struct {
        const char *type, *capability, *kind;
        double from, to;
    } ROWS [] = {{"metrics.refresh", "metrics.refresh:ec2", "ec2", 0, 50},
                 {"metrics.refresh", "metrics.refresh:cloudwatch", "cloudwatch", 50, 75},
                 {"metrics.refresh", "metrics.refresh:cml", "cml", 75, 100},
                 {"labs.refresh", "labs.refresh", "cml", 0, 100},
                 {"worker.pause", "worker.pause", "ec2", 0, 100},
                 {"worker.resume", "worker.resume", "ec2", 0, 100},
                 {"monitoring.enable", "monitoring.enable", "ec2", 0, 100}};
    size_t row = 0;

    for (size_t i = 0; job_type_at (i); i++) {
        for (const job_step_t *step = job_type_at (i)->steps; step->kind; step++, row++) {
            char capability [JOB_CAPABILITY_SIZE];
            job_capability (capability, job_type_at (i)->name, step->name);
            assert_string_equal (job_type_at (i)->name, ROWS [row].type);
            assert_string_equal (capability, ROWS [row].capability);
            assert_string_equal (step->kind, ROWS [row].kind);
            assert_true (step->from == ROWS [row].from && step->to == ROWS [row].to);
            assert_ptr_equal (job_type_step (job_type_at (i), step->name), step);
        }
        assert_ptr_equal (job_type_find (job_type_at (i)->name), job_type_at (i));
    }
    assert_int_equal (row, COUNT (ROWS));
    assert_null (job_type_find ("build"));
    assert_null (job_type_find (NULL));
    assert_null (job_type_step (job_type_find ("metrics.refresh"), "cml2"));
}

static void
gate_is_open_as_the_worker_is (void **state)
{
    (void) state;
    static const char *const OPEN [WORKER_STATUS_COUNT] = {
        //  there, running, readable, available
        [WORKER_PENDING] = "1000",  [WORKER_STARTING] = "1000",   [WORKER_RUNNING] = "1111",
        [WORKER_STOPPING] = "1000", [WORKER_STOPPED] = "1000",    [WORKER_SHUTTING_DOWN] = "0000",
        [WORKER_FAILED] = "1000",   [WORKER_TERMINATED] = "0000", [WORKER_UNKNOWN] = "1000"};

    for (int status = 0; status < WORKER_STATUS_COUNT; status++) {
        _cleanup_ (worker_destroy) worker_t *worker = worker_of_status ((worker_status_t) status);
        for (int gate = GATE_THERE; gate <= GATE_AVAILABLE; gate++) {
            if (job_gate_is_open ((job_gate_t) gate, worker) != (OPEN [status][gate] == '1')) {
                fail_msg ("%s, gate %d", worker_status_name ((worker_status_t) status), gate);
            }
            assert_false (job_gate_is_open ((job_gate_t) gate, NULL));
        }
    }
    _cleanup_ (worker_destroy) worker_t *deaf = worker_that_runs (1, SERVICE_UNAVAILABLE);
    assert_true (job_gate_is_open (GATE_READABLE, deaf));
    assert_false (job_gate_is_open (GATE_AVAILABLE, deaf));
}

static const job_step_t *
step_named (const char *name)
{
    return job_type_step (job_type_find ("metrics.refresh"), name);
}

static void
take (jobs_t *jobs, const job_t *job, const char *runner)
{
    jobs_assign (jobs, job, runner, now);
    jobs_start (jobs, job, now);
}

static void
job_of_three_steps_waits_for_each_runner_in_turn (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);
    const job_t *job = submit (jobs, "metrics.refresh", worker, INTEGER_UNKNOWN);

    assert_string_equal (job->step, "ec2");
    take (jobs, job, "e");
    jobs_step_done (jobs, job, "{\"a\":1}", step_named ("cloudwatch"), now);
    assert_int_equal (job->status, JOB_PENDING);
    assert_true (job->progress == 50 && job->attempts == 0 && job->attempt == 1);
    assert_string_equal (heard [heard_count - 1].reason, "next_step");
    assert_string_equal (heard [heard_count - 1].runner, "e");
    take (jobs, job, "c");
    jobs_step_done (jobs, job, NULL, step_named ("cml"), now);
    assert_true (job->progress == 75 && job->attempt == 2);
    take (jobs, job, "m");
    assert_null (job->result);
    jobs_step_done (jobs, job, "{}", NULL, now);

    assert_int_equal (job->status, JOB_COMPLETED);
    assert_string_equal (job->result, "{\"ec2\":{\"a\":1},\"cml\":{}}");
}

static void
steps_that_are_skipped_are_named_in_the_result (void **state)
{
    (void) state;
    static const struct {
        const char *after_ec2, *result;  //  the step that is open then; null: none
    } ROWS [] = {{"cml", "{\"ec2\":{},\"skipped\":[\"cloudwatch\"],\"cml\":{}}"},
                 {NULL, "{\"ec2\":{},\"skipped\":[\"cloudwatch\",\"cml\"]}"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
        _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);
        const job_t *job = submit (jobs, "metrics.refresh", worker, INTEGER_UNKNOWN);
        take (jobs, job, "e");
        jobs_step_done (jobs, job, "{}",
                        ROWS [i].after_ec2 ? step_named (ROWS [i].after_ec2) : NULL, now);
        if (ROWS [i].after_ec2) {
            take (jobs, job, "m");
            jobs_step_done (jobs, job, "{}", NULL, now);
        }
        assert_int_equal (job->status, JOB_COMPLETED);
        assert_string_equal (job->result, ROWS [i].result);
    }
}

static void
steps_are_skipped_while_the_job_waits_too (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);
    owner_of_all = "m";
    const job_t *job = submit (jobs, "metrics.refresh", worker, INTEGER_UNKNOWN);
    take (jobs, job, "e");
    jobs_step_done (jobs, job, NULL, step_named ("cloudwatch"), now);

    jobs_step_done (jobs, job, NULL, step_named ("cml"), now);
    assert_int_equal (job->status, JOB_PENDING);
    assert_null (job_queue_first (jobs_queue (jobs), "metrics.refresh:cloudwatch", 'o', "m"));
    assert_non_null (job_queue_first (jobs_queue (jobs), "metrics.refresh:cml", 'o', "m"));
    jobs_step_done (jobs, job, NULL, NULL, now);

    assert_int_equal (job->status, JOB_COMPLETED);
    assert_string_equal (job->result, "{\"skipped\":[\"cloudwatch\",\"cml\"]}");
    assert_int_equal (job_queue_size (jobs_queue (jobs)), 0);
}

static void
result_that_looks_like_the_list_of_skipped_steps_is_none (void **state)
{
    (void) state;
    static const char *const ROWS [][2] = {
        {"{\"skipped\":[]}", "{\"ec2\":{\"skipped\":[]},\"skipped\":[\"cloudwatch\",\"cml\"]}"},
        {"{\"skipped\":[\"]\"]}",
         "{\"ec2\":{\"skipped\":[\"]\"]},\"skipped\":[\"cloudwatch\",\"cml\"]}"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
        _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);
        const job_t *job = submit (jobs, "metrics.refresh", worker, INTEGER_UNKNOWN);
        take (jobs, job, "e");
        jobs_step_done (jobs, job, ROWS [i][0], step_named ("cml"), now);
        jobs_step_done (jobs, job, NULL, NULL, now);
        assert_string_equal (job->result, ROWS [i][1]);
    }
}

static void
step_that_is_skipped_while_the_job_rests_makes_it_wait_once (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);
    const job_t *job = submit (jobs, "metrics.refresh", worker, INTEGER_UNKNOWN);
    take (jobs, job, "e");
    jobs_release (jobs, job, JOB_GIVEN_BACK, "released", SECOND_US, now);

    jobs_step_done (jobs, job, NULL, step_named ("cml"), now);
    assert_int_equal (job_queue_size (jobs_queue (jobs)), 1);
    pass (2 * SECOND_US);
    jobs_do_due (jobs, now);

    assert_int_equal (job_queue_size (jobs_queue (jobs)), 1);
    take (jobs, job, "m");
    assert_int_equal (job_queue_size (jobs_queue (jobs)), 0);
}

static void
built_in_work_waits_for_the_owner_and_moves_with_the_lease (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    _cleanup_ (worker_destroy) worker_t *worker = worker_that_runs (1, SERVICE_AVAILABLE);
    owner_of_all = "/collector/ec2/a";
    submit (jobs, "worker.pause", worker, INTEGER_UNKNOWN);

    assert_non_null (job_queue_first (jobs_queue (jobs), "worker.pause", 'o', "/collector/ec2/a"));
    assert_null (job_queue_first (jobs_queue (jobs), "worker.pause", '*', ""));
    owner_of_all = "/collector/ec2/b";
    job_queue_share (jobs_queue (jobs));

    assert_null (job_queue_first (jobs_queue (jobs), "worker.pause", 'o', "/collector/ec2/a"));
    assert_non_null (job_queue_first (jobs_queue (jobs), "worker.pause", 'o', "/collector/ec2/b"));
}

//  --- those of a store

static job_t
row (const char *id, job_status_t status, time_us_t created, const char *runner)
{
    job_t job;

    job_init (&job);
    snprintf (job.id, sizeof job.id, "%s", id);
    snprintf (job.type, sizeof job.type, "build");
    job.status = status;
    job.created_at = created;
    job.timeout_seconds = 60;
    job.assigned_at = job_status_is_active (status) ? created + SECOND_US : TIME_UNKNOWN;
    job.completed_at = status == JOB_COMPLETED ? created + 2 * SECOND_US : TIME_UNKNOWN;
    job.attempts = job.attempt = job_status_is_active (status);
    job_set_text (&job.runner_id, runner);
    return job;
}

static void
jobs_of_a_store_are_as_they_were (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    now.wall = AT (100);
    job_t rows [] = {row ("d", JOB_ASSIGNED, AT (70), "a"), row ("b", JOB_PENDING, AT (20), NULL),
                     row ("c", JOB_PENDING, AT (10), NULL), row ("e", JOB_COMPLETED, AT (5), "a"),
                     row ("f", JOB_PENDING, AT (900), NULL)};

    jobs_restore (jobs, rows, COUNT (rows), now);

    assert_int_equal (heard_count, 0);
    assert_int_equal (jobs_open (jobs), 4);
    assert_ptr_equal (first_of (jobs, "build"), jobs_find (jobs, "c"));
    assert_string_equal (jobs_newest (jobs)->id, "f");
    pass (30 * SECOND_US);  //  30 of its 60 had gone by
    jobs_do_due (jobs, now);
    assert_int_equal (jobs_find (jobs, "d")->status, JOB_ASSIGNED);
    pass (2 * SECOND_US);
    jobs_do_due (jobs, now);
    assert_int_equal (jobs_find (jobs, "d")->status, JOB_PENDING);
    assert_int_equal (jobs_find (jobs, "d")->attempt, 1);
}

//  How long it ran before it came back nobody knows any more: its time to wait begins anew.
static void
job_that_came_back_is_not_too_old_for_a_runner_after_a_restart (void **state)
{
    (void) state;
    _cleanup_ (jobs_destroy) jobs_t *jobs = make_jobs (&RULES);
    now.wall = AT (7200);
    job_t rows [] = {row ("came-back", JOB_PENDING, AT (0), NULL),
                     row ("never-taken", JOB_PENDING, AT (0), NULL)};
    rows [0].assigned_at = AT (100);

    jobs_restore (jobs, rows, COUNT (rows), now);
    jobs_do_due (jobs, now);

    assert_int_equal (jobs_find (jobs, "came-back")->status, JOB_PENDING);
    assert_int_equal (jobs_find (jobs, "never-taken")->status, JOB_FAILED);
    pass (61 * MINUTE_US);
    jobs_do_due (jobs, now);
    assert_string_equal (jobs_find (jobs, "came-back")->error_code, "no_runner");
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (table_of_types_says_who_runs_what),
        cmocka_unit_test (gate_is_open_as_the_worker_is),
        cmocka_unit_test (job_of_three_steps_waits_for_each_runner_in_turn),
        cmocka_unit_test (steps_that_are_skipped_are_named_in_the_result),
        cmocka_unit_test (steps_are_skipped_while_the_job_waits_too),
        cmocka_unit_test (result_that_looks_like_the_list_of_skipped_steps_is_none),
        cmocka_unit_test (step_that_is_skipped_while_the_job_rests_makes_it_wait_once),
        cmocka_unit_test (built_in_work_waits_for_the_owner_and_moves_with_the_lease),
        cmocka_unit_test (jobs_of_a_store_are_as_they_were),
        cmocka_unit_test (job_that_came_back_is_not_too_old_for_a_runner_after_a_restart)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
