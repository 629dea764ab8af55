#include "../../../gateway/filter.h"

#include "gateway_rig.h"

static bool
sees (view_t *view, const char *region, const char *worker_id)
{
    _cleanup_ (filter_release) filter_t *filter = filter_new (8);
    feed_header_t header = header_of (FEED_EVENT, EVENT_WORKER_SNAPSHOT, worker_id, 1);

    filter_see (filter, view);
    snprintf (header.region, sizeof header.region, "%s", region);
    frame_t *frame = frame_of_event (&header, 0, "{}", 2);
    bool wanted = filter_wants (filter, frame);
    frame_release (&frame);
    return wanted;
}

static void
unlimited_view_shows_all (void **state)
{
    (void) state;
    _cleanup_ (view_release) view_t *view = view_new ();

    assert_false (view_is_limited (view));
    assert_true (sees (view, "us-east-1", WORKER_A));
    assert_true (sees (view, "", ""));
}

static void
view_of_regions_shows_nothing_else_and_nothing_of_the_whole_fleet (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (view_release) view_t *view = view_new ();

    assert_int_equal (view_limit_regions (view, "us-east-1,eu-west-1", &why), 0);

    assert_true (sees (view, "us-east-1", WORKER_A));
    assert_true (sees (view, "eu-west-1", ""));
    assert_false (sees (view, "us-west-2", WORKER_A));
    assert_false (sees (view, "us-east-10", WORKER_A));
    assert_false (sees (view, "", WORKER_A));
    assert_false (sees (view, "", ""));
}

static void
both_limits_must_be_met (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (view_release) view_t *view = view_new ();

    assert_int_equal (view_limit_regions (view, "us-east-1", &why), 0);
    assert_int_equal (view_limit_workers (view, WORKER_A, &why), 0);

    assert_true (sees (view, "us-east-1", WORKER_A));
    assert_false (sees (view, "us-east-1", WORKER_B));
    assert_false (sees (view, "us-west-2", WORKER_A));
    assert_false (sees (view, "us-east-1", ""));
}

static void
limit_without_names_shows_nothing (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (view_release) view_t *view = view_new ();

    assert_int_equal (view_limit_regions (view, "", &why), 0);

    assert_true (view_is_limited (view));
    assert_false (sees (view, "us-east-1", WORKER_A));
    assert_false (sees (view, "", ""));
}

static void
query_never_widens_what_may_be_seen (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (view_release) view_t *view = view_new ();
    _cleanup_ (filter_release) filter_t *filter = filter_new (8);
    feed_header_t header = header_of (FEED_EVENT, EVENT_WORKER_SNAPSHOT, WORKER_A, 1);

    view_limit_regions (view, "eu-west-1", &why);
    filter_see (filter, view);
    assert_int_equal (filter_set (filter, "regions", "us-east-1", &why), 0);
    _cleanup_ (filter_release) filter_t *copy = filter_copy (filter);
    assert_int_equal (filter_unset (copy, "regions", &why), 0);

    frame_t *frame = frame_of_event (&header, 0, "{}", 2);
    assert_false (filter_wants (filter, frame));
    assert_false (filter_wants (copy, frame));
    frame_release (&frame);
}

static void
keys_differ_by_what_is_seen (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (mask_destroy) mask_t *mask = mask_new ("public_ip", &why);
    _cleanup_ (view_release) view_t *all = view_new ();
    _cleanup_ (view_release) view_t *some = view_new ();
    _cleanup_ (view_release) view_t *masked = view_new ();
    buffer_t keys [3] = {{0}};

    view_limit_regions (some, "us-west-2,us-east-1", &why);
    masked->mask = mask;
    view_write_key (all, &keys [0]);
    view_write_key (some, &keys [1]);
    view_write_key (masked, &keys [2]);

    assert_int_equal (keys [0].size, 0);
    assert_string_equal (keys [1].data, "&of_regions=us-east-1,us-west-2");
    assert_string_equal (keys [2].data, "&masked");
    buffer_clear (&keys [0]);
    buffer_clear (&keys [1]);
    buffer_clear (&keys [2]);
}

static void
mask_puts_null_at_any_depth_and_touches_nothing_else (void **state)
{
    (void) state;
    static const struct {
        const char *in, *out;
    } ROWS [] = {
        {"{\"a\":1,\"ip\":\"10.0.0.1\",\"b\":2}", "{\"a\":1,\"ip\":null,\"b\":2}"},
        {"{\"ip\":{\"x\":[1,{\"ip\":3}],\"y\":\"}\"}}", "{\"ip\":null}"},
        {"{\"tags\":[],\"ip\":12}", "{\"tags\":null,\"ip\":null}"},
        {"[{\"ip\":true},{\"ip\":\"a\\\"b,}\"}]", "[{\"ip\":null},{\"ip\":null}]"},
        {"{\"v\":\"ip\",\"w\":[\"ip\",\"tags\"]}", "{\"v\":\"ip\",\"w\":[\"ip\",\"tags\"]}"},
        {"{\"v\":\"\\\"ip\\\":1\"}", "{\"v\":\"\\\"ip\\\":1\"}"},
        {"{\"ipx\":1,\"xip\":2}", "{\"ipx\":1,\"xip\":2}"},
        {"{}", "{}"},
    };
    reason_t why = {""};
    _cleanup_ (mask_destroy) mask_t *mask = mask_new ("ip,tags", &why);

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        bool any = mask_write (mask, ROWS [i].in, strlen (ROWS [i].in), &out);
        assert_string_equal (out.data, ROWS [i].out);
        assert_int_equal (any, strcmp (ROWS [i].in, ROWS [i].out) != 0);
    }
}

static void
cut_json_ends_the_mask_not_the_process (void **state)
{
    (void) state;
    static const char WHOLE [] = "{\"a\":\"\\\\\",\"ip\":{\"x\":\"\\\"\"},\"tags\":[\"}\"]}";
    reason_t why = {""};
    _cleanup_ (mask_destroy) mask_t *mask = mask_new ("ip,tags", &why);

    for (size_t size = 0; size < sizeof WHOLE; size++) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        char *cut = malloc (size + 1);
        memcpy (cut, WHOLE, size);
        (void) mask_write (mask, cut, size, &out);
        assert_true (out.size <= size + 4);
        free (cut);
    }
}

static void
wrong_list_of_fields_is_refused (void **state)
{
    (void) state;
    static const char *const LISTS [] = {"a b", "a,,b", "a-b", ",a", "a\"", " "};

    for (size_t i = 0; i < COUNT (LISTS); i++) {
        reason_t why = {""};
        assert_null (mask_new (LISTS [i], &why));
        assert_non_null (strstr (why.text, "masked_fields"));
    }
}

static void
frame_has_one_masked_form_for_all (void **state)
{
    (void) state;
    static const char JSON [] = "{\"seq\":7,\"data\":{\"public_ip\":\"192.0.2.1\"}}";
    reason_t why = {""};
    _cleanup_ (mask_destroy) mask_t *mask = mask_new (MASK_DEFAULT, &why);
    feed_header_t header = header_of (FEED_EVENT, EVENT_WORKER_SNAPSHOT, WORKER_A, 7);
    frame_t *frame = frame_of_event (&header, 5, JSON, strlen (JSON));
    frame_t *masked = frame_masked (frame, mask);

    assert_ptr_equal (frame_masked (frame, mask), masked);
    assert_ptr_equal (frame_masked (masked, mask), masked);
    assert_int_equal (masked->seq, 7);
    assert_int_equal (masked->type, frame->type);
    assert_int_equal (masked->id_size, frame->id_size);
    assert_string_equal (masked->worker_id, WORKER_A);
    assert_null (memmem (masked->bytes, masked->size, "192.0.2.1", 9));
    assert_non_null (memmem (masked->bytes, masked->size, "\"public_ip\":null}}\n\n", 19));
    frame_hold (masked);
    frame_release (&frame);
    assert_int_equal (masked->references, 1);  //  a wire may still be writing it
    frame_release (&masked);
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (unlimited_view_shows_all),
        cmocka_unit_test (view_of_regions_shows_nothing_else_and_nothing_of_the_whole_fleet),
        cmocka_unit_test (both_limits_must_be_met),
        cmocka_unit_test (limit_without_names_shows_nothing),
        cmocka_unit_test (query_never_widens_what_may_be_seen),
        cmocka_unit_test (keys_differ_by_what_is_seen),
        cmocka_unit_test (mask_puts_null_at_any_depth_and_touches_nothing_else),
        cmocka_unit_test (cut_json_ends_the_mask_not_the_process),
        cmocka_unit_test (wrong_list_of_fields_is_refused),
        cmocka_unit_test (frame_has_one_masked_form_for_all),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
