#include "../../../common/cleanup.h"
#include "../../../common/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>  //  needs the four above it

typedef struct settings {
    char listen [CONFIG_TEXT_SIZE], password [CONFIG_TEXT_SIZE];
    int colour;
} settings_t;

static const char *const COLOURS [] = {"red", "green", NULL};

// clang-format off
static const config_key_t KEYS [] = {
    {"listen",   CONFIG_TEXT,   offsetof (settings_t, listen),   ".:80", 0, 0, NULL,    ".hidden 'quoted' `code` a\\b ^ ~ and then so many more words that the line has to be broken, which it is .here or .there"},
    {"password", CONFIG_SECRET, offsetof (settings_t, password), "",     0, 0, NULL,    "what opens it"},
    {"colour",   CONFIG_CHOICE, offsetof (settings_t, colour),   "red",  0, 0, COLOURS, "of the door"},
    {0},
};
// clang-format on

static char folder [64];

static int
set_up (void **state)
{
    (void) state;
    snprintf (folder, sizeof folder, "/tmp/cmlwatch-docs-XXXXXX");
    return mkdtemp (folder) ? 0 : -1;
}

static int
tear_down (void **state)
{
    char path [128];

    (void) state;
    snprintf (path, sizeof path, "%s/door_password", folder);
    (void) unlink (path);
    return rmdir (folder);
}

static void
put_credential (const char *text)
{
    char path [128];

    snprintf (path, sizeof path, "%s/door_password", folder);
    FILE *file = fopen (path, "we");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
}

static char *
printed_page (void)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream (&text, &size);

    config_print_man (KEYS, "door", out);
    fclose (out);
    return text;
}

static void
no_line_of_a_page_is_taken_for_a_macro_that_is_none (void **state)
{
    (void) state;
    _cleanup_ (string_destroy) char *text = printed_page ();

    for (char *rest = text, *line; (line = strsep (&rest, "\n"));) {
        bool is_macro = strncmp (line, ".TP", 3) == 0 || strncmp (line, ".B ", 3) == 0 ||
                        strncmp (line, ".BR ", 4) == 0;
        assert_true (is_macro || (*line != '.' && *line != '\''));
        assert_true (strlen (line) < 80);
    }
}

static void
what_roff_would_take_for_itself_is_escaped (void **state)
{
    (void) state;
    _cleanup_ (string_destroy) char *text = printed_page ();

    assert_non_null (strstr (text, "\\&.hidden \\(aqquoted\\(aq \\(gacode\\(ga a\\eb \\(ha \\(ti"));
}

static void
a_page_tells_variable_default_and_file_of_a_secret (void **state)
{
    (void) state;
    _cleanup_ (string_destroy) char *text = printed_page ();

    assert_non_null (strstr (text, ".B \\-\\-password\n"));
    assert_non_null (strstr (text, ".BR CMLWATCH_DOOR_PASSWORD_FILE .\n"));
    assert_non_null (strstr (text, "(red, green)"));
    assert_non_null (strstr (text, ".BR \"red\" .\n"));
    assert_null (strstr (text, "CMLWATCH_DOOR_LISTEN_FILE"));
}

static void
a_credential_of_the_section_is_the_secret (void **state)
{
    settings_t settings;
    reason_t why = {0};

    (void) state;
    put_credential ("sesame\n");
    config_init (KEYS, &settings);

    assert_int_equal (config_read_credentials (KEYS, &settings, "door", folder, &why), 0);
    assert_string_equal (settings.password, "sesame");
}

static void
no_folder_no_file_and_another_section_change_nothing (void **state)
{
    settings_t settings;
    reason_t why = {0};

    (void) state;
    config_init (KEYS, &settings);
    assert_int_equal (config_read_credentials (KEYS, &settings, "door", NULL, &why), 0);
    assert_int_equal (config_read_credentials (KEYS, &settings, "door", folder, &why), 0);
    put_credential ("sesame\n");
    assert_int_equal (config_read_credentials (KEYS, &settings, "window", folder, &why), 0);

    assert_string_equal (settings.password, "");
}

static void
a_credential_that_is_none_is_refused_with_its_path (void **state)
{
    settings_t settings;
    reason_t why = {0};

    (void) state;
    put_credential ("open\nsesame\n");
    config_init (KEYS, &settings);

    assert_int_equal (config_read_credentials (KEYS, &settings, "door", folder, &why), -EINVAL);
    assert_non_null (strstr (why.text, "door_password"));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (no_line_of_a_page_is_taken_for_a_macro_that_is_none),
        TEST (what_roff_would_take_for_itself_is_escaped),
        TEST (a_page_tells_variable_default_and_file_of_a_secret),
        TEST (a_credential_of_the_section_is_the_secret),
        TEST (no_folder_no_file_and_another_section_change_nothing),
        TEST (a_credential_that_is_none_is_refused_with_its_path),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
