//  What is written to one client: in order, without a byte lost or doubled, whatever the socket takes.

#include "../../../gateway/wire.h"

#include "gateway_rig.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define LARGE ((size_t) 600000)  //  more than a socket takes

typedef struct fixture {
    wire_t wire;
    int peer;
    packer_t *alone;
    buffer_t heard;
} fixture_t;

static int
setup (void **state)
{
    static fixture_t self;
    int ends [2], size = 4096;

    assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    setsockopt (ends [0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    self = (fixture_t){.wire = {.fd = ends [0]}, .peer = ends [1], .alone = packer_new ()};
    assert_non_null (self.alone);
    *state = &self;
    return 0;
}

static int
teardown (void **state)
{
    fixture_t *self = *state;

    wire_clear (&self->wire);
    close (self->wire.fd);
    descriptor_close (&self->peer);
    packer_destroy (&self->alone);
    buffer_clear (&self->heard);
    return 0;
}

static void
hear (fixture_t *self, size_t most)
{
    char bytes [4096];
    ssize_t got;

    while (most > 0 && (got = recv (self->peer, bytes, most < sizeof bytes ? most : sizeof bytes,
                                    MSG_DONTWAIT)) > 0) {
        buffer_append (&self->heard, bytes, (size_t) got);
        most -= (size_t) got;
    }
}

//  Reads a little and lets it write on, until all is out.
static void
hear_all (fixture_t *self)
{
    wire_result_t result = WIRE_FULL;

    for (int turns = 0; turns < 10000 && result == WIRE_FULL; turns++) {
        hear (self, 3000);
        result = wire_flush (&self->wire, 5);
    }
    assert_int_equal (result, WIRE_CLEAR);
    hear (self, SIZE_MAX);
}

static frame_t *
frame_of (char letter, size_t size)
{
    char *bytes = malloc (size);

    assert_non_null (bytes);
    for (size_t i = 0; i < size; i++) {
        bytes [i] = (char) (letter + (char) ((i * 31 + i / 97) % 13));
    }
    frame_t *frame = frame_of_bytes (bytes, size);
    free (bytes);
    assert_non_null (frame);
    return frame;
}

static void
head_goes_out_before_what_is_said (void **state)
{
    fixture_t *self = *state;

    wire_head (&self->wire, "HTTP/1.1 200 OK\r\n\r\n", 19);
    wire_say (&self->wire, self->alone, "one ", 4);
    wire_say (&self->wire, self->alone, "two", 3);
    assert_int_equal (wire_queued (&self->wire), 26);
    hear (self, SIZE_MAX);
    assert_int_equal (self->heard.size, 0);  //  nothing before it is flushed

    assert_int_equal (wire_flush (&self->wire, 7), WIRE_CLEAR);
    hear (self, SIZE_MAX);
    assert_string_equal (self->heard.data, "HTTP/1.1 200 OK\r\n\r\none two");
    assert_int_equal (wire_queued (&self->wire), 0);
    assert_int_equal (self->wire.sent, 26);
    assert_int_equal (self->wire.moved, 7);
}

static void
frame_that_is_taken_in_part_goes_on_where_it_stopped_and_is_held_until_then (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (frame_release) frame_t *frame = frame_of ('a', LARGE);

    assert_int_equal (wire_send (&self->wire, frame, 1), WIRE_FULL);
    assert_int_equal (frame->references, 2);
    assert_in_range (wire_queued (&self->wire), 1, LARGE - 1);
    wire_say (&self->wire, self->alone, "and then", 8);  //  behind what waits
    hear_all (self);

    assert_int_equal (self->heard.size, LARGE + 8);
    assert_memory_equal (self->heard.data, frame->bytes, LARGE);
    assert_string_equal (self->heard.data + LARGE, "and then");
    assert_int_equal (frame->references, 1);
    assert_int_equal (self->wire.sent, LARGE + 8);
}

static void
several_frames_are_taken_as_far_as_there_is_room (void **state)
{
    fixture_t *self = *state;
    frame_t *frames [WIRE_FRAMES_MAX];
    _cleanup_ (buffer_clear) buffer_t wanted = {0};
    size_t at = 0, taken = 0;
    for (size_t i = 0; i < WIRE_FRAMES_MAX; i++) {
        frames [i] = frame_of ((char) ('A' + i % 20), 100 + i * 500);
        buffer_append (&wanted, frames [i]->bytes, frames [i]->size);
    }

    for (int turns = 0; turns < 10000 && at < WIRE_FRAMES_MAX; turns++) {
        if (wire_flush (&self->wire, 1) == WIRE_CLEAR) {
            wire_result_t result = wire_send_frames (&self->wire, self->alone, frames + at,
                                                     WIRE_FRAMES_MAX - at, 1, &taken);
            assert_true (result != WIRE_GONE &&
                         (result == WIRE_FULL || at + taken == WIRE_FRAMES_MAX));
            at += taken;
        }
        hear (self, 2500);
    }
    hear_all (self);

    assert_int_equal (self->heard.size, wanted.size);
    assert_memory_equal (self->heard.data, wanted.data, wanted.size);
    for (size_t i = 0; i < WIRE_FRAMES_MAX; i++) {
        assert_int_equal (frames [i]->references, 1);
        frame_release (&frames [i]);
    }
}

static void
full_socket_takes_nothing_and_does_not_count_as_moved (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (frame_release) frame_t *frame = frame_of ('a', LARGE);
    (void) wire_send (&self->wire, frame, 1);
    (void) wire_flush (&self->wire, 2);
    size_t queued = wire_queued (&self->wire);
    time_us_t moved = self->wire.moved;

    assert_int_equal (wire_flush (&self->wire, 99), WIRE_FULL);
    assert_int_equal (wire_queued (&self->wire), queued);
    assert_true (self->wire.moved == moved && moved < 99);
}

static void
peer_that_has_gone_is_told_and_kills_nobody (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (frame_release) frame_t *frame = frame_of ('a', 10);
    size_t taken = 7;
    descriptor_close (&self->peer);

    assert_int_equal (wire_send (&self->wire, frame, 1), WIRE_GONE);
    assert_int_equal (wire_send_frames (&self->wire, self->alone, &frame, 1, 1, &taken), WIRE_GONE);
    assert_int_equal (taken, 0);
    wire_say (&self->wire, self->alone, "x", 1);
    assert_int_equal (wire_flush (&self->wire, 1), WIRE_GONE);
    assert_int_equal (frame->references, 1);
}

static void
cleared_in_the_middle_of_a_frame_it_lets_go_of_it (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (frame_release) frame_t *frame = frame_of ('a', LARGE);
    (void) wire_send (&self->wire, frame, 1);
    assert_int_equal (frame->references, 2);

    wire_clear (&self->wire);

    assert_int_equal (frame->references, 1);
}

static void
compressed_stream_is_one_whole_gzip_stream_of_all_that_was_said (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (frame_release) frame_t *frame = frame_of ('a', 50000), *more = frame_of ('n', 300);
    frame_t *frames [] = {frame, more, frame};
    _cleanup_ (string_destroy) char *out = malloc (LARGE);
    size_t taken = 0, at = 0;
    self->wire.gzip = true;

    wire_head (&self->wire, "head\r\n\r\n", 8);
    wire_say (&self->wire, self->alone, "first words", 11);
    hear_all (self);
    while (at < COUNT (frames)) {
        assert_true (wire_send_frames (&self->wire, self->alone, frames + at, COUNT (frames) - at,
                                       1, &taken) != WIRE_GONE);
        at += taken;
        hear_all (self);
    }
    wire_say (&self->wire, self->alone, "last words", 10);
    wire_finish (&self->wire);
    hear_all (self);

    assert_memory_equal (self->heard.data, "head\r\n\r\n", 8);
    z_stream inflater = {.next_in = (Bytef *) self->heard.data + 8,
                         .avail_in = (uInt) self->heard.size - 8,
                         .next_out = (Bytef *) out,
                         .avail_out = (uInt) LARGE};
    assert_int_equal (inflateInit2 (&inflater, 31), Z_OK);
    assert_int_equal (inflate (&inflater, Z_FINISH),
                      Z_STREAM_END);  //  length and checksum are right
    assert_int_equal (inflater.avail_in, 0);
    assert_int_equal (inflater.total_out, 11 + 50000 + 300 + 50000 + 10);
    assert_memory_equal (out, "first words", 11);
    assert_memory_equal (out + 11 + 50000, more->bytes, 300);
    assert_memory_equal (out + inflater.total_out - 10, "last words", 10);
    inflateEnd (&inflater);
}

#define WITH_WIRE(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        WITH_WIRE (head_goes_out_before_what_is_said),
        WITH_WIRE (frame_that_is_taken_in_part_goes_on_where_it_stopped_and_is_held_until_then),
        WITH_WIRE (several_frames_are_taken_as_far_as_there_is_room),
        WITH_WIRE (full_socket_takes_nothing_and_does_not_count_as_moved),
        WITH_WIRE (peer_that_has_gone_is_told_and_kills_nobody),
        WITH_WIRE (cleared_in_the_middle_of_a_frame_it_lets_go_of_it),
        WITH_WIRE (compressed_stream_is_one_whole_gzip_stream_of_all_that_was_said)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
