#include "../../../aggregator/causes.h"
#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define SAMPLED "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define OTHER   "00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-00"

static observation_t
observation_with (const char *traceparent)
{
    observation_t observation;

    observation_init (&observation, EVENT_UTILIZATION_OBSERVED);
    observation.envelope.subject = "us-east-1/i-0one";
    observation.envelope.source = "/collector/cloudwatch/one";
    observation.envelope.traceparent = traceparent;
    return observation;
}

static const char *
told (causes_t *causes, char text [TRACEPARENT_SIZE])
{
    trace_context_t context = causes_tell (causes);
    return trace_context_write (&context, text);
}

static void
without_an_exporter_events_carry_the_observations_own_context (void **state)
{
    (void) state;
    _cleanup_ (causes_destroy) causes_t *causes = causes_new (NULL);
    observation_t first = observation_with (SAMPLED), second = observation_with (OTHER);
    char text [TRACEPARENT_SIZE];

    causes_begin (causes, &first);
    assert_string_equal (told (causes, text), SAMPLED);
    causes_end (causes, NULL);
    assert_string_equal (told (causes, text), "");
    causes_begin (causes, &second);
    assert_string_equal (told (causes, text), OTHER);
    causes_end (causes, "refused");
    causes_published (causes);
}

static void
what_is_due_later_has_the_cause_it_had (void **state)
{
    (void) state;
    _cleanup_ (causes_destroy) causes_t *causes = causes_new (NULL);
    observation_t first = observation_with (SAMPLED), second = observation_with (OTHER);
    char text [TRACEPARENT_SIZE];
    causes_begin (causes, &first);
    cause_t cause = causes_current (causes);
    causes_end (causes, NULL);
    causes_begin (causes, &second);
    causes_end (causes, NULL);

    causes_enter (causes, cause);

    assert_string_equal (told (causes, text), SAMPLED);
    causes_committed (causes);
    causes_published (causes);
    assert_int_equal (causes_current (causes), 0);
}

static void
no_traceparent_and_a_wrong_one_are_no_cause (void **state)
{
    (void) state;
    _cleanup_ (causes_destroy) causes_t *causes = causes_new (NULL);
    observation_t none = observation_with (NULL), wrong = observation_with ("00-not-a-trace-01");

    causes_begin (causes, &none);
    assert_int_equal (causes_current (causes), 0);
    causes_begin (causes, &wrong);
    assert_int_equal (causes_current (causes), 0);
}

static void
beyond_the_bound_of_a_turn_there_is_none_and_the_next_turn_begins_anew (void **state)
{
    (void) state;
    _cleanup_ (causes_destroy) causes_t *causes = causes_new (NULL);
    observation_t observation = observation_with (SAMPLED);

    for (size_t i = 0; i < CAUSES_MAX; i++) {
        causes_begin (causes, &observation);
        assert_int_equal (causes_current (causes), i + 1);
        causes_end (causes, NULL);
    }
    causes_begin (causes, &observation);
    assert_int_equal (causes_current (causes), 0);
    causes_published (causes);
    causes_begin (causes, &observation);

    assert_int_equal (causes_current (causes), 1);
}

static void
null_has_no_causes (void **state)
{
    (void) state;
    observation_t observation = observation_with (SAMPLED);
    char text [TRACEPARENT_SIZE];

    causes_begin (NULL, &observation);
    causes_end (NULL, "why");
    causes_enter (NULL, 0);
    causes_committed (NULL);
    causes_published (NULL);

    assert_string_equal (told (NULL, text), "");
    assert_int_equal (causes_current (NULL), 0);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (without_an_exporter_events_carry_the_observations_own_context),
        cmocka_unit_test (what_is_due_later_has_the_cause_it_had),
        cmocka_unit_test (no_traceparent_and_a_wrong_one_are_no_cause),
        cmocka_unit_test (beyond_the_bound_of_a_turn_there_is_none_and_the_next_turn_begins_anew),
        cmocka_unit_test (null_has_no_causes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
