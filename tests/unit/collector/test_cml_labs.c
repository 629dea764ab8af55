#include "../../../collector/cml/cml_labs.h"

#include "../../../common/buffer.h"
#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#include <errno.h>

static int
set_up (void **state)
{
    *state = cml_labs_new ();
    return *state ? 0 : -1;
}

static int
tear_down (void **state)
{
    cml_labs_t *labs = *state;
    cml_labs_destroy (&labs);
    return 0;
}

static int
list (cml_labs_t *labs, const char *text, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *ids = json_tokener_parse (text);
    return cml_labs_list (labs, ids, why);
}

static void
take (cml_labs_t *labs, const char *id, const char *text)
{
    _cleanup_ (json_destroy) struct json_object *answer = json_tokener_parse (text);
    assert_int_equal (cml_labs_take (labs, id, answer), 0);
}

//  The ids that are to be read, apart by blanks.
static const char *
chosen (cml_labs_t *labs, size_t most, size_t *deferred)
{
    static char text [1024];
    const char *ids [16];
    size_t count = cml_labs_choose (labs, ids, most, deferred);

    text [0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen (text);
        snprintf (text + size, sizeof text - size, "%s%s", i ? " " : "", ids [i]);
    }
    return text;
}

static void
told_is (cml_labs_t *labs, const char *text)
{
    _cleanup_ (json_destroy) struct json_object *array = cml_labs_array (labs);
    assert_non_null (array);
    assert_string_equal (json_object_to_json_string_ext (array, JSON_C_TO_STRING_PLAIN), text);
}

static void
lab_is_told_with_our_names_and_times_in_utc (void **state)
{
    cml_labs_t *labs = *state;
    assert_int_equal (list (labs, "[\"90f84e38\"]", NULL), 0);

    take (labs, "90f84e38",
          "{\"id\":\"90f84e38\",\"created\":\"2022-06-10T14:23:33+02:00\",\"modified\":\"2022-06-"
          "10T14:23:33\","
          "\"lab_title\":\"CCNA "
          "\\u00fc\",\"lab_notes\":\"long\",\"owner\":\"u-1\",\"owner_username\":\"ana\","
          "\"state\":\"STARTED\",\"node_count\":4,\"link_count\":3,\"groups\":[]}");

    told_is (labs, "[{\"lab_id\":\"90f84e38\",\"title\":\"CCNA "
                   "\xc3\xbc\",\"state\":\"STARTED\",\"owner\":\"ana\","
                   "\"node_count\":4,\"link_count\":3,\"created\":\"2022-06-10T12:23:33.000Z\","
                   "\"modified\":\"2022-06-10T14:23:33.000Z\"}]");
}

static void
members_that_are_absent_or_of_another_type_are_null (void **state)
{
    cml_labs_t *labs = *state;
    list (labs, "[\"a\"]", NULL);

    take (labs, "a",
          "{\"lab_title\":7,\"state\":null,\"owner\":[],\"node_count\":\"4\",\"link_count\":-1,"
          "\"created\":\"yesterday\"}");

    told_is (labs,
             "[{\"lab_id\":\"a\",\"title\":null,\"state\":null,\"owner\":null,\"node_count\":null,"
             "\"link_count\":null,\"created\":null,\"modified\":null}]");
}

static void
owner_is_the_most_readable_that_there_is (void **state)
{
    cml_labs_t *labs = *state;
    list (labs, "[\"a\"]", NULL);

    take (labs, "a", "{\"owner\":\"u-1\",\"owner_fullname\":\"Ana B\",\"owner_username\":\"\"}");

    _cleanup_ (json_destroy) struct json_object *array = cml_labs_array (labs);
    assert_non_null (strstr (json_object_to_json_string (array), "\"Ana B\""));
}

static void
long_title_is_cut_at_a_whole_character (void **state)
{
    cml_labs_t *labs = *state;
    _cleanup_ (json_destroy) struct json_object *answer = json_object_new_object ();
    char title [2 * CML_LAB_TEXT_BYTES + 2] = "x";
    for (size_t i = 0; i < CML_LAB_TEXT_BYTES; i++) {
        memcpy (title + 1 + 2 * i, "\xc3\xbc", 3);
    }
    json_object_object_add (answer, "lab_title", json_object_new_string (title));
    list (labs, "[\"a\"]", NULL);

    assert_int_equal (cml_labs_take (labs, "a", answer), 0);

    _cleanup_ (json_destroy) struct json_object *array = cml_labs_array (labs);
    struct json_object *told = NULL;
    json_object_object_get_ex (json_object_array_get_idx (array, 0), "title", &told);
    assert_int_equal (json_object_get_string_len (told), CML_LAB_TEXT_BYTES - 1);
}

static void
nothing_is_told_before_each_lab_was_read_once (void **state)
{
    cml_labs_t *labs = *state;
    list (labs, "[\"a\",\"b\"]", NULL);

    take (labs, "a", "{}");

    assert_null (cml_labs_array (labs));
}

static void
server_without_labs_tells_an_empty_list (void **state)
{
    cml_labs_t *labs = *state;

    assert_int_equal (list (labs, "[]", NULL), 0);

    told_is (labs, "[]");
}

static void
lab_that_vanishes_is_told_no_more (void **state)
{
    cml_labs_t *labs = *state;
    list (labs, "[\"a\",\"b\",\"c\"]", NULL);
    take (labs, "a", "{}");
    take (labs, "b", "{}");

    cml_labs_drop (labs, "c");
    assert_int_equal (cml_labs_count (labs), 2);
    list (labs, "[\"b\"]", NULL);

    assert_int_equal (cml_labs_count (labs), 1);
    take (labs, "a", "{}");  //  an answer that was still on its way
    assert_int_equal (cml_labs_count (labs), 1);
}

static void
order_of_the_servers_list_does_not_matter (void **state)
{
    cml_labs_t *labs = *state;
    list (labs, "[\"b\",\"a\",\"a\"]", NULL);
    take (labs, "a", "{}");
    take (labs, "b", "{}");
    _cleanup_ (json_destroy) struct json_object *before = cml_labs_array (labs);

    list (labs, "[\"a\",\"b\"]", NULL);

    told_is (labs, json_object_to_json_string_ext (before, JSON_C_TO_STRING_PLAIN));
}

static void
all_are_read_while_the_bound_allows_it (void **state)
{
    cml_labs_t *labs = *state;
    size_t deferred = 99;

    for (int round = 0; round < 3; round++) {
        list (labs, "[\"a\",\"b\",\"c\"]", NULL);
        assert_int_equal (strlen (chosen (labs, 3, &deferred)), strlen ("a b c"));
        assert_int_equal (deferred, 0);
        take (labs, "a", "{\"state\":\"STOPPED\"}");
        take (labs, "b", "{\"state\":\"STARTED\"}");
        take (labs, "c", "{\"state\":\"STOPPED\"}");
    }
}

static void
beyond_the_bound_new_labs_go_first_then_running_ones_and_none_waits_for_ever (void **state)
{
    cml_labs_t *labs = *state;
    size_t deferred;
    unsigned reads [3] = {0};
    list (labs, "[\"a\",\"b\"]", NULL);
    take (labs, "a", "{\"state\":\"STOPPED\"}");
    take (labs, "b", "{\"state\":\"STARTED\"}");

    list (labs, "[\"a\",\"b\",\"c\"]", NULL);
    assert_string_equal (chosen (labs, 2, &deferred), "c b");
    assert_int_equal (deferred, 1);
    take (labs, "c", "{\"state\":\"DEFINED_ON_CORE\"}");
    for (int round = 0; round < 60; round++) {
        list (labs, "[\"a\",\"b\",\"c\"]", NULL);
        const char *id = chosen (labs, 1, &deferred);
        reads [id [0] - 'a']++;
        take (labs, id, id [0] == 'b' ? "{\"state\":\"STARTED\"}" : "{\"state\":\"STOPPED\"}");
    }

    assert_true (reads [0] >= 8 && reads [2] >= 8);
    assert_true (reads [1] > 2 * reads [0] && reads [1] > 2 * reads [2]);
}

static void
what_is_no_list_of_ids_is_refused_and_nothing_changes (void **state)
{
    cml_labs_t *labs = *state;
    reason_t why = {0};
    list (labs, "[\"a\"]", NULL);

    assert_int_equal (list (labs, "{}", &why), -EINVAL);
    assert_int_equal (list (labs, "[\"b\",7]", &why), -EINVAL);
    assert_non_null (strstr (why.text, "item 1"));
    assert_int_equal (list (labs, "[\"../users\"]", &why), -EINVAL);
    assert_int_equal (list (labs, "[\"\"]", &why), -EINVAL);
    assert_int_equal (cml_labs_count (labs), 1);
}

static void
more_labs_than_the_bound_are_refused (void **state)
{
    cml_labs_t *labs = *state;
    reason_t why = {0};
    _cleanup_ (json_destroy) struct json_object *ids = json_object_new_array ();
    for (int i = 0; i <= CML_LABS_MAX; i++) {
        json_object_array_add (ids, json_object_new_string ("a"));
    }

    assert_int_equal (cml_labs_list (labs, ids, &why), -E2BIG);
    assert_non_null (strstr (why.text, "5001 labs"));
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

static void
write_change (void *argument, const char *lab_id, const char *node_id, const char *state)
{
    buffer_format (argument, "%s/%s %s;", lab_id, node_id, state);
}

static char *
changes_of (cml_labs_t *labs, const char *id, const char *text)
{
    _cleanup_ (json_destroy) struct json_object *answer = json_tokener_parse (text);
    buffer_t out = {0};

    buffer_text (&out, "");
    assert_int_equal (cml_labs_take_nodes (labs, id, answer, write_change, &out), 0);
    return out.data;
}

static void
node_is_told_when_its_state_is_another_than_last_time (void **state)
{
    cml_labs_t *labs = *state;
    list (labs, "[\"lab1\",\"lab2\"]", NULL);

    _cleanup_ (string_destroy) char *first =
        changes_of (labs, "lab1", "{\"nodes\":{\"n1\":\"BOOTED\",\"n2\":\"STOPPED\"}}");
    _cleanup_ (string_destroy) char *same =
        changes_of (labs, "lab1", "{\"nodes\":{\"n2\":\"STOPPED\",\"n1\":\"BOOTED\"}}");
    _cleanup_ (string_destroy) char *changed = changes_of (
        labs, "lab1", "{\"nodes\":{\"n1\":\"BOOTED\",\"n2\":\"QUEUED\",\"n3\":\"STARTED\"}}");
    _cleanup_ (string_destroy) char *odd =
        changes_of (labs, "lab1", "{\"nodes\":{\"n1\":7,\"n2\":\"QUEUED\"}}");
    _cleanup_ (string_destroy) char *unknown =
        changes_of (labs, "lab9", "{\"nodes\":{\"n1\":\"BOOTED\"}}");

    assert_string_equal (first, "");
    assert_string_equal (same, "");
    assert_string_equal (changed, "lab1/n2 QUEUED;lab1/n3 STARTED;");
    assert_string_equal (odd, "");
    assert_string_equal (unknown, "");
}

static void
answer_without_nodes_is_an_error (void **state)
{
    cml_labs_t *labs = *state;
    _cleanup_ (json_destroy) struct json_object *answer = json_tokener_parse ("{\"links\":{}}");
    list (labs, "[\"lab1\"]", NULL);

    assert_int_equal (cml_labs_take_nodes (labs, "lab1", answer, write_change, NULL), -EINVAL);
}

static void
state_of_a_lab_is_known_once_it_was_read (void **state)
{
    cml_labs_t *labs = *state;
    list (labs, "[\"lab1\"]", NULL);

    assert_null (cml_labs_state (labs, "lab1"));
    take (labs, "lab1", "{\"state\":\"STARTED\"}");

    assert_string_equal (cml_labs_state (labs, "lab1"), "STARTED");
    assert_true (cml_labs_runs ("STARTED") && cml_labs_runs ("QUEUED") && cml_labs_runs ("BOOTED"));
    assert_false (cml_labs_runs ("STOPPED") || cml_labs_runs ("DEFINED_ON_CORE"));
    assert_false (cml_labs_runs (NULL));
}

//  --- what is pushed

static void
pushed_state_is_news_once_and_in_what_is_told (void **state)
{
    cml_labs_t *labs = *state;
    reason_t why = {0};
    list (labs, "[\"a\"]", &why);
    take (labs, "a", "{\"state\":\"STOPPED\"}");

    assert_true (cml_labs_set_state (labs, "a", "STARTED"));
    assert_false (cml_labs_set_state (labs, "a", "STARTED"));

    _cleanup_ (json_destroy) struct json_object *array = cml_labs_array (labs);
    assert_non_null (strstr (json_object_to_json_string_ext (array, JSON_C_TO_STRING_PLAIN),
                             "\"state\":\"STARTED\""));
}

static void
pushed_state_holds_against_an_answer_of_the_same_round (void **state)
{
    cml_labs_t *labs = *state;
    reason_t why = {0};
    list (labs, "[\"a\"]", &why);
    take (labs, "a", "{\"state\":\"STOPPED\"}");

    list (labs, "[\"a\"]", &why);
    cml_labs_set_state (labs, "a", "STARTED");
    take (labs, "a", "{\"state\":\"STOPPED\",\"lab_title\":\"new\"}");
    assert_string_equal (cml_labs_state (labs, "a"), "STARTED");

    list (labs, "[\"a\"]", &why);
    take (labs, "a", "{\"state\":\"STOPPED\"}");
    assert_string_equal (cml_labs_state (labs, "a"), "STOPPED");
}

static void
pushed_state_of_a_lab_that_is_not_known_makes_none (void **state)
{
    cml_labs_t *labs = *state;

    assert_true (cml_labs_set_state (labs, "stranger", "STARTED"));

    assert_int_equal (cml_labs_count (labs), 0);
    assert_null (cml_labs_state (labs, "stranger"));
}

static void
count_news (void *argument, const char *lab_id, const char *node_id, const char *node_state)
{
    (void) lab_id, (void) node_id, (void) node_state;
    ++*(int *) argument;
}

static void
pushed_state_of_a_node_is_no_news_when_it_is_read (void **state)
{
    cml_labs_t *labs = *state;
    reason_t why = {0};
    int news = 0;
    _cleanup_ (json_destroy) struct json_object *first =
        json_tokener_parse ("{\"nodes\":{\"n\":\"QUEUED\",\"m\":\"BOOTED\"}}");
    _cleanup_ (json_destroy) struct json_object *second =
        json_tokener_parse ("{\"nodes\":{\"n\":\"STARTED\",\"m\":\"BOOTED\"}}");
    list (labs, "[\"a\"]", &why);
    cml_labs_take_nodes (labs, "a", first, count_news, &news);

    assert_true (cml_labs_set_node (labs, "a", "n", "STARTED"));
    assert_false (cml_labs_set_node (labs, "a", "n", "STARTED"));
    cml_labs_take_nodes (labs, "a", second, count_news, &news);

    assert_int_equal (news, 0);
}

static void
pushed_state_of_a_node_is_news_once_before_all_are_read (void **state)
{
    cml_labs_t *labs = *state;
    reason_t why = {0};
    int news = 0;
    _cleanup_ (json_destroy) struct json_object *nodes =
        json_tokener_parse ("{\"nodes\":{\"n\":\"STARTED\",\"m\":\"BOOTED\"}}");
    list (labs, "[\"a\"]", &why);

    assert_true (cml_labs_set_node (labs, "a", "n", "QUEUED"));
    assert_false (cml_labs_set_node (labs, "a", "n", "QUEUED"));
    cml_labs_take_nodes (labs, "a", nodes, count_news, &news);

    assert_int_equal (news, 0);  //  what is read first is how it was, and no change
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (lab_is_told_with_our_names_and_times_in_utc),
        TEST (members_that_are_absent_or_of_another_type_are_null),
        TEST (owner_is_the_most_readable_that_there_is),
        TEST (long_title_is_cut_at_a_whole_character),
        TEST (nothing_is_told_before_each_lab_was_read_once),
        TEST (server_without_labs_tells_an_empty_list),
        TEST (lab_that_vanishes_is_told_no_more),
        TEST (order_of_the_servers_list_does_not_matter),
        TEST (all_are_read_while_the_bound_allows_it),
        TEST (beyond_the_bound_new_labs_go_first_then_running_ones_and_none_waits_for_ever),
        TEST (what_is_no_list_of_ids_is_refused_and_nothing_changes),
        TEST (more_labs_than_the_bound_are_refused),
        TEST (node_is_told_when_its_state_is_another_than_last_time),
        TEST (answer_without_nodes_is_an_error),
        TEST (state_of_a_lab_is_known_once_it_was_read),
        TEST (pushed_state_is_news_once_and_in_what_is_told),
        TEST (pushed_state_holds_against_an_answer_of_the_same_round),
        TEST (pushed_state_of_a_lab_that_is_not_known_makes_none),
        TEST (pushed_state_of_a_node_is_no_news_when_it_is_read),
        TEST (pushed_state_of_a_node_is_news_once_before_all_are_read),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
