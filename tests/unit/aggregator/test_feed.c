#include "../../../aggregator/feed.h"

#include "../../../common/bus.h"
#include "../../../common/cleanup.h"

#include <dlfcn.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>  //  needs the three above it

#define ENDPOINT "inproc://feed"
//  A name of inproc is free again some time after its socket is closed: each test has its own.
#define PATIENCE_MS 30000

typedef int zmq_send_fn (void *socket, const void *bytes, size_t size, int flags);

static zsock_t *leaver;  //  null: nobody leaves

//  The leaver goes, and the socket has heard of it: libzmq looks by itself when a millisecond is over.
static void
leave (void *socket)
{
    struct pollfd news = {.events = POLLIN};
    size_t size = sizeof news.fd;
    int events;

    assert_int_equal (zmq_getsockopt (socket, ZMQ_FD, &news.fd, &size), 0);
    size = sizeof events;
    assert_int_equal (zmq_getsockopt (socket, ZMQ_EVENTS, &events, &size), 0);
    zsock_destroy (&leaver);
    assert_int_equal (poll (&news, 1, PATIENCE_MS), 1);
    size = sizeof events;
    assert_int_equal (zmq_getsockopt (socket, ZMQ_EVENTS, &events, &size), 0);
}

//  In the place of libzmq's: the leaver goes behind the first frame of a message.
int
zmq_send (void *socket, const void *bytes, size_t size, int flags)
{
    zmq_send_fn *real;

    *(void **) &real = dlsym (RTLD_NEXT, "zmq_send");  //  as POSIX has it
    int rc = real (socket, bytes, size, flags);
    if (leaver && (flags & ZMQ_SNDMORE)) {
        leave (socket);
    }
    return rc;
}

typedef int zmq_recv_fn (void *socket, void *bytes, size_t size, int flags);

static int words;  //  that subscribers have yet to say

//  In the place of libzmq's.
int
zmq_recv (void *socket, void *bytes, size_t size, int flags)
{
    zmq_recv_fn *real;

    *(void **) &real = dlsym (RTLD_NEXT, "zmq_recv");
    return words > 0 ? words--, 0 : real (socket, bytes, size, flags);
}

static void
tell (feed_t *feed)
{
    json_writer_t *json = feed_begin (feed, EVENT_SYSTEM_STATS, NULL, NULL);

    json_member_integer (json, "total_workers", 1);
    feed_end (feed);
    feed_flush (feed);
}

//  One who hears the feed.
static zsock_t *
listener_of (loop_t *loop)
{
    reason_t why = {""};
    zsock_t *socket = bus_socket (ZMQ_SUB, BUS_CONNECT, ENDPOINT, 1000, 0, &why);
    zmq_pollitem_t item = {zsock_resolve (socket), 0, ZMQ_POLLIN, 0};
    zmsg_t *message;

    assert_non_null (socket);
    zsock_set_subscribe (socket, "");
    while (zmq_poll (&item, 1, 0) == 0) {
        loop_turn (loop, 1);  //  until a tick comes
    }
    message = zmsg_recv (socket);
    zmsg_destroy (&message);
    return socket;
}

//  LeakSanitizer is the judge: the first frame was nobody's any more (`make test SANITIZE=address,undefined`).
static void
subscriber_that_goes_in_the_middle_of_a_message_leaves_nothing_behind (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (1000);
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (1000);
    _cleanup_ (feed_destroy) feed_t *feed =
        feed_open (loop, ENDPOINT, NULL, 10, 1000, NULL, metrics, &why);
    assert_non_null (feed);
    _cleanup_ (zsock_destroy) zsock_t *stays = listener_of (loop);
    leaver = listener_of (loop);

    tell (feed);

    assert_null (leaver);
    for (bool told = false; !told;) {
        zmsg_t *message = zmsg_recv (stays);
        assert_non_null (message);
        told = zmsg_size (message) == 2;
        zmsg_destroy (&message);
    }
}

static void
subscriber_that_talks_without_end_holds_nobody_up (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (1000);
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (1000);
    _cleanup_ (feed_destroy) feed_t *feed =
        feed_open (loop, "inproc://another", NULL, 1000, 1000, NULL, metrics, &why);
    assert_non_null (feed);
    words = 10 * FEED_HEARD_MOST;

    tell (feed);
    assert_int_equal (words, 9 * FEED_HEARD_MOST);
    tell (feed);
    assert_int_equal (words, 8 * FEED_HEARD_MOST);
    words = 0;
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (subscriber_that_talks_without_end_holds_nobody_up),
        cmocka_unit_test (subscriber_that_goes_in_the_middle_of_a_message_leaves_nothing_behind),
    };

    return cmocka_run_group_tests (tests, NULL, NULL);
}
