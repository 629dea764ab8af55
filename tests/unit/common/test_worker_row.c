#include "../../../common/cleanup.h"
#include "../../../common/plain.h"
#include "../../../common/worker_row.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define NOW ((time_us_t) 1795244038 * SECOND_US)  //  2026-11-21T06:53:58Z

static worker_row_t
row_of (const char *text)
{
    _cleanup_ (json_destroy) struct json_object *data = NULL;
    worker_row_t row;

    assert_int_equal (json_parse (&data, text, strlen (text), strlen (text), NULL), 0);
    worker_row_init (&row);
    assert_true (worker_row_apply (&row, data));
    return row;
}

static void
apply (worker_row_t *row, const char *text)
{
    _cleanup_ (json_destroy) struct json_object *data = NULL;

    assert_int_equal (json_parse (&data, text, strlen (text), strlen (text), NULL), 0);
    (void) worker_row_apply (row, data);
}

static const char *
cell (const worker_row_t *row, worker_column_t column)
{
    static char text [WORKER_CELL_SIZE];

    return worker_row_cell (row, column, NOW, text);
}

static void
unknown_is_empty_and_zero_is_zero (void **state)
{
    worker_row_t row =
        row_of ("{\"name\":\"w\",\"cpu_utilization\":0,\"memory_utilization\":null}");
    (void) state;

    assert_string_equal (cell (&row, WORKER_COLUMN_CPU), "0.0");
    assert_string_equal (cell (&row, WORKER_COLUMN_MEMORY), "");
    assert_string_equal (cell (&row, WORKER_COLUMN_LABS), "");
    assert_string_equal (cell (&row, WORKER_COLUMN_IDLE), "");
    assert_string_equal (cell (&row, WORKER_COLUMN_FRESH), "---");
}

static void
what_an_event_does_not_tell_stays (void **state)
{
    worker_row_t row = row_of ("{\"name\":\"w\",\"status\":\"running\",\"cpu_utilization\":7.925}");
    (void) state;

    apply (&row, "{\"cpu_utilization\":null,\"cml_labs_count\":3}");

    assert_string_equal (cell (&row, WORKER_COLUMN_NAME), "w");
    assert_string_equal (cell (&row, WORKER_COLUMN_STATUS), "running");
    assert_string_equal (cell (&row, WORKER_COLUMN_CPU), "");
    assert_string_equal (cell (&row, WORKER_COLUMN_LABS), "3");
}

static void
a_worker_without_a_name_is_called_by_its_instance (void **state)
{
    worker_row_t row = row_of ("{\"name\":null,\"aws_instance_id\":\"i-0abc\"}");
    (void) state;

    assert_string_equal (cell (&row, WORKER_COLUMN_NAME), "i-0abc");
}

static void
freshness_is_a_letter_a_source (void **state)
{
    worker_row_t row = row_of ("{\"ec2_freshness\":\"fresh\",\"cloudwatch_freshness\":\"stale\","
                               "\"cml_freshness\":\"error\"}");
    (void) state;

    assert_string_equal (cell (&row, WORKER_COLUMN_FRESH), "Ew!");
}

static void
idle_counts_from_activity_else_resume_else_creation_and_only_while_it_runs (void **state)
{
    worker_row_t row = row_of ("{\"status\":\"running\",\"created_at\":\"2026-11-21T03:53:58Z\"}");
    (void) state;

    assert_string_equal (cell (&row, WORKER_COLUMN_IDLE), "3h00m");
    apply (&row, "{\"last_resumed_at\":\"2026-11-21T04:53:58Z\"}");
    assert_string_equal (cell (&row, WORKER_COLUMN_IDLE), "2h00m");
    apply (&row, "{\"last_activity_at\":\"2026-11-21T06:53:28Z\"}");
    assert_string_equal (cell (&row, WORKER_COLUMN_IDLE), "30s");
    apply (&row, "{\"last_activity_at\":\"2026-11-21T07:00:00Z\"}");
    assert_string_equal (cell (&row, WORKER_COLUMN_IDLE), "0s");
    apply (&row, "{\"status\":\"stopped\"}");
    assert_string_equal (cell (&row, WORKER_COLUMN_IDLE), "");
}

static void
order_puts_larger_numbers_first_and_unknown_last (void **state)
{
    worker_row_t none = row_of ("{\"name\":\"a\"}");
    worker_row_t low = row_of ("{\"name\":\"b\",\"cpu_utilization\":1}");
    worker_row_t high = row_of ("{\"name\":\"c\",\"cpu_utilization\":90}");
    (void) state;

    assert_true (worker_row_compare (&high, &low, WORKER_COLUMN_CPU) < 0);
    assert_true (worker_row_compare (&low, &none, WORKER_COLUMN_CPU) < 0);
    assert_true (worker_row_compare (&none, &low, WORKER_COLUMN_NAME) < 0);
    assert_true (worker_row_compare (&none, &none, WORKER_COLUMN_CPU) == 0);
    assert_true (worker_row_compare (&none, &high, WORKER_COLUMN_MEMORY) < 0);
}

static void
a_name_cannot_command_a_terminal (void **state)
{
    char out [64];
    (void) state;

    assert_string_equal (plain_text (out, sizeof out, "a\033[2Jb\r\nc\x7f"), "a?[2Jb??c?");
    assert_string_equal (plain_text (out, sizeof out,
                                     "\xc2\x9b"
                                     "31m"),
                         "?31m");
    assert_string_equal (plain_text (out, sizeof out, "x\xe2\x80\xaey"), "x?y");
    assert_string_equal (plain_text (out, sizeof out, "\xff\xc3(\xed\xa0\x80"), "?"
                                                                                "?(?");
    assert_string_equal (plain_text (out, sizeof out, "\xc3\xbc\xf0\x9f\x98\x80"),
                         "\xc3\xbc\xf0\x9f\x98\x80");
    assert_string_equal (plain_text (out, 4, "ab\xc3\xbc"), "ab");
}

static void
widths_are_a_terminals (void **state)
{
    size_t taken;
    (void) state;

    assert_int_equal (plain_width ("abc"), 3);
    assert_int_equal (plain_width ("\xe6\x97\xa5\xe6\x9c\xac"), 4);
    assert_int_equal (plain_width ("e\xcc\x81"), 1);
    assert_int_equal (plain_fit ("\xe6\x97\xa5\xe6\x9c\xac", 3, &taken), 3);
    assert_int_equal (taken, 2);
}

static void
spans_have_at_most_two_units (void **state)
{
    char text [PLAIN_SPAN_SIZE];
    (void) state;

    assert_string_equal (plain_span (text, -5), "0s");
    assert_string_equal (plain_span (text, 59 * SECOND_US), "59s");
    assert_string_equal (plain_span (text, 3599 * SECOND_US), "59m");
    assert_string_equal (plain_span (text, 2 * HOUR_US + 5 * MINUTE_US), "2h05m");
    assert_string_equal (plain_span (text, 76 * HOUR_US), "3d04h");
}

static void
a_table_is_as_wide_as_its_cells_and_has_no_blanks_at_the_end (void **state)
{
    static const text_column_t COLUMNS [] = {{"NAME", false}, {"N", true}, {"LAST", false}};
    _cleanup_ (text_table_destroy) text_table_t *table = text_table_new (COLUMNS, 3);
    _cleanup_ (buffer_clear) buffer_t out = {0};
    (void) state;

    text_table_add (table, "a\nb");
    text_table_add (table, "100");
    text_table_add (table, "x");
    text_table_add (table, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
    text_table_add (table, "7");
    text_table_add (table, NULL);

    assert_true (text_table_write (table, &out));
    assert_string_equal (out.data, "NAME      N  LAST\n"
                                   "a?b     100  x\n"
                                   "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e    7  -\n");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (unknown_is_empty_and_zero_is_zero),
        cmocka_unit_test (what_an_event_does_not_tell_stays),
        cmocka_unit_test (a_worker_without_a_name_is_called_by_its_instance),
        cmocka_unit_test (freshness_is_a_letter_a_source),
        cmocka_unit_test (
            idle_counts_from_activity_else_resume_else_creation_and_only_while_it_runs),
        cmocka_unit_test (order_puts_larger_numbers_first_and_unknown_last),
        cmocka_unit_test (a_name_cannot_command_a_terminal),
        cmocka_unit_test (widths_are_a_terminals),
        cmocka_unit_test (spans_have_at_most_two_units),
        cmocka_unit_test (a_table_is_as_wide_as_its_cells_and_has_no_blanks_at_the_end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
