#include "../../../collector/core/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>  //  needs the three above it

#define HIGHEST UINT32_MAX

//  Dice that show what the test wants.
static uint32_t
shown (void *argument)
{
    return *(uint32_t *) argument;
}

static void
wait_is_anything_from_nothing_to_the_doubling_ceiling (void **state)
{
    (void) state;
    uint32_t dice = HIGHEST;
    retry_t retry;
    retry_call_t call = {0};
    retry_init (&retry, &RETRY_POLICY, shown, &dice);

    time_us_t first = retry_after (&retry, &call, RETRY_FAILED, -1);
    time_us_t second = retry_after (&retry, &call, RETRY_FAILED, -1);
    dice = 0;
    retry_call_t other = {0};
    time_us_t lowest = retry_after (&retry, &other, RETRY_FAILED, -1);

    assert_in_range (first, 999999, SECOND_US);
    assert_in_range (second, 1999998, 2 * SECOND_US);
    assert_int_equal (lowest, 0);
}

static void
third_failure_is_the_last (void **state)
{
    (void) state;
    uint32_t dice = 0;
    retry_t retry;
    retry_call_t call = {0};
    retry_init (&retry, &RETRY_POLICY, shown, &dice);

    assert_int_equal (retry_after (&retry, &call, RETRY_FAILED, -1), 0);
    assert_int_equal (retry_after (&retry, &call, RETRY_FAILED, -1), 0);
    assert_int_equal (retry_after (&retry, &call, RETRY_FAILED, -1), -1);
}

static void
empty_budget_stops_a_storm_at_its_first_failures (void **state)
{
    (void) state;
    uint32_t dice = 0;
    retry_t retry;
    retry_init (&retry, &RETRY_POLICY, shown, &dice);
    int retries = 0;

    for (int i = 0; i < 1000; i++) {
        retry_call_t call = {0};
        retries += retry_after (&retry, &call, RETRY_THROTTLED, -1) >= 0;
    }

    assert_int_equal (retries, RETRY_POLICY.tokens_max / RETRY_POLICY.cost);
}

static void
timeout_costs_twice_and_success_gives_back_what_was_paid (void **state)
{
    (void) state;
    uint32_t dice = 0;
    retry_t retry;
    retry_call_t call = {0};
    retry_init (&retry, &RETRY_POLICY, shown, &dice);

    retry_after (&retry, &call, RETRY_TIMED_OUT, -1);
    assert_int_equal (retry.tokens, 490);
    retry_succeeded (&retry, &call);

    assert_int_equal (retry.tokens, 500);
    assert_int_equal (call.attempts, 0);
}

static void
success_without_retry_gives_one_token_and_never_more_than_the_bucket_holds (void **state)
{
    (void) state;
    uint32_t dice = 0;
    retry_t retry;
    retry_call_t failing = {0}, good = {0};
    retry_init (&retry, &RETRY_POLICY, shown, &dice);

    retry_after (&retry, &failing, RETRY_FAILED, -1);
    retry_succeeded (&retry, &good);
    assert_int_equal (retry.tokens, 496);
    for (int i = 0; i < 100; i++) {
        retry_succeeded (&retry, &good);
    }

    assert_int_equal (retry.tokens, 500);
}

static void
server_that_names_a_time_is_heard_up_to_the_cap (void **state)
{
    (void) state;
    uint32_t dice = 0;
    retry_t retry;
    retry_call_t call = {0};
    retry_init (&retry, &RETRY_POLICY, shown, &dice);

    assert_int_equal (retry_after (&retry, &call, RETRY_THROTTLED, 7), 7 * SECOND_US);
    assert_int_equal (retry_after (&retry, &call, RETRY_THROTTLED, 3600), 20 * SECOND_US);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (wait_is_anything_from_nothing_to_the_doubling_ceiling),
        cmocka_unit_test (third_failure_is_the_last),
        cmocka_unit_test (empty_budget_stops_a_storm_at_its_first_failures),
        cmocka_unit_test (timeout_costs_twice_and_success_gives_back_what_was_paid),
        cmocka_unit_test (
            success_without_retry_gives_one_token_and_never_more_than_the_bucket_holds),
        cmocka_unit_test (server_that_names_a_time_is_heard_up_to_the_cap),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
