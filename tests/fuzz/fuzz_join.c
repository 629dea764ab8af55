// fuzz_join.c - an aggregator that says anything, to a gateway that joins its feed.
//
// A line each; what lies between tabs is a frame:
//
//     +event|worker.snapshot|...<tab>{...}     a message of the feed
//     ={"epoch":"0badcafe","seq":3}<tab>...    the answer to what the gateway asks next, or has asked
//     !...                                     the frames of an answer as they are, `?` for the question's number
//
// Whatever is said, what the gateway holds can be told: each worker and job once, in order, and of an event's
// data no byte that is not the event's.
//
// SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../gateway/feed_client.h"

#define LINES_MAX 64
#define TURNS     4

typedef struct rig {
    unsigned run;
    loop_t *loop;
    metrics_t *metrics;
    replica_t *replica;
    event_log_t *log;
    feed_client_t *client;
    zsock_t *feed, *control;
    zframe_t *who;  //  has asked and has no answer yet; null: nobody
    char *operation, *number;
    unsigned resets;
} rig_t;

static void
on_reset (void *argument)
{
    rig_t *self = argument;
    self->resets++;
}

static void
open_all (rig_t *self)
{
    static unsigned runs;
    char feed [40], control [40];
    reason_t why = {""};
    const feed_listener_t listener = {on_reset, self, NULL};

    self->run = ++runs;
    snprintf (feed, sizeof feed, "inproc://feed-%u", self->run);
    snprintf (control, sizeof control, "inproc://control-%u", self->run);
    self->loop = loop_new (1000);
    self->metrics = metrics_new (1000);
    self->replica = replica_new (NULL);
    self->log = event_log_new (8, 1 << 20);
    self->feed = bus_socket (ZMQ_PUB, BUS_BIND, feed, 1000, 0, &why);
    self->control = bus_socket (ZMQ_ROUTER, BUS_BIND, control, 1000, 0, &why);
    CHECK (self->loop && self->metrics && self->replica && self->log && self->feed &&
           self->control);
    self->client = feed_client_new (self->loop, feed, control, NULL, 1000, 4, 8, self->replica,
                                    self->log, &listener, self->metrics, &why);
    CHECK (self->client);
}

static void
forget_question (rig_t *self)
{
    zframe_destroy (&self->who);
    zstr_free (&self->operation);
    zstr_free (&self->number);
}

static void
close_all (rig_t *self)
{
    forget_question (self);
    feed_client_destroy (&self->client);
    zsock_destroy (&self->feed);
    zsock_destroy (&self->control);
    event_log_destroy (&self->log);
    replica_destroy (&self->replica);
    loop_destroy (&self->loop);
    metrics_destroy (&self->metrics);
}

//  Time for the gateway, and what it asks.
static void
turn (rig_t *self)
{
    loop_turn (self->loop, 0);
    while (zsock_events (self->control) & ZMQ_POLLIN) {
        zmsg_t *msg = zmsg_recv (self->control);
        CHECK (msg && zmsg_size (msg) == 5);
        forget_question (self);
        self->who = zmsg_pop (msg);
        zframe_t *mark = zmsg_pop (msg);
        self->operation = zmsg_popstr (msg);
        self->number = zmsg_popstr (msg);
        CHECK (zframe_streq (mark, "request") && self->operation && self->number);
        zframe_destroy (&mark);
        zmsg_destroy (&msg);
    }
}

static void
add_frames (rig_t *self, zmsg_t *msg, char *line)
{
    const char *frame;

    while ((frame = strsep (&line, "\t"))) {
        zmsg_addstr (msg, self->number && strcmp (frame, "?") == 0 ? self->number : frame);
    }
}

static void
say (rig_t *self, char *line)
{
    zmsg_t *msg = zmsg_new ();

    CHECK (msg);
    add_frames (self, msg, line);
    (void) zsock_events (self->feed);  //  takes in who has subscribed since
    CHECK (zmsg_send (&msg, self->feed) == 0);
}

static void
answer (rig_t *self, char *line, bool is_raw)
{
    if (!self->who) {
        return;
    }
    zmsg_t *msg = zmsg_new ();
    CHECK (msg);
    zmsg_append (msg, &self->who);
    if (!is_raw) {
        zmsg_addstr (msg, "reply");
        zmsg_addstr (msg, self->operation);
        zmsg_addstr (msg, self->number);
    }
    add_frames (self, msg, line);
    CHECK (zmsg_send (&msg, self->control) == 0);
    forget_question (self);
}

static void
take (rig_t *self, char *line)
{
    switch (*line) {
    case '+': say (self, line + 1); break;
    case '=': answer (self, line + 1, false); break;
    case '!': answer (self, line + 1, true); break;
    default: return;
    }
    for (int i = 0; i < TURNS; i++) {
        turn (self);
    }
}

//  --- what it holds then

static void
check_workers (rig_t *self)
{
    const replica_worker_t *worker;
    const char *after = "";
    size_t count = 0;
    uint64_t digest;

    while ((worker = replica_next (self->replica, after))) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        json_writer_t json = json_writer (&out);
        CHECK (strcmp (worker->worker_id, after) > 0 || (count == 0 && !*worker->worker_id));
        replica_write_worker (worker, NULL, &json);
        CHECK (out.size >= 2 && !buffer_failed (&out));
        CHECK (replica_find (self->replica, worker->worker_id));
        after = worker->worker_id;
        count++;
        if (!*after) {
            break;  //  no id: where one begins
        }
    }
    CHECK (count <= replica_size (self->replica));
    (void) replica_digest (self->replica, false, &digest);
}

static void
check_jobs (rig_t *self)
{
    replica_jobs_t *jobs = replica_jobs (self->replica);

    for (int group = 0; group < JOBS_GROUPS; group++) {
        size_t count = 0;
        for (replica_job_t *job = replica_jobs_first (jobs, (replica_group_t) group); job;
             job = job->next) {
            CHECK (replica_jobs_find (jobs, job->id) == job && job->record.size >= 2);
            frame_t *frame = replica_job_frame (job);
            CHECK (frame && frame->size > job->record.size);
            count++;
        }
        CHECK (count == replica_jobs_count (jobs, (replica_group_t) group));
    }
}

static void
check_events (rig_t *self)
{
    uint64_t last = event_log_last (self->log);

    for (uint64_t seq = event_log_first (self->log); seq <= last && seq > 0; seq++) {
        frame_t *frame = event_log_get (self->log, seq);
        size_t size = 0;
        CHECK (frame && frame->seq == seq && frame->json_offset + 2 <= frame->size);
        const char *data = frame_data (frame, &size), *end = frame->bytes + frame->size - 2;
        CHECK (data >= frame->bytes + frame->json_offset && data <= end &&
               size <= (size_t) (end - data));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);
    char *rest = text, *line;
    rig_t rig = {0};

    log_open ("fuzz", LOG_LEVEL_ERROR + 1, LOG_FORMAT_LOGFMT);
    static bool begun;
    if (!begun) {
        begun = true;
        zsys_set_max_sockets (0);  //  as many as libzmq may have: it closes them some time later
    }
    open_all (&rig);
    for (int i = 0; i < TURNS; i++) {
        turn (&rig);
    }
    for (int lines = 0; lines < LINES_MAX && (line = strsep (&rest, "\n")); lines++) {
        take (&rig, line);
    }
    CHECK (rig.resets <= 1 && feed_client_has_joined (rig.client) <= (rig.resets == 1));
    check_workers (&rig);
    check_jobs (&rig);
    check_events (&rig);
    close_all (&rig);
    return 0;
}
