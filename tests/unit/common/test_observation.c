#include "../../../common/cleanup.h"
#include "../../../common/observation.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

//  A message of this type with this data, as a collector says it.
static int
decode_sized (observation_t *self, event_type_t type, const char *data, size_t size_max,
              reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t body = {0};

    envelope_write (&body, type, "/collector/ec2/host-1", "0123abcd", 7, "us-east-1/i-0abc",
                    SECOND_US, NULL, data, strlen (data));
    return observation_decode (self, body.data, body.size, size_max, why);
}

static int
decode (observation_t *self, event_type_t type, const char *data, reason_t *why)
{
    return decode_sized (self, type, data, OBSERVATION_BYTES_MAX, why);
}

#define NOTHING_TEXT(value)    ((value) == NULL)
#define NOTHING_PERCENT(value) isnan (value)
#define NOTHING_INTEGER(value) ((value) == INTEGER_UNKNOWN)
#define NOTHING_FLAG(value)    ((value) == FLAG_UNKNOWN)
#define NOTHING_TIME(value)    ((value) == TIME_UNKNOWN)
#define NOTHING_OBJECT(value)  (!(value).tree && !(value).node)
#define NOTHING_ARRAY(value)   (!(value).tree && !(value).node)

//  One function a type: every member of it is unknown.
#define CHECK_MEMBER(kind, member, bound, from) \
    if (!NOTHING_##kind (values->member)) {     \
        fail_msg ("%s is known", #member);      \
    }
#define CHECK_TYPE(symbol, name, fields)                   \
    static void name##_is_unknown (const observation_t *o) \
    {                                                      \
        const name##_t *values = &o->name;                 \
        fields (CHECK_MEMBER)                              \
    }
OBSERVATION_TYPES (CHECK_TYPE)

static const struct {
    event_type_t type;
    void (*is_unknown) (const observation_t *observation);
} TYPES [] = {
#define TYPE_ROW(symbol, name, fields) {EVENT_##symbol, name##_is_unknown},
    OBSERVATION_TYPES (TYPE_ROW)
#undef TYPE_ROW
};
#define TYPES_COUNT (sizeof TYPES / sizeof *TYPES)

static const struct field {
    event_type_t type;
    const char *kind, *name;
    size_t bound;
} FIELDS [] = {
#define INSTANCE_OBSERVED_ROW(kind, member, bound, from) \
    {EVENT_INSTANCE_OBSERVED, #kind, #member, bound},
    INSTANCE_OBSERVED_FIELDS (INSTANCE_OBSERVED_ROW)
#define UTILIZATION_OBSERVED_ROW(kind, member, bound, from) \
    {EVENT_UTILIZATION_OBSERVED, #kind, #member, bound},
        UTILIZATION_OBSERVED_FIELDS (UTILIZATION_OBSERVED_ROW)
#define LABS_OBSERVED_ROW(kind, member, bound, from) {EVENT_LABS_OBSERVED, #kind, #member, bound},
            LABS_OBSERVED_FIELDS (LABS_OBSERVED_ROW)
#define COLLECTOR_HEARTBEAT_ROW(kind, member, bound, from) \
    {EVENT_COLLECTOR_HEARTBEAT, #kind, #member, bound},
                COLLECTOR_HEARTBEAT_FIELDS (COLLECTOR_HEARTBEAT_ROW)};
#define FIELDS_COUNT (sizeof FIELDS / sizeof *FIELDS)

static void
every_type_for_a_collector_to_say_has_a_table_and_no_other (void **state)
{
    (void) state;
    int ingest = 0;

    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        ingest += event_type_place ((event_type_t) type) == EVENT_PLACE_INGEST;
    }

    assert_int_equal (ingest, TYPES_COUNT);
    for (size_t i = 0; i < TYPES_COUNT; i++) {
        assert_int_equal (event_type_place (TYPES [i].type), EVENT_PLACE_INGEST);
    }
}

static void
new_observation_of_each_type_knows_nothing_and_writes_nothing (void **state)
{
    (void) state;

    for (size_t i = 0; i < TYPES_COUNT; i++) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        observation_t observation;
        memset (&observation, 0x55, sizeof observation);
        observation_init (&observation, TYPES [i].type);
        TYPES [i].is_unknown (&observation);
        assert_true (observation.envelope.time == TIME_UNKNOWN);
        observation_write_data (&out, &observation);
        assert_string_equal (out.data, "{}");
    }
}

static void
absent_and_null_members_are_unknown_and_others_are_ignored (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t nulls = {0};
    json_writer_t json = json_writer (&nulls);
    json_open_object (&json);
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        json_key (&json, FIELDS [i].name);
        json_put_null (&json);
    }
    json_key (&json, "of_a_newer_collector");
    json_put_raw (&json, "[{}]", 4);
    json_close_object (&json);

    for (size_t i = 0; i < TYPES_COUNT; i++) {
        observation_t observation;
        assert_int_equal (decode (&observation, TYPES [i].type, "{}", NULL), 0);
        TYPES [i].is_unknown (&observation);
        observation_clear (&observation);
        assert_int_equal (decode (&observation, TYPES [i].type, nulls.data, NULL), 0);
        TYPES [i].is_unknown (&observation);
        observation_clear (&observation);
    }
}

static void
values_of_each_kind_arrive_as_they_were_said (void **state)
{
    (void) state;
    observation_t observation;
    int64_t nodes;

    assert_int_equal (
        decode (&observation, EVENT_INSTANCE_OBSERVED,
                "{\"instance_id\":\"i-0abc\",\"launch_time\":\"1970-01-01T00:00:03Z\","
                "\"detailed_monitoring\":false,\"tags\":{\"Name\":\"a\"},"
                "\"interval_seconds\":300,\"name\":\"\"}",
                NULL),
        0);
    assert_string_equal (observation.instance_observed.instance_id, "i-0abc");
    assert_string_equal (observation.instance_observed.name, "");
    assert_true (observation.instance_observed.launch_time == 3 * SECOND_US);
    assert_int_equal (observation.instance_observed.detailed_monitoring, FLAG_NO);
    assert_string_equal (json_node_get_text (observation.instance_observed.tags.node, "Name"), "a");
    assert_int_equal (observation.instance_observed.interval_seconds, 300);
    assert_null (observation.instance_observed.region);
    assert_string_equal (observation.envelope.epoch, "0123abcd");
    assert_int_equal (observation.envelope.sequence, 7);
    observation_clear (&observation);

    assert_int_equal (
        decode (&observation, EVENT_LABS_OBSERVED, "{\"labs\":[{\"node_count\":4}]}", NULL), 0);
    const json_node_t *lab = json_node_first (observation.labs_observed.labs.node);
    assert_true (json_node_integer (json_node_get (lab, "node_count"), &nodes) && nodes == 4);
    observation_clear (&observation);
}

static void
percentage_beyond_its_range_is_kept_as_measured (void **state)
{
    (void) state;
    observation_t observation;

    assert_int_equal (decode (&observation, EVENT_UTILIZATION_OBSERVED,
                              "{\"cpu_percent\":100.7,\"memory_percent\":0,\"disk_percent\":-1}",
                              NULL),
                      0);

    assert_float_equal (observation.utilization_observed.cpu_percent, 100.7, 0);
    assert_float_equal (observation.utilization_observed.memory_percent, 0, 0);
    assert_float_equal (observation.utilization_observed.disk_percent, -1, 0);
    observation_clear (&observation);
}

static bool
is_taken_by (const char *kind, const char *value)
{
    static const char *const PAIRS [][2] = {
        {"TEXT", "\"x\""}, {"TEXT", "\"2026-11-20T10:30:00Z\""},
        {"PERCENT", "1"},  {"PERCENT", "1.5"},
        {"INTEGER", "1"},  {"TIME", "\"2026-11-20T10:30:00Z\""},
        {"FLAG", "true"},  {"OBJECT", "{}"},
        {"ARRAY", "[]"},
    };

    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        if (strcmp (PAIRS [i][0], kind) == 0 && strcmp (PAIRS [i][1], value) == 0) {
            return true;
        }
    }
    return false;
}

static void
member_of_another_type_makes_the_message_malformed_and_is_named (void **state)
{
    (void) state;
    static const char *const VALUES [] = {
        "\"x\"", "\"2026-11-20T10:30:00Z\"", "1", "1.5", "true", "{}", "[]", "1e999", "NaN"};

    for (size_t i = 0; i < FIELDS_COUNT * (sizeof VALUES / sizeof *VALUES); i++) {
        const struct field *field = &FIELDS [i % FIELDS_COUNT];
        const char *value = VALUES [i / FIELDS_COUNT];
        bool taken = is_taken_by (field->kind, value);
        observation_t observation = {.envelope.sequence = 42};
        char data [128];
        reason_t why = {0};
        snprintf (data, sizeof data, "{\"%s\":%s}", field->name, value);

        int rc = decode (&observation, field->type, data, &why);

        if (rc != (taken ? 0 : -EINVAL)) {
            fail_msg ("%s %s: %d", field->kind, data, rc);
        }
        if (taken) {
            observation_clear (&observation);
        } else {
            assert_non_null (strstr (why.text, field->name));
            assert_int_equal (observation.envelope.sequence, 42);  //  untouched
        }
    }
}

static void
text_may_be_as_long_as_its_bound_and_not_a_byte_longer (void **state)
{
    (void) state;

    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        if (strcmp (FIELDS [i].kind, "TEXT") != 0) {
            continue;
        }
        for (size_t more = 0; more < 2; more++) {
            char data [1024];
            observation_t observation;
            int size = snprintf (data, sizeof data, "{\"%s\":\"", FIELDS [i].name);
            memset (data + size, 'x', FIELDS [i].bound + more);
            memcpy (data + size + FIELDS [i].bound + more, "\"}", 3);
            int rc = decode (&observation, FIELDS [i].type, data, NULL);
            assert_int_equal (rc, more ? -EINVAL : 0);
            if (rc == 0) {
                observation_clear (&observation);
            }
        }
    }
}

//  A server may answer any bytes, and a text of them is a failed read's message.
static void
text_that_is_written_is_never_too_long_to_be_read (void **state)
{
    (void) state;
    static const char *const PARTS [] = {"x", "\xff", "\xc3\xa9", "x\xf0\x9f\x98\x80", "\x01\\"};

    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        _cleanup_ (buffer_clear) buffer_t text = {0}, data = {0};
        observation_t out, in;
        while (text.size < 2000) {
            buffer_text (&text, PARTS [i]);
        }
        observation_init (&out, EVENT_COLLECTOR_ERROR);
        out.collector_error.error_message = text.data;
        observation_write_data (&data, &out);
        assert_int_equal (decode (&in, EVENT_COLLECTOR_ERROR, data.data, NULL), 0);
        assert_in_range (strlen (in.collector_error.error_message), 508, 512);
        assert_null (strstr (PARTS [i][0] == '\xff' ? "" : in.collector_error.error_message,
                             "\xef\xbf\xbd"));  //  no character is cut
        observation_clear (&in);
    }
}

static void
text_with_a_nul_within_is_malformed (void **state)
{
    (void) state;
    observation_t observation;
    reason_t why = {0};

    assert_int_equal (decode (&observation, EVENT_INSTANCE_OBSERVED,
                              "{\"instance_id\":\"i-0abc\\u0000i-0def\"}", &why),
                      -EINVAL);
    assert_non_null (strstr (why.text, "instance_id"));
}

static void
ancient_and_future_times_are_times (void **state)
{
    (void) state;
    static const char *const TIMES [] = {"0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
                                         "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"};

    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        char data [128];
        observation_t observation;
        _cleanup_ (buffer_clear) buffer_t out = {0};
        snprintf (data, sizeof data, "{\"launch_time\":\"%s\"}", TIMES [i]);
        assert_int_equal (decode (&observation, EVENT_INSTANCE_OBSERVED, data, NULL), 0);
        observation_write_data (&out, &observation);
        observation_clear (&observation);
        assert_non_null (
            strstr (out.data, i % 2 ? ":\"9999-12-31T23:59:59" : ":\"0000-01-01T00:00:00"));
    }
}

static void
huge_and_deep_messages_are_refused (void **state)
{
    (void) state;
    observation_t observation;
    char deep [256] = "{\"labs\":";
    memset (deep + 8, '[', 100);
    memset (deep + 108, ']', 100);
    memcpy (deep + 208, "}", 2);

    assert_int_equal (decode_sized (&observation, EVENT_LABS_OBSERVED, "{}", 100, NULL), -E2BIG);
    assert_int_equal (decode (&observation, EVENT_LABS_OBSERVED, deep, NULL), -EINVAL);
}

static void
type_that_no_collector_may_say_is_not_supported (void **state)
{
    (void) state;
    observation_t observation;

    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if (event_type_parse_ingest (event_type_name ((event_type_t) type)) == EVENT_UNKNOWN) {
            assert_int_equal (decode (&observation, (event_type_t) type, "{}", NULL), -ENOTSUP);
        }
    }
}

static void
what_is_written_is_read_again_and_written_the_same (void **state)
{
    (void) state;
    static const struct {
        event_type_t type;
        const char *data;
    } ROWS [] = {
        {EVENT_INSTANCE_OBSERVED,
         "{\"instance_id\":\"i-\\\"0\",\"state\":\"running\",\"image_creation_date\":"
         "\"2026-11-20T10:30:00.123Z\",\"detailed_monitoring\":true,"
         "\"tags\":{\"a \\\"b\\\"\":\"c\",\"\":null},\"interval_seconds\":-300}"},
        {EVENT_UTILIZATION_OBSERVED, "{\"cpu_percent\":7.925,\"period_seconds\":0}"},
        {EVENT_LABS_OBSERVED, "{\"labs\":[],\"error_code\":\"http\"}"},
        {EVENT_LABS_OBSERVED, "{\"labs\":[{\"lab_id\":\"x\",\"node_count\":4},7.5,null]}"},
        {EVENT_COLLECTOR_HEARTBEAT, "{\"last_sequence\":9223372036854775807,\"version\":\"1\"}"},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        observation_t observation;
        _cleanup_ (buffer_clear) buffer_t out = {0};
        assert_int_equal (decode (&observation, ROWS [i].type, ROWS [i].data, NULL), 0);
        observation_write_data (&out, &observation);
        observation_clear (&observation);
        assert_string_equal (out.data, ROWS [i].data);
    }
}

static void
failed_read_is_an_observation_without_values (void **state)
{
    (void) state;
    observation_t observation;

    assert_int_equal (decode (&observation, EVENT_UTILIZATION_OBSERVED,
                              "{\"error_code\":\"Throttling\",\"error_message\":\"Rate exceeded\"}",
                              NULL),
                      0);

    assert_string_equal (observation.utilization_observed.error_code, "Throttling");
    assert_true (isnan (observation.utilization_observed.cpu_percent));
    observation_clear (&observation);
    assert_null (observation.envelope.doc.nodes);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (every_type_for_a_collector_to_say_has_a_table_and_no_other),
        cmocka_unit_test (new_observation_of_each_type_knows_nothing_and_writes_nothing),
        cmocka_unit_test (absent_and_null_members_are_unknown_and_others_are_ignored),
        cmocka_unit_test (values_of_each_kind_arrive_as_they_were_said),
        cmocka_unit_test (percentage_beyond_its_range_is_kept_as_measured),
        cmocka_unit_test (member_of_another_type_makes_the_message_malformed_and_is_named),
        cmocka_unit_test (text_may_be_as_long_as_its_bound_and_not_a_byte_longer),
        cmocka_unit_test (text_that_is_written_is_never_too_long_to_be_read),
        cmocka_unit_test (text_with_a_nul_within_is_malformed),
        cmocka_unit_test (ancient_and_future_times_are_times),
        cmocka_unit_test (huge_and_deep_messages_are_refused),
        cmocka_unit_test (type_that_no_collector_may_say_is_not_supported),
        cmocka_unit_test (what_is_written_is_read_again_and_written_the_same),
        cmocka_unit_test (failed_read_is_an_observation_without_values),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
