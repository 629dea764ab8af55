//  What a browser does with a stream, by the vectors of web-platform-tests' eventsource/format-*.

#include "../../../common/buffer.h"
#include "../../../common/cleanup.h"
#include "../../../gateway/cli/sse_parser.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define BYTES(text) text, sizeof (text) - 1
#define X100                                             \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

//  Each event is `type|data|id;`.
static const struct {
    const char *name, *stream;
    size_t size;
    const char *events;
    size_t events_size;
} VECTORS [] = {
    {"one byte order mark is dropped",
     BYTES ("\xef\xbb\xbf"
            "data:1\n\n"),
     BYTES ("message|1|;")},
    {"a second one makes another field",
     BYTES ("\xef\xbb\xbf\xef\xbb\xbf"
            "data:1\n\ndata:2\n\n"),
     BYTES ("message|2|;")},
    {"one in the middle makes another field",
     BYTES ("data:1\n\n\xef\xbb\xbf"
            "data:2\n\ndata:3\n\n"),
     BYTES ("message|1|;message|3|;")},
    {"comments are nothing",
     BYTES ("data:1\r:\0\n:\r\ndata:2\n:" X100 X100 "\rdata:3\n:data:fail\r:\rdata:4\n\n"),
     BYTES ("message|1\n2\n3\n4|;")},
    {"what has no empty line is not dispatched",
     BYTES ("retry:1000\ndata:test1\n\nid:test\ndata:test2"), BYTES ("message|test1|;")},
    {"data without a colon or a value is an empty line",
     BYTES ("data:\n\ndata\ndata\n\ndata:test\n\n"),
     BYTES ("message||;message|\n|;message|test|;")},
    {"only the first blank is dropped", BYTES ("data:\ttest\rdata: \ndata:test\n\n"),
     BYTES ("message|\ttest\n\ntest|;")},
    {"fields are exact",
     BYTES ("data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\n\n"),
     BYTES ("message|test\n|;")},
    {"case counts", BYTES ("Data:1\ndata\0:2\ndata:3\n\n"), BYTES ("message|3|;")},
    {"line ends may be mixed",
     BYTES ("data:test\r\ndata\ndata:test\r\n\r\ndata:test\n\ndata:\r\rdata:x\r\n\r"),
     BYTES ("message|test\n\ntest|;message|test|;message||;message|x|;")},
    {"a type is for one event", BYTES ("event:test\ndata:x\n\ndata:x\n\n"),
     BYTES ("test|x|;message|x|;")},
    {"a type with a null is no other type", BYTES ("event:test\0x\ndata:x\n\nevent:\0\ndata:y\n\n"),
     BYTES ("test?x|x|;?|y|;")},
    {"an empty type is message", BYTES ("event: \ndata:data\n\n"), BYTES ("message|data|;")},
    {"a type without data is forgotten", BYTES ("event:test\n\ndata:x\n\n"), BYTES ("message|x|;")},
    {"an id stays until another comes", BYTES ("id: 1\ndata:a\n\ndata:b\n\nid\ndata:c\n\n"),
     BYTES ("message|a|1;message|b|1;message|c|;")},
    {"an id alone moves the cursor", BYTES ("id: 7\n\ndata:x\n\n"), BYTES ("message|x|7;")},
    {"an id with a null is ignored", BYTES ("id: 1\ndata:a\n\nid: 2\0\ndata:b\n\n"),
     BYTES ("message|a|1;message|b|1;")},
    {"bytes that are no UTF-8 are replaced", BYTES ("data:ok\xe2\x82x\n\n"),
     BYTES ("message|ok\xef\xbf\xbdx|;")},
    {"a surrogate is three of them", BYTES ("data:\xed\xa0\x80\xf4\x90\n\n"),
     BYTES ("message|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|;")},
    {"UTF-8 is read whole", BYTES ("data:ok\xe2\x80\xa6\xf0\x9f\x98\x80\n\n"),
     BYTES ("message|ok\xe2\x80\xa6\xf0\x9f\x98\x80|;")},
    {"a null is a character", BYTES ("data:\0\n\n"), BYTES ("message|\0|;")},
};

static bool
note (void *argument, const sse_event_t *event)
{
    buffer_t *heard = argument;

    buffer_format (heard, "%s|", event->type);
    buffer_append (heard, event->data, event->size);
    buffer_format (heard, "|%s;", event->id);
    return true;
}

static bool
wants_no_more (void *argument, const sse_event_t *event)
{
    (void) note (argument, event);
    return false;
}

static void
a_stream_is_read_as_a_browser_reads_it_in_any_pieces (void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        for (size_t piece = 1; piece < VECTORS [i].size + 1; piece++) {
            _cleanup_ (buffer_clear) buffer_t heard = {0};
            _cleanup_ (sse_parser_destroy) sse_parser_t *parser =
                sse_parser_new (1000, "", note, &heard);

            for (size_t at = 0; at < VECTORS [i].size; at += piece) {
                size_t left = VECTORS [i].size - at;
                assert_int_equal (
                    sse_parser_feed (parser, VECTORS [i].stream + at, left < piece ? left : piece),
                    0);
            }

            if (heard.size != VECTORS [i].events_size ||
                memcmp (heard.data, VECTORS [i].events, heard.size) != 0) {
                fail_msg ("%s, in pieces of %zu: %s", VECTORS [i].name, piece,
                          heard.data ? heard.data : "");
            }
        }
    }
}

static int64_t
retry_of (const char *stream)
{
    _cleanup_ (buffer_clear) buffer_t heard = {0};
    _cleanup_ (sse_parser_destroy) sse_parser_t *parser = sse_parser_new (1000, "", note, &heard);

    assert_int_equal (sse_parser_feed (parser, stream, strlen (stream)), 0);
    return sse_parser_retry_ms (parser);
}

static void
retry_is_digits_alone (void **state)
{
    (void) state;
    assert_int_equal (retry_of ("retry:3000\n"), 3000);
    assert_int_equal (retry_of ("retry: 03000\n"), 3000);
    assert_int_equal (retry_of ("retry:3000x\n"), SSE_RETRY_UNKNOWN);
    assert_int_equal (retry_of ("retry:-1\n"), SSE_RETRY_UNKNOWN);
    assert_int_equal (retry_of ("retry\n"), SSE_RETRY_UNKNOWN);
    assert_int_equal (retry_of ("retry:1.5\n"), SSE_RETRY_UNKNOWN);
    assert_int_equal (retry_of ("retry:99999999999999999999\n"), SSE_RETRY_UNKNOWN);
    assert_int_equal (retry_of ("retry:7\nretry:x\n"), 7);
}

static void
a_cursor_moves_with_what_is_dispatched_and_not_before (void **state)
{
    _cleanup_ (buffer_clear) buffer_t heard = {0};
    _cleanup_ (sse_parser_destroy) sse_parser_t *parser =
        sse_parser_new (1000, "e-5", note, &heard);
    (void) state;

    assert_string_equal (sse_parser_last_id (parser), "e-5");
    assert_int_equal (sse_parser_feed (parser, BYTES ("id: e-6\ndata: cut")), 0);
    assert_string_equal (sse_parser_last_id (parser), "e-5");
    assert_int_equal (sse_parser_feed (parser, BYTES ("\n\n")), 0);
    assert_string_equal (sse_parser_last_id (parser), "e-6");
    assert_int_equal (sse_parser_feed (parser, BYTES ("id: e-9\n\n")), 0);
    assert_string_equal (sse_parser_last_id (parser), "e-9");
}

static void
a_line_and_an_event_have_a_bound (void **state)
{
    _cleanup_ (buffer_clear) buffer_t heard = {0};
    _cleanup_ (sse_parser_destroy) sse_parser_t *line = sse_parser_new (100, "", note, &heard);
    _cleanup_ (sse_parser_destroy) sse_parser_t *event = sse_parser_new (100, "", note, &heard);
    (void) state;

    assert_int_equal (sse_parser_feed (line, BYTES (":" X100)), -E2BIG);
    assert_int_equal (sse_parser_feed (line, BYTES ("\ndata: x\n\n")), -E2BIG);
    assert_int_equal (sse_parser_feed (event, BYTES ("data: 0123456789012345678901234567890\n")),
                      0);
    assert_int_equal (sse_parser_feed (event, BYTES ("data: 0123456789012345678901234567890\n")),
                      0);
    assert_int_equal (sse_parser_feed (event, BYTES ("data: 01234567890123456789012345678901234"
                                                     "56789\n")),
                      -E2BIG);
    assert_int_equal (heard.size, 0);
}

static void
who_wants_no_more_is_given_no_more_of_the_same_bytes (void **state)
{
    _cleanup_ (buffer_clear) buffer_t heard = {0};
    _cleanup_ (sse_parser_destroy) sse_parser_t *parser =
        sse_parser_new (1000, "", wants_no_more, &heard);
    (void) state;

    assert_int_equal (sse_parser_feed (parser, BYTES ("id:1\ndata:a\n\nid:2\ndata:b\n\n")),
                      -ECANCELED);
    assert_string_equal (heard.data, "message|a|1;");
    assert_string_equal (sse_parser_last_id (parser), "1");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (a_stream_is_read_as_a_browser_reads_it_in_any_pieces),
        cmocka_unit_test (retry_is_digits_alone),
        cmocka_unit_test (a_cursor_moves_with_what_is_dispatched_and_not_before),
        cmocka_unit_test (a_line_and_an_event_have_a_bound),
        cmocka_unit_test (who_wants_no_more_is_given_no_more_of_the_same_bytes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
