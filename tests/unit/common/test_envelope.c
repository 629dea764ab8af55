#include "../../../common/cleanup.h"
#include "../../../common/envelope.h"
#include "../../../common/json.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define ROOM ((size_t) 4096)

//  A good message whose one attribute (name) is replaced by this JSON, or left out (null).
static int
decode_with (envelope_t *self, const char *name, const char *value, reason_t *why)
{
    static const char *const GOOD [][2] = {
        {"specversion", "\"1.0\""},
        {"type", "\"instance.observed\""},
        {"source", "\"/collector/ec2/host-1\""},
        {"id", "\"0123abCD-000000000042\""},
        {"subject", "\"us-east-1/i-0abc\""},
        {"time", "\"2026-11-20T10:30:00.123456Z\""},
        {"traceparent", "\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\""},
        {"data", "{\"a\":1}"},
    };
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        const char *put = name && strcmp (name, GOOD [i][0]) == 0 ? value : GOOD [i][1];
        if (put) {
            json_member_raw (&json, GOOD [i][0], put, strlen (put));
        }
    }
    json_close_object (&json);
    return envelope_decode (self, out.data, out.size, ROOM, why);
}

static void
good_message_arrives_whole (void **state)
{
    (void) state;
    envelope_t envelope;
    int64_t a;
    time_us_t at;
    assert_int_equal (clock_parse ("2026-11-20T10:30:00.123456Z", &at), 0);

    assert_int_equal (decode_with (&envelope, NULL, NULL, NULL), 0);

    assert_int_equal (envelope.type, EVENT_INSTANCE_OBSERVED);
    assert_string_equal (envelope.epoch, "0123abCD");
    assert_int_equal (envelope.sequence, 42);
    assert_true (envelope.time == at);
    assert_string_equal (envelope.source, "/collector/ec2/host-1");
    assert_string_equal (envelope.subject, "us-east-1/i-0abc");
    assert_memory_equal (envelope.traceparent, "00-4bf9", 7);
    assert_true (json_node_integer (json_node_get (envelope.data, "a"), &a) && a == 1);
    envelope_clear (&envelope);
    assert_null (envelope.doc.nodes);
    assert_null (envelope.data);
}

static void
subject_and_traceparent_may_be_missing (void **state)
{
    (void) state;
    envelope_t envelope;

    assert_int_equal (decode_with (&envelope, "subject", NULL, NULL), 0);
    assert_string_equal (envelope.subject, "");
    envelope_clear (&envelope);
    assert_int_equal (decode_with (&envelope, "traceparent", NULL, NULL), 0);
    assert_null (envelope.traceparent);
    envelope_clear (&envelope);
}

static void
missing_or_malformed_attribute_is_named_and_nothing_is_touched (void **state)
{
    (void) state;
    static const char *const ROWS [][2] = {
        {"specversion", NULL},
        {"specversion", "1.0"},
        {"specversion", "\"0.3\""},
        {"type", NULL},
        {"type", "\"\""},
        {"type", "[\"instance.observed\"]"},
        {"source", NULL},
        {"source", "null"},
        {"source", "\"\""},
        {"source", "\"a\\u0000b\""},
        {"id", NULL},
        {"id", "7"},
        {"id", "\"0123abcd\""},
        {"id", "\"0123abcd-\""},
        {"id", "\"0123abcd-0\""},
        {"id", "\"0123abcd-000000000000\""},
        {"id", "\"0123abcd--1\""},
        {"id", "\"0123abcd-+1\""},
        {"id", "\"0123abcd- 1\""},
        {"id", "\"0123abcd-1x\""},
        {"id", "\"0123abcd-1 \""},
        {"id", "\"0123abcd-18446744073709551616\""},
        {"id", "\"0123abc-1\""},
        {"id", "\"0123abcde-1\""},
        {"id", "\"0123abcg-1\""},
        {"time", NULL},
        {"time", "1795170600"},
        {"time", "\"yesterday\""},
        {"time", "\"2026-02-29T00:00:00Z\""},
        {"subject", "5"},
        {"subject", "{}"},
        {"subject", "\"us\\u0000-east-1/i\""},
        {"traceparent", "true"},
        {"data", NULL},
        {"data", "null"},
        {"data", "[]"},
        {"data", "\"{}\""},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        envelope_t envelope = {.sequence = 7};
        reason_t why = {0};
        int rc = decode_with (&envelope, ROWS [i][0], ROWS [i][1], &why);
        if (rc != -EINVAL || !strstr (why.text, ROWS [i][0]) || envelope.sequence != 7) {
            fail_msg ("%s %s: %d %s", ROWS [i][0], ROWS [i][1] ? ROWS [i][1] : "missing", rc,
                      why.text);
        }
    }
}

static void
type_that_is_not_of_the_ingest_bus_is_not_supported (void **state)
{
    (void) state;
    static const char *const TYPES [] = {"\"worker.snapshot\"", "\"heartbeat\"", "\"instance\"",
                                         "\"instance.observed \"", "\"INSTANCE.OBSERVED\""};

    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        envelope_t envelope;
        reason_t why = {0};
        assert_int_equal (decode_with (&envelope, "type", TYPES [i], &why), -ENOTSUP);
        assert_true (why.text [0]);
    }
}

static void
what_is_no_json_object_is_refused (void **state)
{
    (void) state;
    static const char *const WRONG [] = {"",  "null", "[]",     "\"x\"", "1",
                                         "{", "{}{}", "{}\x01", "\xff"};
    envelope_t envelope;

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        reason_t why = {0};
        assert_int_equal (envelope_decode (&envelope, WRONG [i], strlen (WRONG [i]), ROOM, &why),
                          -EINVAL);
        assert_true (why.text [0]);
    }
    assert_int_equal (envelope_decode (&envelope, "{}", 2, 1, NULL), -E2BIG);
}

static void
every_cut_of_a_message_is_refused (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    envelope_t envelope;
    envelope_write (&out, EVENT_SYSTEM_OBSERVED, "/collector/cml/h", "0123abcd", 1, "r/w", 0, NULL,
                    "{}", 2);

    for (size_t size = 0; size < out.size; size++) {
        assert_int_equal (envelope_decode (&envelope, out.data, size, ROOM, NULL), -EINVAL);
    }
}

static void
source_and_subject_may_be_as_long_as_their_bound_and_no_longer (void **state)
{
    (void) state;
    static const char *const NAMES [] = {"source", "subject"};
    static const size_t MOST [] = {ENVELOPE_SOURCE_MAX, ENVELOPE_SUBJECT_MAX};
    envelope_t envelope;

    for (size_t i = 0; i < 2; i++) {
        char value [300] = "\"";
        memset (value + 1, 'x', MOST [i]);
        value [MOST [i] + 1] = '"';
        assert_int_equal (decode_with (&envelope, NAMES [i], value, NULL), 0);
        envelope_clear (&envelope);
        memcpy (value + MOST [i] + 1, "x\"", 3);
        reason_t why = {0};
        assert_int_equal (decode_with (&envelope, NAMES [i], value, &why), -EINVAL);
        assert_non_null (strstr (why.text, NAMES [i]));
    }
}

static void
ancient_and_future_times_and_the_last_number_are_taken (void **state)
{
    (void) state;
    envelope_t ancient, future, last;

    assert_int_equal (decode_with (&ancient, "time", "\"0000-01-01T00:00:00+23:59\"", NULL), 0);
    assert_int_equal (decode_with (&future, "time", "\"9999-12-31T23:59:59-23:59\"", NULL), 0);
    assert_int_equal (decode_with (&last, "id", "\"0123abcd-18446744073709551615\"", NULL), 0);

    assert_true (ancient.time < 0 && ancient.time != TIME_UNKNOWN);
    assert_true (future.time > 253402300799 * SECOND_US);
    assert_true (last.sequence == UINT64_MAX);
    envelope_clear (&ancient);
    envelope_clear (&future);
    envelope_clear (&last);
}

static void
second_attribute_of_one_name_cannot_smuggle_another_type (void **state)
{
    (void) state;
    envelope_t envelope;
    static const char TWICE [] = "\"instance.observed\",\"type\":\"worker.snapshot\"";

    assert_int_equal (decode_with (&envelope, "type", TWICE, NULL), -ENOTSUP);
}

static void
what_is_written_is_cloudevents_and_is_read_again (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    envelope_t envelope;

    envelope_write (&out, EVENT_LAB_STATE_CHANGED, "/collector/cml/\"h\"", "ffffffff", 7,
                    "us-east-1/i-0abc", 1795170600123456, "00-a-b-01", "{\"lab_id\":\"x\"}", 14);

    assert_string_equal (out.data,
                         "{\"specversion\":\"1.0\",\"type\":\"lab.state_changed\","
                         "\"source\":\"/collector/cml/\\\"h\\\"\",\"id\":\"ffffffff-000000000007\","
                         "\"subject\":\"us-east-1/i-0abc\",\"time\":\"2026-11-20T10:30:00.123Z\","
                         "\"datacontenttype\":\"application/json\",\"sequence\":\"000000000007\","
                         "\"traceparent\":\"00-a-b-01\",\"data\":{\"lab_id\":\"x\"}}");
    assert_int_equal (envelope_decode (&envelope, out.data, out.size, out.size, NULL), 0);
    assert_string_equal (envelope.source, "/collector/cml/\"h\"");
    assert_string_equal (envelope.traceparent, "00-a-b-01");
    assert_int_equal (envelope.sequence, 7);
    envelope_clear (&envelope);
}

static void
largest_number_is_written_whole (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    envelope_t envelope;

    envelope_write (&out, EVENT_COLLECTOR_ERROR, "/c", "01234567", UINT64_MAX, "", 0, NULL, "{}",
                    2);

    assert_null (strstr (out.data, "traceparent"));
    assert_int_equal (envelope_decode (&envelope, out.data, out.size, ROOM, NULL), 0);
    assert_true (envelope.sequence == UINT64_MAX);
    envelope_clear (&envelope);
}

static void
kind_of_a_collector_is_read_from_its_source (void **state)
{
    (void) state;
    static const struct {
        const char *source, *kind;  //  null: it has another form
    } ROWS [] = {
        {"/collector/ec2/host-1", "ec2"},
        {"/collector/x/y/z", "x"},
        {"/collector/a234567890123456789012345678901/h", "a234567890123456789012345678901"},
        {"/collector/a2345678901234567890123456789012/h", NULL},
        {"/collector/ec2/", NULL},
        {"/collector/ec2", NULL},
        {"/collector//h", NULL},
        {"/collector/", NULL},
        {"collector/ec2/h", NULL},
        {"/aggregator/ec2/h", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char kind [ENVELOPE_KIND_SIZE] = "";
        bool has = envelope_source_kind (ROWS [i].source, kind);
        assert_int_equal (has, ROWS [i].kind != NULL);
        if (has) {
            assert_string_equal (kind, ROWS [i].kind);
        }
    }
}

static void
topic_is_type_region_and_worker (void **state)
{
    (void) state;
    static const char *const ROWS [][2] = {
        {"us-east-1/i-0abc", "instance.gone|us-east-1|i-0abc"},
        {"us-east-1/lab/7", "instance.gone|us-east-1|lab/7"},
        {"us-east-1", "instance.gone|us-east-1|"},
        {"/i-0abc", "instance.gone||i-0abc"},
        {"", "instance.gone||"},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        envelope_write_topic (&out, EVENT_INSTANCE_GONE, ROWS [i][0]);
        assert_string_equal (out.data, ROWS [i][1]);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (good_message_arrives_whole),
        cmocka_unit_test (subject_and_traceparent_may_be_missing),
        cmocka_unit_test (missing_or_malformed_attribute_is_named_and_nothing_is_touched),
        cmocka_unit_test (type_that_is_not_of_the_ingest_bus_is_not_supported),
        cmocka_unit_test (what_is_no_json_object_is_refused),
        cmocka_unit_test (every_cut_of_a_message_is_refused),
        cmocka_unit_test (source_and_subject_may_be_as_long_as_their_bound_and_no_longer),
        cmocka_unit_test (ancient_and_future_times_and_the_last_number_are_taken),
        cmocka_unit_test (second_attribute_of_one_name_cannot_smuggle_another_type),
        cmocka_unit_test (what_is_written_is_cloudevents_and_is_read_again),
        cmocka_unit_test (largest_number_is_written_whole),
        cmocka_unit_test (kind_of_a_collector_is_read_from_its_source),
        cmocka_unit_test (topic_is_type_region_and_worker),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
