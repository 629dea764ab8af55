// test_series.c - a real series replayed: its end is now, its gaps and odd stamps stay.

#include "../../simulator/series.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>  //  needs the four above it

#include <math.h>
#include <string.h>

#define STEP SERIES_STEP_US

static series_t *
parse (const char *text, reason_t *why)
{
    _cleanup_ (string_destroy) char *copy = strdup (text);

    return series_parse (copy, "x.csv", why);
}

static void
the_last_point_is_now_and_those_before_it_are_past (void **state)
{
    (void) state;
    _cleanup_ (series_destroy) series_t *series = parse (
        "timestamp,value\n2014-02-14 14:30:00,1\n2014-02-14 14:35:00,2\n2014-02-14 14:40:00,3\n",
        NULL);

    assert_non_null (series);
    assert_float_equal (series_at (series, 0), 3, 0);
    assert_float_equal (series_at (series, STEP - 1), 3, 0);
    assert_float_equal (series_at (series, -1), 2, 0);
    assert_float_equal (series_at (series, -STEP), 2, 0);
    assert_float_equal (series_at (series, -2 * STEP), 1, 0);
}

static void
after_its_end_it_begins_again (void **state)
{
    (void) state;
    _cleanup_ (series_destroy) series_t *series =
        parse ("2014-02-14 14:30:00,1\n2014-02-14 14:35:00,2\n", NULL);

    assert_float_equal (series_at (series, STEP), 1, 0);
    assert_float_equal (series_at (series, 2 * STEP), 2, 0);
    assert_float_equal (series_at (series, 1000001 * STEP), 1, 0);
    assert_float_equal (series_at (series, -1000001 * STEP), 1, 0);
    assert_int_equal (series_length (series), 2 * STEP);
}

static void
a_gap_has_no_value (void **state)
{
    (void) state;
    _cleanup_ (series_destroy) series_t *series =
        parse ("2014-04-07 13:34:00,10\n2014-04-07 13:49:00,20\n", NULL);

    assert_float_equal (series_at (series, -3 * STEP), 10, 0);
    assert_true (isnan (series_at (series, -2 * STEP)));
    assert_true (isnan (series_at (series, -1)));
    assert_float_equal (series_at (series, 0), 20, 0);
}

static void
points_of_one_stamp_are_samples_of_one_period (void **state)
{
    (void) state;
    _cleanup_ (series_destroy) series_t *series =
        parse ("2014-03-09 01:59:00,5\n2014-03-09 03:00:00,1\n2014-03-09 03:00:00,2\n"
               "2014-03-09 03:00:00,6\n2014-03-09 03:04:00,7\n",
               NULL);

    assert_non_null (series);
    assert_int_equal (series_size (series), 3);
    assert_float_equal (series_at (series, -4 * MINUTE_US), 3, 1e-9);
    assert_float_equal (series_at (series, 0), 7, 0);
    assert_true (isnan (series_at (series, -30 * MINUTE_US)));
}

static void
a_wrong_line_is_named (void **state)
{
    (void) state;
    static const struct {
        const char *text, *said;
    } WRONG [] = {
        {"timestamp,value\n2014-02-14 14:30:00,1\nyesterday,2\n", "x.csv:3: 'yesterday,2' is not"},
        {"2014-02-14 14:30:00,much\n", "x.csv:1: 'much' is not a number"},
        {"2014-02-14 14:30:00,nan\n", "x.csv:1: 'nan' is not a number"},
        {"2014-02-14 14:30:00,1\n2014-02-14 14:25:00,1\n",
         "x.csv:2: 2014-02-14 14:25:00 is before"},
        {"timestamp,value\n2014-02-14 14:30:00,1\n", "x.csv: a series has at least two points"},
    };

    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG [0]; i++) {
        reason_t why = {0};
        assert_null (parse (WRONG [i].text, &why));
        assert_non_null (strstr (why.text, WRONG [i].said));
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (the_last_point_is_now_and_those_before_it_are_past),
        cmocka_unit_test (after_its_end_it_begins_again),
        cmocka_unit_test (a_gap_has_no_value),
        cmocka_unit_test (points_of_one_stamp_are_samples_of_one_period),
        cmocka_unit_test (a_wrong_line_is_named),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
