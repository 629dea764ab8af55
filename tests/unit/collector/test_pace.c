#include "../../../collector/aws/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>  //  needs the three above it

#define T0 (1000 * SECOND_US)

static uint32_t
half (void *argument)
{
    (void) argument;
    return UINT32_MAX / 2;
}

static pace_t *
pace_of (double per_second)
{
    return pace_new (per_second, half, NULL);
}

static void
calls_leave_at_once_up_to_the_burst_and_then_one_after_the_other (void **state)
{
    (void) state;
    pace_t *pace = pace_of (10);
    pace_lane_t *lane = pace_lane (pace, "ec2", "us-east-1", "");
    time_us_t rest;

    for (int i = 0; i < 20; i++) {
        assert_int_equal (pace_take (lane, T0, &rest), 0);
    }
    for (int i = 1; i <= 5; i++) {
        assert_int_equal (pace_take (lane, T0, &rest), i * SECOND_US / 10);
    }
    assert_int_equal (pace_take (lane, T0 + SECOND_US, &rest), 0);
    pace_destroy (&pace);
}

static void
lanes_of_other_services_and_regions_are_their_own (void **state)
{
    (void) state;
    pace_t *pace = pace_of (1);
    time_us_t rest;
    pace_lane_t *lane = pace_lane (pace, "ec2", "us-east-1", "");

    while (pace_take (lane, T0, &rest) == 0) {
    }
    assert_ptr_equal (pace_lane (pace, "ec2", "us-east-1", ""), lane);
    assert_int_equal (pace_take (pace_lane (pace, "ec2", "eu-west-1", ""), T0, &rest), 0);
    assert_int_equal (pace_take (pace_lane (pace, "monitoring", "us-east-1", ""), T0, &rest), 0);
    pace_destroy (&pace);
}

static void
throttling_halves_the_rate_once_a_second_down_to_the_least (void **state)
{
    (void) state;
    pace_t *pace = pace_of (16);
    pace_lane_t *lane = pace_lane (pace, "ec2", "us-east-1", "");

    for (int i = 0; i < 10; i++) {
        pace_tell (lane, AWS_THROTTLED, T0 + i * 1000);  //  calls that were under way together
    }
    assert_true (pace_rate (lane) > 7.9 && pace_rate (lane) < 8.1);
    for (int i = 1; i < 20; i++) {
        pace_tell (lane, AWS_THROTTLED, T0 + i * SECOND_US);
    }
    assert_true (pace_rate (lane) == PACE_RATE_LEAST);
    pace_destroy (&pace);
}

static void
success_brings_the_rate_back_and_no_further (void **state)
{
    (void) state;
    pace_t *pace = pace_of (10);
    pace_lane_t *lane = pace_lane (pace, "ec2", "us-east-1", "");
    double before;

    pace_tell (lane, AWS_THROTTLED, T0);
    before = pace_rate (lane);
    pace_tell (lane, AWS_OK, T0 + SECOND_US);
    assert_true (pace_rate (lane) > before && pace_rate (lane) < 10);
    for (int i = 0; i < 100; i++) {
        pace_tell (lane, AWS_OK, T0 + SECOND_US);
    }
    assert_true (pace_rate (lane) == 10);
    pace_destroy (&pace);
}

static void
service_that_does_not_answer_is_left_alone_and_then_one_call_goes_to_see (void **state)
{
    (void) state;
    pace_t *pace = pace_of (100);
    pace_lane_t *lane = pace_lane (pace, "ec2", "us-east-1", "");
    time_us_t rest = 0, now = T0;

    for (int i = 0; i < PACE_DEAD_AFTER; i++) {
        assert_int_equal (pace_take (lane, now, &rest), 0);
        pace_tell (lane, AWS_NETWORK, now);
    }
    assert_int_equal (pace_take (lane, now, &rest), -1);
    assert_true (rest >= PACE_REST_LEAST_MS * MS_US && rest <= PACE_REST_LEAST_MS * MS_US * 3 / 2);
    now += rest;
    assert_int_equal (pace_take (lane, now, &rest), 0);
    assert_int_equal (pace_take (lane, now, &rest), -1);  //  the others wait for what it sees
    pace_tell (lane, AWS_NETWORK, now);
    assert_int_equal (pace_take (lane, now, &rest), -1);
    assert_true (rest >= 2 * PACE_REST_LEAST_MS * MS_US);  //  twice as long
    now += rest;
    assert_int_equal (pace_take (lane, now, &rest), 0);
    pace_tell (lane, AWS_DENIED, now);  //  an answer is an answer
    assert_false (pace_rests (lane));
    assert_int_equal (pace_take (lane, now, &rest), 0);
    pace_destroy (&pace);
}

static void
call_that_went_to_see_and_never_told_holds_nobody_up (void **state)
{
    (void) state;
    pace_t *pace = pace_of (100);
    pace_lane_t *lane = pace_lane (pace, "ec2", "us-east-1", "");
    time_us_t rest = 0, now = T0;

    for (int i = 0; i < PACE_DEAD_AFTER; i++) {
        pace_tell (lane, AWS_NETWORK, now);
    }
    assert_int_equal (pace_take (lane, now, &rest), -1);
    assert_false (pace_probes (lane));
    now += rest;
    assert_int_equal (pace_take (lane, now, &rest), 0);
    assert_true (pace_probes (lane));

    pace_forgo (lane);
    assert_true (pace_rests (lane));
    assert_int_equal (pace_take (lane, now, &rest), 0);
    assert_int_equal (pace_take (lane, now, &rest), -1);
    pace_destroy (&pace);
}

static void
rest_is_bounded_however_long_it_lasts (void **state)
{
    (void) state;
    pace_t *pace = pace_of (100);
    pace_lane_t *lane = pace_lane (pace, "ec2", "us-east-1", "");
    time_us_t rest = 0, now = T0;

    for (int i = 0; i < 200; i++) {
        if (pace_take (lane, now, &rest) < 0) {
            assert_true (rest <= PACE_REST_MOST_MS * MS_US * 3 / 2);
            now += rest;
        } else {
            pace_tell (lane, AWS_NETWORK, now);
        }
    }
    pace_destroy (&pace);
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (calls_leave_at_once_up_to_the_burst_and_then_one_after_the_other),
        cmocka_unit_test (lanes_of_other_services_and_regions_are_their_own),
        cmocka_unit_test (throttling_halves_the_rate_once_a_second_down_to_the_least),
        cmocka_unit_test (success_brings_the_rate_back_and_no_further),
        cmocka_unit_test (service_that_does_not_answer_is_left_alone_and_then_one_call_goes_to_see),
        cmocka_unit_test (call_that_went_to_see_and_never_told_holds_nobody_up),
        cmocka_unit_test (rest_is_bounded_however_long_it_lasts),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
