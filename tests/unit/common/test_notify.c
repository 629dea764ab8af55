#include "../../../common/cleanup.h"
#include "../../../common/notify.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>  //  needs the four above it

#define PATIENCE_US (30 * SECOND_US)

static loop_t *loop;
static notify_t *notify;
static int manager;         //  systemd's end
static char heard [65536];  //  all that was said since the last forget_heard
static bool is_ready;

static bool
ready (void *argument, reason_t *why)
{
    (void) argument;
    if (!is_ready) {
        reason_set (why, -EAGAIN, "nobody\nthere");
    }
    return is_ready;
}

//  Listens on a name of the abstract name space that the kernel chooses.
static void
open_manager (char name [32])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;

    manager = socket (AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal (bind (manager, (struct sockaddr *) &address, sizeof (sa_family_t)), 0);
    assert_int_equal (getsockname (manager, (struct sockaddr *) &address, &size), 0);
    snprintf (name, 32, "@%.*s", (int) (size - offsetof (struct sockaddr_un, sun_path) - 1),
              address.sun_path + 1);
}

static int
set_up (void **state)
{
    char name [32];

    (void) state;
    heard [0] = '\0';
    is_ready = false;
    open_manager (name);
    setenv ("NOTIFY_SOCKET", name, 1);
    unsetenv ("WATCHDOG_USEC");
    unsetenv ("WATCHDOG_PID");
    loop = loop_new (5000);
    return loop ? 0 : -1;
}

static int
tear_down (void **state)
{
    (void) state;
    notify_destroy (&notify);
    assert_null (notify);
    loop_destroy (&loop);
    descriptor_close (&manager);
    return 0;
}

static void
begin (void)
{
    notify = notify_new (loop, ready, NULL);
    assert_non_null (notify);
}

static void
listen_on (void)
{
    size_t size = strlen (heard);
    ssize_t got;

    while ((got = recv (manager, heard + size, sizeof heard - size - 1, 0)) > 0) {
        size += (size_t) got;
        heard [size] = '\0';
    }
}

static size_t
times (const char *text)
{
    size_t count = 0;

    for (const char *at = heard; (at = strstr (at, text)); at++) {
        count++;
    }
    return count;
}

static void
turn_until_heard (const char *text, size_t count)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;

    while (times (text) < count) {
        assert_true (clock_now ().steady < end);
        loop_turn (loop, 20);
        listen_on ();
    }
}

static void
forget_heard (void)
{
    listen_on ();
    heard [0] = '\0';
}

static void
readiness_is_said_once_and_only_when_it_is_there (void **state)
{
    (void) state;
    begin ();
    turn_until_heard ("STATUS=not ready: nobody there\n", 1);
    turn_until_heard ("EXTEND_TIMEOUT_USEC=30000000\n", 2);
    assert_int_equal (times ("READY=1"), 0);

    is_ready = true;

    turn_until_heard ("READY=1\n", 1);
    assert_int_equal (times ("STATUS=ready\n"), 1);
    assert_int_equal (times ("READY=1\n"), 1);
    assert_int_equal (times ("WATCHDOG"), 0);
}

static void
count_up (void *number)
{
    ++*(int *) number;
}

static void
the_watchdog_is_fed_at_half_its_period (void **state)
{
    char pid [24];
    int halves = 0;

    (void) state;
    snprintf (pid, sizeof pid, "%d", getpid ());
    setenv ("WATCHDOG_USEC", "200000", 1);
    setenv ("WATCHDOG_PID", pid, 1);
    is_ready = true;
    time_us_t from = clock_now ().steady;
    begin ();
    loop_timer_t *half = loop_timer_new (loop, count_up, &halves);
    loop_timer_every (half, 100 * MS_US);

    turn_until_heard ("WATCHDOG=1\n", 4);  //  at once, then three half periods

    assert_true (clock_now ().steady - from >= 3 * 100 * MS_US);
    assert_in_range (halves, 2, 5);  //  of the same loop: as slow as it, where the machine is slow
    loop_timer_destroy (&half);
    assert_int_equal (times ("READY=1\n"), 1);
}

static void
a_watchdog_of_another_process_is_left_alone (void **state)
{
    (void) state;
    setenv ("WATCHDOG_USEC", "20000", 1);
    setenv ("WATCHDOG_PID", "1", 1);
    begin ();

    turn_until_heard ("EXTEND_TIMEOUT_USEC", 1);
    is_ready = true;
    turn_until_heard ("READY=1\n", 1);

    assert_int_equal (times ("WATCHDOG"), 0);
}

static void
a_reload_is_begun_with_its_time_and_ended (void **state)
{
    (void) state;
    is_ready = true;
    begin ();
    turn_until_heard ("READY=1\n", 1);
    forget_heard ();
    time_us_t before = clock_now ().steady;

    raise (SIGHUP);
    turn_until_heard ("READY=1\n", 1);

    const char *reloading = strstr (heard, "RELOADING=1\nMONOTONIC_USEC=");
    assert_non_null (reloading);
    assert_true (reloading < strstr (heard, "READY=1\n"));
    long long at = strtoll (strchr (reloading, '\n') + strlen ("\nMONOTONIC_USEC="), NULL, 10);
    assert_in_range (at, before, clock_now ().steady);
}

static void
a_reload_before_readiness_is_none (void **state)
{
    (void) state;
    begin ();
    turn_until_heard ("EXTEND_TIMEOUT_USEC", 1);

    raise (SIGHUP);
    turn_until_heard ("EXTEND_TIMEOUT_USEC", 2);

    assert_int_equal (times ("RELOADING=1"), 0);
    assert_int_equal (times ("READY=1"), 0);
}

static void
the_end_is_said_when_it_begins_and_readiness_no_more (void **state)
{
    (void) state;
    setenv ("WATCHDOG_USEC", "40000", 1);
    begin ();
    turn_until_heard ("STATUS=not ready", 1);

    is_ready = true;
    loop_drain (loop);
    turn_until_heard ("STOPPING=1\n", 1);
    turn_until_heard ("WATCHDOG=1\n", times ("WATCHDOG=1\n") + 2);  //  fed until the very end

    assert_int_equal (times ("READY=1"), 0);
}

//  Another sender's datagrams, until the kernel takes no more of them.
static void
fill_the_queue (void)
{
    _cleanup_ (descriptor_close) int other =
        socket (AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    socklen_t size = sizeof address;

    assert_int_equal (getsockname (manager, (struct sockaddr *) &address, &size), 0);
    assert_int_equal (connect (other, (struct sockaddr *) &address, size), 0);
    while (send (other, "X_FULL=1\n", 9, MSG_NOSIGNAL) == 9) {
    }
    assert_int_equal (errno, EAGAIN);
}

static void
what_the_socket_did_not_take_is_said_again (void **state)
{
    (void) state;
    is_ready = true;
    fill_the_queue ();
    begin ();
    loop_turn (loop, 20);
    forget_heard ();
    assert_int_equal (times ("READY=1\n"), 0);

    turn_until_heard ("READY=1\n", 1);

    assert_int_equal (times ("STATUS=ready\n"), 1);
}

static void
a_manager_that_has_gone_ends_nothing (void **state)
{
    (void) state;
    is_ready = true;
    begin ();
    turn_until_heard ("READY=1\n", 1);
    descriptor_close (&manager);

    raise (SIGHUP);
    for (int turn = 0; turn < 5; turn++) {
        loop_turn (loop, 20);
    }
    loop_drain (loop);

    assert_true (loop_is_draining (loop));
}

static void
without_a_listener_nothing_happens (void **state)
{
    static const char *const NAMES [] = {
        "", "relative", "/", "@", "/nonexistent/cmlwatch/notify", "vsock:2:1234"};

    (void) state;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        setenv ("NOTIFY_SOCKET", NAMES [i], 1);
        begin ();
        loop_turn (loop, 0);
        raise (SIGHUP);
        loop_turn (loop, 0);
        notify_destroy (&notify);
    }
    unsetenv ("NOTIFY_SOCKET");
    begin ();
    loop_turn (loop, 0);
}

static void
the_variables_are_not_handed_on (void **state)
{
    (void) state;
    setenv ("WATCHDOG_USEC", "1000000", 1);
    setenv ("WATCHDOG_PID", "1", 1);
    begin ();

    assert_null (getenv ("NOTIFY_SOCKET"));
    assert_null (getenv ("WATCHDOG_USEC"));
    assert_null (getenv ("WATCHDOG_PID"));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (readiness_is_said_once_and_only_when_it_is_there),
        TEST (the_watchdog_is_fed_at_half_its_period),
        TEST (a_watchdog_of_another_process_is_left_alone),
        TEST (a_reload_is_begun_with_its_time_and_ended),
        TEST (a_reload_before_readiness_is_none),
        TEST (the_end_is_said_when_it_begins_and_readiness_no_more),
        TEST (what_the_socket_did_not_take_is_said_again),
        TEST (a_manager_that_has_gone_ends_nothing),
        TEST (without_a_listener_nothing_happens),
        TEST (the_variables_are_not_handed_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
