//  Bodies that are read as they come, and what is known of a call beside them.

#include "http_rig.h"

typedef struct reader {
    heard_t heard;
    buffer_t bytes;
    int pieces;
    bool enough;
    http_call_t *call;
    int status;  //  as asked within on_bytes
    char type [64];
    http_times_t times;  //  as asked within the answer
} reader_t;

static bool
on_bytes (void *argument, const char *bytes, size_t size)
{
    reader_t *self = argument;
    const char *type = http_call_header (self->call, "content-type");

    self->pieces++;
    self->status = http_call_status (self->call);
    snprintf (self->type, sizeof self->type, "%s", type ? type : "none");
    buffer_append (&self->bytes, bytes, size);
    return !self->enough;
}

static void
on_end (void *argument, const http_answer_t *answer)
{
    reader_t *self = argument;

    self->times = http_call_times (self->call);
    on_answer (&self->heard, answer);
}

static void
begin (fixture_t *self, reader_t *reader)
{
    reader->call = http_client_send (
        self->client,
        &(http_request_t){.method = "GET", .url = self->url, .on_bytes = on_bytes, .answer_max = 4},
        on_end, reader, NULL);
    assert_non_null (reader->call);
}

static void
body_is_told_as_it_comes_and_the_call_goes_on (void **state)
{
    fixture_t *self = *state;
    reader_t reader = {0};
    self->server.reply = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nfirst";

    begin (self, &reader);
    run_until (&reader.pieces, 1);

    assert_int_equal (reader.heard.count, 0);
    assert_int_equal (reader.status, 200);
    assert_string_equal (reader.type, "text/event-stream");
    assert_string_equal (reader.bytes.data, "first");
    assert_int_equal (send (self->server.connections [0].fd, "second", 6, 0), 6);
    run_until (&reader.pieces, 2);
    assert_string_equal (reader.bytes.data, "firstsecond");
    hang_up (&self->server.connections [0]);
    run_until (&reader.heard.count, 1);
    assert_int_equal (reader.heard.outcome, HTTP_ANSWERED);
    assert_int_equal (reader.heard.size, 0);
    buffer_clear (&reader.bytes);
}

static void
reader_that_wants_no_more_ends_the_call (void **state)
{
    fixture_t *self = *state;
    reader_t reader = {.enough = true};
    self->server.reply = "HTTP/1.1 200 OK\r\n\r\nfirst";

    begin (self, &reader);
    run_until (&reader.heard.count, 1);

    assert_int_equal (reader.heard.outcome, HTTP_BROKEN);
    assert_string_equal (reader.type, "none");
    buffer_clear (&reader.bytes);
}

static void
refused_status_has_its_body_told_too (void **state)
{
    fixture_t *self = *state;
    reader_t reader = {0};
    self->server.reply = "HTTP/1.1 401 No\r\nContent-Length: 7\r\n\r\nlog in!";

    begin (self, &reader);
    run_until (&reader.heard.count, 1);

    assert_int_equal (reader.heard.status, 401);
    assert_string_equal (reader.bytes.data, "log in!");
    buffer_clear (&reader.bytes);
}

static void
times_stand_in_their_order_and_are_zero_when_they_never_came (void **state)
{
    fixture_t *self = *state;
    reader_t reader = {0}, refused = {0};
    self->server.reply = "HTTP/1.1 204 No Content\r\n\r\n";

    begin (self, &reader);
    run_until (&reader.heard.count, 1);
    snprintf (self->url, sizeof self->url, "http://127.0.0.1:1/");
    begin (self, &refused);
    run_until (&refused.heard.count, 1);

    assert_true (reader.times.resolved > 0 && reader.times.resolved <= reader.times.connected);
    assert_true (reader.times.connected <= reader.times.first_byte);
    assert_true (reader.times.secured == 0);
    assert_true (refused.times.resolved > 0 && refused.times.connected == 0);
    assert_int_equal (refused.heard.outcome, HTTP_UNREACHABLE);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (body_is_told_as_it_comes_and_the_call_goes_on),
        TEST (reader_that_wants_no_more_ends_the_call),
        TEST (refused_status_has_its_body_told_too),
        TEST (times_stand_in_their_order_and_are_zero_when_they_never_came),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
