// fetch_process.c - keys that a command of the operator's prints (credential_process).
//
// The command is cut into words and run without a shell, in a group of processes of its own. Its
// output is read as it comes, up to a bound; its end is heard by a pidfd. What has not ended in
// time is killed, the whole group: also a child that holds the output open when the command itself
// has long ended. For that the command is reaped last, as its number is the group's and would be
// another's after that. What it leaves behind with its output closed is its own affair (some
// commands start an agent). Nothing of its output is ever logged; the first line of what it says
// on stderr is part of the reason when it fails.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "fetch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESS_MAGIC 0x970ce55u
#define TIME_MAX_MS   10000
#define SAID_MAX      200
#define CHUNK         4096

extern char **environ;

struct aws_fetch {
    unsigned magic;
    loop_t *loop;
    loop_timer_t *timer;
    pid_t pid;                     //  0: not begun, or reaped
    int pid_fd, out_fd, error_fd;  //  -1: none
    buffer_t out;
    char said [SAID_MAX + 1];
    size_t said_size;
    bool too_late, too_large, ended;
    int status;
    aws_fetched_fn *fn;
    void *argument;
};

static void
close_watched (aws_fetch_t *self, int *fd_p)
{
    if (*fd_p >= 0) {
        loop_unwatch (self->loop, *fd_p);
        descriptor_close (fd_p);
    }
}

//  It has ended, or was killed and ends at once.
static void
reap (aws_fetch_t *self)
{
    (void) waitpid (self->pid, &self->status, 0);
    self->pid = 0;
}

static void
kill_group (aws_fetch_t *self)
{
    if (self->pid > 0) {
        (void) kill (-self->pid, SIGKILL);
        reap (self);
    }
}

static void
cancel (aws_fetch_t **self_p)
{
    aws_fetch_t *self = take_ptr (*self_p);

    if (self) {
        kill_group (self);
        close_watched (self, &self->pid_fd);
        close_watched (self, &self->out_fd);
        close_watched (self, &self->error_fd);
        loop_timer_destroy (&self->timer);
        if (self->out.data) {
            explicit_bzero (self->out.data, self->out.size);
        }
        buffer_clear (&self->out);
        free (self);
    }
}

static void
judge (aws_fetch_t *self, struct json_object **json_p, aws_fetched_t *fetched)
{
    int64_t version = 0;

    self->said [strcspn (self->said, "\r\n")] = '\0';
    if (self->too_late) {
        fetched->rc = reason_set (&fetched->why, -ETIMEDOUT, "it did not end within %d s",
                                  TIME_MAX_MS / 1000);
    } else if (self->too_large) {
        fetched->rc =
            reason_set (&fetched->why, -E2BIG, "it prints more than %d bytes", AWS_KEY_ANSWER_MAX);
    } else if (!WIFEXITED (self->status) || WEXITSTATUS (self->status) != 0) {
        fetched->rc = reason_set (&fetched->why, -EIO, "it ended with %s %d: %s",
                                  WIFEXITED (self->status) ? "code" : "signal",
                                  WIFEXITED (self->status) ? WEXITSTATUS (self->status)
                                                           : WTERMSIG (self->status),
                                  self->said);
    } else if (json_parse (json_p, self->out.data, self->out.size, AWS_KEY_ANSWER_MAX, NULL) < 0) {
        fetched->rc = reason_set (&fetched->why, -EINVAL, "it does not print a JSON object");
    } else if (!json_get_integer (*json_p, "Version", &version) || version != 1) {
        fetched->rc = reason_set (&fetched->why, -EINVAL, "its answer has no \"Version\": 1");
    } else {
        (void) aws_keys_of_json (*json_p, "SessionToken", true, fetched);
    }
}

//  Called when the process has ended and its output is read to the end, or was killed.
static void
end (aws_fetch_t *self)
{
    _cleanup_ (cancel) aws_fetch_t *owned = self;
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    aws_fetched_t fetched = {0};

    judge (owned, &json, &fetched);
    owned->fn (owned->argument, &fetched);
}

static void
end_when_done (aws_fetch_t *self)
{
    if (self->ended && self->out_fd < 0 && self->error_fd < 0) {
        reap (self);
        end (self);
    }
}

static void
give_up (aws_fetch_t *self)
{
    kill_group (self);
    end (self);
}

static void
on_late (void *argument)
{
    aws_fetch_t *self = argument;
    assert (self->magic == PROCESS_MAGIC);

    self->too_late = true;
    give_up (self);
}

//  The size read, 0 at the end, -EAGAIN when there is no more for now.
static ssize_t
read_some (int fd, char chunk [CHUNK])
{
    ssize_t size = read (fd, chunk, CHUNK);
    return size < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : size < 0 ? 0 : size;
}

static void
on_out (void *argument, uint32_t events)
{
    aws_fetch_t *self = argument;
    assert (self->magic == PROCESS_MAGIC);
    char chunk [CHUNK];
    (void) events;

    ssize_t size = read_some (self->out_fd, chunk);
    if (size > 0) {
        buffer_append (&self->out, chunk, (size_t) size);
        explicit_bzero (chunk, sizeof chunk);
        self->too_large = self->out.size > AWS_KEY_ANSWER_MAX;
        if (self->too_large) {
            give_up (self);
        }
    } else if (size == 0) {
        close_watched (self, &self->out_fd);
        end_when_done (self);
    }
}

//  What comes beyond is read and forgotten, so that the command does not wait for us.
static void
on_error (void *argument, uint32_t events)
{
    aws_fetch_t *self = argument;
    assert (self->magic == PROCESS_MAGIC);
    char chunk [CHUNK];
    (void) events;

    ssize_t size = read_some (self->error_fd, chunk);
    if (size > 0) {
        size_t room = SAID_MAX - self->said_size;
        size_t taken = (size_t) size < room ? (size_t) size : room;
        memcpy (self->said + self->said_size, chunk, taken);
        self->said_size += taken;
    } else if (size == 0) {
        close_watched (self, &self->error_fd);
        end_when_done (self);
    }
}

static void
on_exit_of_it (void *argument, uint32_t events)
{
    aws_fetch_t *self = argument;
    assert (self->magic == PROCESS_MAGIC);
    siginfo_t what = {0};
    (void) events;

    if (waitid (P_PID, (id_t) self->pid, &what, WEXITED | WNOHANG | WNOWAIT) < 0 || !what.si_pid) {
        return;
    }
    self->ended = true;
    close_watched (self, &self->pid_fd);
    end_when_done (self);
}

//  --- the start

//  Signals as a program expects to find them: the loop blocks some and ignores SIGPIPE.
static int
spawn (aws_fetch_t *self, char *const words [], int out_fd, int error_fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;

    sigemptyset (&none);
    sigemptyset (&defaults);
    sigaddset (&defaults, SIGPIPE);
    posix_spawn_file_actions_init (&actions);
    posix_spawnattr_init (&attributes);
    posix_spawn_file_actions_addopen (&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2 (&actions, out_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2 (&actions, error_fd, STDERR_FILENO);
    posix_spawnattr_setsigmask (&attributes, &none);
    posix_spawnattr_setsigdefault (&attributes, &defaults);
    posix_spawnattr_setpgroup (&attributes, 0);
    posix_spawnattr_setflags (&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                               POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawnp (&self->pid, words [0], &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy (&actions);
    posix_spawnattr_destroy (&attributes);
    if (rc != 0) {
        self->pid = 0;
    }
    return -rc;
}

//  0; the writing ends are closed here whatever it returns, or the reading ends never end.
static int
run (aws_fetch_t *self, char *const words [])
{
    _cleanup_ (descriptor_close) int out_end = -1;
    _cleanup_ (descriptor_close) int error_end = -1;
    int pair [2];

    if (pipe2 (pair, O_CLOEXEC) < 0) {
        return -errno;
    }
    self->out_fd = pair [0];
    out_end = pair [1];
    if (pipe2 (pair, O_CLOEXEC) < 0) {
        return -errno;
    }
    self->error_fd = pair [0];
    error_end = pair [1];
    int rc = spawn (self, words, out_end, error_end);
    if (rc < 0) {
        return rc;
    }
    (void) fcntl (self->out_fd, F_SETFL, O_NONBLOCK);
    (void) fcntl (self->error_fd, F_SETFL, O_NONBLOCK);
    self->pid_fd = pidfd_open (self->pid, 0);
    if (self->pid_fd < 0) {
        return -errno;
    }
    rc = loop_watch (self->loop, self->out_fd, EPOLLIN, on_out, self);
    rc = rc < 0 ? rc : loop_watch (self->loop, self->error_fd, EPOLLIN, on_error, self);
    return rc < 0 ? rc : loop_watch (self->loop, self->pid_fd, EPOLLIN, on_exit_of_it, self);
}

static aws_fetch_t *
start (const aws_fetch_ask_t *ask, reason_t *why)
{
    _cleanup_ (aws_words_destroy) char **words = aws_words_new (ask->origin->command);
    _cleanup_ (cancel) aws_fetch_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = PROCESS_MAGIC;
    self->pid_fd = self->out_fd = self->error_fd = -1;
    self->loop = collector_loop (ask->core);
    self->fn = ask->fn;
    self->argument = ask->argument;
    self->timer = loop_timer_new (self->loop, on_late, self);
    if (!words || !self->timer) {
        reason_set (why, -EINVAL, "'%.100s' is no command", ask->origin->command);
        return NULL;
    }
    int rc = run (self, words);
    if (rc < 0) {
        reason_set (why, rc, "'%.100s' cannot be run: %s", words [0], strerror (-rc));
        return NULL;
    }
    loop_timer_after (self->timer, TIME_MAX_MS * MS_US);
    return take_ptr (self);
}

const aws_fetcher_t AWS_FETCH_PROCESS = {start, cancel};
