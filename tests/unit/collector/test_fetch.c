#include "../../../collector/aws/fetch.h"

#include "../../../common/cleanup.h"
#include "../../../common/ini_file.h"
#include "home_rig.h"

//  --- what fetches share

static int
keys_of (const char *text, bool optional, aws_fetched_t *fetched)
{
    _cleanup_ (json_destroy) struct json_object *json = json_tokener_parse (text);
    *fetched = (aws_fetched_t){0};
    int rc = aws_keys_of_json (json, "Token", optional, fetched);
    fetched->keys = (aws_keys_t){0};  //  they were the JSON's
    return rc;
}

static void
keys_need_all_their_parts (void **state)
{
    (void) state;
    aws_fetched_t fetched;

    assert_int_equal (keys_of ("{\"Code\":\"Success\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":"
                               "\"S\",\"Token\":\"T\",\"Expiration\":\"2026-11-20T10:30:00Z\"}",
                               false, &fetched),
                      0);
    assert_true (fetched.expires == INT64_C (1795170600) * SECOND_US);
    assert_int_equal (keys_of ("{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"}", true, &fetched),
                      0);
    assert_true (fetched.expires == TIME_UNKNOWN);
    static const struct {
        const char *text, *word;
    } WRONG [] = {
        {"{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no trust\"}", "no trust"},
        {"{\"SecretAccessKey\":\"S\",\"Token\":\"T\"}", "AccessKeyId"},
        {"{\"AccessKeyId\":\"A\",\"Token\":\"T\"}", "SecretAccessKey"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\"}", "Token"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}", "Expiration"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\",\"Expiration\":"
         "\"soon\"}",
         "Expiration"},
        {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"S\",\"Token\":\"T\\r\\nX: "
         "y\",\"Expiration\":"
         "\"2026-11-20T10:30:00Z\"}",
         "Token"},
        {"[]", "AccessKeyId"},
    };
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        assert_int_equal (keys_of (WRONG [i].text, false, &fetched), -EINVAL);
        assert_non_null (strstr (fetched.why.text, WRONG [i].word));
    }
}

static void
command_is_cut_into_words_as_a_shell_would (void **state)
{
    (void) state;
    const char *const expected [] = {"/opt/give keys", "--a=b c", "it's", "\\n", "", "last"};
    _cleanup_ (aws_words_destroy) char **words =
        aws_words_new ("  '/opt/give keys' --a=\"b c\" it\\'s \"\\n\" ''\tlast ");

    assert_non_null (words);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal (words [i], expected [i]);
    }
    assert_null (words [6]);
    assert_null (aws_words_new ("'open"));
    assert_null (aws_words_new ("   "));
}

static void
token_file_is_one_line_within_bounds (void **state)
{
    (void) state;
    char path [100];
    reason_t why = {0};
    snprintf (path, sizeof path, "%s/.aws/token", home);

    write_file ("token", "  eyJhbGciOi.abc \n\n");
    _cleanup_ (string_destroy) char *token = aws_read_token_file (path, &why);
    assert_string_equal (token, "eyJhbGciOi.abc");
    write_file ("token", "one\ntwo\n");
    assert_null (aws_read_token_file (path, &why));
    write_file ("token", " \n");
    assert_null (aws_read_token_file (path, &why));
    assert_null (aws_read_token_file ("/nowhere/token", &why));
    assert_non_null (strstr (why.text, "/nowhere/token"));
}

static void
keys_are_fetched_anew_five_minutes_early_and_sooner_by_chance (void **state)
{
    (void) state;
    time_us_t hour = HOUR_US;

    assert_true (aws_keys_refresh_at (0, hour, 0) == hour - AWS_KEYS_EARLY_US);
    assert_true (aws_keys_refresh_at (0, hour, UINT32_MAX) < hour - AWS_KEYS_EARLY_US);
    assert_true (aws_keys_refresh_at (0, hour, UINT32_MAX) >= hour - AWS_KEYS_EARLY_US * 6 / 5);
    //  Keys that live shorter than that are still used for a while.
    assert_true (aws_keys_refresh_at (0, 4 * SECOND_US, 0) == 2 * SECOND_US);
    assert_true (aws_keys_refresh_at (0, 4 * SECOND_US, UINT32_MAX) > SECOND_US);
}

static int
take_nothing (void *argument, const char *section, const char *key, const char *value,
              reason_t *why)
{
    (void) section, (void) key, (void) value, (void) why;
    ++*(int *) argument;
    return 0;
}

static void
indented_line_is_nested_or_an_error (void **state)
{
    (void) state;
    char path [100];
    reason_t why = {0};
    int taken = 0;
    snprintf (path, sizeof path, "%s/.aws/token", home);
    write_file ("token", "[a]\ns3 =\n  x = 1\n");

    assert_int_equal (ini_file_read (path, true, take_nothing, &taken, &why), 0);
    assert_int_equal (taken, 2);
    assert_int_equal (ini_file_read (path, false, take_nothing, &taken, &why), -EINVAL);
    assert_non_null (strstr (why.text, "token:3:"));
    assert_int_equal (ini_file_read ("/nowhere", true, take_nothing, &taken, &why), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (keys_need_all_their_parts),
        TEST (command_is_cut_into_words_as_a_shell_would),
        TEST (token_file_is_one_line_within_bounds),
        TEST (keys_are_fetched_anew_five_minutes_early_and_sooner_by_chance),
        TEST (indented_line_is_nested_or_an_error),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
