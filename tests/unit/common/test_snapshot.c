#include "../../../common/cleanup.h"
#include "../../../common/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

//  A value of each kind that differs from the unknown and, with another n, from itself.
static const char *const TEXTS [] = {"one", "two"};
static const char *const TREES [] = {"{\"a\":1}", "{\"a\":2}"};
#define SAMPLE_TEXT(n)    (TEXTS [n])
#define SAMPLE_JSON(n)    (TREES [n])
#define SAMPLE_PERCENT(n) (7.5 + (n))
#define SAMPLE_NUMBER(n)  (0.125 + (n))
#define SAMPLE_INTEGER(n) (40 + (n))
#define SAMPLE_FLAG(n)    ((n) ? FLAG_YES : FLAG_NO)
#define SAMPLE_TIME(n)    (((n) + 1) * SECOND_US)

static snapshot_t
full (int n)
{
    snapshot_t snapshot;

    snapshot_init (&snapshot);
#define FILL(kind, name, group) snapshot.name = SAMPLE_##kind (n);
    SNAPSHOT_FIELDS (FILL)
#undef FILL
    return snapshot;
}

static struct json_object *
written (const snapshot_t *snapshot, const char *reason)
{
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    struct json_object *tree = NULL;

    snapshot_write (&json, snapshot, reason);
    assert_int_equal (json_parse (&tree, out.data, out.size, out.size, NULL), 0);
    return tree;
}

static int
count (const field_set_t *set)
{
    int fields = 0;

    for (int field = 0; field < SNAPSHOT_FIELD_COUNT; field++) {
        fields += field_set_has (set, (snapshot_field_t) field);
    }
    return fields;
}

static void
new_snapshot_knows_nothing_and_still_has_every_key (void **state)
{
    (void) state;
    snapshot_t snapshot;
    memset (&snapshot, 0x55, sizeof snapshot);

    snapshot_init (&snapshot);
    _cleanup_ (json_destroy) struct json_object *tree = written (&snapshot, NULL);

    assert_int_equal (json_object_object_length (tree), SNAPSHOT_FIELD_COUNT);
    json_object_object_foreach (tree, key, value)
    {
        if (value) {
            fail_msg ("%s is %s", key, json_object_to_json_string (value));
        }
    }
}

static void
keys_stand_in_the_order_of_the_table (void **state)
{
    (void) state;
    const snapshot_t snapshot = full (0);
    _cleanup_ (json_destroy) struct json_object *tree = written (&snapshot, "initial");
    int field = 0;

    json_object_object_foreach (tree, key, value)
    {
        (void) value;
        assert_string_equal (key, field < SNAPSHOT_FIELD_COUNT
                                      ? snapshot_field_name ((snapshot_field_t) field)
                                      : "_reason");
        field++;
    }
    assert_int_equal (field, SNAPSHOT_FIELD_COUNT + 1);
}

static void
each_kind_is_written_in_its_own_form (void **state)
{
    (void) state;
    const snapshot_t snapshot = full (1);
    _cleanup_ (json_destroy) struct json_object *tree = written (&snapshot, NULL);
    double percent;
    int64_t labs;
    bool ready;

    assert_string_equal (json_get_text (tree, "worker_id"), "two");
    assert_string_equal (json_get_text (tree, "created_at"), "1970-01-01T00:00:02.000Z");
    assert_true (json_get_number (tree, "cpu_utilization", &percent));
    assert_float_equal (percent, 8.5, 0);
    assert_true (json_get_integer (tree, "cml_labs_count", &labs));
    assert_int_equal (labs, 41);
    assert_true (json_get_bool (tree, "cml_ready", &ready));
    assert_true (ready);
    assert_true (json_get_integer (json_get_object (tree, "aws_tags"), "a", &labs));
    assert_int_equal (labs, 2);
}

static void
zero_and_no_are_values_and_not_unknown (void **state)
{
    (void) state;
    snapshot_t snapshot, nothing;
    int64_t labs;
    double percent;
    bool ready;
    snapshot_init (&nothing);
    snapshot_init (&snapshot);
    snapshot.active_labs_count = 0;
    snapshot.cpu_utilization = 0;
    snapshot.cml_ready = FLAG_NO;
    snapshot.public_ip = "";

    _cleanup_ (json_destroy) struct json_object *tree = written (&snapshot, NULL);
    field_set_t changed = snapshot_difference (&nothing, &snapshot);

    assert_true (json_get_integer (tree, "active_labs_count", &labs) && labs == 0);
    assert_true (json_get_number (tree, "cpu_utilization", &percent) && percent == 0);
    assert_true (json_get_bool (tree, "cml_ready", &ready) && !ready);
    assert_string_equal (json_get_text (tree, "public_ip"), "");
    assert_int_equal (count (&changed), 4);
}

static void
same_snapshot_gives_the_same_bytes (void **state)
{
    (void) state;
    const snapshot_t first = full (0), second = full (0);
    _cleanup_ (buffer_clear) buffer_t one = {0}, two = {0};
    json_writer_t json_one = json_writer (&one), json_two = json_writer (&two);

    snapshot_write (&json_one, &first, "refresh");
    snapshot_write (&json_two, &second, "refresh");

    assert_string_equal (one.data, two.data);
}

static void
texts_from_outside_cannot_break_the_document (void **state)
{
    (void) state;
    snapshot_t snapshot;
    snapshot_init (&snapshot);
    snapshot.name = "\",\"status\":\"x\xff\n";

    _cleanup_ (json_destroy) struct json_object *tree = written (&snapshot, "\"}");

    assert_string_equal (json_get_text (tree, "name"), "\",\"status\":\"x\xef\xbf\xbd\n");
    assert_null (json_get (tree, "status"));
    assert_string_equal (json_get_text (tree, "_reason"), "\"}");
}

static void
difference_of_equals_is_empty_also_when_all_is_unknown (void **state)
{
    (void) state;
    snapshot_t unknown, other;
    snapshot_init (&unknown);
    snapshot_init (&other);
    const snapshot_t one = full (0);
    snapshot_t copy = full (0);
    char name [] = "one";
    copy.name = name;  //  the same content in another place

    field_set_t none = snapshot_difference (&unknown, &other);
    field_set_t same = snapshot_difference (&one, &copy);

    assert_true (field_set_is_empty (&none));
    assert_true (field_set_is_empty (&same));
}

static void
each_field_alone_is_found_to_differ_in_both_directions (void **state)
{
    (void) state;
    snapshot_t nothing;
    snapshot_init (&nothing);

#define ONE_FIELD(kind, name, group)                                          \
    {                                                                         \
        snapshot_t some = nothing, other = nothing;                           \
        some.name = SAMPLE_##kind (0);                                        \
        other.name = SAMPLE_##kind (1);                                       \
        field_set_t known = snapshot_difference (&nothing, &some);            \
        field_set_t lost = snapshot_difference (&some, &nothing);             \
        field_set_t changed = snapshot_difference (&some, &other);            \
        assert_int_equal (count (&known), 1);                                 \
        assert_true (field_set_has (&known, SNAPSHOT_##name));                \
        assert_int_equal (count (&lost), 1);                                  \
        assert_true (field_set_has (&lost, SNAPSHOT_##name));                 \
        assert_int_equal (count (&changed), 1);                               \
        assert_true (field_set_has (&changed, SNAPSHOT_##name));              \
        assert_true (field_set_has_group (&changed, SNAPSHOT_GROUP_##group)); \
        assert_string_equal (snapshot_field_name (SNAPSHOT_##name), #name);   \
    }
    SNAPSHOT_FIELDS (ONE_FIELD)
#undef ONE_FIELD
}

static void
percentages_within_half_a_thousandth_are_the_same (void **state)
{
    (void) state;
    snapshot_t one, other;
    snapshot_init (&one);
    snapshot_init (&other);
    one.cpu_utilization = 7.925;
    other.cpu_utilization = 7.9254;

    field_set_t same = snapshot_difference (&one, &other);
    other.cpu_utilization = 7.926;
    field_set_t changed = snapshot_difference (&one, &other);

    assert_true (field_set_is_empty (&same));
    assert_true (field_set_has (&changed, SNAPSHOT_cpu_utilization));
}

static void
set_holds_the_first_and_the_last_field_and_those_beyond_a_word (void **state)
{
    (void) state;
    const int last = SNAPSHOT_FIELD_COUNT - 1;
    field_set_t all = {0};

    assert_true (field_set_is_empty (&all));
    for (int field = 0; field <= last; field++) {
        field_set_t one = {0};
        assert_false (field_set_has (&all, (snapshot_field_t) field));
        field_set_add (&one, (snapshot_field_t) field);
        field_set_add (&one, (snapshot_field_t) field);
        assert_int_equal (count (&one), 1);
        assert_false (field_set_is_empty (&one));
        field_set_merge (&all, &one);
        assert_int_equal (count (&all), field + 1);
    }
}

static void
group_is_found_in_a_set_only_when_one_of_its_fields_is (void **state)
{
    (void) state;

    for (int field = 0; field < SNAPSHOT_FIELD_COUNT; field++) {
        field_set_t one = {0};
        field_set_add (&one, (snapshot_field_t) field);
        for (int group = 0; group < SNAPSHOT_GROUP_COUNT; group++) {
            bool wanted =
                snapshot_field_group ((snapshot_field_t) field) == (snapshot_group_t) group;
            assert_int_equal (field_set_has_group (&one, (snapshot_group_t) group), wanted);
        }
    }
}

static void
fields_of_a_set_are_written_into_the_callers_object (void **state)
{
    (void) state;
    const snapshot_t snapshot = full (0);
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    field_set_t fields = {0};

    json_open_object (&json);
    json_member_integer (&json, "n", 1);
    snapshot_write_fields (&json, &snapshot, &fields);
    field_set_add (&fields, SNAPSHOT_memory_utilization);
    field_set_add (&fields, SNAPSHOT_status);
    snapshot_write_fields (&json, &snapshot, &fields);
    json_close_object (&json);

    assert_string_equal (out.data, "{\"n\":1,\"status\":\"one\",\"memory_utilization\":7.5}");
}

static void
spliced_reason_gives_the_bytes_that_writing_it_gives (void **state)
{
    (void) state;
    const snapshot_t snapshot = full (0);
    _cleanup_ (buffer_clear) buffer_t kept = {0}, spliced = {0}, wanted = {0};
    json_writer_t json_kept = json_writer (&kept), json_wanted = json_writer (&wanted);

    snapshot_write (&json_kept, &snapshot, NULL);
    snapshot_write (&json_wanted, &snapshot, "initial");
    buffer_text (&kept, "garbage");  //  the size is what counts
    snapshot_splice_reason (&spliced, kept.data, kept.size - 7, "initial");

    assert_string_equal (spliced.data, wanted.data);
}

static void
event_of_a_snapshot_may_be_written_among_others_in_one_array (void **state)
{
    (void) state;
    const snapshot_t snapshot = full (0);
    _cleanup_ (buffer_clear) buffer_t out = {0};
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    json_writer_t json = json_writer (&out);

    json_open_array (&json);
    snapshot_write (&json, &snapshot, NULL);
    snapshot_write (&json, &snapshot, "refresh");
    json_close_array (&json);

    assert_int_equal (json_parse (&tree, out.data, out.size, out.size, NULL), 0);
    assert_int_equal (json_object_array_length (tree), 2);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (new_snapshot_knows_nothing_and_still_has_every_key),
        cmocka_unit_test (keys_stand_in_the_order_of_the_table),
        cmocka_unit_test (each_kind_is_written_in_its_own_form),
        cmocka_unit_test (zero_and_no_are_values_and_not_unknown),
        cmocka_unit_test (same_snapshot_gives_the_same_bytes),
        cmocka_unit_test (texts_from_outside_cannot_break_the_document),
        cmocka_unit_test (difference_of_equals_is_empty_also_when_all_is_unknown),
        cmocka_unit_test (each_field_alone_is_found_to_differ_in_both_directions),
        cmocka_unit_test (percentages_within_half_a_thousandth_are_the_same),
        cmocka_unit_test (set_holds_the_first_and_the_last_field_and_those_beyond_a_word),
        cmocka_unit_test (group_is_found_in_a_set_only_when_one_of_its_fields_is),
        cmocka_unit_test (fields_of_a_set_are_written_into_the_callers_object),
        cmocka_unit_test (spliced_reason_gives_the_bytes_that_writing_it_gives),
        cmocka_unit_test (event_of_a_snapshot_may_be_written_among_others_in_one_array),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
