#include "../../../common/buffer.h"
#include "../../../common/cleanup.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static void
content_grows_and_always_ends_with_a_nul (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t buffer = {0};

    for (int i = 0; i < 5000; i++) {
        buffer_append (&buffer, "ab", 2);
    }
    buffer_text (&buffer, "c");

    assert_int_equal (buffer.size, 10001);
    assert_int_equal (strlen (buffer.data), 10001);
    assert_string_equal (buffer.data + 9998, "abc");
}

static void
nothing_appended_is_an_empty_text (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t buffer = {0};

    buffer_append (&buffer, NULL, 0);

    assert_string_equal (buffer.data, "");
    assert_int_equal (buffer.size, 0);
}

static void
format_makes_the_room_it_needs (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t buffer = {0};

    buffer_format (&buffer, "%s-%d-%600d", "x", 7, 42);

    assert_int_equal (buffer.size, 604);
    assert_memory_equal (buffer.data, "x-7- ", 5);
    assert_string_equal (buffer.data + 602, "42");
}

static void
reset_keeps_the_memory_and_clear_gives_it_back (void **state)
{
    (void) state;
    buffer_t buffer = {0};
    buffer_text (&buffer, "some");
    const char *before = buffer.data;

    buffer_reset (&buffer);
    buffer_text (&buffer, "more");
    assert_ptr_equal (buffer.data, before);
    assert_string_equal (buffer.data, "more");

    buffer_clear (&buffer);
    assert_null (buffer.data);
    buffer_text (&buffer, "again");
    assert_string_equal (buffer.data, "again");
    buffer_clear (&buffer);
}

static void
reserved_room_is_the_callers_to_fill (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t buffer = {0};
    buffer_text (&buffer, "<");

    char *room = buffer_reserve (&buffer, 1000);
    memset (room, 'x', 1000);
    buffer.size += 1000;
    buffer_text (&buffer, ">");

    assert_int_equal (buffer.size, 1002);
    assert_string_equal (buffer.data + 1000, "x>");
}

static void
lost_append_is_remembered_and_later_ones_do_nothing (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t buffer = {0};
    buffer_text (&buffer, "kept");

    assert_null (buffer_reserve (&buffer, SIZE_MAX - 2));
    buffer_text (&buffer, "lost");
    buffer_format (&buffer, "%d", 1);

    assert_true (buffer_failed (&buffer));
    assert_string_equal (buffer.data, "kept");
    buffer_reset (&buffer);
    assert_false (buffer_failed (&buffer));
}

static void
whole_numbers_of_each_length_are_written_as_printf_does (void **state)
{
    (void) state;
    char expected [32];

    for (uint64_t power = 1; power > 0; power = power > UINT64_MAX / 10 ? 0 : power * 10) {
        const uint64_t near [] = {power - 1, power, power + 1, power * 9 / 10};
        for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
            _cleanup_ (buffer_clear) buffer_t buffer = {0};
            buffer_unsigned (&buffer, near [i]);
            snprintf (expected, sizeof expected, "%" PRIu64, near [i]);
            assert_string_equal (buffer.data, expected);
        }
    }
    _cleanup_ (buffer_clear) buffer_t ends = {0};
    buffer_unsigned (&ends, UINT64_MAX);
    buffer_text (&ends, " ");
    buffer_integer (&ends, INT64_MIN);
    assert_string_equal (ends.data, "18446744073709551615 -9223372036854775808");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (content_grows_and_always_ends_with_a_nul),
        cmocka_unit_test (whole_numbers_of_each_length_are_written_as_printf_does),
        cmocka_unit_test (nothing_appended_is_an_empty_text),
        cmocka_unit_test (format_makes_the_room_it_needs),
        cmocka_unit_test (reset_keeps_the_memory_and_clear_gives_it_back),
        cmocka_unit_test (reserved_room_is_the_callers_to_fill),
        cmocka_unit_test (lost_append_is_remembered_and_later_ones_do_nothing),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
