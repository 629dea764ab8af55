#include "../../../common/cleanup.h"
#include "../../../common/feed_frame.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define WORKER "f915b8b3-4e13-5baf-94fa-44af07bbdd25"
#define GOOD \
    "event|worker.snapshot|us-east-1|" WORKER "|lab.start|7|0123abcd|42|1795170600123456|17+900"

static const feed_header_t SNAPSHOT = {.kind = FEED_EVENT,
                                       .type = EVENT_WORKER_SNAPSHOT,
                                       .region = "us-east-1",
                                       .worker_id = WORKER,
                                       .job_type = "lab.start",
                                       .priority = 7,
                                       .epoch = "0123abcd",
                                       .seq = 42,
                                       .time = 1795170600123456,
                                       .snapshot_offset = 17,
                                       .snapshot_size = 900};

//  The bytes are handed over without a NUL after them.
static int
parse (feed_header_t *self, const char *text)
{
    size_t size = strlen (text);
    _cleanup_ (string_destroy) char *exact = malloc (size + 1);

    exact = realloc (exact, size ? size : 1);
    memcpy (exact, text, size);
    return feed_header_parse (self, exact, size, NULL);
}

static void
header_is_one_line_of_ten_fields (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    feed_header_write (&out, &SNAPSHOT);

    assert_string_equal (out.data, GOOD);
}

static void
header_that_was_written_is_read_again (void **state)
{
    (void) state;
    feed_header_t header;
    memset (&header, 0x55, sizeof header);

    assert_int_equal (parse (&header, GOOD), 0);

    assert_int_equal (header.kind, FEED_EVENT);
    assert_int_equal (header.type, EVENT_WORKER_SNAPSHOT);
    assert_string_equal (header.type_name, "worker.snapshot");
    assert_string_equal (header.region, "us-east-1");
    assert_string_equal (header.worker_id, WORKER);
    assert_string_equal (header.job_type, "lab.start");
    assert_int_equal (header.priority, 7);
    assert_string_equal (header.epoch, "0123abcd");
    assert_int_equal (header.seq, 42);
    assert_true (header.time == 1795170600123456);
    assert_int_equal (header.snapshot_offset, 17);
    assert_int_equal (header.snapshot_size, 900);
}

static void
trace_is_an_eleventh_field_at_the_end (void **state)
{
    (void) state;
    static const char TRACE [] = "|00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    _cleanup_ (buffer_clear) buffer_t out = {0};
    feed_header_t header = SNAPSHOT, again;
    assert_true (trace_context_parse (&header.trace, TRACE + 1));

    feed_header_write (&out, &header);
    assert_int_equal (parse (&again, out.data), 0);

    assert_string_equal (out.data + strlen (GOOD), TRACE);
    assert_memory_equal (&again.trace, &header.trace, sizeof again.trace);
    assert_int_equal (feed_header_trace_size (&header), strlen (TRACE));
    assert_int_equal (feed_header_trace_size (&SNAPSHOT), 0);
    assert_int_equal (parse (&again, GOOD), 0);
    assert_false (trace_context_is_set (&again.trace));
}

static void
priority_may_be_below_nothing (void **state)
{
    (void) state;
    const int rows [] = {-1000, -1, 0, 1000};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        feed_header_t header = SNAPSHOT, again;
        header.priority = rows [i];
        feed_header_write (&out, &header);
        assert_int_equal (parse (&again, out.data), 0);
        assert_int_equal (again.priority, rows [i]);
    }
}

static void
kinds_without_a_type_leave_their_fields_empty (void **state)
{
    (void) state;
    static const char *const NAMES [] = {"event", "state", "gone", "tick"};

    for (int kind = FEED_STATE; kind <= FEED_TICK; kind++) {
        _cleanup_ (buffer_clear) buffer_t out = {0}, wanted = {0};
        feed_header_t header = {.kind = (feed_kind_t) kind,
                                .type = EVENT_UNKNOWN,
                                .epoch = "0123abcd",
                                .seq = UINT64_MAX};
        buffer_format (&wanted, "%s|||||0|0123abcd|18446744073709551615|0|0+0", NAMES [kind]);
        feed_header_write (&out, &header);
        assert_string_equal (out.data, wanted.data);
        header = SNAPSHOT;
        assert_int_equal (parse (&header, out.data), 0);
        assert_int_equal (header.kind, kind);
        assert_int_equal (header.type, EVENT_UNKNOWN);
        assert_string_equal (header.region, "");
        assert_true (header.seq == UINT64_MAX);
    }
}

static void
type_of_a_newer_aggregator_is_passed_on_as_it_is (void **state)
{
    (void) state;
    static const char NEWER [] = "event|worker.moon_phase|r||x|0|0123abcd|1|2|0+0";
    _cleanup_ (buffer_clear) buffer_t out = {0};
    feed_header_t header;

    assert_int_equal (parse (&header, NEWER), 0);
    assert_int_equal (header.type, EVENT_UNKNOWN);
    assert_string_equal (header.type_name, "worker.moon_phase");
    feed_header_write (&out, &header);

    assert_string_equal (out.data, NEWER);
}

static void
what_is_no_header_is_refused_and_nothing_is_touched (void **state)
{
    (void) state;
    static const char *const WRONG [] = {
        "",
        "event",
        "|||||||||",
        "tick|||||0|0123abcd|1|2",
        "tick|||||0|0123abcd|1|2|0+0|",
        "tick|||||0|0123abcd|1|2|0+0|00-x-y-01",
        "tick|||||0|0123abcd|1|2|0+0|00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01|",
        "Tick|||||0|0123abcd|1|2|0+0",
        "news|||||0|0123abcd|1|2|0+0",
        "tick|||||-|0123abcd|1|2|0+0",
        "tick|||||--1|0123abcd|1|2|0+0",
        "tick|||||-2147483648|0123abcd|1|2|0+0",
        "tick|||||2147483648|0123abcd|1|2|0+0",
        "tick||||||0123abcd|1|2|0+0",
        "tick|||||0x1|0123abcd|1|2|0+0",
        "tick|||||0|0123abcde|1|2|0+0",
        "tick|||||0|0123abcd||2|0+0",
        "tick|||||0|0123abcd| 1|2|0+0",
        "tick|||||0|0123abcd|+1|2|0+0",
        "tick|||||0|0123abcd|-1|2|0+0",
        "tick|||||0|0123abcd|1.0|2|0+0",
        "tick|||||0|0123abcd|18446744073709551616|2|0+0",
        "tick|||||0|0123abcd|1||0+0",
        "tick|||||0|0123abcd|1|-2|0+0",
        "tick|||||0|0123abcd|1|9223372036854775808|0+0",
        "tick|||||0|0123abcd|1|2|",
        "tick|||||0|0123abcd|1|2|0",
        "tick|||||0|0123abcd|1|2|0+",
        "tick|||||0|0123abcd|1|2|+0",
        "tick|||||0|0123abcd|1|2|0+0 ",
        "tick|||||0|0123abcd|1|2|0+0\n",
        "tick|||||0|0123abcd|1|2|0-0",
        "tick|||||0|0123abcd|1|2|-1+0",
        "tick|||||0|0123abcd|1|2|18446744073709551615+2",  //  their sum wraps
        "tick|||" WORKER "0||0|0123abcd|1|2|0+0",
    };

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        feed_header_t header = SNAPSHOT;
        int rc = parse (&header, WRONG [i]);
        if (rc != -EINVAL || memcmp (&header, &SNAPSHOT, sizeof header) != 0) {
            fail_msg ("%s: %d", WRONG [i], rc);
        }
    }
}

static void
every_cut_of_a_header_is_refused_except_of_its_last_number (void **state)
{
    (void) state;
    feed_header_t header;

    for (size_t size = 0; size < sizeof GOOD - 3; size++) {
        assert_int_equal (feed_header_parse (&header, GOOD, size, NULL), -EINVAL);
    }
}

static void
nul_and_size_beyond_the_bound_are_refused_with_a_reason (void **state)
{
    (void) state;
    feed_header_t header;
    reason_t why = {0};
    char huge [4096];
    memset (huge, 'x', sizeof huge);

    assert_int_equal (feed_header_parse (&header, GOOD "\0", sizeof GOOD, &why), -EINVAL);
    assert_non_null (strstr (why.text, "NUL"));
    assert_int_equal (feed_header_parse (&header, huge, sizeof huge, &why), -EINVAL);
    assert_non_null (strstr (why.text, "4096"));
    assert_int_equal (feed_header_parse (&header, huge, 599, &why), -EINVAL);
    assert_non_null (strstr (why.text, "not a feed header"));
}

static void
texts_may_be_as_long_as_their_room_and_no_longer (void **state)
{
    (void) state;
    static const char *const FORMS [] = {"event|%s||||0|e|1|2|0+0", "event||%s|||0|e|1|2|0+0",
                                         "event|||%s||0|e|1|2|0+0", "event||||%s|0|e|1|2|0+0",
                                         "event|||||0|%s|1|2|0+0"};
    static const size_t MOST [] = {64, FEED_REGION_SIZE - 1, FEED_WORKER_ID_SIZE - 1,
                                   FEED_JOB_TYPE_SIZE - 1, ENVELOPE_EPOCH_SIZE - 1};

    for (size_t i = 0; i < sizeof MOST / sizeof *MOST; i++) {
        for (size_t more = 0; more < 2; more++) {
            _cleanup_ (buffer_clear) buffer_t out = {0};
            feed_header_t header;
            char text [80] = "";
            const char *place = strstr (FORMS [i], "%s");
            memset (text, 'x', MOST [i] + more);
            buffer_append (&out, FORMS [i], (size_t) (place - FORMS [i]));
            buffer_text (&out, text);
            buffer_text (&out, place + 2);
            assert_int_equal (parse (&header, out.data), more ? -EINVAL : 0);
        }
    }
}

static void
longest_header_that_can_be_written_can_be_read (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    feed_header_t header = {.kind = FEED_EVENT,
                            .type = EVENT_UNKNOWN,
                            .priority = -INT32_MAX,
                            .seq = UINT64_MAX,
                            .time = INT64_MAX,
                            .snapshot_offset = SIZE_MAX / 2,
                            .snapshot_size = SIZE_MAX / 2};
    memset (header.type_name, 't', sizeof header.type_name - 1);
    memset (header.region, 'r', sizeof header.region - 1);
    memset (header.worker_id, 'w', sizeof header.worker_id - 1);
    memset (header.job_type, 'j', sizeof header.job_type - 1);
    memset (header.epoch, 'e', sizeof header.epoch - 1);

    feed_header_write (&out, &header);
    feed_header_t again;
    memset (&again, 0, sizeof again);

    assert_int_equal (parse (&again, out.data), 0);
    assert_string_equal (again.type_name, header.type_name);
    assert_int_equal (again.priority, -INT32_MAX);
    assert_true (again.time == INT64_MAX && again.snapshot_size == SIZE_MAX / 2);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (header_is_one_line_of_ten_fields),
        cmocka_unit_test (header_that_was_written_is_read_again),
        cmocka_unit_test (trace_is_an_eleventh_field_at_the_end),
        cmocka_unit_test (priority_may_be_below_nothing),
        cmocka_unit_test (kinds_without_a_type_leave_their_fields_empty),
        cmocka_unit_test (type_of_a_newer_aggregator_is_passed_on_as_it_is),
        cmocka_unit_test (what_is_no_header_is_refused_and_nothing_is_touched),
        cmocka_unit_test (every_cut_of_a_header_is_refused_except_of_its_last_number),
        cmocka_unit_test (nul_and_size_beyond_the_bound_are_refused_with_a_reason),
        cmocka_unit_test (texts_may_be_as_long_as_their_room_and_no_longer),
        cmocka_unit_test (longest_header_that_can_be_written_can_be_read),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
