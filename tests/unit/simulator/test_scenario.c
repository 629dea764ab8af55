// test_scenario.c - the scenario file: what it can say, and what it says to a wrong line.

#include "../../simulator/scenario.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>  //  needs the four above it

#include <stdlib.h>
#include <string.h>

static scenario_t *
parse (const char *text, reason_t *why)
{
    _cleanup_ (string_destroy) char *copy = strdup (text);

    return scenario_parse (copy, "x.scenario", why);
}

static void
assert_refused (const char *text, const char *where, const char *what)
{
    reason_t why = {0};
    _cleanup_ (scenario_destroy) scenario_t *scenario = parse (text, &why);

    assert_null (scenario);
    assert_non_null (strstr (why.text, where));
    assert_non_null (strstr (why.text, what));
}

static const step_t *
only_step (const scenario_t *scenario)
{
    const step_t *steps;

    assert_non_null (scenario);
    assert_int_equal (scenario_steps (scenario, &steps), 1);
    return steps;
}

static void
a_line_with_at_happens_once_at_its_time (void **state)
{
    (void) state;
    _cleanup_ (scenario_destroy) scenario_t *scenario = parse ("at 1.5m stop #3\n", NULL);

    const step_t *step = only_step (scenario);

    assert_int_equal (step->first, 90 * SECOND_US);
    assert_int_equal (step->every, 0);
    assert_int_equal (step->action, SCENARIO_STOP);
    assert_string_equal (step->target, "#3");
    assert_int_equal (step->line, 1);
}

static void
a_line_with_every_repeats_from_its_period_or_from_a_time (void **state)
{
    (void) state;
    _cleanup_ (scenario_destroy) scenario_t *plain = parse ("every 90s start any", NULL);
    _cleanup_ (scenario_destroy) scenario_t *from = parse ("every 2h from 250ms start any", NULL);

    assert_int_equal (only_step (plain)->first, 90 * SECOND_US);
    assert_int_equal (only_step (plain)->every, 90 * SECOND_US);
    assert_int_equal (only_step (from)->first, 250 * MS_US);
    assert_int_equal (only_step (from)->every, 2 * HOUR_US);
}

static void
blank_lines_comments_and_carriage_returns_say_nothing (void **state)
{
    (void) state;
    _cleanup_ (scenario_destroy) scenario_t *scenario =
        parse ("# all\r\n\r\n   #too\n\tat 0s mend all # but this\r\n", NULL);

    assert_int_equal (only_step (scenario)->action, SCENARIO_MEND);
    assert_int_equal (only_step (scenario)->line, 4);
}

static void
a_title_may_have_blanks_in_quotes (void **state)
{
    (void) state;
    _cleanup_ (scenario_destroy) scenario_t *scenario =
        parse ("at 1s lab-start cml-exam-02 \"Exam 350-401 #1\"", NULL);

    assert_string_equal (only_step (scenario)->target, "cml-exam-02");
    assert_string_equal (only_step (scenario)->lab, "Exam 350-401 #1");
}

static void
a_fault_has_options_in_any_order (void **state)
{
    (void) state;
    _cleanup_ (scenario_destroy) scenario_t *scenario =
        parse ("at 1s fault cml slow for 2m delay 1500ms on any count 4", NULL);

    const step_t *step = only_step (scenario);

    assert_int_equal (step->fault.kind, FAULT_SLOW);
    assert_string_equal (step->fault.api, "cml");
    assert_string_equal (step->target, "any");
    assert_int_equal (step->fault.count, 4);
    assert_int_equal (step->fault.delay_ms, 1500);
    assert_int_equal (step->for_us, 2 * MINUTE_US);
}

static void
fleet_and_transition_are_settings_of_the_file (void **state)
{
    (void) state;
    _cleanup_ (scenario_destroy) scenario_t *scenario =
        parse ("instances 24\ntransition 4m\n", NULL);

    assert_non_null (scenario);
    assert_int_equal (scenario_instances (scenario), 24);
    assert_int_equal (scenario_transition (scenario), 4 * MINUTE_US);
}

static void
a_wrong_line_is_named_with_what_is_right (void **state)
{
    (void) state;

    assert_refused ("\nat 5s explode #1", "x.scenario:2:", "'explode' is not an action: start");
    assert_refused ("at soon stop #1", "x.scenario:1:", "'soon' is not a time; write 250ms");
    assert_refused ("at 5 stop #1", "x.scenario:1:", "'5' is not a time");
    assert_refused ("when 5s stop #1", "x.scenario:1:", "begins with at <time>");
    assert_refused ("at 5s stop", "x.scenario:1:", "stop needs a target: #1");
    assert_refused ("at 5s stop #1st", "x.scenario:1:", "'#1st' is not an instance");
    assert_refused ("at 5s stop #1 #2", "x.scenario:1:", "'#2' is too much; write: stop <target>");
    assert_refused ("at 5s load #1 120", "x.scenario:1:", "'120' is not a number from 0 to 100");
    assert_refused ("at 5s fault cml flood",
                    "x.scenario:1:", "'flood' is not a kind of fault: throttle");
    assert_refused ("at 5s fault cml slow twice", "x.scenario:1:", "'twice' is not on, count");
    assert_refused ("at 5s lab-start #1 \"open", "x.scenario:1:", "is not closed");
    assert_refused ("every 1ms stop any", "x.scenario:1:", "at least 10ms");
    assert_refused ("instances many", "x.scenario:1:", "'many' is not a number from 1 to 20000");
    assert_refused ("at", "x.scenario:1:", "is not a time");
}

static void
a_file_that_is_not_there_is_named (void **state)
{
    (void) state;
    reason_t why = {0};

    assert_null (scenario_read ("/nowhere/x.scenario", &why));

    assert_non_null (strstr (why.text, "/nowhere/x.scenario: No such file"));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (a_line_with_at_happens_once_at_its_time),
        cmocka_unit_test (a_line_with_every_repeats_from_its_period_or_from_a_time),
        cmocka_unit_test (blank_lines_comments_and_carriage_returns_say_nothing),
        cmocka_unit_test (a_title_may_have_blanks_in_quotes),
        cmocka_unit_test (a_fault_has_options_in_any_order),
        cmocka_unit_test (fleet_and_transition_are_settings_of_the_file),
        cmocka_unit_test (a_wrong_line_is_named_with_what_is_right),
        cmocka_unit_test (a_file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
