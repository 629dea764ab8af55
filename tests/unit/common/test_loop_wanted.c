#include "../../../common/cleanup.h"
#include "../../../common/log.h"
#include "../../../common/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>  //  needs those above it

#define TURNS_MOST 3000

static int called;

static void
count (void *argument)
{
    (void) argument;
    called++;
}

static void
count_fd (void *argument, uint32_t events)
{
    (void) events;
    count (argument);
}

static void
take (void *socket)
{
    _cleanup_ (string_destroy) char *text = zstr_recv (socket);

    called += text != NULL;
}

static void
turn_until (loop_t *loop, int calls)
{
    for (int i = 0; i < TURNS_MOST && called < calls; i++) {
        loop_turn (loop, 10);
    }
    assert_int_equal (called, calls);
}

static void
descriptor_that_is_ready_wants_the_loop_until_it_is_unwatched (void **state)
{
    loop_t *loop = *state;
    int fd = eventfd (0, EFD_NONBLOCK);
    uint64_t one = 1;

    assert_int_equal (loop_watch (loop, fd, EPOLLIN, count_fd, NULL), 0);
    assert_false (loop_is_wanted (loop));
    assert_int_equal (write (fd, &one, sizeof one), sizeof one);
    assert_true (loop_is_wanted (loop));
    loop_unwatch (loop, fd);

    assert_false (loop_is_wanted (loop));
    assert_int_equal (called, 0);
    close (fd);
}

static void
timer_wants_the_loop_when_it_is_due_until_it_was_called (void **state)
{
    loop_t *loop = *state;
    loop_timer_t *timer = loop_timer_new (loop, count, NULL);

    loop_timer_after (timer, HOUR_US);
    assert_false (loop_is_wanted (loop));
    loop_timer_after (timer, 0);
    assert_true (loop_is_wanted (loop));
    turn_until (loop, 1);

    assert_false (loop_is_wanted (loop));
    loop_timer_destroy (&timer);
}

static void
message_that_comes_behind_the_last_turn_wants_the_loop (void **state)
{
    loop_t *loop = *state;
    zsock_t *out = zsock_new_push ("@inproc://wanted"), *in = zsock_new_pull (">inproc://wanted");

    assert_int_equal (loop_watch_socket (loop, in, take, in), 0);
    loop_turn (loop, 0);
    loop_turn (loop, 0);
    assert_false (loop_is_wanted (loop));
    zstr_send (out, "a");
    assert_true (loop_is_wanted (loop));
    turn_until (loop, 1);

    loop_unwatch_socket (loop, in);
    zsock_destroy (&in);
    zsock_destroy (&out);
}

static int
set_up (void **state)
{
    called = 0;
    *state = loop_new (5000);
    return *state ? 0 : -1;
}

static int
tear_down (void **state)
{
    loop_t *loop = *state;

    loop_destroy (&loop);
    return 0;
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (descriptor_that_is_ready_wants_the_loop_until_it_is_unwatched),
        TEST (timer_wants_the_loop_when_it_is_due_until_it_was_called),
        TEST (message_that_comes_behind_the_last_turn_wants_the_loop),
    };
    log_open ("test", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
