#include "worker_rig.h"

#define EVENTS         "[{'category':'start_lab','timestamp':'2023-11-14T22:00:00Z'}]"
#define MINUTES(count) ((int64_t) (count) *60)

//  Idle by lack of activity alone after 10 minutes; nothing is paused within 5 of a resume.
static const worker_rules_t PAUSES = {.idle = {.idle_timeout_minutes = 10,
                                               .snooze_minutes = 5,
                                               .auto_pause = true,
                                               .idle_ignores_running_labs = true},
                                      .service_failures = 2};

static void
activity_tells_when_it_was_used_and_looked_at (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    assert_string_equal (worker_activity_events (worker), "[]");

    worker_change_t change = tell (worker, ACTIVITY_OBSERVED,
                                   "{'last_activity_at':'2023-11-14T22:00:00Z','events':" EVENTS
                                   ",'interval_seconds':60}",
                                   10);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_field (worker, last_activity_at, AT_TEXT ("00:00"));
    assert_field (worker, last_activity_check_at, AT_TEXT ("13:30"));
    assert_field (worker, next_idle_check_at, AT_TEXT ("14:30"));
    assert_field (worker, target_pause_at, "null");
    assert_field (worker, updated_at, AT_TEXT ("13:30"));
    assert_non_null (strstr (worker_activity_events (worker), "start_lab"));
}

static void
look_that_found_nothing_new_is_no_news (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, ACTIVITY_OBSERVED, "{'last_activity_at':'2023-11-14T22:00:00Z'}", 10);

    worker_change_t change =
        tell (worker, ACTIVITY_OBSERVED, "{'last_activity_at':'2023-11-14T22:00:00Z'}", 20);

    assert_false (field_set_has (&change.fields, SNAPSHOT_last_activity_at));
    assert_field (worker, last_activity_check_at, AT_TEXT ("13:40"));
    assert_field (worker, updated_at, AT_TEXT ("13:30"));
}

static void
activity_never_goes_back_when_the_log_of_cml_is_emptied (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, ACTIVITY_OBSERVED, "{'last_activity_at':'2023-11-14T22:10:00Z'}", 10);

    tell (worker, ACTIVITY_OBSERVED, "{'last_activity_at':'2023-11-14T22:05:00Z'}", 20);
    assert_field (worker, last_activity_at, AT_TEXT ("10:00"));
    tell (worker, ACTIVITY_OBSERVED, "{'events':[]}", 30);

    assert_field (worker, last_activity_at, AT_TEXT ("10:00"));
    assert_field (worker, last_activity_check_at, AT_TEXT ("13:50"));
    assert_string_equal (worker_activity_events (worker), "[]");
}

static void
failed_activity_read_decides_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_set_rules (worker, &PAUSES);
    tell (worker, ACTIVITY_OBSERVED, "{'last_activity_at':'2023-11-14T22:13:20Z'}", 10);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    worker_change_t change = tell (
        worker, ACTIVITY_OBSERVED,
        "{'error_code':'http','last_activity_at':'2023-11-14T22:30:00Z','interval_seconds':60}",
        MINUTES (60));

    assert_int_equal (change.verdict, WORKER_NOT_SAID);
    assert_false (change.pause_due);
    assert_unchanged (worker, before);
    assert_field (worker, cml_freshness, "'absent'");
    //  Nor does it take the turn of a good read that was made before it.
    assert_int_equal (tell (worker, ACTIVITY_OBSERVED, "{}", MINUTES (59)).verdict, WORKER_APPLIED);
}

static void
older_or_second_activity_changes_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, ACTIVITY_OBSERVED, "{'last_activity_at':'2023-11-14T22:00:00Z'}", 20);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    for (int64_t seconds = 19; seconds <= 20; seconds++) {
        worker_change_t change =
            tell (worker, ACTIVITY_OBSERVED,
                  "{'last_activity_at':'2023-11-14T22:13:00Z','events':" EVENTS "}", seconds);
        assert_int_equal (change.verdict, WORKER_NOT_NEWER);
    }
    assert_unchanged (worker, before);
    assert_string_equal (worker_activity_events (worker), "[]");
}

static void
unused_worker_is_due_at_its_time_and_not_before (void **state)
{
    (void) state;
    static const struct {
        int64_t looked;  //  the last activity was at 60 s
        bool due;
    } ROWS [] = {{61, false}, {659, false}, {660, true}, {661, true}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        worker_set_rules (worker, &PAUSES);

        worker_change_t change =
            tell (worker, ACTIVITY_OBSERVED, "{'last_activity_at':'2023-11-14T22:14:20Z'}",
                  ROWS [i].looked);

        assert_int_equal (change.pause_due, ROWS [i].due);
        assert_field (worker, target_pause_at, AT_TEXT ("24:20"));
    }
}

static void
worker_that_is_not_to_be_paused_is_never_due (void **state)
{
    (void) state;
    worker_rules_t no_auto_pause = PAUSES, labs_count = PAUSES;
    no_auto_pause.idle.auto_pause = false;
    labs_count.idle.idle_ignores_running_labs = false;
    const struct {
        const worker_rules_t *rules;
        const char *labs;  //  null: nobody read them
        bool enabled, due;
    } ROWS [] = {{&PAUSES, NULL, true, true},
                 {&PAUSES, NULL, false, false},
                 {&no_auto_pause, NULL, true, false},
                 {&labs_count, NULL, true, false},
                 {&labs_count, "{'labs':[{'state':'STARTED'}]}", true, false},
                 {&labs_count, "{'labs':[{'state':'STOPPED'}]}", true, true}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        worker_set_rules (worker, ROWS [i].rules);
        worker_set_idle_detection (worker, ROWS [i].enabled, AT (5));
        if (ROWS [i].labs) {
            tell (worker, LABS_OBSERVED, ROWS [i].labs, 5);
        }

        worker_change_t change = tell (worker, ACTIVITY_OBSERVED, "{}", MINUTES (60));

        assert_int_equal (change.pause_due, ROWS [i].due);
        assert_int_equal (worker_snapshot (worker).target_pause_at != TIME_UNKNOWN, ROWS [i].due);
    }
}

static void
worker_that_is_being_paused_is_not_due_again (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_set_rules (worker, &PAUSES);
    assert_true (tell (worker, ACTIVITY_OBSERVED, "{}", MINUTES (30)).pause_due);

    worker_pause (worker, "idle_timeout", "system", AT (MINUTES (31)));

    assert_false (tell (worker, ACTIVITY_OBSERVED, "{}", MINUTES (32)).pause_due);
}

static void
switch_of_idle_detection_is_told_when_it_turns (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    assert_field (worker, is_idle_detection_enabled, "true");

    worker_change_t same = worker_set_idle_detection (worker, true, AT (10));
    worker_change_t off = worker_set_idle_detection (worker, false, AT (20));
    worker_change_t again = worker_set_idle_detection (worker, false, AT (30));

    assert_int_equal (same.verdict, WORKER_NOT_SAID);
    assert_int_equal (off.verdict, WORKER_APPLIED);
    assert_true (field_set_has (&off.fields, SNAPSHOT_is_idle_detection_enabled));
    assert_int_equal (again.verdict, WORKER_NOT_SAID);
    assert_field (worker, is_idle_detection_enabled, "false");
    assert_field (worker, updated_at, AT_TEXT ("13:40"));
}

static void
pause_and_resume_are_counted_by_their_reason (void **state)
{
    (void) state;
    static const struct {
        const char *pause, *resume;
        const char *auto_pause, *manual_pause, *auto_resume, *manual_resume;
    } ROWS [] = {{"idle_timeout", "manual", "1", "0", "0", "1"},
                 {"manual", "automatic", "0", "1", "1", "0"},
                 {"external", "external", "0", "1", "0", "1"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

        worker_change_t paused = worker_pause (worker, ROWS [i].pause, "ann", AT (10));
        char reason [32];
        snprintf (reason, sizeof reason, "'%s'", ROWS [i].pause);
        assert_field (worker, pause_reason, reason);
        assert_field (worker, paused_by, "'ann'");
        assert_field (worker, last_paused_at, AT_TEXT ("13:30"));
        worker_change_t resumed = worker_resume (worker, ROWS [i].resume, "bob", AT (20));

        assert_true (paused.paused);
        assert_null (paused.resumed);
        assert_false (resumed.paused);
        assert_string_equal (resumed.resumed, ROWS [i].resume);
        assert_string_equal (resumed.resumed_by, "bob");
        assert_field (worker, last_resumed_at, AT_TEXT ("13:40"));
        assert_field (worker, auto_pause_count, ROWS [i].auto_pause);
        assert_field (worker, manual_pause_count, ROWS [i].manual_pause);
        assert_field (worker, auto_resume_count, ROWS [i].auto_resume);
        assert_field (worker, manual_resume_count, ROWS [i].manual_resume);
    }
}

static void
pause_of_the_paused_and_resume_of_the_resumed_are_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    assert_int_equal (worker_resume (worker, "manual", NULL, AT (5)).verdict, WORKER_NOT_SAID);
    worker_pause (worker, "manual", NULL, AT (10));
    assert_int_equal (worker_pause (worker, "manual", NULL, AT (20)).verdict, WORKER_NOT_SAID);
    worker_resume (worker, "manual", NULL, AT (30));
    assert_int_equal (worker_resume (worker, "manual", NULL, AT (40)).verdict, WORKER_NOT_SAID);
    //  Nor does one come that is older than the last of its kind.
    assert_int_equal (worker_pause (worker, "manual", NULL, AT (10)).verdict, WORKER_NOT_NEWER);

    assert_field (worker, manual_pause_count, "1");
    assert_field (worker, manual_resume_count, "1");
    assert_field (worker, last_paused_at, AT_TEXT ("13:30"));
    assert_field (worker, last_resumed_at, AT_TEXT ("13:50"));
}

static void
stop_and_start_by_others_are_told_once_each (void **state)
{
    (void) state;
    static const struct {
        const char *state;
        bool paused;
        const char *resumed;
    } STEPS [] = {{"stopping", true, NULL},       {"stopped", false, NULL},
                  {"pending", false, "external"}, {"running", false, NULL},
                  {"stopped", true, NULL},        {"running", false, "external"}};
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    for (size_t i = 0; i < COUNT (STEPS); i++) {
        char data [64];
        snprintf (data, sizeof data, "{'state':'%s'}", STEPS [i].state);

        worker_change_t change = tell (worker, INSTANCE_OBSERVED, data, 10 + (int64_t) i);

        assert_int_equal (change.paused, STEPS [i].paused);
        assert_int_equal (change.resumed != NULL, STEPS [i].resumed != NULL);
    }
    assert_field (worker, pause_reason, "'external'");
    assert_field (worker, paused_by, "null");
    assert_field (worker, manual_pause_count, "2");
    assert_field (worker, manual_resume_count, "2");
    assert_field (worker, auto_pause_count, "0");
}

static void
stop_seen_by_way_of_an_unknown_state_is_told_once_too (void **state)
{
    (void) state;
    static const char *const STATES [] = {"strange", "stopped", "strange", "stopped",
                                          "strange", "running", "strange", "running"};
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    int paused = 0, resumed = 0;

    for (size_t i = 0; i < COUNT (STATES); i++) {
        char data [64];
        snprintf (data, sizeof data, "{'state':'%s'}", STATES [i]);
        worker_change_t change = tell (worker, INSTANCE_OBSERVED, data, 10 + (int64_t) i);
        paused += change.paused;
        resumed += change.resumed != NULL;
    }

    assert_int_equal (paused, 1);
    assert_int_equal (resumed, 1);
    assert_field (worker, last_paused_at, AT_TEXT ("13:31"));
    assert_field (worker, last_resumed_at, AT_TEXT ("13:35"));
}

static void
stop_that_we_asked_for_is_told_as_ours_alone (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_pause (worker, "idle_timeout", "system", AT (10));

    worker_change_t stop = tell (worker, INSTANCE_OBSERVED, "{'state':'stopping'}", 20);
    tell (worker, INSTANCE_OBSERVED, "{'state':'stopped'}", 30);
    worker_resume (worker, "manual", "ann", AT (40));
    worker_change_t start = tell (worker, INSTANCE_OBSERVED, "{'state':'pending'}", 50);
    tell (worker, INSTANCE_OBSERVED, "{'state':'running'}", 60);

    assert_false (stop.paused);
    assert_null (start.resumed);
    assert_field (worker, pause_reason, "'idle_timeout'");
    assert_field (worker, auto_pause_count, "1");
    assert_field (worker, manual_pause_count, "0");
    assert_field (worker, manual_resume_count, "1");
    assert_field (worker, auto_resume_count, "0");
}

static void
worker_first_seen_stopped_was_paused_by_nobody_before_our_eyes (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();

    worker_change_t stopped = tell (worker, INSTANCE_OBSERVED, "{'state':'stopped'}", 10);
    worker_change_t started = tell (worker, INSTANCE_OBSERVED, "{'state':'pending'}", 20);

    assert_false (stopped.paused);
    assert_string_equal (started.resumed, "external");
    assert_field (worker, manual_pause_count, "0");
    assert_field (worker, last_paused_at, "null");
    assert_field (worker, manual_resume_count, "1");
}

static void
worker_first_seen_running_was_not_resumed (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    assert_field (worker, manual_resume_count, "0");
    assert_field (worker, last_resumed_at, "null");
}

static void
stopped_worker_has_no_next_look_and_no_pause_ahead (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_set_rules (worker, &PAUSES);
    tell (worker, ACTIVITY_OBSERVED, "{'interval_seconds':60}", 10);
    assert_field (worker, target_pause_at, AT_TEXT ("23:20"));

    tell (worker, INSTANCE_OBSERVED, "{'state':'stopped'}", 20);

    assert_field (worker, next_idle_check_at, "null");
    assert_field (worker, target_pause_at, "null");
    assert_field (worker, last_activity_check_at, AT_TEXT ("13:30"));
}

static void
stop_seen_while_a_job_of_ours_stops_it_has_the_jobs_reason (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_expect (worker, WORKER_ORDER_PAUSE, "idle_timeout", "system");
    worker_change_t stop = tell (worker, INSTANCE_OBSERVED, "{'state':'stopping'}", 20);
    worker_change_t after = worker_pause (worker, "idle_timeout", "system", AT (30));
    worker_expect (worker, WORKER_ORDER_PAUSE, NULL, NULL);
    assert_true (stop.paused);
    assert_int_equal (after.verdict, WORKER_NOT_SAID);
    assert_field (worker, pause_reason, "'idle_timeout'");
    assert_field (worker, paused_by, "'system'");
    assert_field (worker, auto_pause_count, "1");
    worker_expect (worker, WORKER_ORDER_RESUME, "manual", "ann");
    worker_change_t start = tell (worker, INSTANCE_OBSERVED, "{'state':'pending'}", 40);

    assert_string_equal (start.resumed, "manual");
    assert_string_equal (start.resumed_by, "ann");
    assert_field (worker, manual_resume_count, "1");
}

static void
job_that_ended_in_vain_lends_a_later_stop_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_expect (worker, WORKER_ORDER_PAUSE, "manual", "ann");
    worker_expect (worker, WORKER_ORDER_RESUME, NULL, NULL);  //  another's end
    worker_expect (worker, WORKER_ORDER_PAUSE, NULL, NULL);
    tell (worker, INSTANCE_OBSERVED, "{'state':'stopping'}", 20);

    assert_field (worker, pause_reason, "'external'");
    assert_field (worker, paused_by, "null");
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (activity_tells_when_it_was_used_and_looked_at),
        cmocka_unit_test (look_that_found_nothing_new_is_no_news),
        cmocka_unit_test (activity_never_goes_back_when_the_log_of_cml_is_emptied),
        cmocka_unit_test (failed_activity_read_decides_nothing),
        cmocka_unit_test (older_or_second_activity_changes_nothing),
        cmocka_unit_test (unused_worker_is_due_at_its_time_and_not_before),
        cmocka_unit_test (worker_that_is_not_to_be_paused_is_never_due),
        cmocka_unit_test (worker_that_is_being_paused_is_not_due_again),
        cmocka_unit_test (switch_of_idle_detection_is_told_when_it_turns),
        cmocka_unit_test (pause_and_resume_are_counted_by_their_reason),
        cmocka_unit_test (pause_of_the_paused_and_resume_of_the_resumed_are_nothing),
        cmocka_unit_test (stop_and_start_by_others_are_told_once_each),
        cmocka_unit_test (stop_seen_by_way_of_an_unknown_state_is_told_once_too),
        cmocka_unit_test (stop_that_we_asked_for_is_told_as_ours_alone),
        cmocka_unit_test (stop_seen_while_a_job_of_ours_stops_it_has_the_jobs_reason),
        cmocka_unit_test (job_that_ended_in_vain_lends_a_later_stop_nothing),
        cmocka_unit_test (worker_first_seen_stopped_was_paused_by_nobody_before_our_eyes),
        cmocka_unit_test (worker_first_seen_running_was_not_resumed),
        cmocka_unit_test (stopped_worker_has_no_next_look_and_no_pause_ahead)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
