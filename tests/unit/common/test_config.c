#include "../../../common/cleanup.h"
#include "../../../common/config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define SECTION "collector-ec2"

typedef struct settings {
    char listen [CONFIG_TEXT_SIZE], password [CONFIG_TEXT_SIZE];
    int64_t interval_ms;
    bool quiet;
    int format;
} settings_t;

static const char *const FORMATS [] = {"logfmt", "json", NULL};

// clang-format off
static const config_key_t KEYS [] = {
    {"listen",      CONFIG_TEXT,    offsetof (settings_t, listen),      "127.0.0.1:0", 0, 0,    NULL,    "where it listens"},
    {"password",    CONFIG_SECRET,  offsetof (settings_t, password),    "",            0, 0,    NULL,    "of the account"},
    {"interval_ms", CONFIG_INTEGER, offsetof (settings_t, interval_ms), "1000",        1, 5000, NULL,    "between two reads"},
    {"quiet",       CONFIG_FLAG,    offsetof (settings_t, quiet),       "no",          0, 0,    NULL,    "says less"},
    {"format",      CONFIG_CHOICE,  offsetof (settings_t, format),      "logfmt",      0, 0,    FORMATS, "of a line"},
    {0}};
// clang-format on

typedef struct fixture {
    settings_t settings;
    reason_t why;
    char path [64];
} fixture_t;

static int
set_up (void **state)
{
    static fixture_t fixture;

    fixture = (fixture_t){.path = "/tmp/cmlwatch-test-config-XXXXXX"};
    config_init (KEYS, &fixture.settings);
    _cleanup_ (descriptor_close) int fd = mkstemp (fixture.path);
    *state = &fixture;
    return fd < 0 ? -1 : 0;
}

static int
tear_down (void **state)
{
    fixture_t *self = *state;
    return unlink (self->path);
}

static void
write_file (const fixture_t *self, const void *bytes, size_t size)
{
    _cleanup_ (descriptor_close) int fd = open (self->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal (write (fd, bytes, size), size);
}

static int
read_file (fixture_t *self, const char *text)
{
    write_file (self, text, strlen (text));
    return config_read_file (KEYS, &self->settings, SECTION, self->path, &self->why);
}

//  True when the sentence has each of these words; they end with NULL.
static bool
says (const fixture_t *self, const char *const words [])
{
    for (size_t i = 0; words [i]; i++) {
        if (!strstr (self->why.text, words [i])) {
            print_message ("no '%s' in: %s\n", words [i], self->why.text);
            return false;
        }
    }
    return true;
}
#define SAYS(self, ...) assert_true (says ((self), (const char *const []){__VA_ARGS__, NULL}))

static void
defaults_come_from_the_table (void **state)
{
    fixture_t *self = *state;

    assert_string_equal (self->settings.listen, "127.0.0.1:0");
    assert_int_equal (self->settings.interval_ms, 1000);
    assert_false (self->settings.quiet);
    assert_int_equal (self->settings.format, 0);
}

static void
wrong_value_names_place_key_value_and_what_is_allowed_and_changes_nothing (void **state)
{
    fixture_t *self = *state;
    const struct {
        const char *key, *value;
        int rc;
        const char *allowed;
    } rows [] = {
        {"interval_ms", "0", -ERANGE, "1 to 5000"},
        {"interval_ms", "5001", -ERANGE, "1 to 5000"},
        {"interval_ms", "99999999999999999999", -ERANGE, "1 to 5000"},
        {"interval_ms", "soon", -EINVAL, "whole number"},
        {"interval_ms", "5s", -EINVAL, "1 to 5000"},
        {"interval_ms", "", -EINVAL, "1 to 5000"},
        {"quiet", "maybe", -EINVAL, "yes or no"},
        {"format", "xml", -EINVAL, "logfmt, json"},
    };
    settings_t before = self->settings;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal (config_set (KEYS, &self->settings, rows [i].key, rows [i].value,
                                      "f.conf:7", &self->why),
                          rows [i].rc);
        SAYS (self, "f.conf:7", rows [i].key, rows [i].value, rows [i].allowed);
    }
    assert_memory_equal (&before, &self->settings, sizeof before);
}

static void
text_up_to_its_bound_is_taken_and_beyond_refused (void **state)
{
    fixture_t *self = *state;
    char longest [CONFIG_TEXT_SIZE + 1];
    assert_true (config_set (KEYS, &self->settings, "listen", "a\nb", "x", &self->why) < 0);
    SAYS (self, "one line");
    memset (longest, 'x', sizeof longest);

    longest [CONFIG_TEXT_SIZE] = '\0';
    assert_int_equal (config_set (KEYS, &self->settings, "listen", longest, "flag", &self->why),
                      -ERANGE);
    SAYS (self, "listen", "1023");

    longest [CONFIG_TEXT_SIZE - 1] = '\0';
    assert_int_equal (config_set (KEYS, &self->settings, "listen", longest, "flag", &self->why), 0);
    assert_string_equal (self->settings.listen, longest);
}

static void
secret_is_never_in_a_sentence_or_on_the_screen (void **state)
{
    fixture_t *self = *state;
    char secret [CONFIG_TEXT_SIZE + 8], *shown = NULL;
    size_t size;
    memset (secret, 'S', sizeof secret);
    secret [sizeof secret - 1] = '\0';
    assert_true (config_set (KEYS, &self->settings, "password", secret, "x", &self->why) < 0);
    assert_null (strstr (self->why.text, "SS"));
    config_set (KEYS, &self->settings, "password", "hidden", "x", NULL);

    FILE *out = open_memstream (&shown, &size);
    config_print (KEYS, &self->settings, SECTION, out);
    config_print_help (KEYS, SECTION, out);
    fclose (out);

    assert_non_null (strstr (shown, "password = ***"));
    assert_null (strstr (shown, "hidden"));
    free (shown);
}

static void
file_sets_its_own_section_and_passes_over_those_of_others (void **state)
{
    fixture_t *self = *state;

    assert_int_equal (read_file (self, "# all of it\n"
                                       "[aggregator]\nwhatever = 1\n"
                                       "[collector-future]\nanything = x\n"
                                       "[sim]\n[gateway]\n"
                                       "[" SECTION "]\ninterval_ms = 20\n; note\nquiet=on\n"
                                       "format : json\n\n   # indented comment\n"),
                      0);

    assert_int_equal (self->settings.interval_ms, 20);
    assert_true (self->settings.quiet);
    assert_int_equal (self->settings.format, 1);
}

static void
byte_order_mark_and_crlf_are_tolerated (void **state)
{
    fixture_t *self = *state;

    assert_int_equal (
        read_file (self, "\xef\xbb\xbf[" SECTION "]\r\nlisten = [::1]:80\r\ninterval_ms = 9"), 0);

    assert_string_equal (self->settings.listen, "[::1]:80");
    assert_int_equal (self->settings.interval_ms, 9);
}

static void
faults_of_a_file_are_named_by_file_and_line (void **state)
{
    fixture_t *self = *state;
    const struct {
        const char *text, *line, *said;
        int rc;
    } rows [] = {
        {"[" SECTION "]\n\nintervall_ms = 5\n", ":3", "interval_ms", -ENOENT},
        {"[" SECTION "]\nzzzzzzzzzz = 5\n", ":2", "--help", -ENOENT},
        {"[" SECTION "]\ninterval_ms = much\n", ":2", "much", -EINVAL},
        {"[collector]\na = 1\n", ":1", "[collector]", -ENOENT},
        {"[agregator]\n", ":1", "[agregator]", -ENOENT},
        {"a = 1\n", ":1", "before any [section]", -EINVAL},
        {"[" SECTION "]\nlisten = a\n  b\n", ":3", "indented", -EINVAL},
        {"[" SECTION "]\n\tlisten = a\n", ":2", "indented", -EINVAL},
        {"[" SECTION "]\nthis is not a key\n", ":2", "key = value", -EINVAL},
        {"[" SECTION "]\nlisten =; a\n", ":2", "';'", -EINVAL},
        {"[" SECTION "]\nquiet = 1\nlisten = a\rb\n", ":3", "carriage return", -EINVAL},
        {"[" SECTION "\nquiet = 1\n", ":1", "[section]", -EINVAL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char where [80];
        snprintf (where, sizeof where, "%s%s", self->path, rows [i].line);
        assert_int_equal (read_file (self, rows [i].text), rows [i].rc);
        SAYS (self, where, rows [i].said);
    }
}

static void
line_inih_would_cut_in_two_is_refused_and_the_longest_it_takes_is_whole (void **state)
{
    fixture_t *self = *state;
    char text [2400], value [200];

    memset (value, 'v', sizeof value);
    value [198 - strlen ("listen=")] = '\0';
    snprintf (text, sizeof text, "[%s]\nlisten=%s\nquiet=yes\n", SECTION, value);
    assert_int_equal (read_file (self, text), 0);
    assert_string_equal (self->settings.listen, value);
    assert_true (self->settings.quiet);

    snprintf (text, sizeof text, "[%s]\nlisten=%sv\n", SECTION, value);
    assert_int_equal (read_file (self, text), -ERANGE);
    SAYS (self, ":2", "198");

    memset (text, 'x', sizeof text);
    text [sizeof text - 1] = '\0';
    assert_int_equal (read_file (self, text), -ERANGE);
    SAYS (self, ":1");
}

static void
file_that_is_not_text_is_refused (void **state)
{
    fixture_t *self = *state;
    static const char NUL_INSIDE [] = "[" SECTION "]\nlisten = a\0b\nquiet = yes\n";

    write_file (self, NUL_INSIDE, sizeof NUL_INSIDE - 1);

    assert_int_equal (config_read_file (KEYS, &self->settings, SECTION, self->path, &self->why),
                      -EINVAL);
    SAYS (self, ":2", "NUL");
    assert_int_equal (read_file (self, "[" SECTION "]\n# \x1b[1m\nlisten = a\x01\n"), -EINVAL);
    SAYS (self, ":3", "control character, 0x01");
}

static void
missing_file_and_directory_are_named (void **state)
{
    fixture_t *self = *state;

    assert_int_equal (
        config_read_file (KEYS, &self->settings, SECTION, "/nonexistent/c.conf", &self->why),
        -ENOENT);
    SAYS (self, "/nonexistent/c.conf");

    assert_int_equal (config_read_file (KEYS, &self->settings, SECTION, "/tmp", &self->why), -EIO);
    SAYS (self, "/tmp");
}

static int
read_variables (fixture_t *self, char *first, char *second)
{
    return config_read_environment (
        KEYS, &self->settings, SECTION,
        (char *[]){"PATH=/bin", "CMLWATCH_GATEWAY_LISTEN=other", first, second, NULL}, &self->why);
}

static void
environment_sets_keys_by_section_and_name_in_capitals (void **state)
{
    fixture_t *self = *state;

    assert_int_equal (read_variables (self, "CMLWATCH_COLLECTOR_EC2_INTERVAL_MS=77",
                                      "CMLWATCH_COLLECTOR_EC2_LISTEN=a=b"),
                      0);

    assert_int_equal (self->settings.interval_ms, 77);
    assert_string_equal (self->settings.listen, "a=b");
}

static void
misspelt_variable_is_refused_with_the_nearest_name (void **state)
{
    fixture_t *self = *state;

    assert_int_equal (read_variables (self, "CMLWATCH_COLLECTOR_EC2_INTERVAL=7", NULL), -ENOENT);
    SAYS (self, "CMLWATCH_COLLECTOR_EC2_INTERVAL", "interval_ms");

    assert_int_equal (read_variables (self, "CMLWATCH_COLLECTOR_EC2_QUIET=perhaps", NULL), -EINVAL);
    SAYS (self, "CMLWATCH_COLLECTOR_EC2_QUIET", "perhaps", "yes or no");
}

static void
secret_comes_from_a_file_without_its_last_newline (void **state)
{
    fixture_t *self = *state;
    char variable [128];
    snprintf (variable, sizeof variable, "CMLWATCH_COLLECTOR_EC2_PASSWORD_FILE=%s", self->path);

    write_file (self, " pass word\r\n", 12);
    assert_int_equal (read_variables (self, variable, NULL), 0);
    assert_string_equal (self->settings.password, " pass word");

    write_file (self, "two\nlines\n", 10);
    assert_int_equal (read_variables (self, variable, NULL), -EINVAL);
    SAYS (self, self->path, "one line");

    assert_int_equal (
        read_variables (self, "CMLWATCH_COLLECTOR_EC2_PASSWORD_FILE=/nonexistent", NULL), -ENOENT);
    SAYS (self, "PASSWORD_FILE", "/nonexistent");
    assert_int_equal (read_variables (self, "CMLWATCH_COLLECTOR_EC2_PASSWORD_FILE=/tmp", NULL),
                      -EIO);
    assert_int_equal (read_variables (self, "CMLWATCH_COLLECTOR_EC2_LISTEN_FILE=/tmp", NULL),
                      -EINVAL);
    SAYS (self, "LISTEN_FILE", "secret");
}

//  Reads all flags as a program does.
static int
read_flags (fixture_t *self, int argc, char **argv)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < argc;) {
        rc = config_read_flag (KEYS, &self->settings, argc, argv, &i, &self->why);
    }
    return rc;
}

static void
flags_take_their_value_after_a_space_or_an_equals_sign (void **state)
{
    fixture_t *self = *state;
    char *argv [] = {"--interval-ms", "12",  "--quiet",       "--format=json",
                     "--listen",      "--x", "--password=a=b"};

    assert_int_equal (read_flags (self, 7, argv), 0);

    assert_int_equal (self->settings.interval_ms, 12);
    assert_true (self->settings.quiet);
    assert_int_equal (self->settings.format, 1);
    assert_string_equal (self->settings.listen, "--x");
    assert_string_equal (self->settings.password, "a=b");
}

static void
flag_of_a_yes_or_no_takes_a_value_too (void **state)
{
    fixture_t *self = *state;

    assert_int_equal (read_flags (self, 2, (char *[]){"--quiet", "yes"}), 0);
    assert_true (self->settings.quiet);
    assert_int_equal (read_flags (self, 1, (char *[]){"--quiet=off"}), 0);
    assert_false (self->settings.quiet);
}

static void
wrong_flags_are_named (void **state)
{
    fixture_t *self = *state;
    const struct {
        char *flag;
        const char *said;
        int rc;
    } rows [] = {
        {"--intervall-ms=5", "interval_ms", -ENOENT},
        {"--interval-ms", "wants a value", -EINVAL},
        {"--interval-ms=0", "1 to 5000", -ERANGE},
        {"start", "--help", -EINVAL},
        {"-q", "--help", -EINVAL},
        {"--", "--", -ENOENT},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal (read_flags (self, 1, (char *[]){rows [i].flag}), rows [i].rc);
        SAYS (self, rows [i].said);
    }
}

static void
print_and_read (fixture_t *self, settings_t *other)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream (&text, &size);

    config_print (KEYS, &self->settings, SECTION, out);
    fclose (out);
    write_file (self, text, size);
    config_init (KEYS, other);
    assert_int_equal (config_read_file (KEYS, other, SECTION, self->path, &self->why), 0);
    free (text);
}

static void
printed_values_can_be_read_back (void **state)
{
    fixture_t *self = *state;
    static const char *const TEXTS [] = {
        "a ;b", "a\t; b", "; a",        ";",        " begins", "ends ", "a;b", "\"",    "\"whole\"",
        "# a",  "[a]",    "a \"b\" ;c", "\"a\" ;b", "a = b",   "a:b",   "",    "\";\"", "\\ ;"};

    read_flags (self, 3, (char *[]){"--quiet", "--format=json", "--interval-ms=3"});
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        settings_t other;
        snprintf (self->settings.listen, sizeof self->settings.listen, "%s", TEXTS [i]);
        print_and_read (self, &other);
        assert_string_equal (other.listen, TEXTS [i]);
        assert_true (other.quiet && other.format == 1 && other.interval_ms == 3);
    }
}

static void
value_in_quotes_is_what_stands_between_them (void **state)
{
    fixture_t *self = *state;

    assert_int_equal (read_file (self, "[" SECTION "]\nlisten = \" a ;b \" ; why\n"), 0);
    assert_string_equal (self->settings.listen, "\" a");  //  a comment's begin all the same
    assert_int_equal (read_file (self, "[" SECTION "]\nlisten = \" a ;b \"  \n"), 0);
    assert_string_equal (self->settings.listen, " a ;b ");
    assert_int_equal (read_file (self, "[" SECTION "]\nlisten = \"a\" ; why\n"), 0);
    assert_string_equal (self->settings.listen, "a");
}

static void
help_tells_flag_default_variable_and_meaning_of_each_key (void **state)
{
    (void) state;
    char *text = NULL;
    size_t size;

    FILE *out = open_memstream (&text, &size);
    config_print_help (KEYS, SECTION, out);
    fclose (out);

    assert_non_null (strstr (text, "--interval-ms"));
    assert_non_null (strstr (text, "1000"));
    assert_non_null (strstr (text, "CMLWATCH_COLLECTOR_EC2_INTERVAL_MS"));
    assert_non_null (strstr (text, "between two reads"));
    assert_non_null (strstr (text, "logfmt, json"));
    assert_non_null (strstr (text, "1 to 5000"));
    free (text);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (defaults_come_from_the_table),
        TEST (wrong_value_names_place_key_value_and_what_is_allowed_and_changes_nothing),
        TEST (text_up_to_its_bound_is_taken_and_beyond_refused),
        TEST (secret_is_never_in_a_sentence_or_on_the_screen),
        TEST (file_sets_its_own_section_and_passes_over_those_of_others),
        TEST (byte_order_mark_and_crlf_are_tolerated),
        TEST (faults_of_a_file_are_named_by_file_and_line),
        TEST (line_inih_would_cut_in_two_is_refused_and_the_longest_it_takes_is_whole),
        TEST (file_that_is_not_text_is_refused),
        TEST (missing_file_and_directory_are_named),
        TEST (environment_sets_keys_by_section_and_name_in_capitals),
        TEST (misspelt_variable_is_refused_with_the_nearest_name),
        TEST (secret_comes_from_a_file_without_its_last_newline),
        TEST (flags_take_their_value_after_a_space_or_an_equals_sign),
        TEST (flag_of_a_yes_or_no_takes_a_value_too),
        TEST (wrong_flags_are_named),
        TEST (printed_values_can_be_read_back),
        TEST (value_in_quotes_is_what_stands_between_them),
        TEST (help_tells_flag_default_variable_and_meaning_of_each_key),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
