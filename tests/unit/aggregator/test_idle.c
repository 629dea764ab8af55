#include "../../../aggregator/idle.h"

#include "worker_rig.h"

#define MINUTES(count) ((time_us_t) (count) *MINUTE_US)
#define NEVER          TIME_UNKNOWN

//  A worker that runs, whose labs are known and rest, made at minute 0 and looked at in minute 200.
static idle_facts_t
resting (void)
{
    return (idle_facts_t){.is_running = true,
                          .is_enabled = true,
                          .labs = 0,
                          .activity_at = NEVER,
                          .resumed_at = NEVER,
                          .created_at = MINUTES (0),
                          .checked_at = MINUTES (200)};
}

static idle_rules_t
pausing (void)
{
    return (idle_rules_t){.idle_timeout_minutes = 60, .snooze_minutes = 30, .auto_pause = true};
}

static void
idleness_is_counted_from_activity_else_resume_else_creation (void **state)
{
    (void) state;
    static const struct {
        time_us_t activity, resumed, since;
    } ROWS [] = {{NEVER, NEVER, MINUTES (0)},
                 {NEVER, MINUTES (50), MINUTES (50)},
                 {MINUTES (70), MINUTES (50), MINUTES (70)},
                 {MINUTES (10), MINUTES (50), MINUTES (10)}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        idle_facts_t facts = resting ();
        facts.activity_at = ROWS [i].activity;
        facts.resumed_at = ROWS [i].resumed;

        assert_int_equal (idle_since (&facts), ROWS [i].since);
    }
}

static void
worker_is_idle_when_no_lab_runs_and_nobody_used_it_as_of_the_last_look (void **state)
{
    (void) state;
    static const struct {
        bool running, ignore_labs;
        int64_t labs;
        time_us_t activity, checked;
        bool idle;
    } ROWS [] = {
        {true, false, 0, MINUTES (100), MINUTES (160), true},
        {true, false, 0, MINUTES (100), MINUTES (160) - 1, false},
        {true, false, 1, MINUTES (100), MINUTES (160), false},
        {true, true, 1, MINUTES (100), MINUTES (160), true},
        {true, false, INTEGER_UNKNOWN, MINUTES (100), MINUTES (160), false},
        {true, true, INTEGER_UNKNOWN, MINUTES (100), MINUTES (160), true},
        {true, false, 0, MINUTES (100), NEVER, false},
        {true, false, 0, NEVER, MINUTES (60), true},
        {false, false, 0, MINUTES (100), MINUTES (160), false},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        idle_facts_t facts = resting ();
        idle_rules_t rules = pausing ();
        facts.is_running = ROWS [i].running;
        facts.labs = ROWS [i].labs;
        facts.activity_at = ROWS [i].activity;
        facts.checked_at = ROWS [i].checked;
        rules.idle_ignores_running_labs = ROWS [i].ignore_labs;

        if (idle_is_idle (&rules, &facts) != ROWS [i].idle) {
            fail_msg ("row %zu", i);
        }
    }
}

static void
nothing_is_paused_unless_globally_and_for_this_worker_turned_on (void **state)
{
    (void) state;

    for (int row = 0; row < 4; row++) {
        idle_facts_t facts = resting ();
        idle_rules_t rules = pausing ();
        rules.auto_pause = row & 1;
        facts.is_enabled = row & 2;

        assert_int_equal (idle_pause_at (&rules, &facts), row == 3 ? MINUTES (60) : NEVER);
        assert_int_equal (idle_is_due (&rules, &facts), row == 3);
    }
}

static void
resumed_worker_is_left_alone_while_it_is_snoozed (void **state)
{
    (void) state;
    idle_facts_t facts = resting ();
    idle_rules_t rules = pausing ();
    facts.activity_at = MINUTES (10);
    facts.resumed_at = MINUTES (190);

    facts.checked_at = MINUTES (219);
    bool within = idle_is_due (&rules, &facts);
    facts.checked_at = MINUTES (220);
    bool after = idle_is_due (&rules, &facts);

    assert_int_equal (idle_pause_at (&rules, &facts), MINUTES (220));
    assert_false (within);
    assert_true (after);
}

static void
pause_time_is_unknown_while_labs_run_or_nobody_has_looked (void **state)
{
    (void) state;
    idle_rules_t rules = pausing ();
    idle_facts_t busy = resting (), unseen = resting (), stopped = resting ();

    busy.labs = 2;
    unseen.checked_at = NEVER;
    stopped.is_running = false;

    assert_int_equal (idle_pause_at (&rules, &busy), NEVER);
    assert_int_equal (idle_pause_at (&rules, &unseen), NEVER);
    assert_int_equal (idle_pause_at (&rules, &stopped), NEVER);
}

static void
failed_look_at_activity_decides_nothing (void **state)
{
    (void) state;
    static worker_rules_t rules = {.service_failures = 2};
    rules.idle = pausing ();
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_set_rules (worker, &rules);
    tell (worker, LABS_OBSERVED, "{'labs':[]}", 2);

    worker_change_t failed =
        tell (worker, ACTIVITY_OBSERVED, "{'error_code':'timeout','error_message':'x'}", 4000);
    worker_change_t looked = tell (worker, ACTIVITY_OBSERVED, "{}", 4001);

    assert_false (failed.pause_due);
    assert_int_equal (failed.verdict, WORKER_NOT_SAID);
    assert_true (looked.pause_due);
}

static void
dry_run_is_due_as_if_it_were_on_and_announces_no_pause (void **state)
{
    (void) state;
    idle_facts_t facts = resting ();
    idle_rules_t rules = pausing ();
    rules.auto_pause = AUTO_PAUSE_DRY_RUN;

    bool due = idle_is_due (&rules, &facts);
    facts.labs = 1;

    assert_true (due);
    assert_false (idle_is_due (&rules, &facts));
    facts.labs = 0;
    assert_int_equal (idle_pause_at (&rules, &facts), NEVER);
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (idleness_is_counted_from_activity_else_resume_else_creation),
        cmocka_unit_test (worker_is_idle_when_no_lab_runs_and_nobody_used_it_as_of_the_last_look),
        cmocka_unit_test (nothing_is_paused_unless_globally_and_for_this_worker_turned_on),
        cmocka_unit_test (dry_run_is_due_as_if_it_were_on_and_announces_no_pause),
        cmocka_unit_test (resumed_worker_is_left_alone_while_it_is_snoozed),
        cmocka_unit_test (pause_time_is_unknown_while_labs_run_or_nobody_has_looked),
        cmocka_unit_test (failed_look_at_activity_decides_nothing)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
