//  What a monitor may say, and what it is told when it says something else.

#include "../../../common/json.h"
#include "../../../gateway/monitor_message.h"
#include "gateway_rig.h"

static monitor_message_t message;
static reason_t why;

static const char *
read_text (const char *text)
{
    monitor_message_clear (&message);
    why = (reason_t){""};
    return monitor_message_read (&message, text, strlen (text), &why);
}

static int
teardown (void **state)
{
    (void) state;
    monitor_message_clear (&message);
    return 0;
}

static void
connect_says_who_and_what_is_wanted (void **state)
{
    (void) state;
    assert_null (read_text ("{\"type\":\"monitor_connect\",\"monitor_id\":\"m-1\","
                            "\"request_full_state\":true,\"timestamp\":1700000000000}"));
    assert_int_equal (message.type, MONITOR_CONNECT);
    assert_string_equal (message.monitor_id, "m-1");
    assert_true (message.full_state);
    assert_string_equal (message.event_id, "");

    assert_null (read_text ("{\"type\":\"monitor_connect\",\"last_event_id\":\"0badcafe-7\"}"));
    assert_string_equal (message.monitor_id, "");
    assert_false (message.full_state);
    assert_string_equal (message.event_id, "0badcafe-7");
}

static void
both_subscriptions_are_the_same (void **state)
{
    static const char *const TEXTS [] = {
        "{\"type\":\"monitor_subscribe\",\"monitor_id\":\"m\",\"subscriptions\":[\"jobs\"]}",
        "{\"type\":\"subscribe\",\"monitor_id\":\"m\",\"topics\":[\"jobs\"]}"};

    (void) state;
    for (size_t i = 0; i < COUNT (TEXTS); i++) {
        filter_t *filter = filter_new (8);
        assert_null (read_text (TEXTS [i]));
        assert_int_equal (message.type, MONITOR_SUBSCRIBE);
        assert_null (monitor_message_filter (&message, filter, &why));
        assert_true (filter_wants_type (filter, EVENT_JOB_SUBMITTED));
        assert_false (filter_wants_type (filter, EVENT_WORKER_SNAPSHOT));
        assert_false (filter_wants_type (filter, EVENT_SYSTEM_STATS));
        filter_release (&filter);
    }
}

static const char *
key_of (filter_t *filter)
{
    static char key [500];
    buffer_t out = {0};

    filter_write_key (filter, &out);
    snprintf (key, sizeof key, "%s", out.data ? out.data : "");
    buffer_clear (&out);
    return key;
}

static void
filters_are_those_of_the_last_subscription_alone (void **state)
{
    filter_t *filter = filter_new (8);

    (void) state;
    assert_null (read_text ("{\"type\":\"subscribe\",\"topics\":[\"system_stats\"],\"filters\":{"
                            "\"job_types\":[\"a\",\"b\"],\"worker_ids\":[\"" WORKER_A
                            "\"],\"priority_range\":[-1,8]}}"));
    assert_null (monitor_message_filter (&message, filter, &why));
    assert_string_equal (key_of (filter), "&event_types=system.stats&worker_ids=" WORKER_A
                                          "&job_types=a,b&min_priority=-1&max_priority=8");

    assert_null (read_text ("{\"type\":\"subscribe\",\"topics\":[\"system_stats\"],"
                            "\"filters\":{\"job_types\":[],\"worker_ids\":null}}"));
    assert_null (monitor_message_filter (&message, filter, &why));
    assert_string_equal (key_of (filter), "&event_types=system.stats");
    filter_release (&filter);
}

static void
no_topic_is_nothing (void **state)
{
    filter_t *filter = filter_new (8);

    (void) state;
    assert_null (read_text ("{\"type\":\"subscribe\",\"topics\":[]}"));
    assert_null (monitor_message_filter (&message, filter, &why));
    assert_string_equal (key_of (filter), "&event_types=");
    filter_release (&filter);
}

static void
resync_begins_at_an_id_or_a_time (void **state)
{
    (void) state;
    assert_null (read_text ("{\"type\":\"resync_request\",\"last_event_timestamp\":1700000000123,"
                            "\"topics\":[\"jobs\"]}"));
    assert_int_equal (message.type, MONITOR_RESYNC);
    assert_int_equal (message.timestamp_ms, 1700000000123);

    assert_null (read_text ("{\"type\":\"resync_request\",\"last_event_timestamp\":1,"
                            "\"last_event_id\":\"0badcafe-3\"}"));
    assert_int_equal (message.timestamp_ms, -1);  //  the id says it better
    assert_string_equal (message.event_id, "0badcafe-3");
}

static void
what_is_wrong_is_named (void **state)
{
    static const struct {
        const char *text, *code, *named;
    } ROWS [] = {
        {"", MONITOR_MALFORMED, ""},
        {"nonsense", MONITOR_MALFORMED, "not JSON"},
        {"[]", MONITOR_MALFORMED, "type"},
        {"{}", MONITOR_MALFORMED, "type"},
        {"{\"type\":7}", MONITOR_MALFORMED, "type"},
        {"{\"type\":\"subscribe\"} {}", MONITOR_MALFORMED, "not JSON"},
        {"{\"type\":\"monitor_dance\"}", MONITOR_UNKNOWN_TYPE, "monitor_dance"},
        {"{\"type\":\"heartbeat\",\"monitor_id\":7}", MONITOR_INVALID, "monitor_id"},
        {"{\"type\":\"heartbeat\",\"monitor_id\":\"\"}", MONITOR_INVALID, "monitor_id"},
        {"{\"type\":\"heartbeat\",\"monitor_id\":\"a\\nb\"}", MONITOR_INVALID, "monitor_id"},
        {"{\"type\":\"heartbeat\",\"monitor_id\":\"a\\u0000b\"}", MONITOR_INVALID, "monitor_id"},
        {"{\"type\":\"heartbeat\",\"monitor_id\":\"0123456789012345678901234567890123456789"
         "0123456789012345678901234\"}",
         MONITOR_INVALID, "monitor_id"},
        {"{\"type\":\"monitor_connect\",\"request_full_state\":1}", MONITOR_INVALID,
         "request_full_state"},
        {"{\"type\":\"monitor_connect\",\"last_event_id\":{}}", MONITOR_INVALID, "last_event_id"},
        {"{\"type\":\"subscribe\"}", MONITOR_INVALID, "topics"},
        {"{\"type\":\"subscribe\",\"topics\":\"jobs\"}", MONITOR_INVALID, "topics"},
        {"{\"type\":\"subscribe\",\"topics\":[],\"filters\":[]}", MONITOR_INVALID, "filters"},
        {"{\"type\":\"resync_request\"}", MONITOR_INVALID, "last_event"},
        {"{\"type\":\"resync_request\",\"last_event_timestamp\":-1}", MONITOR_INVALID,
         "last_event"},
        {"{\"type\":\"resync_request\",\"last_event_timestamp\":1e300}", MONITOR_INVALID,
         "last_event"},
        {"{\"type\":\"resync_request\",\"last_event_timestamp\":\"1\"}", MONITOR_INVALID,
         "last_event"}};

    (void) state;
    for (size_t i = 0; i < COUNT (ROWS); i++) {
        const char *code = read_text (ROWS [i].text);
        if (!code || strcmp (code, ROWS [i].code) != 0 || !strstr (why.text, ROWS [i].named)) {
            print_message ("%s: %s, %s\n", ROWS [i].text, code ? code : "taken", why.text);
            fail ();
        }
    }
}

static void
filter_that_is_none_is_named (void **state)
{
    static const struct {
        const char *rest, *named;
    } ROWS [] = {{"\"topics\":[\"cakes\"]", "cakes"},
                 {"\"topics\":[7]", "topics"},
                 {"\"topics\":[\"jobs,workers\"]", "topics"},
                 {"\"topics\":[\"jobs\\u0000\"]", "topics"},
                 {"\"topics\":[],\"filters\":{\"regions\":[]}", "regions"},
                 {"\"topics\":[],\"filters\":{\"worker_ids\":\"x\"}", "worker_ids"},
                 {"\"topics\":[],\"filters\":{\"worker_ids\":[\"x\"]}", "worker_ids"},
                 {"\"topics\":[],\"filters\":{\"job_types\":[\"\"]}", "job_types"},
                 {"\"topics\":[],\"filters\":{\"job_types\":[\"1\",\"2\",\"3\"]}", "job_types"},
                 {"\"topics\":[],\"filters\":{\"priority_range\":[]}", "priority_range"},
                 {"\"topics\":[],\"filters\":{\"priority_range\":[1]}", "priority_range"},
                 {"\"topics\":[],\"filters\":{\"priority_range\":[1,2,3]}", "priority_range"},
                 {"\"topics\":[],\"filters\":{\"priority_range\":[1.5,2]}", "priority_range"},
                 {"\"topics\":[],\"filters\":{\"priority_range\":[2,1]}", "priority_range"},
                 {"\"topics\":[],\"filters\":{\"priority_range\":[0,99999999]}", "priority"}};
    char text [300];

    (void) state;
    for (size_t i = 0; i < COUNT (ROWS); i++) {
        filter_t *filter = filter_new (2);
        snprintf (text, sizeof text, "{\"type\":\"subscribe\",%s}", ROWS [i].rest);
        const char *code = read_text (text);
        code = code ? code : monitor_message_filter (&message, filter, &why);
        if (!code || strcmp (code, MONITOR_INVALID) != 0 || !strstr (why.text, ROWS [i].named)) {
            print_message ("%s: %s, %s\n", text, code ? code : "taken", why.text);
            fail ();
        }
        filter_release (&filter);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_teardown (connect_says_who_and_what_is_wanted, teardown),
        cmocka_unit_test_teardown (both_subscriptions_are_the_same, teardown),
        cmocka_unit_test_teardown (filters_are_those_of_the_last_subscription_alone, teardown),
        cmocka_unit_test_teardown (no_topic_is_nothing, teardown),
        cmocka_unit_test_teardown (resync_begins_at_an_id_or_a_time, teardown),
        cmocka_unit_test_teardown (what_is_wrong_is_named, teardown),
        cmocka_unit_test_teardown (filter_that_is_none_is_named, teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
