#include "../../../collector/cml/cml_pins.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define PIN_A "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PIN_B "sha256//BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB="
#define PIN_C "sha256//CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC="

DEFINE_CLEANUP (file_close, FILE *, fclose)

static cml_pins_t *
read_text (const char *text, reason_t *why)
{
    _cleanup_ (file_close) FILE *file = fmemopen ((void *) text, strlen (text), "r");
    assert_non_null (file);
    return cml_pins_read_stream (file, "pins", why);
}

static void
refused_with (const char *text, const char *said)
{
    reason_t why = {0};
    _cleanup_ (cml_pins_destroy) cml_pins_t *pins = read_text (text, &why);

    assert_null (pins);
    if (!strstr (why.text, said)) {
        fail_msg ("'%s' does not say '%s'", why.text, said);
    }
}

static void
instance_id_counts_before_name_and_name_before_address_and_that_before_everybody (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_pins_destroy) cml_pins_t *pins =
        read_text ("* " PIN_C "\ni-1 " PIN_A "\nlab 7 " PIN_B "\n10.0.0.1 " PIN_A "\n", &why);
    assert_non_null (pins);

    assert_string_equal (cml_pins_find (pins, "i-1", "lab 7", "10.0.0.9"), PIN_A);
    assert_string_equal (cml_pins_find (pins, "i-2", "lab 7", "10.0.0.1"), PIN_B);
    assert_string_equal (cml_pins_find (pins, "i-2", "", "10.0.0.1"), PIN_A);
    assert_string_equal (cml_pins_find (pins, "i-2", "lab 8", ""), PIN_C);
}

static void
server_that_nobody_wrote_down_has_no_pin (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_pins_destroy) cml_pins_t *pins = read_text ("i-1 " PIN_A "\n", &why);

    assert_non_null (pins);
    assert_null (cml_pins_find (pins, "i-2", "", ""));
}

static void
several_lines_for_one_server_are_several_keys (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_pins_destroy) cml_pins_t *pins =
        read_text ("i-1 " PIN_A "\ni-1\t" PIN_B "\n", &why);

    assert_non_null (pins);
    assert_string_equal (cml_pins_find (pins, "i-1", "", ""), PIN_A ";" PIN_B);
}

static void
comments_blank_lines_blanks_and_a_missing_last_newline_are_right (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_pins_destroy) cml_pins_t *pins = read_text (
        "# of 2026\n\n   \n  a worker of ours   " PIN_A "  \r\n  # more\ni-2 " PIN_B, &why);

    assert_non_null (pins);
    assert_string_equal (cml_pins_find (pins, "", "a worker of ours", ""), PIN_A);
    assert_string_equal (cml_pins_find (pins, "i-2", "", ""), PIN_B);
}

static void
wrong_line_is_named_by_file_and_number (void **state)
{
    (void) state;

    refused_with ("i-1 " PIN_A "\n\ni-2\n", "pins:3: 'i-2'");
    refused_with ("i-1 sha256//short=\n", "pins:1:");
    refused_with ("i-1 md5//AAAA\n", "sha256//<base64 of 32 bytes>");
    refused_with (PIN_A "\n", "pins:1:");
    refused_with ("i-1 " PIN_A "x\n", "pins:1:");
}

static void
line_beyond_its_bound_is_refused_not_cut_in_two (void **state)
{
    (void) state;
    char text [2 * CML_PINS_LINE_MAX];

    memset (text, 'x', sizeof text - 1);
    text [sizeof text - 1] = '\0';
    refused_with (text, "pins:1: longer than");
}

static void
file_that_is_not_there_is_named (void **state)
{
    (void) state;
    reason_t why = {0};

    assert_null (cml_pins_read ("/nowhere/pins", &why));
    assert_non_null (strstr (why.text, "/nowhere/pins: No such file"));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (
            instance_id_counts_before_name_and_name_before_address_and_that_before_everybody),
        cmocka_unit_test (server_that_nobody_wrote_down_has_no_pin),
        cmocka_unit_test (several_lines_for_one_server_are_several_keys),
        cmocka_unit_test (comments_blank_lines_blanks_and_a_missing_last_newline_are_right),
        cmocka_unit_test (wrong_line_is_named_by_file_and_number),
        cmocka_unit_test (line_beyond_its_bound_is_refused_not_cut_in_two),
        cmocka_unit_test (file_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
