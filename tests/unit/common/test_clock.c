#include "../../../common/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>  //  needs the three above it

static void
time_is_written_in_utc_with_milliseconds (void **state)
{
    (void) state;
    char text [CLOCK_TEXT_SIZE];

    assert_string_equal (clock_format (text, 1795257000123999), "2026-11-21T10:30:00.123Z");
    assert_string_equal (clock_format (text, 0), "1970-01-01T00:00:00.000Z");
    assert_string_equal (clock_format (text, -1), "1969-12-31T23:59:59.999Z");
}

static void
calendar_agrees_with_libc_on_each_day_of_five_centuries (void **state)
{
    (void) state;

    for (time_t at = -300L * 366 * 86400; at < 200L * 366 * 86400; at += 86400) {
        char ours [CLOCK_TEXT_SIZE], theirs [CLOCK_TEXT_SIZE];
        struct tm calendar;
        time_us_t back;
        clock_format (ours, at * SECOND_US);
        strftime (theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S.000Z", gmtime_r (&at, &calendar));
        assert_string_equal (ours, theirs);
        assert_int_equal (clock_parse (ours, &back), 0);
        assert_true (back == at * SECOND_US);
    }
}

static void
years_without_four_digits_are_clamped (void **state)
{
    (void) state;
    char text [CLOCK_TEXT_SIZE];

    assert_string_equal (clock_format (text, INT64_MAX), "9999-12-31T23:59:59.999Z");
    assert_string_equal (clock_format (text, INT64_MIN + 1), "0000-01-01T00:00:00.000Z");
}

static void
times_of_aws_and_cml_are_read_in_all_their_forms (void **state)
{
    (void) state;
    static const char *const SAME [] = {
        "2026-11-20T10:30:00.123456Z",      "2026-11-20T10:30:00.123456+00:00",
        "2026-11-20T12:30:00.123456+02:00", "2026-11-20T04:00:00.123456-0630",
        "2026-11-20 10:30:00.123456",       "2026-11-20t10:30:00.123456789z",
    };
    const time_us_t wanted = 1795170600123456;

    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
        time_us_t wall = 0;
        assert_int_equal (clock_parse (SAME [i], &wall), 0);
        assert_true (wall == wanted);
    }
}

static void
what_is_no_time_is_refused_and_changes_nothing (void **state)
{
    (void) state;
    static const char *const WRONG [] = {
        "",
        "now",
        "2026-11-20",
        "2026-11-20T10:30",
        "2026-13-20T10:30:00Z",
        "2026-11-31T10:30:00Z",
        "2026-02-29T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:60:00Z",
        "2026-11-20T10:30:61Z",
        "2026-11-20T10:30:00ZZ",
        "2026-11-20T10:30:00+1",
        "2026-11-20T10:30:00+25:00",
        "2026-11-20T10:30:00 UTC",
        "26-11-20T10:30:00Z",
        "2026/11/20T10:30:00Z",
    };

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        time_us_t wall = 42;
        assert_int_equal (clock_parse (WRONG [i], &wall), -EINVAL);
        assert_true (wall == 42);
    }
}

static void
leap_day_and_leap_second_are_times (void **state)
{
    (void) state;
    time_us_t wall;

    assert_int_equal (clock_parse ("2024-02-29T00:00:00Z", &wall), 0);
    assert_int_equal (clock_parse ("2000-02-29T00:00:00Z", &wall), 0);
    assert_int_equal (clock_parse ("1900-02-29T00:00:00Z", &wall), -EINVAL);
    assert_int_equal (clock_parse ("2016-12-31T23:59:60Z", &wall), 0);
}

static void
steady_time_never_goes_back_and_wall_time_is_ours (void **state)
{
    (void) state;
    moment_t first = clock_now ();

    moment_t second = clock_now ();

    assert_true (second.steady >= first.steady);
    assert_true (second.wall > 1700000000 * SECOND_US);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (time_is_written_in_utc_with_milliseconds),
        cmocka_unit_test (calendar_agrees_with_libc_on_each_day_of_five_centuries),
        cmocka_unit_test (years_without_four_digits_are_clamped),
        cmocka_unit_test (times_of_aws_and_cml_are_read_in_all_their_forms),
        cmocka_unit_test (what_is_no_time_is_refused_and_changes_nothing),
        cmocka_unit_test (leap_day_and_leap_second_are_times),
        cmocka_unit_test (steady_time_never_goes_back_and_wall_time_is_ours),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
