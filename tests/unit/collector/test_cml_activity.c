#include "../../../collector/cml/cml_activity.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define OURS    "9e5c2a8e-1111-4222-8333-444455556666"
#define OTHERS  "77777777-1111-4222-8333-444455556666"
#define BUILTIN "00000000-0000-4000-a000-000000000000"

//  2026-11-20T10:33:44Z
#define T0 ((time_us_t) 1795170824 * SECOND_US)

static cml_activity_t
activity_of (const char *text)
{
    _cleanup_ (json_destroy) struct json_object *events = json_tokener_parse (text);
    assert_non_null (events);
    return cml_activity_of (events, OURS);
}

static void
newest_event_is_the_last_activity_whatever_the_order (void **state)
{
    (void) state;

    cml_activity_t activity = activity_of (
        "[{\"category\":\"start_lab\",\"timestamp\":\"2026-11-20T09:00:00+00:00\",\"data\":{}},"
        "{\"category\":\"stop_node\",\"timestamp\":\"2026-11-20T11:33:44+01:00\",\"data\":{}},"
        "{\"category\":\"boot_node\",\"timestamp\":\"2026-11-20T10:00:00Z\",\"data\":{}}]");

    assert_int_equal (cml_activity_last (&activity), T0);
    assert_int_equal (activity.count, 3);
    assert_string_equal (activity.newest [0].category, "stop_node");
    assert_string_equal (activity.newest [1].category, "boot_node");
    assert_string_equal (activity.newest [2].category, "start_lab");
}

static void
what_a_server_records_of_itself_is_nobodys_activity (void **state)
{
    (void) state;
    const char *const categories [] = {"system_stats", "license_info",   "running_nodes",
                                       "cpuinfo",      "packet_capture", "START_LAB"};

    for (size_t i = 0; i < sizeof categories / sizeof *categories; i++) {
        char text [256];
        snprintf (text, sizeof text,
                  "[{\"category\":\"%s\",\"timestamp\":\"2026-11-20T10:33:44Z\",\"data\":{}}]",
                  categories [i]);
        cml_activity_t activity = activity_of (text);
        assert_int_equal (cml_activity_last (&activity), TIME_UNKNOWN);
    }
}

static size_t
count_of_user (const char *user_id)
{
    char text [256];

    snprintf (text, sizeof text,
              "[{\"category\":\"user_activity\",\"timestamp\":\"2026-11-20T10:33:44Z\","
              "\"data\":{\"user_id\":\"%s\"}}]",
              user_id);
    return activity_of (text).count;
}

static void
user_activity_counts_but_for_built_in_accounts_and_our_own (void **state)
{
    (void) state;

    assert_int_equal (count_of_user (OTHERS), 1);
    assert_int_equal (count_of_user (OURS), 0);
    assert_int_equal (count_of_user (BUILTIN), 0);
}

static void
what_our_account_or_a_built_in_one_does_to_a_lab_counts (void **state)
{
    (void) state;

    cml_activity_t activity =
        activity_of ("[{\"category\":\"start_lab\",\"timestamp\":\"2026-11-20T10:33:44Z\","
                     "\"data\":{\"user_id\":\"" BUILTIN "\"}}]");

    assert_int_equal (activity.count, 1);
}

static void
account_that_is_not_known_excludes_nobody_else (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *events = json_tokener_parse (
        "[{\"category\":\"user_activity\",\"timestamp\":\"2026-11-20T10:33:44Z\",\"data\":{\"user_"
        "id\":\"\"}},"
        "{\"category\":\"user_activity\",\"timestamp\":\"2026-11-20T10:33:44Z\"}]");

    assert_int_equal (cml_activity_of (events, "").count, 2);
}

static void
only_the_newest_ten_are_kept (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *events = json_object_new_array ();
    for (int i = 0; i < 3000; i++) {
        char time [CLOCK_TEXT_SIZE];
        struct json_object *event = json_object_new_object ();
        clock_format (time, T0 + (i * 7919 % 3000) * SECOND_US);
        json_object_object_add (event, "category", json_object_new_string ("start_node"));
        json_object_object_add (event, "timestamp", json_object_new_string (time));
        json_object_array_add (events, event);
    }

    cml_activity_t activity = cml_activity_of (events, OURS);

    assert_int_equal (activity.count, CML_ACTIVITY_NEWEST);
    for (int i = 0; i < CML_ACTIVITY_NEWEST; i++) {
        assert_int_equal (activity.newest [i].time, T0 + (2999 - i) * SECOND_US);
    }
}

static void
items_of_another_shape_are_passed_over (void **state)
{
    (void) state;

    cml_activity_t activity = activity_of (
        "[null,7,\"x\",[],{},{\"category\":7,\"timestamp\":\"2026-11-20T10:33:44Z\"},"
        "{\"category\":\"start_lab\"},{\"category\":\"start_lab\",\"timestamp\":\"soon\"},"
        "{\"category\":\"user_activity\",\"timestamp\":\"2026-11-20T10:33:44Z\",\"data\":[]}]");

    assert_int_equal (activity.count, 1);
    activity = cml_activity_of (NULL, OURS);
    assert_int_equal (activity.count, 0);
}

static void
events_are_told_with_category_and_time_in_utc (void **state)
{
    (void) state;
    cml_activity_t activity = activity_of ("[{\"category\":\"start_lab\",\"timestamp\":\"2026-11-"
                                           "20T11:33:44.5+01:00\",\"data\":{\"x\":1}}]");

    _cleanup_ (json_destroy) struct json_object *array = cml_activity_array (&activity);

    assert_string_equal (
        json_object_to_json_string_ext (array, JSON_C_TO_STRING_PLAIN),
        "[{\"category\":\"start_lab\",\"timestamp\":\"2026-11-20T10:33:44.500Z\"}]");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (newest_event_is_the_last_activity_whatever_the_order),
        cmocka_unit_test (what_a_server_records_of_itself_is_nobodys_activity),
        cmocka_unit_test (user_activity_counts_but_for_built_in_accounts_and_our_own),
        cmocka_unit_test (what_our_account_or_a_built_in_one_does_to_a_lab_counts),
        cmocka_unit_test (account_that_is_not_known_excludes_nobody_else),
        cmocka_unit_test (only_the_newest_ten_are_kept),
        cmocka_unit_test (items_of_another_shape_are_passed_over),
        cmocka_unit_test (events_are_told_with_category_and_time_in_utc),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
