//  A page of past events: how far it reaches, whatever the filter lets through.
#include "../../../gateway/event_page.h"

#include "gateway_rig.h"

#define ALL 100

static event_log_t *
log_of (uint64_t count)
{
    event_log_t *log = event_log_new (1000, 1 << 20);
    char json [64];

    assert_non_null (log);
    event_log_reset (log, EPOCH, 0);
    for (uint64_t seq = 1; seq <= count; seq++) {
        feed_header_t header =
            header_of (FEED_EVENT, EVENT_WORKER_CREATED, seq % 10 == 0 ? WORKER_A : WORKER_B, seq);
        int size = snprintf (json, sizeof json, "{\"seq\":%d}", (int) seq);
        assert_true (event_log_append (log, &header, json, (size_t) size));
    }
    return log;
}

static filter_t *
filter_of (const char *worker)
{
    filter_t *filter = filter_new (10);
    reason_t why = {0};

    assert_non_null (filter);
    assert_int_equal (worker ? filter_set (filter, "worker_ids", worker, &why) : 0, 0);
    return filter;
}

static const char *
page (const event_page_t *wanted, uint64_t reached)
{
    static char text [2000];
    _cleanup_ (event_log_destroy) event_log_t *log = log_of (ALL);
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    assert_int_equal (event_page_write (wanted, log, &json), reached);
    snprintf (text, sizeof text, "%s", out.data);
    buffer_clear (&out);
    return text;
}

static void
page_holds_so_many_and_ends_behind_the_last_of_them (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *all = filter_of (NULL), *one = filter_of (WORKER_A);

    assert_string_equal (page (&(event_page_t){all, 3, 2, 1000, 1000}, 5),
                         "[{\"seq\":4},{\"seq\":5}]");
    assert_string_equal (page (&(event_page_t){one, 3, 2, 1000, 1000}, 20),
                         "[{\"seq\":10},{\"seq\":20}]");
    assert_string_equal (page (&(event_page_t){one, 85, 9, 1000, 1000}, ALL),
                         "[{\"seq\":90},{\"seq\":100}]");
}

static void
filter_that_lets_nothing_through_is_not_followed_to_the_end (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *none = filter_of (NULL), *one = filter_of (WORKER_A);

    filter_want_nothing (none);
    assert_string_equal (page (&(event_page_t){none, 3, 2, 1000, 30}, 33), "[]");
    assert_string_equal (page (&(event_page_t){one, 33, 9, 1000, 30}, 63),
                         "[{\"seq\":40},{\"seq\":50},{\"seq\":60}]");
    assert_string_equal (page (&(event_page_t){none, ALL, 2, 1000, 30}, ALL), "[]");
}

static void
page_has_about_so_many_bytes_and_one_event_at_least (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *all = filter_of (NULL);

    assert_string_equal (page (&(event_page_t){all, 0, 50, 20, 1000}, 2),
                         "[{\"seq\":1},{\"seq\":2}]");
    assert_string_equal (page (&(event_page_t){all, 7, 50, 2, 1000}, 8), "[{\"seq\":8}]");
    assert_string_equal (page (&(event_page_t){all, 7, 50, 0, 1000}, 7), "[]");
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (page_holds_so_many_and_ends_behind_the_last_of_them),
        cmocka_unit_test (filter_that_lets_nothing_through_is_not_followed_to_the_end),
        cmocka_unit_test (page_has_about_so_many_bytes_and_one_event_at_least),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
