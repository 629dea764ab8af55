#include "../../../collector/cml/cml_said.h"

#include "../../../collector/cml/cml_observe.h"
#include "../../../collector/cml/cml_pace.h"
#include "../../../common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

//  As one deployment of 2.9 says it (reference apis.md, CML).
#define STATS                                                                              \
    "{\"event_type\":\"system_stats\",\"data\":{\"computes\":{\"435a7bac\":{\"hostname\":" \
    "\"ip-172-31-38-11\",\"is_controller\":true,\"stats\":{\"cpu\":{\"count\":48,"         \
    "\"percent\":0.49}}}},\"all\":{\"cpu\":{\"count\":48,\"percent\":0.49}}}}"

static int
read_text (cml_said_t *said, const char *text, reason_t *why)
{
    return cml_said_read (said, text, strlen (text), 4096, why);
}

static void
change_of_a_node_is_read (void **state)
{
    (void) state;
    _cleanup_ (cml_said_clear) cml_said_t said = {0};
    reason_t why = {0};

    int rc = read_text (&said,
                        "{\"event_type\":\"state_change\",\"element_type\":\"node\","
                        "\"element_id\":\"node-001\",\"event\":\"BOOTED\",\"lab_id\":\"lab-1\"}",
                        &why);

    assert_int_equal (rc, 0);
    assert_int_equal (said.type, CML_SAID_STATE_CHANGE);
    assert_string_equal (said.element_type, "node");
    assert_string_equal (said.element_id, "node-001");
    assert_string_equal (said.event, "BOOTED");
    assert_string_equal (said.lab_id, "lab-1");
    assert_null (said.state);
}

static void
state_of_a_lab_is_in_its_data (void **state)
{
    (void) state;
    _cleanup_ (cml_said_clear) cml_said_t said = {0};
    reason_t why = {0};

    int rc = read_text (&said,
                        "{\"event_type\":\"lab_event\",\"event\":\"state\",\"lab_id\":\"lab-1\","
                        "\"data\":{\"state\":\"STARTED\",\"lab_title\":\"Test Lab\"}}",
                        &why);

    assert_int_equal (rc, 0);
    assert_int_equal (said.type, CML_SAID_LAB_EVENT);
    assert_string_equal (said.event, "state");
    assert_string_equal (said.state, "STARTED");
}

static void
pushed_load_makes_the_observation_that_an_asked_one_makes (void **state)
{
    (void) state;
    _cleanup_ (cml_said_clear) cml_said_t said = {0};
    reason_t why = {0};
    cml_told_t none = {0};
    observation_t observation;
    system_observed_t *out = &observation.system_observed;
    observation_init (&observation, EVENT_SYSTEM_OBSERVED);

    assert_int_equal (read_text (&said, STATS, &why), 0);
    cml_found_t found = {.stats = json_object_get (said.data)};
    cml_observe_system (out, &found, &none, &none, 0);

    assert_int_equal (said.type, CML_SAID_SYSTEM_STATS);
    assert_int_equal (out->reachable, FLAG_YES);
    assert_int_equal (out->ready, FLAG_UNKNOWN);
    assert_null (out->version);
    assert_null (out->error_code);
    assert_non_null (json_get_object (out->system_stats.tree, "computes"));
    cml_found_clear (&found);
}

static void
type_that_nobody_knows_is_no_fault (void **state)
{
    (void) state;
    _cleanup_ (cml_said_clear) cml_said_t said = {0};
    reason_t why = {0};

    assert_int_equal (read_text (&said, "{\"event_type\":\"maintenance\",\"data\":7}", &why), 0);

    assert_int_equal (said.type, CML_SAID_OTHER);
    assert_string_equal (cml_said_name (said.type), "other");
    assert_null (said.data);
}

static void
members_of_another_type_are_absent (void **state)
{
    (void) state;
    _cleanup_ (cml_said_clear) cml_said_t said = {0};
    reason_t why = {0};

    int rc = read_text (&said,
                        "{\"event_type\":\"state_change\",\"lab_id\":7,\"event\":null,"
                        "\"element_id\":[],\"data\":\"text\"}",
                        &why);

    assert_int_equal (rc, 0);
    assert_null (said.lab_id);
    assert_null (said.event);
    assert_null (said.element_id);
    assert_null (said.data);
    assert_null (said.state);
}

static void
what_is_no_message_is_refused (void **state)
{
    (void) state;
    static const char *const texts [] = {
        "not json at all {{{",
        "",
        "[]",
        "{}",
        "\"system_stats\"",
        "{\"event_type\":7}",
        "{\"event_type\":\"lab_event\"",
        "{\"event_type\":\"a\"} {}",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cml_said_t said = {0};
        reason_t why = {0};
        assert_int_equal (read_text (&said, texts [i], &why), -EINVAL);
        assert_null (said.tree);
    }
}

static void
message_over_its_bound_is_not_parsed (void **state)
{
    (void) state;
    cml_said_t said = {0};
    reason_t why = {0};

    assert_int_equal (cml_said_read (&said, STATS, strlen (STATS), 100, &why), -E2BIG);
}

//  --- cml_pace.h

static void
waits_double_from_one_second_to_thirty (void **state)
{
    (void) state;
    static const int64_t seconds [] = {1, 2, 4, 8, 16, 30, 30, 30};

    for (unsigned i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        assert_int_equal (cml_pace_wait (i + 1, 0), seconds [i] * SECOND_US);
        assert_int_equal (cml_pace_wait (i + 1, UINT32_MAX), seconds [i] * SECOND_US / 2);
    }
    assert_int_equal (cml_pace_wait (1000000, 0), 30 * SECOND_US);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (change_of_a_node_is_read),
        cmocka_unit_test (state_of_a_lab_is_in_its_data),
        cmocka_unit_test (pushed_load_makes_the_observation_that_an_asked_one_makes),
        cmocka_unit_test (type_that_nobody_knows_is_no_fault),
        cmocka_unit_test (members_of_another_type_are_absent),
        cmocka_unit_test (what_is_no_message_is_refused),
        cmocka_unit_test (message_over_its_bound_is_not_parsed),
        cmocka_unit_test (waits_double_from_one_second_to_thirty),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
