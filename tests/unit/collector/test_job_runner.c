#include "../../../collector/core/job.h"

#include "../common/control_rig.h"

//  The other side answers each question at once with what the test has laid ready.
static char asked [4096];  //  the last question
static int questions;
static const char *ready;  //  of the next answer; null: nothing

static void
answer_runner (void *argument, bus_request_t *request)
{
    const char *answer = ready ? ready : "{}";
    (void) argument;

    ready = NULL;
    questions++;
    snprintf (asked, sizeof asked, "%s",
              json_object_to_json_string_ext (bus_request_json (request), JSON_C_TO_STRING_PLAIN));
    bus_request_reply (request, answer, strlen (answer));
}

static const bus_operation_t BROKER [] = {{"runner", answer_runner}, {0}};

//  What is said: "type job attempt progress code" and a blank line's end for each.
static char said [4096];

static void
publish (void *argument, observation_t *observation, const char *subject)
{
    const job_progress_reported_t *seen = &observation->job_progress_reported;
    char line [256];
    (void) argument;

    assert_string_equal (subject, "us-east-1/i-1");
    snprintf (line, sizeof line, "%s %s#%d %g %s\n", event_type_name (observation->envelope.type),
              seen->job_id, (int) seen->attempt, seen->progress,
              seen->error_code ? seen->error_code : "-");
    strncat (said, line, sizeof said - strlen (said) - 1);
}

static char due [64];

static void
make_due (void *argument, const char *unit)
{
    (void) argument;
    snprintf (due, sizeof due, "%s", unit);
}

//  The source: keeps what it was given, and counts what it was told to give up.
static collector_job_t *given;
static int starts, stops;

static void
keep (void *state, collector_job_t *job)
{
    assert_ptr_equal (state, &starts);
    starts++;
    given = job;
}

static void
give_up (void *state, collector_job_t *job)
{
    (void) state;
    assert_ptr_equal (job, given);
    stops++;
    given = NULL;
}

static void
by_round (void *state, collector_job_t *job)
{
    (void) state;
    collector_job_by_round (job);
}

static const collector_capability_t CAPABILITIES [] = {{"worker.pause", keep, give_up},
                                                       {"metrics.refresh:ec2", keep, give_up},
                                                       {"labs.refresh", by_round, NULL},
                                                       {0}};

static const collector_source_t WORKERS = {.reads = COLLECTOR_READS_WORKERS};
static const collector_settings_t SETTINGS = {.interval_ms = 10000};
static schedule_t *schedule;
static unit_table_t *units;
static job_runner_t *runner;

static uint32_t
zero (void *argument)
{
    (void) argument;
    return 0;
}

static int
begin (void **state)
{
    set_up (state);
    asked [0] = said [0] = due [0] = '\0';
    questions = starts = stops = 0;
    ready = NULL;
    given = NULL;
    server = bus_server_new (loop, ANY_PORT, NULL, BROKER, NULL, metrics, NULL);
    schedule = schedule_new (10, zero, NULL);
    units = unit_table_new (&WORKERS, NULL, &SETTINGS, schedule);
    job_runner_parts_t parts = {.control = bus_server_endpoint (server),
                                .kind = "ec2",
                                .source = "/collector/ec2/a",
                                .capabilities = CAPABILITIES,
                                .state = &starts,
                                .concurrency = 3,
                                .renew_ms = 100,
                                .units = units,
                                .publish = publish,
                                .make_due = make_due};
    runner = job_runner_new (loop, &parts, metrics, NULL);
    return runner ? 0 : -1;
}

static int
end (void **state)
{
    job_runner_destroy (&runner);
    unit_table_clear (units);
    unit_table_destroy (&units);
    schedule_destroy (&schedule);
    return tear_down (state);
}

//  Two more questions: what was ready for the first is known when the second is there.
static void
turn (void)
{
    int wanted = questions + 2;
    time_us_t end_at = clock_now ().steady + PATIENCE_US;

    while (questions < wanted) {
        assert_true (clock_now ().steady < end_at);
        loop_turn (loop, 20);
    }
}

#define JOB(type, id, attempt, more)                                                     \
    "{\"assigned\":[{\"job_id\":\"" id "\",\"attempt\":" attempt ",\"job_type\":\"" type \
    "\",\"region\":\"us-east-1\",\"instance_id\":\"i-1\",\"timeout_seconds\":60" more "}]}"

static void
lay (const char *answer)
{
    ready = answer;
    turn ();
}

static void
question_says_who_asks_and_what_it_can_do (void **state)
{
    (void) state;

    turn ();

    assert_string_equal (
        asked, "{\"runner_id\":\"\\/collector\\/ec2\\/a\",\"kind\":\"ec2\",\"job_types\":"
               "[\"worker.pause\",\"metrics.refresh:ec2\",\"labs.refresh\"],\"concurrency\":3,"
               "\"running\":[],\"wait_ms\":100,\"leaving\":false}");
}

static void
job_is_started_by_its_capability_told_of_and_ended (void **state)
{
    (void) state;
    lay (JOB ("worker.pause", "j1", "2", ""));
    assert_int_equal (starts, 1);
    assert_string_equal (collector_job_worker (given)->instance_id, "i-1");
    assert_int_equal (job_runner_running (runner), 1);

    collector_job_progress (given, 25, "half of a half");
    collector_job_complete (&given, NULL);

    assert_null (given);
    assert_int_equal (job_runner_running (runner), 0);
    assert_string_equal (said, "job.progress j1#2 25 -\njob.completed j1#2 100 -\n");
}

static void
step_finds_its_own_capability (void **state)
{
    (void) state;

    lay (JOB ("metrics.refresh", "j1", "1", ",\"step\":\"ec2\""));
    lay (JOB ("metrics.refresh", "j2", "1", ",\"step\":\"cml\""));
    lay (JOB ("metrics.refresh", "j3", "1", ""));
    lay (JOB ("worker", "j4", "1", ""));

    assert_int_equal (starts, 1);
    assert_int_equal (counted ("cmlwatch_collector_runner_failures_total"), 3);
}

static void
job_that_ended_stays_named_until_it_is_let_go (void **state)
{
    (void) state;
    lay (JOB ("worker.pause", "j1", "1", ""));
    collector_job_fail (&given, "forbidden", "no");

    turn ();
    assert_non_null (strstr (asked, "\"running\":[{\"job_id\":\"j1\",\"attempt\":1}]"));
    lay ("{\"stop\":[\"j1\"]}");

    assert_non_null (strstr (asked, "\"running\":[]"));
    assert_int_equal (stops, 0);
    assert_string_equal (said, "job.failed j1#1 nan forbidden\n");
}

static void
stopped_job_gives_up_its_work_and_says_no_more (void **state)
{
    (void) state;
    lay (JOB ("worker.pause", "j1", "1", ""));

    lay ("{\"stop\":[\"j1\",\"another\",7]}");

    assert_int_equal (stops, 1);
    assert_int_equal (job_runner_running (runner), 0);
    assert_string_equal (said, "");
    assert_non_null (strstr (asked, "\"running\":[]"));
}

static void
assignment_heard_twice_is_one_and_a_later_attempt_another (void **state)
{
    (void) state;
    lay (JOB ("worker.pause", "j1", "1", ""));
    lay (JOB ("worker.pause", "j1", "1", ""));
    assert_int_equal (starts, 1);

    lay (JOB ("worker.pause", "j1", "2", ""));

    assert_int_equal (starts, 2);
    assert_int_equal (stops, 1);
    collector_job_complete (&given, NULL);
    assert_string_equal (said, "job.completed j1#2 100 -\n");
}

static void
what_is_no_assignment_is_counted_and_outlived (void **state)
{
    (void) state;

    lay ("{\"assigned\":[7,{},{\"job_id\":\"j\"},{\"job_id\":\"j\",\"attempt\":1,\"job_type\":"
         "\"worker.pause\"}],\"stop\":7,\"renew_ms\":\"soon\"}");

    assert_int_equal (starts, 0);
    assert_int_equal (counted ("cmlwatch_collector_runner_failures_total"), 4);
}

static void
job_of_a_worker_that_is_not_leased_is_not_owned (void **state)
{
    (void) state;

    lay (JOB ("labs.refresh", "j1", "1", ""));

    assert_string_equal (said, "job.failed j1#1 nan not_owned\n");
}

static void
job_by_round_ends_with_the_round_that_began_after_it (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *json = json_tokener_parse (
        "{\"epoch\":\"e\",\"workers\":[{\"region\":\"us-east-1\",\"instance_id\":\"i-1\"}]}");
    _cleanup_ (lease_list_clear) lease_list_t list = {0};
    assert_int_equal (lease_list_decode (&list, json, NULL), 0);
    unit_table_update (units, &list, 0);
    unit_t *unit = unit_table_find (units, "us-east-1/i-1");
    job_runner_round_begun (runner, unit);

    lay (JOB ("labs.refresh", "j1", "1", ""));
    assert_string_equal (due, "us-east-1/i-1");
    assert_false (job_runner_wants_round (runner, unit));
    job_runner_round_ended (runner, unit, true, "", "");
    assert_string_equal (said, "");
    job_runner_round_begun (runner, unit);
    assert_true (job_runner_wants_round (runner, unit));
    job_runner_round_ended (runner, unit, false, "unreachable", "no route");

    assert_string_equal (said, "job.failed j1#1 nan unreachable\n");
    assert_int_equal (unit->jobs, 0);
}

static void
end_of_the_collector_gives_its_jobs_back (void **state)
{
    (void) state;
    lay (JOB ("worker.pause", "j1", "1", ""));

    job_runner_destroy (&runner);

    assert_int_equal (stops, 1);
    assert_string_equal (said, "job.failed j1#1 nan not_owned\n");
}

static void
who_leaves_says_so_and_takes_nothing_more (void **state)
{
    (void) state;
    turn ();

    job_runner_leave (runner);
    ready = JOB ("worker.pause", "j1", "1", "");
    while (!strstr (asked, "\"leaving\":true")) {
        loop_turn (loop, 20);
    }
    int questions_then = questions;
    for (int i = 0; i < 10; i++) {
        loop_turn (loop, 20);
    }

    assert_int_equal (questions, questions_then);
    assert_int_equal (starts, 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
#define TEST(name) cmocka_unit_test_setup_teardown (name, begin, end)
        TEST (question_says_who_asks_and_what_it_can_do),
        TEST (job_is_started_by_its_capability_told_of_and_ended),
        TEST (step_finds_its_own_capability),
        TEST (job_that_ended_stays_named_until_it_is_let_go),
        TEST (stopped_job_gives_up_its_work_and_says_no_more),
        TEST (assignment_heard_twice_is_one_and_a_later_attempt_another),
        TEST (what_is_no_assignment_is_counted_and_outlived),
        TEST (job_of_a_worker_that_is_not_leased_is_not_owned),
        TEST (job_by_round_ends_with_the_round_that_began_after_it),
        TEST (end_of_the_collector_gives_its_jobs_back),
        TEST (who_leaves_says_so_and_takes_nothing_more),
#undef TEST
    };
    log_open ("test", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
