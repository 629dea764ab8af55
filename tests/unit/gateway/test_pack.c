// The runs of deflate that clients share, read back by zlib's own reader of gzip.
#include "../../../gateway/pack.h"

#include "gateway_rig.h"

#include <zlib.h>

#define SIZE_MOST 400000

//  What a client holds: a gzip stream put together of runs.
typedef struct stream {
    char bytes [SIZE_MOST];
    size_t size;
    pack_sum_t sum;
} stream_t;

static stream_t *
stream_new (void)
{
    stream_t *self = calloc (1, sizeof *self);

    memcpy (self->bytes, PACK_HEAD, PACK_HEAD_SIZE);
    self->size = PACK_HEAD_SIZE;
    return self;
}

static void
stream_destroy (stream_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

static void
take (stream_t *self, const void *bytes, size_t size, const char *plain)
{
    memcpy (self->bytes + self->size, bytes, size);
    self->size += size;
    pack_sum_add (&self->sum, pack_crc (plain, strlen (plain)), strlen (plain));
}

static void
take_run (stream_t *self, const frame_t *run, const char *plain)
{
    assert_non_null (run);
    take (self, run->bytes, run->size, plain);
}

static void
take_alone (stream_t *self, packer_t *packer, const char *plain)
{
    packed_t *packed = packer_alone (packer, plain, strlen (plain));

    assert_non_null (packed);
    assert_int_equal (packed->crc, pack_crc (plain, strlen (plain)));
    take (self, packed->bytes, packed->size, plain);
    free (packed);
}

//  zlib checks the trailer itself: anything but Z_STREAM_END is a stream that a browser refuses.
static void
assert_reads (stream_t *self, const char *wanted)
{
    static char out [SIZE_MOST];
    z_stream reader = {0};

    pack_write_tail (self->bytes + self->size, &self->sum);
    self->size += PACK_TAIL_SIZE;
    assert_int_equal (inflateInit2 (&reader, 15 + 16), Z_OK);
    reader.next_in = (Bytef *) self->bytes;
    reader.avail_in = (uInt) self->size;
    reader.next_out = (Bytef *) out;
    reader.avail_out = sizeof out;
    assert_int_equal (inflate (&reader, Z_FINISH), Z_STREAM_END);
    assert_int_equal (reader.total_out, strlen (wanted));
    assert_memory_equal (out, wanted, strlen (wanted));
    assert_int_equal (reader.avail_in, 0);
    inflateEnd (&reader);
}

static void
empty_stream_is_a_whole_gzip_stream (void **state)
{
    (void) state;
    _cleanup_ (stream_destroy) stream_t *stream = stream_new ();

    assert_reads (stream, "");
}

static void
runs_made_alone_fit_in_any_order (void **state)
{
    (void) state;
    _cleanup_ (packer_destroy) packer_t *packer = packer_new ();
    _cleanup_ (stream_destroy) stream_t *stream = stream_new ();

    take_alone (stream, packer, "data: second\n\n");
    take_alone (stream, packer, "data: first\n\n");
    take_alone (stream, packer, "data: second\n\n");

    assert_reads (stream, "data: second\n\ndata: first\n\ndata: second\n\n");
}

static void
runs_in_context_fit_whoever_got_all_since_the_restart (void **state)
{
    (void) state;
    _cleanup_ (packer_destroy) packer_t *packer = packer_new ();
    _cleanup_ (packer_destroy) packer_t *alone = packer_new ();
    _cleanup_ (stream_destroy) stream_t *early = stream_new ();
    _cleanup_ (stream_destroy) stream_t *late = stream_new ();
    frame_t *one = packer_run (packer, "data: worker 1 runs\n\n", 21);
    packer_restart (packer);
    frame_t *two = packer_run (packer, "data: worker 2 runs\n\n", 21);
    frame_t *three = packer_run (packer, "data: worker 2 runs\n\n", 21);

    take_run (early, one, "data: worker 1 runs\n\n");
    take_run (early, two, "data: worker 2 runs\n\n");
    take_run (early, three, "data: worker 2 runs\n\n");
    take_alone (late, alone, "event: hello\n\n");
    take_run (late, two, "data: worker 2 runs\n\n");
    take_run (late, three, "data: worker 2 runs\n\n");

    assert_true (three->size < two->size);  //  it refers to what came before
    assert_reads (early, "data: worker 1 runs\n\ndata: worker 2 runs\n\ndata: worker 2 runs\n\n");
    assert_reads (late, "event: hello\n\ndata: worker 2 runs\n\ndata: worker 2 runs\n\n");
    frame_release (&one);
    frame_release (&two);
    frame_release (&three);
}

static void
run_larger_than_any_window_is_whole (void **state)
{
    (void) state;
    _cleanup_ (packer_destroy) packer_t *packer = packer_new ();
    _cleanup_ (stream_destroy) stream_t *stream = stream_new ();
    static char plain [200000];
    uint32_t random = 12345;

    for (size_t i = 0; i < sizeof plain - 1; i++) {
        random = random * 1664525 + 1013904223;
        plain [i] = (char) ('!' + random % 90);
    }
    frame_t *run = packer_run (packer, plain, strlen (plain));
    take_run (stream, run, plain);

    assert_reads (stream, plain);
    frame_release (&run);
}

//  What an audience said between a client's coming and its going is its own, whoever counted it.
static void
sum_since_a_point_is_the_sum_of_what_was_added_since (void **state)
{
    (void) state;
    pack_sum_t all = {0}, own = {0};

    pack_sum_add (&all, pack_crc ("before", 6), 6);
    pack_sum_t then = all;
    pack_sum_add (&all, pack_crc ("one", 3), 3);
    pack_sum_add (&all, pack_crc ("two and more", 12), 12);
    pack_sum_t since = pack_sum_since (&all, &then);
    pack_sum_add (&own, pack_crc ("hello", 5), 5);
    pack_sum_add (&own, since.crc, since.size);

    assert_int_equal (since.size, 15);
    assert_int_equal (since.crc, pack_crc ("onetwo and more", 15));
    assert_int_equal (own.crc, pack_crc ("helloonetwo and more", 20));
}

static void
frame_is_packed_once (void **state)
{
    (void) state;
    _cleanup_ (packer_destroy) packer_t *packer = packer_new ();
    feed_header_t header = header_of (FEED_EVENT, EVENT_WORKER_CREATED, WORKER_A, 1);
    frame_t *frame = frame_of_event (&header, 0, "{\"data\":{\"a\":1}}", 16);
    size_t size;

    const packed_t *packed = frame_packed (frame, packer);

    assert_non_null (packed);
    assert_ptr_equal (frame_packed (frame, packer), packed);
    assert_int_equal (packed->crc, pack_crc (frame->bytes, frame->size));
    assert_memory_equal (frame_data (frame, &size), "{\"a\":1}", 7);
    assert_int_equal (size, 7);
    frame_release (&frame);
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (empty_stream_is_a_whole_gzip_stream),
        cmocka_unit_test (runs_made_alone_fit_in_any_order),
        cmocka_unit_test (runs_in_context_fit_whoever_got_all_since_the_restart),
        cmocka_unit_test (run_larger_than_any_window_is_whole),
        cmocka_unit_test (sum_since_a_point_is_the_sum_of_what_was_added_since),
        cmocka_unit_test (frame_is_packed_once)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
