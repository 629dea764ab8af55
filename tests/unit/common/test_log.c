#include "../../../common/cleanup.h"
#include "../../../common/json.h"
#include "../../../common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define LINE_MOST 4096

//  stderr is a pipe while a test runs; what was written is read with take.
typedef struct fixture {
    int real_stderr, pipe_out;
    char text [65536];
} fixture_t;

static int
set_up (void **state)
{
    static fixture_t fixture;
    int ends [2];

    fixture = (fixture_t){0};
    if (pipe (ends) != 0) {
        return -1;
    }
    fixture.real_stderr = dup (STDERR_FILENO);
    fixture.pipe_out = ends [0];
    dup2 (ends [1], STDERR_FILENO);
    close (ends [1]);
    log_open ("cmlwatch-test", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    *state = &fixture;
    return 0;
}

static int
tear_down (void **state)
{
    fixture_t *self = *state;

    dup2 (self->real_stderr, STDERR_FILENO);
    close (self->real_stderr);
    close (self->pipe_out);
    return 0;
}

//  All that was written since the last time; a mark of the test's own ends the reading.
static const char *
take (fixture_t *self)
{
    size_t size = 0;
    static const char MARK [] = "\x01";

    assert_int_equal (write (STDERR_FILENO, MARK, 1), 1);
    do {
        ssize_t got = read (self->pipe_out, self->text + size, sizeof self->text - 1 - size);
        assert_true (got > 0);
        size += (size_t) got;
    } while (self->text [size - 1] != MARK [0]);
    self->text [size - 1] = '\0';
    return self->text;
}

static size_t
lines_in (const char *text)
{
    size_t count = 0;

    for (; *text; text++) {
        count += *text == '\n';
    }
    return count;
}

//  The line as JSON; fails the test when it is not exactly one object.
static struct json_object *
parse (const char *line)
{
    struct json_object *json = NULL;
    reason_t why = {0};

    assert_int_equal (lines_in (line), 1);
    assert_int_equal (json_parse (&json, line, strlen (line), LINE_MOST, &why), 0);
    return json;
}

static void
line_is_logfmt_with_time_level_program_and_message (void **state)
{
    fixture_t *self = *state;

    log_info ("bus opened", LOG_TEXT ("endpoint", "tcp://127.0.0.1:5571"),
              LOG_INTEGER ("port", 5571), LOG_NUMBER ("ratio", 0.25));
    const char *line = take (self);

    assert_int_equal (strncmp (line, "time=20", 7), 0);
    assert_non_null (strstr (line, "Z level=info program=cmlwatch-test msg=\"bus opened\" "
                                   "endpoint=tcp://127.0.0.1:5571 port=5571 ratio=0.25\n"));
}

static void
nothing_from_outside_can_break_a_line_or_add_a_field (void **state)
{
    fixture_t *self = *state;

    log_info ("refused", LOG_TEXT ("from", "x level=error\nmsg=\"forged\"\x1b[2J"),
              LOG_TEXT ("none", NULL));
    const char *line = take (self);

    assert_int_equal (lines_in (line), 1);
    assert_null (strchr (line, '\x1b'));
    assert_non_null (
        strstr (line, "from=\"x level=error\\nmsg=\\\"forged\\\"\\u001b[2J\" none=\n"));
}

static void
json_lines_are_one_object_each_whatever_the_bytes (void **state)
{
    fixture_t *self = *state;
    log_open ("cmlwatch-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);

    log_warn ("odd \"bytes\"", LOG_TEXT ("text", "\xff\xc3 caf\xc3\xa9 \t\"\\"),
              LOG_INTEGER ("count", -3), LOG_NUMBER ("none", (double) NAN));
    _cleanup_ (json_destroy) struct json_object *json = parse (take (self));

    assert_string_equal (json_get_text (json, "level"), "warn");
    assert_string_equal (json_get_text (json, "program"), "cmlwatch-test");
    assert_string_equal (json_get_text (json, "msg"), "odd \"bytes\"");
    assert_non_null (strstr (json_get_text (json, "text"), " caf\xc3\xa9 \t\"\\"));
    int64_t count;
    assert_true (json_get_integer (json, "count", &count) && count == -3);
    assert_null (json_get (json, "none"));
}

static void
long_value_is_cut_between_characters_and_marked (void **state)
{
    fixture_t *self = *state;
    char value [3000];
    log_open ("cmlwatch-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    value [0] = 'x';  //  so the bound falls within a character
    for (size_t i = 1; i + 2 < sizeof value; i += 2) {
        memcpy (value + i, "\xc3\xa9", 3);
    }

    log_info ("cut", LOG_TEXT ("long", "x"), LOG_TEXT ("value", value), LOG_TEXT ("after", "a"));
    _cleanup_ (json_destroy) struct json_object *json = parse (take (self));
    const char *kept = json_get_text (json, "value");

    assert_in_range (strlen (kept), 1000, 1030);
    assert_string_equal (kept + strlen (kept) - 3, "…");
    assert_null (strstr (kept, "\xef\xbf\xbd"));
    assert_string_equal (json_get_text (json, "after"), "a");
}

static void
line_stays_bounded_and_whole_however_much_is_said (void **state)
{
    fixture_t *self = *state;
    char value [1001];
    memset (value, '\n', sizeof value - 1);
    value [sizeof value - 1] = '\0';
    log_field_t fields [201];
    for (size_t i = 0; i < 200; i++) {
        fields [i] = LOG_TEXT ("a_rather_long_name_of_a_field", value);
    }
    fields [200] = LOG_END;

    for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++) {
        log_open ("cmlwatch-test", LOG_LEVEL_INFO, (log_format_t) format);
        log_write (LOG_LEVEL_INFO, NULL, "much", fields);
        const char *line = take (self);

        assert_in_range (strlen (line), 2000, LINE_MOST);
        assert_int_equal (lines_in (line), 1);
        assert_non_null (strstr (line, "…"));
        if (format == LOG_FORMAT_JSON) {
            _cleanup_ (json_destroy) struct json_object *json = parse (line);
            assert_string_equal (json_get_text (json, "msg"), "much");
        }
    }
}

static void
levels_below_the_least_are_not_written (void **state)
{
    fixture_t *self = *state;
    log_open ("cmlwatch-test", LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);

    log_debug ("no");
    log_info ("no");
    log_warn ("yes");
    log_error ("yes");

    const char *text = take (self);
    assert_int_equal (lines_in (text), 2);
    assert_null (strstr (text, "msg=no"));
}

static void
flood_of_one_place_is_held_back_and_counted (void **state)
{
    fixture_t *self = *state;
    uint64_t before = log_suppressed ();

    for (int i = 0; i < LOG_BURST + 90; i++) {
        log_warn ("flood");
    }
    log_warn ("another place");

    const char *text = take (self);
    assert_in_range (lines_in (text), LOG_BURST + 1, LOG_BURST + 2);
    assert_non_null (strstr (text, "another place"));
    assert_in_range (log_suppressed () - before, 89, 90);
}

static void
first_line_after_a_flood_says_how_many_were_held_back (void **state)
{
    fixture_t *self = *state;
    log_limit_t limit = {.refilled_steady = clock_now ().steady - 2 * SECOND_US,
                         .used = LOG_BURST,
                         .suppressed = 41};

    log_write (LOG_LEVEL_WARN, &limit, "again", (log_field_t []){LOG_END});
    log_write (LOG_LEVEL_WARN, &limit, "again", (log_field_t []){LOG_END});

    const char *text = take (self);
    assert_int_equal (lines_in (text), 2);
    assert_non_null (strstr (text, "msg=again suppressed=41\n"));
    assert_ptr_equal (strstr (strstr (text, "suppressed") + 1, "suppressed"), NULL);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (line_is_logfmt_with_time_level_program_and_message),
        TEST (nothing_from_outside_can_break_a_line_or_add_a_field),
        TEST (json_lines_are_one_object_each_whatever_the_bytes),
        TEST (long_value_is_cut_between_characters_and_marked),
        TEST (line_stays_bounded_and_whole_however_much_is_said),
        TEST (levels_below_the_least_are_not_written),
        TEST (flood_of_one_place_is_held_back_and_counted),
        TEST (first_line_after_a_flood_says_how_many_were_held_back),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
