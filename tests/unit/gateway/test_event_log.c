#include "../../../gateway/event_log.h"
#include "../../../gateway/pack.h"

#include "gateway_rig.h"

static const char JSON [] = "{\"type\":\"worker.created\",\"seq\":1}";

static bool
append (event_log_t *log, uint64_t seq)
{
    feed_header_t header = header_of (FEED_EVENT, EVENT_WORKER_CREATED, WORKER_A, seq);

    return event_log_append (log, &header, JSON, strlen (JSON));
}

static event_log_t *
log_after (uint64_t seq, size_t frames_max, size_t bytes_max)
{
    event_log_t *log = event_log_new (frames_max, bytes_max);

    assert_non_null (log);
    event_log_reset (log, EPOCH, seq);
    return log;
}

static void
frame_is_framed_as_server_sent_events_want_it (void **state)
{
    (void) state;
    _cleanup_ (event_log_destroy) event_log_t *log = log_after (6, 100, 1 << 20);

    assert_true (append (log, 7));
    const frame_t *frame = event_log_get (log, 7);

    char wanted [200];
    snprintf (wanted, sizeof wanted, "id: %s-7\nevent: worker.created\ndata: %s\n\n", EPOCH, JSON);
    assert_int_equal (frame->size, strlen (wanted));
    assert_memory_equal (frame->bytes, wanted, frame->size);
    assert_string_equal (frame->worker_id, WORKER_A);
}

static void
number_that_is_not_the_next_is_refused (void **state)
{
    (void) state;
    _cleanup_ (event_log_destroy) event_log_t *log = log_after (6, 100, 1 << 20);
    assert_true (append (log, 7));

    assert_false (append (log, 7));
    assert_false (append (log, 9));
    assert_false (append (log, 6));

    assert_int_equal (event_log_last (log), 7);
}

static void
oldest_go_first_when_there_are_too_many (void **state)
{
    (void) state;
    _cleanup_ (event_log_destroy) event_log_t *log = log_after (0, 16, 1 << 20);

    for (uint64_t seq = 1; seq <= 50; seq++) {
        assert_true (append (log, seq));
    }

    assert_int_equal (event_log_last (log), 50);
    assert_int_equal (event_log_first (log), 35);
    assert_null (event_log_get (log, 34));
    assert_non_null (event_log_get (log, 35));
    assert_null (event_log_get (log, 51));
}

static void
oldest_go_first_when_they_are_too_big (void **state)
{
    (void) state;
    _cleanup_ (event_log_destroy) event_log_t *log = log_after (0, 1000, 1000);

    for (uint64_t seq = 1; seq <= 100; seq++) {
        assert_true (append (log, seq));
    }

    assert_true (event_log_bytes (log) <= 1000);
    assert_true (event_log_first (log) > 80 && event_log_last (log) == 100);
}

static void
forms_that_are_made_later_count_as_well_and_go_with_their_event (void **state)
{
    (void) state;
    _cleanup_ (event_log_destroy) event_log_t *log = log_after (0, 1000, 5000);
    _cleanup_ (mask_destroy) mask_t *mask = mask_new ("seq", NULL);
    packer_t *packer = packer_new ();

    for (uint64_t seq = 1; seq <= 200; seq++) {
        assert_true (append (log, seq));
        frame_t *frame = event_log_get (log, seq);
        size_t before = event_log_bytes (log);
        frame_t *masked = frame_masked (frame, mask);
        assert_true (masked && masked != frame);
        const packed_t *packed = frame_packed (frame, packer);
        const packed_t *both = frame_packed (masked, packer);
        assert_int_equal (event_log_bytes (log), before + masked->size + packed->size + both->size);
    }
    frame_t *held = frame_hold (event_log_get (log, 200));
    assert_true (append (log, 201));

    assert_true (event_log_bytes (log) <= 5000);
    assert_int_equal (event_log_bytes_after (log, 199),
                      held->size +
                          event_log_get (log, 201)->size);  //  of the log, not of its forms
    event_log_reset (log, EPOCH, 500);
    assert_int_equal (event_log_bytes (log), 0);
    assert_int_equal (event_log_bytes_after (log, 199), 0);
    frame_release (&held);
    packer_destroy (&packer);
}

static void
frame_that_a_client_holds_outlives_the_log (void **state)
{
    (void) state;
    event_log_t *log = log_after (0, 16, 1 << 20);
    append (log, 1);
    frame_t *held = frame_hold (event_log_get (log, 1));

    for (uint64_t seq = 2; seq <= 40; seq++) {
        append (log, seq);
    }
    assert_null (event_log_get (log, 1));
    event_log_destroy (&log);

    assert_int_equal (held->seq, 1);
    assert_memory_equal (held->bytes, "id: ", 4);
    frame_release (&held);
    assert_null (held);
}

static void
reset_forgets_all_and_starts_after_its_number (void **state)
{
    (void) state;
    _cleanup_ (event_log_destroy) event_log_t *log = log_after (0, 16, 1 << 20);
    append (log, 1);

    event_log_reset (log, "12345678", 500);

    assert_string_equal (event_log_epoch (log), "12345678");
    assert_int_equal (event_log_last (log), 500);
    assert_int_equal (event_log_first (log), 501);
    assert_int_equal (event_log_bytes (log), 0);
    assert_null (event_log_get (log, 1));
    assert_true (append (log, 501));
}

static void
largest_number_there_is_ends_the_log_and_breaks_nothing (void **state)
{
    (void) state;
    _cleanup_ (event_log_destroy) event_log_t *log = log_after (UINT64_MAX - 1, 16, 1 << 20);

    assert_true (append (log, UINT64_MAX));
    assert_non_null (event_log_get (log, UINT64_MAX));
    assert_false (append (log, 0));

    event_log_reset (log, EPOCH, UINT64_MAX);
    assert_null (event_log_get (log, UINT64_MAX));
    assert_int_equal (event_log_bytes (log), 0);
    assert_false (append (log, 0));
    event_log_reset (log, EPOCH, 6);
    assert_true (append (log, 7));
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (frame_is_framed_as_server_sent_events_want_it),
        cmocka_unit_test (number_that_is_not_the_next_is_refused),
        cmocka_unit_test (oldest_go_first_when_there_are_too_many),
        cmocka_unit_test (oldest_go_first_when_they_are_too_big),
        cmocka_unit_test (forms_that_are_made_later_count_as_well_and_go_with_their_event),
        cmocka_unit_test (frame_that_a_client_holds_outlives_the_log),
        cmocka_unit_test (reset_forgets_all_and_starts_after_its_number),
        cmocka_unit_test (largest_number_there_is_ends_the_log_and_breaks_nothing)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
