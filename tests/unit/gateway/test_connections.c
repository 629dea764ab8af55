//  What large answers may hold, of all connections together. libmicrohttpd's part is played here.

#include "../../../gateway/connections.h"

#include "gateway_rig.h"

#define MOST 1000

struct MHD_Connection {
    void *context;
    union MHD_ConnectionInfo info;
};

const union MHD_ConnectionInfo *
MHD_get_connection_info (struct MHD_Connection *self, enum MHD_ConnectionInfoType type, ...)
{
    if (type == MHD_CONNECTION_INFO_CLIENT_ADDRESS) {
        self->info.client_addr = NULL;
    } else if (type == MHD_CONNECTION_INFO_CONNECTION_FD) {
        self->info.connect_fd = -1;
    } else {
        self->info.socket_context = self->context;
    }
    return &self->info;
}

static struct {
    loop_t *loop;
    metrics_t *metrics;
    connections_t *all;
    struct MHD_Connection one, other;
} rig;

static int
setup (void **state)
{
    connections_settings_t settings = {.request_seconds = 30, .most = 10, .answers_max = MOST};
    reason_t why = {""};

    (void) state;
    memset (&rig, 0, sizeof rig);
    rig.loop = loop_new (1000);
    rig.metrics = metrics_new (100);
    assert_true (rig.loop && rig.metrics);
    rig.all = connections_new (rig.loop, &settings, rig.metrics, &why);
    assert_non_null (rig.all);
    connections_notify (rig.all, &rig.one, &rig.one.context, MHD_CONNECTION_NOTIFY_STARTED);
    connections_notify (rig.all, &rig.other, &rig.other.context, MHD_CONNECTION_NOTIFY_STARTED);
    return 0;
}

static int
teardown (void **state)
{
    (void) state;
    connections_destroy (&rig.all);
    metrics_destroy (&rig.metrics);
    loop_destroy (&rig.loop);
    return 0;
}

static void
large_answers_are_refused_beyond_their_bound_and_counted (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t text = {0};

    assert_true (connections_hold (&rig.one, MOST - 1));
    assert_false (connections_hold (&rig.other, 2));

    metrics_write (rig.metrics, &text);
    assert_non_null (strstr (text.data, "cmlwatch_gateway_answers_refused_total 1\n"));
    assert_non_null (strstr (text.data, "cmlwatch_gateway_answers_bytes 999\n"));
}

static void
answer_that_is_taken_makes_room_for_others (void **state)
{
    (void) state;
    assert_true (connections_hold (&rig.one, MOST));

    connections_answered (&rig.one);

    assert_true (connections_hold (&rig.other, MOST));
    assert_false (connections_hold (&rig.one, 1));
}

static void
connection_that_ends_within_its_answer_makes_room_as_well (void **state)
{
    (void) state;
    assert_true (connections_hold (&rig.one, MOST));

    connections_notify (rig.all, &rig.one, &rig.one.context, MHD_CONNECTION_NOTIFY_CLOSED);

    assert_true (connections_hold (&rig.other, MOST));
}

static void
one_alone_may_be_as_large_as_it_is (void **state)
{
    (void) state;
    assert_true (connections_hold (&rig.one, 10 * MOST));
    assert_false (connections_hold (&rig.other, 1));
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown (test, setup, teardown)

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        WITH_RIG (large_answers_are_refused_beyond_their_bound_and_counted),
        WITH_RIG (answer_that_is_taken_makes_room_for_others),
        WITH_RIG (connection_that_ends_within_its_answer_makes_room_as_well),
        WITH_RIG (one_alone_may_be_as_large_as_it_is)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
