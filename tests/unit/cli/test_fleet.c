//  What `cmlwatch top` makes of a stream.

#include "../../../common/cleanup.h"
#include "../../../gateway/cli/fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define NOW ((time_us_t) 1795244038 * SECOND_US)  //  2026-11-21T06:53:58Z

static bool
tell (fleet_t *fleet, const char *type, const char *text)
{
    _cleanup_ (json_destroy) struct json_object *data = NULL;

    assert_int_equal (json_parse (&data, text, strlen (text), strlen (text), NULL), 0);
    return fleet_apply (fleet, type, data);
}

static void
snapshot (fleet_t *fleet, const char *id, const char *status, double cpu)
{
    char text [300];

    snprintf (text, sizeof text,
              "{\"worker_id\":\"%s\",\"name\":\"lab-%s\",\"region\":\"us-east-1\","
              "\"status\":\"%s\",\"cpu_utilization\":%g,\"ec2_freshness\":\"fresh\","
              "\"cloudwatch_freshness\":\"fresh\",\"cml_freshness\":\"fresh\","
              "\"created_at\":\"2026-11-21T01:00:00Z\"}",
              id, id, status, cpu);
    assert_true (tell (fleet, "worker.snapshot", text));
}

//  The names, in order, each with a blank behind it.
static const char *
names (fleet_t *fleet, const fleet_choice_t *choice)
{
    static char text [400];
    const worker_row_t *const *list;
    size_t count = fleet_select (fleet, choice, NOW, &list);

    text [0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen (text);
        snprintf (text + used, sizeof text - used, "%s ", list [i]->name);
    }
    return text;
}

static const fleet_choice_t BY_NAME = {.search = ""};

static int
set_up (void **state)
{
    fleet_t *fleet = fleet_new ();

    fleet_begin (fleet);
    snapshot (fleet, "a", "running", 10);
    snapshot (fleet, "b", "stopped", 0);
    snapshot (fleet, "c", "running", 95);
    fleet_end (fleet);
    *state = fleet;
    return 0;
}

static int
tear_down (void **state)
{
    fleet_t *fleet = *state;

    fleet_destroy (&fleet);
    return 0;
}

static void
a_state_replaces_what_was_when_it_ends_and_not_before (void **state)
{
    fleet_t *fleet = *state;

    fleet_begin (fleet);
    assert_string_equal (names (fleet, &BY_NAME), "lab-a lab-b lab-c ");
    snapshot (fleet, "c", "running", 1);
    snapshot (fleet, "d", "running", 1);
    assert_string_equal (names (fleet, &BY_NAME), "lab-a lab-b lab-c lab-d ");
    fleet_end (fleet);

    assert_string_equal (names (fleet, &BY_NAME), "lab-c lab-d ");
}

static void
a_state_that_was_cut_takes_nothing_away (void **state)
{
    fleet_t *fleet = *state;

    fleet_begin (fleet);
    snapshot (fleet, "a", "running", 1);
    fleet_begin (fleet);
    snapshot (fleet, "a", "running", 1);
    snapshot (fleet, "b", "stopped", 1);
    snapshot (fleet, "c", "running", 1);
    fleet_end (fleet);

    assert_int_equal (fleet_size (fleet), 3);
}

static void
events_change_what_they_tell_of (void **state)
{
    fleet_t *fleet = *state;

    assert_true (
        tell (fleet, "worker.status.updated",
              "{\"worker_id\":\"a\",\"old_status\":\"running\",\"new_status\":\"stopping\"}"));
    assert_true (tell (fleet, "worker.service_status.updated",
                       "{\"worker_id\":\"a\",\"new_service_status\":\"error\"}"));
    assert_true (tell (fleet, "worker.freshness.changed",
                       "{\"worker_id\":\"c\",\"metric_source\":\"cml\",\"new\":\"stale\"}"));
    assert_true (
        tell (fleet, "worker.metrics.updated", "{\"worker_id\":\"c\",\"cpu_utilization\":5.5}"));

    assert_string_equal (fleet_find (fleet, "a")->status, "stopping");
    assert_string_equal (fleet_find (fleet, "a")->service, "error");
    assert_string_equal (fleet_find (fleet, "c")->cml, "stale");
    assert_string_equal (fleet_find (fleet, "c")->cloudwatch, "fresh");
    assert_true (fleet_find (fleet, "c")->cpu > 5.4 && fleet_find (fleet, "c")->cpu < 5.6);
}

static void
a_terminated_worker_is_none_whoever_says_it (void **state)
{
    fleet_t *fleet = *state;

    tell (fleet, "worker.terminated", "{\"worker_id\":\"a\",\"name\":\"lab-a\"}");
    snapshot (fleet, "b", "terminated", 0);

    assert_string_equal (names (fleet, &BY_NAME), "lab-c ");
}

static void
news_of_nobody_make_no_worker (void **state)
{
    fleet_t *fleet = *state;

    assert_false (tell (fleet, "worker.metrics.updated", "{\"worker_id\":\"x\"}"));
    assert_false (tell (fleet, "system.stats", "{\"total_workers\":1}"));
    assert_false (tell (fleet, "worker.snapshot", "[1]"));
    assert_int_equal (fleet_size (fleet), 3);
}

static void
list_is_searched_filtered_and_sorted (void **state)
{
    fleet_t *fleet = *state;
    fleet_choice_t by_cpu = {.search = "", .sort = WORKER_COLUMN_CPU};
    fleet_choice_t from_below = {.search = "", .sort = WORKER_COLUMN_CPU, .reverse = true};
    fleet_choice_t running = {.search = "", .kind = FLEET_RUNNING};
    fleet_choice_t found = {.search = "LAB-B"}, nobody = {.search = "x", .kind = FLEET_STOPPED};

    assert_string_equal (names (fleet, &by_cpu), "lab-c lab-a lab-b ");
    assert_string_equal (names (fleet, &from_below), "lab-b lab-a lab-c ");
    assert_string_equal (names (fleet, &running), "lab-a lab-c ");
    assert_string_equal (names (fleet, &found), "lab-b ");
    assert_string_equal (names (fleet, &nobody), "");
}

static void
counters_count_what_their_filters_show (void **state)
{
    fleet_t *fleet = *state;
    size_t counts [FLEET_KIND_COUNT];

    tell (fleet, "worker.freshness.changed",
          "{\"worker_id\":\"a\",\"metric_source\":\"cml\",\"new\":\"error\"}");
    tell (fleet, "worker.freshness.changed",
          "{\"worker_id\":\"c\",\"metric_source\":\"ec2\",\"new\":\"stale\"}");
    tell (fleet, "worker.metrics.updated", "{\"worker_id\":\"c\",\"cml_labs_count\":2}");
    fleet_count (fleet, NOW, counts);

    assert_int_equal (counts [FLEET_ALL], 3);
    assert_int_equal (counts [FLEET_RUNNING], 2);
    assert_int_equal (counts [FLEET_ATTENTION], 1);
    assert_int_equal (counts [FLEET_STALE], 1);
    assert_int_equal (counts [FLEET_STOPPED], 1);
    assert_int_equal (counts [FLEET_IDLE], 1);  //  c has labs
}

static void
a_copy_stays_as_it_was (void **state)
{
    fleet_t *fleet = *state;
    _cleanup_ (fleet_destroy) fleet_t *copy = fleet_copy (fleet);

    tell (fleet, "worker.terminated", "{\"worker_id\":\"a\"}");
    tell (fleet, "worker.metrics.updated", "{\"worker_id\":\"c\",\"cpu_utilization\":1}");

    assert_string_equal (names (copy, &BY_NAME), "lab-a lab-b lab-c ");
    assert_true (fleet_find (copy, "c")->cpu > 90);
    assert_int_equal (fleet_size (fleet), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

static void
digest_is_the_sum_of_what_was_said_last_of_those_that_are_here (void **state)
{
    fleet_t *fleet = *state;
    uint64_t digest = 0;

    snapshot (fleet, "x", "running", 1);
    snapshot (fleet, "y", "running", 1);
    assert_false (fleet_take_digest (fleet, "x", 5));
    assert_false (fleet_take_digest (fleet, "y", 7));
    assert_false (fleet_take_digest (fleet, "x", 6));  //  an event: nothing was wrong
    assert_false (fleet_take_digest (fleet, "nobody", 99));
    assert_true (fleet_digest (fleet, &digest));
    assert_int_equal (digest, 13);

    fleet_begin (fleet);
    snapshot (fleet, "x", "running", 2);
    assert_true (fleet_take_digest (fleet, "x", 8));
    assert_false (fleet_digest (fleet, &digest));  //  half of it is the old one
    fleet_end (fleet);
    assert_true (fleet_digest (fleet, &digest));
    assert_int_equal (digest, 8);
}

static void
id_that_cannot_be_shown_as_it_is_is_no_workers (void **state)
{
    fleet_t *fleet = *state;
    size_t before = fleet_size (fleet);

    assert_false (tell (fleet, "worker.snapshot", "{\"worker_id\":\"\"}"));
    assert_false (tell (fleet, "worker.snapshot", "{\"worker_id\":\"\\u001b[2J\"}"));
    assert_false (tell (fleet, "worker.snapshot",
                        "{\"worker_id\":\"0123456789012345678901234567890123456789"
                        "012345678901234567890123\"}"));

    assert_int_equal (fleet_size (fleet), before);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (a_state_replaces_what_was_when_it_ends_and_not_before),
        TEST (a_state_that_was_cut_takes_nothing_away),
        TEST (events_change_what_they_tell_of),
        TEST (a_terminated_worker_is_none_whoever_says_it),
        TEST (news_of_nobody_make_no_worker),
        TEST (id_that_cannot_be_shown_as_it_is_is_no_workers),
        TEST (list_is_searched_filtered_and_sorted),
        TEST (counters_count_what_their_filters_show),
        TEST (a_copy_stays_as_it_was),
        TEST (digest_is_the_sum_of_what_was_said_last_of_those_that_are_here),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
