#include "../../../common/cleanup.h"
#include "../../../common/log.h"
#include "../../../common/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <zmq.h>

#include <cmocka.h>  //  needs the three above it

#define PATIENCE_US (30 * SECOND_US)

static loop_t *loop;
static char told [256];  //  what was called, a letter each

static int
set_up (void **state)
{
    (void) state;
    told [0] = '\0';
    loop = loop_new (5000);
    return loop ? 0 : -1;
}

static int
tear_down (void **state)
{
    (void) state;
    loop_destroy (&loop);
    assert_null (loop);
    return 0;
}

static void
tell (void *letter)
{
    size_t size = strlen (told);
    assert_true (size + 1 < sizeof told);
    told [size] = *(const char *) letter;
    told [size + 1] = '\0';
}

static void
tell_fd (void *letter, uint32_t events)
{
    (void) events;
    tell (letter);
}

//  Turns until so many letters were told.
static void
turn_until (size_t letters)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;

    while (strlen (told) < letters) {
        assert_true (clock_now ().steady < end);
        loop_turn (loop, 20);
    }
}

static int
readable_fd (void)
{
    int fd = eventfd (1, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true (fd >= 0);
    return fd;
}

//  --- a turn

static void
turn_calls_descriptors_then_timers_then_sockets_then_its_end (void **state)
{
    (void) state;
    _cleanup_ (descriptor_close) int fd = readable_fd ();
    loop_timer_t *timer = loop_timer_new (loop, tell, "t");
    zsock_t *one = zsock_new_pair ("@inproc://turn"), *other = zsock_new_pair (">inproc://turn");
    loop_on_turn_end (loop, tell, "1");
    loop_on_turn_end (loop, tell, "2");
    assert_int_equal (loop_watch_socket (loop, one, tell, "s"), 0);
    assert_int_equal (loop_watch (loop, fd, EPOLLIN, tell_fd, "f"), 0);
    loop_timer_after (timer, 0);
    zstr_send (other, "x");

    loop_turn (loop, 1000);

    assert_string_equal (told, "fts12");
    loop_unwatch (loop, fd);
    loop_unwatch_socket (loop, one);
    loop_timer_destroy (&timer);
    zsock_destroy (&one);
    zsock_destroy (&other);
}

static void
turn_without_anything_due_ends_in_time_and_reads_the_clocks (void **state)
{
    (void) state;
    moment_t before = clock_now ();

    loop_turn (loop, 0);

    assert_true (loop_now (loop).steady >= before.steady);
    assert_true (loop_now (loop).steady < before.steady + PATIENCE_US);
    assert_true (loop_now (loop).wall > 1700000000 * SECOND_US);
    assert_string_equal (told, "");
}

static void
sleep_ends_when_a_timer_is_due (void **state)
{
    (void) state;
    loop_timer_t *timer = loop_timer_new (loop, tell, "t");
    moment_t before = clock_now ();

    loop_timer_after (timer, 3 * MS_US);
    turn_until (1);

    assert_true (clock_now ().steady >= before.steady + 3 * MS_US);
    assert_false (loop_timer_is_set (timer));
    loop_timer_destroy (&timer);
}

static void
forget_self (void *letter)
{
    tell (letter);
    loop_forget (loop, letter);
}

static void
what_is_forgotten_is_not_called_and_nobody_else_is_skipped (void **state)
{
    (void) state;
    char a [] = "a", b [] = "b", c [] = "c";
    loop_on_turn_end (loop, forget_self, a);
    loop_on_turn_end (loop, tell, b);
    loop_on_turn_end (loop, tell, a);
    loop_on_turn_end (loop, tell, c);

    loop_turn (loop, 0);
    assert_string_equal (told, "abc");
    loop_turn (loop, 0);
    assert_string_equal (told, "abcbc");
    loop_forget (loop, b);
    loop_turn (loop, 0);
    assert_string_equal (told, "abcbcc");
}

static void
forgotten_places_are_free_again (void **state)
{
    (void) state;
    char part [] = "p";

    for (int i = 0; i < 200; i++) {
        loop_on_turn_end (loop, tell, part);
        loop_on_drain (loop, tell, part);
        loop_on_reload (loop, tell, part);
        loop_forget (loop, part);
    }
    loop_turn (loop, 0);

    assert_string_equal (told, "");
}

//  --- descriptors

static void
watch_is_level_triggered_and_ends_with_unwatch (void **state)
{
    (void) state;
    _cleanup_ (descriptor_close) int fd = readable_fd ();
    assert_int_equal (loop_watch (loop, fd, EPOLLIN, tell_fd, "f"), 0);

    loop_turn (loop, 1000);
    loop_turn (loop, 1000);
    assert_string_equal (told, "ff");
    loop_unwatch (loop, fd);
    loop_unwatch (loop, fd);
    loop_turn (loop, 0);

    assert_string_equal (told, "ff");
}

static void
watching_again_changes_events_function_and_argument (void **state)
{
    (void) state;
    _cleanup_ (descriptor_close) int fd = eventfd (0, EFD_NONBLOCK);
    assert_int_equal (loop_watch (loop, fd, EPOLLIN, tell_fd, "r"), 0);
    loop_turn (loop, 0);
    assert_string_equal (told, "");

    assert_int_equal (loop_watch (loop, fd, EPOLLOUT, tell_fd, "w"), 0);
    loop_turn (loop, 1000);

    assert_string_equal (told, "w");
    loop_unwatch (loop, fd);
}

static int pair [2];

static void
unwatch_both (void *letter, uint32_t events)
{
    tell_fd (letter, events);
    loop_unwatch (loop, pair [0]);
    loop_unwatch (loop, pair [1]);
}

static void
descriptor_unwatched_in_the_turn_it_is_due_is_not_called (void **state)
{
    (void) state;
    pair [0] = readable_fd ();
    pair [1] = readable_fd ();
    assert_int_equal (loop_watch (loop, pair [0], EPOLLIN, unwatch_both, "x"), 0);
    assert_int_equal (loop_watch (loop, pair [1], EPOLLIN, unwatch_both, "x"), 0);

    loop_turn (loop, 1000);
    loop_turn (loop, 0);

    assert_string_equal (told, "x");
    close (pair [0]);
    close (pair [1]);
}

static void
replace_other (void *letter, uint32_t events)
{
    tell_fd (letter, events);
    for (int i = 0; i < 2; i++) {  //  a new descriptor of the same number, with nothing to read
        loop_unwatch (loop, pair [i]);
        close (pair [i]);
    }
    for (int i = 0; i < 2; i++) {
        pair [i] = eventfd (0, EFD_NONBLOCK);
        assert_int_equal (loop_watch (loop, pair [i], EPOLLIN, tell_fd, "n"), 0);
    }
}

static void
new_descriptor_of_an_old_number_is_not_called_for_the_old_ones_event (void **state)
{
    (void) state;
    pair [0] = readable_fd ();
    pair [1] = readable_fd ();
    assert_int_equal (loop_watch (loop, pair [0], EPOLLIN, replace_other, "x"), 0);
    assert_int_equal (loop_watch (loop, pair [1], EPOLLIN, replace_other, "x"), 0);

    loop_turn (loop, 1000);
    loop_turn (loop, 0);
    assert_string_equal (told, "x");
    assert_int_equal (eventfd_write (pair [0], 1), 0);
    loop_turn (loop, 1000);

    assert_string_equal (told, "xn");
    for (int i = 0; i < 2; i++) {
        loop_unwatch (loop, pair [i]);
        close (pair [i]);
    }
}

static void
descriptors_of_high_numbers_are_watched_like_others (void **state)
{
    (void) state;
    _cleanup_ (descriptor_close) int low = readable_fd ();
    _cleanup_ (descriptor_close) int high = fcntl (low, F_DUPFD_CLOEXEC, 700);
    assert_true (high >= 700);

    loop_unwatch (loop, high);
    loop_unwatch (loop, -1);
    assert_int_equal (loop_watch (loop, high, EPOLLIN, tell_fd, "h"), 0);
    loop_turn (loop, 1000);

    assert_string_equal (told, "h");
    loop_unwatch (loop, high);
}

static void
what_cannot_be_watched_is_an_error (void **state)
{
    (void) state;
    _cleanup_ (descriptor_close) int file = open ("/etc/passwd", O_RDONLY | O_CLOEXEC);
    _cleanup_ (descriptor_close) int fd = readable_fd ();
    int closed = fcntl (fd, F_DUPFD_CLOEXEC, 500);
    close (closed);

    assert_int_equal (loop_watch (loop, file, EPOLLIN, tell_fd, "f"), -EPERM);
    assert_int_equal (loop_watch (loop, closed, EPOLLIN, tell_fd, "c"), -EBADF);
    loop_turn (loop, 0);

    assert_string_equal (told, "");
}

//  --- ZeroMQ's sockets

typedef struct reader {
    zsock_t *socket;
    int left;  //  unwatched when it comes to 0
} reader_t;

static void
read_one (void *argument)
{
    reader_t *self = argument;
    _cleanup_ (string_destroy) char *text = zstr_recv (self->socket);

    tell (text);
    if (--self->left == 0) {
        loop_unwatch_socket (loop, self->socket);
    }
}

static void
socket_is_served_while_it_has_input_though_its_edge_is_gone (void **state)
{
    (void) state;
    zsock_t *out = zsock_new_push ("@inproc://edge");
    reader_t reader = {.socket = zsock_new_pull (">inproc://edge"), .left = 100};
    assert_int_equal (loop_watch_socket (loop, reader.socket, read_one, &reader), 0);
    for (const char *letter = "abcde"; *letter; letter++) {
        zstr_sendf (out, "%c", *letter);
    }

    turn_until (5);

    assert_string_equal (told, "abcde");
    loop_unwatch_socket (loop, reader.socket);
    zsock_destroy (&reader.socket);
    zsock_destroy (&out);
}

static void
socket_unwatched_in_its_own_handler_leaves_the_others_served (void **state)
{
    (void) state;
    zsock_t *out_a = zsock_new_push ("@inproc://a"), *out_b = zsock_new_push ("@inproc://b");
    reader_t a = {.socket = zsock_new_pull (">inproc://a"), .left = 1};
    reader_t b = {.socket = zsock_new_pull (">inproc://b"), .left = 2};
    assert_int_equal (loop_watch_socket (loop, a.socket, read_one, &a), 0);
    assert_int_equal (loop_watch_socket (loop, b.socket, read_one, &b), 0);
    zstr_send (out_a, "a");
    zstr_send (out_a, "x");
    zstr_send (out_b, "b");
    zstr_send (out_b, "b");

    turn_until (3);
    loop_turn (loop, 0);

    assert_string_equal (told, "abb");
    zsock_destroy (&a.socket);
    zsock_destroy (&b.socket);
    zsock_destroy (&out_a);
    zsock_destroy (&out_b);
}

//  --- the end

static void
drain_ends_the_run_when_nothing_holds_it (void **state)
{
    (void) state;
    loop_on_drain (loop, tell, "1");
    loop_on_drain (loop, tell, "2");
    assert_false (loop_is_draining (loop));

    loop_drain (loop);

    assert_true (loop_is_draining (loop));
    assert_int_equal (loop_run (loop), 0);
    assert_string_equal (told, "12");
}

static void
release (void *letter)
{
    tell (letter);
    loop_release (loop);
}

static void
drain_waits_for_every_part_that_holds_it (void **state)
{
    (void) state;
    loop_timer_t *first = loop_timer_new (loop, release, "a");
    loop_timer_t *second = loop_timer_new (loop, release, "b");
    loop_hold (loop);
    loop_hold (loop);
    loop_timer_after (first, 1 * MS_US);
    loop_timer_after (second, 2 * MS_US);

    loop_drain (loop);

    assert_int_equal (loop_run (loop), 0);
    assert_string_equal (told, "ab");
    loop_timer_destroy (&first);
    loop_timer_destroy (&second);
}

static void
drain_that_is_held_too_long_ends_late (void **state)
{
    (void) state;
    _cleanup_ (loop_destroy) loop_t *hasty = loop_new (3);
    loop_hold (hasty);

    loop_drain (hasty);

    assert_int_equal (loop_run (hasty), 1);
}

static void
second_drain_ends_the_run_at_once_and_calls_nobody_again (void **state)
{
    (void) state;
    loop_on_drain (loop, tell, "d");
    loop_hold (loop);

    loop_drain (loop);
    loop_drain (loop);

    assert_int_equal (loop_run (loop), 0);
    assert_string_equal (told, "d");
}

static void
signals_drain_and_reload (void **state)
{
    (void) state;
    static const int ENDS [] = {SIGTERM, SIGINT};

    for (size_t i = 0; i < 2; i++) {
        _cleanup_ (loop_destroy) loop_t *before = loop;
        told [0] = '\0';
        loop = loop_new (5000);
        loop_on_reload (loop, tell, "r");
        loop_on_drain (loop, tell, "d");
        raise (SIGHUP);
        turn_until (1);
        assert_false (loop_is_draining (loop));
        raise (ENDS [i]);
        assert_int_equal (loop_run (loop), 0);
        assert_string_equal (told, "rd");
    }
}

static void
writing_to_a_closed_pipe_is_an_error_and_no_signal (void **state)
{
    (void) state;
    int ends [2];
    assert_int_equal (pipe (ends), 0);
    close (ends [0]);

    assert_int_equal (write (ends [1], "x", 1), -1);
    assert_int_equal (errno, EPIPE);
    close (ends [1]);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (turn_calls_descriptors_then_timers_then_sockets_then_its_end),
        TEST (turn_without_anything_due_ends_in_time_and_reads_the_clocks),
        TEST (sleep_ends_when_a_timer_is_due),
        TEST (what_is_forgotten_is_not_called_and_nobody_else_is_skipped),
        TEST (forgotten_places_are_free_again),
        TEST (watch_is_level_triggered_and_ends_with_unwatch),
        TEST (watching_again_changes_events_function_and_argument),
        TEST (descriptor_unwatched_in_the_turn_it_is_due_is_not_called),
        TEST (new_descriptor_of_an_old_number_is_not_called_for_the_old_ones_event),
        TEST (descriptors_of_high_numbers_are_watched_like_others),
        TEST (what_cannot_be_watched_is_an_error),
        TEST (socket_is_served_while_it_has_input_though_its_edge_is_gone),
        TEST (socket_unwatched_in_its_own_handler_leaves_the_others_served),
        TEST (drain_ends_the_run_when_nothing_holds_it),
        TEST (drain_waits_for_every_part_that_holds_it),
        TEST (drain_that_is_held_too_long_ends_late),
        TEST (second_drain_ends_the_run_at_once_and_calls_nobody_again),
        TEST (signals_drain_and_reload),
        TEST (writing_to_a_closed_pipe_is_an_error_and_no_signal),
    };
    log_open ("test", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
