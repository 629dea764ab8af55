//  Frames: what they say, where their parts are, and who holds them.

#include "../../../gateway/frame.h"
#include "../../../gateway/pack.h"

#include "gateway_rig.h"

#include <zlib.h>

static const char JSON [] = "{\"type\":\"x\",\"data\":{\"a\":1}}";

static frame_t *
event (uint64_t seq)
{
    feed_header_t header = header_of (FEED_EVENT, EVENT_JOB_SUBMITTED, WORKER_A, seq);

    header.priority = -7;
    snprintf (header.job_type, sizeof header.job_type, "labs.refresh");
    return frame_of_event (&header, 123, JSON, strlen (JSON));
}

static void
event_is_one_frame_with_its_id_and_what_filters_ask (void **state)
{
    (void) state;
    _cleanup_ (frame_release) frame_t *frame = event (UINT64_MAX);
    static const char WANTED [] =
        "id: " EPOCH "-18446744073709551615\n"
        "event: job.submitted\ndata: {\"type\":\"x\",\"data\":{\"a\":1}}\n\n";

    assert_int_equal (frame->size, strlen (WANTED));
    assert_memory_equal (frame->bytes, WANTED, frame->size);
    assert_int_equal (frame->id_size, strlen ("id: " EPOCH "-18446744073709551615\n"));
    assert_memory_equal (frame->bytes + frame->json_offset, JSON, strlen (JSON));
    assert_true (frame->seq == UINT64_MAX && frame->time == 123 && frame->priority == -7);
    assert_string_equal (frame->region, "us-east-1");
    assert_string_equal (frame->worker_id, WORKER_A);
    assert_string_equal (frame->job_type, "labs.refresh");
}

static void
longest_names_fit (void **state)
{
    (void) state;
    feed_header_t header = {.kind = FEED_EVENT, .type = EVENT_UNKNOWN, .seq = UINT64_MAX};
    memset (header.type_name, 't', sizeof header.type_name - 1);
    memset (header.region, 'r', sizeof header.region - 1);
    memset (header.worker_id, 'w', sizeof header.worker_id - 1);
    memset (header.job_type, 'j', sizeof header.job_type - 1);
    memset (header.epoch, 'e', sizeof header.epoch - 1);

    _cleanup_ (frame_release) frame_t *frame = frame_of_event (&header, 0, "{}", 2);

    assert_string_equal (frame->region, header.region);
    assert_string_equal (frame->job_type, header.job_type);
    assert_memory_equal (frame->bytes + frame->json_offset, "{}\n\n", 4);
    assert_memory_equal (frame->bytes + frame->json_offset - 7, "\ndata: ", 7);
}

static void
part_of_a_state_has_no_id (void **state)
{
    (void) state;
    feed_header_t header = header_of (FEED_STATE, EVENT_UNKNOWN, WORKER_B, 9);
    _cleanup_ (frame_release) frame_t *frame =
        frame_of_state (&header, EVENT_WORKER_SNAPSHOT, JSON, strlen (JSON));
    static const char WANTED [] =
        "event: worker.snapshot\ndata: {\"type\":\"x\",\"data\":{\"a\":1}}\n\n";

    assert_int_equal (frame->size, strlen (WANTED));
    assert_memory_equal (frame->bytes, WANTED, frame->size);
    assert_true (frame->seq == 0 && frame->id_size == 0 && frame->type == EVENT_WORKER_SNAPSHOT);
    assert_string_equal (frame->worker_id, WORKER_B);
}

static void
data_is_what_stands_behind_its_key (void **state)
{
    (void) state;
    size_t size = 0;
    _cleanup_ (frame_release) frame_t *frame = event (1);
    feed_header_t header = header_of (FEED_EVENT, EVENT_SYSTEM_STATS, NULL, 1);
    _cleanup_ (frame_release) frame_t *empty = frame_of_event (&header, 0, "{}", 2);

    const char *data = frame_data (frame, &size);
    assert_int_equal (size, strlen ("{\"a\":1}"));
    assert_memory_equal (data, "{\"a\":1}", size);
    (void) frame_data (empty, &size);
    assert_int_equal (size, 0);
}

static void
data_of_an_event_that_was_cut_is_nothing (void **state)
{
    (void) state;
    static const char *const CUT [] = {"", "{", "{\"data\":", "{\"data\":{"};
    feed_header_t header = header_of (FEED_EVENT, EVENT_SYSTEM_STATS, NULL, 1);

    for (size_t i = 0; i < COUNT (CUT); i++) {
        size_t size = 99, in_frame = 99, whole = strlen (CUT [i]);
        _cleanup_ (frame_release) frame_t *frame = frame_of_event (&header, 0, CUT [i], whole);

        const char *data = frame_data_of (CUT [i], whole, &size);
        (void) frame_data (frame, &in_frame);

        assert_int_equal (size, 0);
        assert_int_equal (in_frame, 0);
        assert_true (data >= CUT [i] && data <= CUT [i] + whole);
    }
}

static void
bytes_are_taken_as_they_are (void **state)
{
    (void) state;
    _cleanup_ (frame_release) frame_t *frame = frame_of_bytes ("a\0b", 3);

    assert_int_equal (frame->size, 3);
    assert_memory_equal (frame->bytes, "a\0b", 3);
    assert_string_equal (frame->region, "");
    assert_string_equal (frame->worker_id, "");
}

static void
frame_lives_as_long_as_somebody_holds_it (void **state)
{
    (void) state;
    frame_t *frame = event (1), *held = frame_hold (frame);

    frame_release (&frame);
    assert_null (frame);
    assert_memory_equal (held->bytes, "id: ", 4);
    frame_release (&held);
    frame_release (&held);  //  null is nothing to release
    assert_null (held);
}

//  As a client reads them: one stream.
static void
deflated_forms_in_any_order_are_one_stream_and_made_once (void **state)
{
    (void) state;
    static const int ORDER [] = {2, 0, 1, 1, 0, 2};
    packer_t *packer = packer_new ();
    frame_t *frames [] = {event (1), event (22), event (333)};
    _cleanup_ (buffer_clear) buffer_t packed = {0}, plain = {0};
    char out [4096];
    z_stream inflater = {0};

    buffer_append (&packed, PACK_HEAD, PACK_HEAD_SIZE);
    for (size_t i = 0; i < COUNT (ORDER); i++) {
        frame_t *frame = frames [ORDER [i]];
        const packed_t *form = frame_packed (frame, packer);
        assert_ptr_equal (form, frame_packed (frame, packer));
        assert_true (form->crc == pack_crc (frame->bytes, frame->size));
        buffer_append (&packed, form->bytes, form->size);
        buffer_append (&plain, frame->bytes, frame->size);
    }
    assert_int_equal (inflateInit2 (&inflater, 31), Z_OK);
    inflater.next_in = (Bytef *) packed.data;
    inflater.avail_in = (uInt) packed.size;
    inflater.next_out = (Bytef *) out;
    inflater.avail_out = sizeof out;
    assert_int_equal (inflate (&inflater, Z_SYNC_FLUSH), Z_OK);

    assert_int_equal (inflater.total_out, plain.size);
    assert_memory_equal (out, plain.data, plain.size);
    inflateEnd (&inflater);
    packer_destroy (&packer);
    for (size_t i = 0; i < COUNT (frames); i++) {
        frame_release (&frames [i]);
    }
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (event_is_one_frame_with_its_id_and_what_filters_ask),
        cmocka_unit_test (longest_names_fit),
        cmocka_unit_test (part_of_a_state_has_no_id),
        cmocka_unit_test (data_is_what_stands_behind_its_key),
        cmocka_unit_test (data_of_an_event_that_was_cut_is_nothing),
        cmocka_unit_test (bytes_are_taken_as_they_are),
        cmocka_unit_test (frame_lives_as_long_as_somebody_holds_it),
        cmocka_unit_test (deflated_forms_in_any_order_are_one_stream_and_made_once)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
