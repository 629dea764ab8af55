#include "../../../collector/core/report.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>  //  needs the three above it

#define T0 (1000 * SECOND_US)

static void
fault_is_said_at_once_and_then_once_a_minute_with_what_was_held_back (void **state)
{
    (void) state;
    _cleanup_ (report_destroy) report_t *report = report_new ();
    uint64_t held_back = 99;

    assert_true (report_is_due (report, "us-east-1", "A", "Throttling", T0, &held_back));
    assert_int_equal (held_back, 0);
    assert_false (
        report_is_due (report, "us-east-1", "A", "Throttling", T0 + SECOND_US, &held_back));
    assert_false (
        report_is_due (report, "us-east-1", "A", "Throttling", T0 + 59 * SECOND_US, &held_back));

    assert_true (
        report_is_due (report, "us-east-1", "A", "Throttling", T0 + MINUTE_US, &held_back));
    assert_int_equal (held_back, 2);
}

static void
another_region_api_or_code_is_another_fault (void **state)
{
    (void) state;
    _cleanup_ (report_destroy) report_t *report = report_new ();
    uint64_t held_back;

    assert_true (report_is_due (report, "us-east-1", "A", "X", T0, &held_back));
    assert_true (report_is_due (report, "eu-west-1", "A", "X", T0, &held_back));
    assert_true (report_is_due (report, "us-east-1", "B", "X", T0, &held_back));
    assert_true (report_is_due (report, "us-east-1", "A", "Y", T0, &held_back));
    assert_true (report_is_due (report, NULL, "A", "X", T0, &held_back));
}

static void
any_number_of_kinds_is_lived_with (void **state)
{
    (void) state;
    _cleanup_ (report_destroy) report_t *report = report_new ();
    uint64_t held_back;
    char code [32];

    for (int i = 0; i < 10 * REPORT_KINDS_MAX; i++) {
        snprintf (code, sizeof code, "Code%d", i);
        assert_true (report_is_due (report, "us-east-1", "A", code, T0 + i, &held_back));
    }
    assert_false (report_is_due (report, "us-east-1", "A", code, T0 + SECOND_US, &held_back));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (fault_is_said_at_once_and_then_once_a_minute_with_what_was_held_back),
        cmocka_unit_test (another_region_api_or_code_is_another_fault),
        cmocka_unit_test (any_number_of_kinds_is_lived_with),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
