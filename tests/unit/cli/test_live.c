//  When a lost link is tried again; what is wanted of a list; how an event reads.

#include "../../../common/cleanup.h"
#include "../../../gateway/cli/live.h"
#include "../../../gateway/cli/pretty.h"
#include "../../../gateway/cli/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static void
first_try_comes_when_the_server_asks (void **state)
{
    (void) state;
    for (uint32_t random = 0; random < 2000; random += 7) {
        assert_int_equal (live_delay (0, 2345, random), 2345 * MS_US);
    }
}

static void
tries_double_are_random_and_stay_under_the_most (void **state)
{
    (void) state;
    for (unsigned tries = 1; tries < 100; tries++) {
        time_us_t least = live_delay (tries, 1000, 0), most = live_delay (tries, 1000, 1023);
        time_us_t full = tries < 5 ? SECOND_US << tries : LIVE_DELAY_MOST_US;

        assert_int_equal (most, full);
        assert_int_equal (least, full / 2);
        assert_true (live_delay (tries, 1000, 500) > least);
        assert_true (live_delay (tries, 1000, 500) < most);
    }
}

static void
without_a_word_of_the_server_a_second_is_the_measure (void **state)
{
    (void) state;
    assert_int_equal (live_delay (0, SSE_RETRY_UNKNOWN, 1023), SECOND_US);
    assert_int_equal (live_delay (0, SSE_RETRY_UNKNOWN, 0), SECOND_US / 2);
}

static void
no_server_can_send_one_away_for_good (void **state)
{
    (void) state;
    assert_true (live_delay (0, 999999999999, 0) <= LIVE_DELAY_MOST_US);
    assert_true (live_delay (50, 999999999999, 1023) <= LIVE_DELAY_MOST_US);
    assert_true (live_delay (0, 0, 0) >= 0);
}

static void
words_become_the_streams_query (void **state)
{
    static words_t words;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    (void) state;
    strcpy (words.regions, "us-east-1,eu central");
    strcpy (words.event_types, "worker.*");

    words_write_query (&words, &out);

    assert_string_equal (out.data, "event_types=worker.%2A&regions=us-east-1%2Ceu%20central");
}

static void
a_list_has_its_names_whole (void **state)
{
    (void) state;
    assert_true (words_have ("", "anything"));
    assert_true (words_have ("a,bc,d", "bc"));
    assert_true (words_have ("a,bc,d", "d"));
    assert_false (words_have ("a,bc,d", "b"));
    assert_false (words_have ("a,bc", ""));
}

static const char *
line_of (pretty_t *pretty, const char *text)
{
    static char line [1000];
    _cleanup_ (json_destroy) struct json_object *event = NULL;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    assert_int_equal (json_parse (&event, text, strlen (text), strlen (text), NULL), 0);
    pretty_write (pretty, event, &out);
    snprintf (line, sizeof line, "%s", out.data);
    return line;
}

static void
an_event_is_a_line_with_the_name_that_was_learnt (void **state)
{
    _cleanup_ (pretty_destroy) pretty_t *pretty = pretty_new (false);
    (void) state;

    assert_string_equal (
        line_of (pretty,
                 "{\"type\":\"worker.status.updated\",\"time\":\"2026-11-20T10:30:00.123Z\","
                 "\"data\":{\"worker_id\":\"0123456789ab\",\"old_status\":\"pending\","
                 "\"new_status\":\"running\"}}"),
        "10:30:00.123  worker.status.updated          01234567          pending -> running");
    line_of (pretty, "{\"type\":\"worker.created\",\"data\":{\"worker_id\":\"0123456789ab\","
                     "\"name\":\"lab\\u001b[2J\"}}");
    assert_string_equal (
        line_of (pretty,
                 "{\"type\":\"worker.status.updated\",\"time\":\"2026-11-20T10:30:00.123Z\","
                 "\"data\":{\"worker_id\":\"0123456789ab\",\"old_status\":\"running\"}}"),
        "10:30:00.123  worker.status.updated          lab?[2J           running -> -");
}

static void
an_event_of_a_type_nobody_knows_is_told_member_by_member (void **state)
{
    _cleanup_ (pretty_destroy) pretty_t *pretty = pretty_new (false);
    (void) state;

    assert_non_null (
        strstr (line_of (pretty, "{\"type\":\"x.y\",\"data\":{\"a\":1.5,\"b\":\"c\\nd\","
                                 "\"e\":null,\"some_at\":\"t\",\"deep\":{\"x\":1}}}"),
                "a=1.5 b=c?d e=-"));
    assert_non_null (line_of (pretty, "[]"));
}

static void
colours_are_closed_again (void **state)
{
    _cleanup_ (pretty_destroy) pretty_t *pretty = pretty_new (true);
    (void) state;

    const char *line = line_of (pretty, "{\"type\":\"worker.terminated\",\"data\":{}}");

    assert_non_null (strstr (line, "\033[31mworker.terminated"));
    assert_non_null (strstr (line, "\033[0m"));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (first_try_comes_when_the_server_asks),
        cmocka_unit_test (tries_double_are_random_and_stay_under_the_most),
        cmocka_unit_test (without_a_word_of_the_server_a_second_is_the_measure),
        cmocka_unit_test (no_server_can_send_one_away_for_good),
        cmocka_unit_test (words_become_the_streams_query),
        cmocka_unit_test (a_list_has_its_names_whole),
        cmocka_unit_test (an_event_is_a_line_with_the_name_that_was_learnt),
        cmocka_unit_test (an_event_of_a_type_nobody_knows_is_told_member_by_member),
        cmocka_unit_test (colours_are_closed_again),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
