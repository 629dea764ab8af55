#include "../../../aggregator/collectors.h"

#include "worker_rig.h"

#define T0  (1000 * SECOND_US)
#define EC2 "/collector/ec2/host-1"

//  A heartbeat with this data (' for "), as the decoder gives it, is taken.
static void
says (collectors_t *collectors, const char *source, const char *data, time_us_t at,
      time_us_t steady)
{
    char own [20000], text [sizeof own + 1000];
    _cleanup_ (observation_clear) observation_t seen = {0};
    reason_t why = {""};

    snprintf (own, sizeof own, "%s", data);
    swap_quotes (own, strlen (own));
    snprintf (
        text, sizeof text,
        "{\"specversion\":\"1.0\",\"type\":\"collector.heartbeat\",\"source\":\"%s\","
        "\"id\":\"0000000a-000000000001\",\"subject\":\"\",\"time\":\"2026-11-20T10:30:00.000Z\","
        "\"datacontenttype\":\"application/json\",\"sequence\":\"000000000001\",\"data\":%s}",
        source, own);
    if (observation_decode (&seen, text, strlen (text), sizeof text, &why) < 0) {
        fail_msg ("%s: %s", text, why.text);
    }
    collectors_take (collectors, source, &seen.collector_heartbeat, at, steady);
}

//  The list as it is told; the caller puts it.
static struct json_object *
told (const collectors_t *collectors)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    json_writer_t json = json_writer (&text);

    json_open_object (&json);
    collectors_write (collectors, &json);
    json_close_object (&json);
    assert_int_equal (json_parse (&tree, text.data, text.size, text.size, NULL), 0);
    return json_object_get (json_get_array (tree, "collectors"));
}

static int64_t
number (struct json_object *tree, const char *key)
{
    int64_t value = -1;

    (void) json_get_integer (tree, key, &value);
    return value;
}

static struct json_object *
at (struct json_object *list, size_t place)
{
    return json_object_array_get_idx (list, place);
}

static void
collector_that_says_what_it_uses_is_told_of_with_its_sums (void **state)
{
    (void) state;
    _cleanup_ (collectors_destroy) collectors_t *collectors = collectors_new ();
    double cost = 0, stretch = 0;

    says (collectors, EC2,
          "{'interval_ms':2000,'version':'1.2','units':3,'cost_cents':1250,'budget_usd':10,'"
          "stretch_percent':125,'usage':["
          "{'account':'lab','region':'us-east-1','calls':5,'failed':1,'throttled':1,'billed':9,'"
          "cost_usd_month':8.5},"
          "{'region':'eu-west-1','calls':7},{'no':'row'},7]}",
          AT (0), T0);
    collectors_look (collectors, T0);
    _cleanup_ (json_destroy) struct json_object *list = told (collectors);

    assert_int_equal (json_object_array_length (list), 1);
    assert_string_equal (json_get_text (at (list, 0), "collector_id"), EC2);
    assert_string_equal (json_get_text (at (list, 0), "kind"), "ec2");
    assert_int_equal (number (at (list, 0), "calls"), 12);
    assert_int_equal (number (at (list, 0), "throttled"), 1);
    assert_true (json_get_number (at (list, 0), "cost_usd_month", &cost) && cost == 12.5);
    assert_true (json_get_number (at (list, 0), "interval_stretch", &stretch) && stretch == 1.25);
    struct json_object *rows = json_get_array (at (list, 0), "usage");
    assert_int_equal (json_object_array_length (rows), 2);
    assert_string_equal (json_get_text (at (rows, 1), "account"), "");
    assert_false (json_get_number (at (rows, 1), "cost_usd_month", &cost));
}

static void
one_that_says_nothing_of_itself_is_there_all_the_same_and_a_runner_is_none (void **state)
{
    (void) state;
    _cleanup_ (collectors_destroy) collectors_t *collectors = collectors_new ();

    says (collectors, "/collector/other/x", "{'interval_ms':2000,'last_sequence':7}", AT (0), T0);
    says (collectors, "/runner/x", "{'interval_ms':2000}", AT (0), T0);
    says (collectors, "/collector/nameless", "{'interval_ms':2000}", AT (0), T0);
    collectors_look (collectors, T0);
    _cleanup_ (json_destroy) struct json_object *list = told (collectors);

    assert_int_equal (json_object_array_length (list), 1);
    assert_null (json_get (at (list, 0), "units"));
    assert_int_equal (number (at (list, 0), "calls"), 0);
}

static void
what_is_told_is_made_anew_when_one_comes_or_goes_else_each_ten_seconds (void **state)
{
    (void) state;
    _cleanup_ (collectors_destroy) collectors_t *collectors = collectors_new ();

    says (collectors, EC2, "{'interval_ms':2000,'usage':[{'region':'r','calls':1}]}", AT (0), T0);
    collectors_look (collectors, T0);
    says (collectors, EC2, "{'interval_ms':20000,'usage':[{'region':'r','calls':2}]}", AT (1), T0);
    collectors_lose (collectors, EC2, 4);
    collectors_look (collectors, T0 + 9 * SECOND_US);
    _cleanup_ (json_destroy) struct json_object *before = told (collectors);
    assert_int_equal (number (at (before, 0), "calls"), 1);
    collectors_look (collectors, T0 + 10 * SECOND_US);
    _cleanup_ (json_destroy) struct json_object *after = told (collectors);
    assert_int_equal (number (at (after, 0), "calls"), 2);
    assert_int_equal (number (at (after, 0), "lost"), 4);

    says (collectors, "/collector/cml/a", "{'interval_ms':2000}", AT (0), T0 + 11 * SECOND_US);
    collectors_look (collectors, T0 + 11 * SECOND_US);
    _cleanup_ (json_destroy) struct json_object *two = told (collectors);
    assert_int_equal (json_object_array_length (two), 2);
    assert_string_equal (json_get_text (at (two, 0), "kind"), "cml");  //  by name
}

static void
one_that_is_silent_for_three_intervals_goes_and_what_is_sent_again_is_old (void **state)
{
    (void) state;
    _cleanup_ (collectors_destroy) collectors_t *collectors = collectors_new ();

    says (collectors, EC2, "{'interval_ms':2000,'usage':[{'region':'r','calls':9}]}", AT (5), T0);
    says (collectors, EC2, "{'interval_ms':2000,'usage':[{'region':'r','calls':1}]}", AT (3), T0);
    collectors_look (collectors, T0 + 5 * SECOND_US);
    _cleanup_ (json_destroy) struct json_object *there = told (collectors);
    assert_int_equal (number (at (there, 0), "calls"), 9);

    collectors_look (collectors, T0 + 6 * SECOND_US);
    _cleanup_ (json_destroy) struct json_object *gone = told (collectors);
    assert_int_equal (json_object_array_length (gone), 0);
}

static void
nonsense_and_numbers_without_end_are_bounded (void **state)
{
    (void) state;
    _cleanup_ (collectors_destroy) collectors_t *collectors = collectors_new ();
    char source [64], data [20000] = "{'interval_ms':2000,'units':-5,'usage':[";

    for (int i = 0; i < 60; i++) {
        snprintf (data + strlen (data), sizeof data - strlen (data),
                  "%s{'region':'r%d','calls':9223372036854775807,'failed':-1,'billed':1e300}",
                  i ? "," : "", i);
    }
    strcat (data, "]}");
    for (int i = 0; i < COLLECTORS_MAX + 10; i++) {
        snprintf (source, sizeof source, "/collector/many/%03d", i);
        says (collectors, source, data, AT (0), T0);
    }
    collectors_look (collectors, T0);
    _cleanup_ (json_destroy) struct json_object *list = told (collectors);
    size_t rows = 0;

    assert_int_equal (json_object_array_length (list), COLLECTORS_MAX);
    for (size_t i = 0; i < COLLECTORS_MAX; i++) {
        rows += json_object_array_length (json_get_array (at (list, i), "usage"));
    }
    assert_int_equal (rows, COLLECTORS_ROWS_MAX);
    assert_true (number (at (list, 0), "calls") > 0);
    assert_int_equal (number (at (list, 0), "failed"), 0);
    assert_int_equal (number (at (list, 0), "billed"), 0);
    assert_null (json_get (at (list, 0), "units"));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (collector_that_says_what_it_uses_is_told_of_with_its_sums),
        cmocka_unit_test (
            one_that_says_nothing_of_itself_is_there_all_the_same_and_a_runner_is_none),
        cmocka_unit_test (what_is_told_is_made_anew_when_one_comes_or_goes_else_each_ten_seconds),
        cmocka_unit_test (
            one_that_is_silent_for_three_intervals_goes_and_what_is_sent_again_is_old),
        cmocka_unit_test (nonsense_and_numbers_without_end_are_bounded),
    };

    return cmocka_run_group_tests (tests, NULL, NULL);
}
