// ingest_load.c - speaks as the collectors of a fleet, hears what becomes of it, and says how fast.
//
//     ingest_load speak INGEST FEED WORKERS OBSERVATIONS WINDOW
//     ingest_load relay INGEST FEED MESSAGES BYTES
//
// speak says OBSERVATIONS of WORKERS in the order of MIX_AS_COLLECTED (mix.h), at most WINDOW of them
// not yet heard of. Every 256th is a mark, a change of a lab, whose event comes back on the feed with its
// number: so it is known what was applied, stored and published, how long that took, and whether all of
// it was. First every worker is listed once, which is not counted. Prints one line of JSON.
//
// relay is the limit: it binds as an aggregator does, receives the same messages, and publishes for each
// thousand of them MESSAGES of BYTES each, and each mark: raw czmq that reads, decides and keeps nothing.
// It ends when its standard input does.
//
// SPDX-License-Identifier: MIT

#include "../../common/bus.h"
#include "../../common/cleanup.h"
#include "mix.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define MARK_EVERY   256
#define HWM          1000000
#define PATIENCE_MS  30000
#define JOIN_MS      300
#define TAKE_AT_ONCE 512
#define MARK_TOPIC   "lab.state_changed|"
#define MARK_EVENT   "event|worker.lab.state_changed|"
#define MARK_NUMBER  "\"element_id\":\""

typedef struct load {
    zsock_t *speaker, *feed;
    size_t workers, observations, window;
    char epoch [ENVELOPE_EPOCH_SIZE];
    uint64_t sequences [MIX_KINDS];
    buffer_t topic, data, subject, text;
    size_t said, heard;  //  heard: up to the last mark
    time_us_t *marks;    //  when each was said, then how long it took
    size_t marks_heard, marks_most;
    uint64_t last_seq, gaps, in_bytes, feed_messages, feed_bytes;
} load_t;

static void
send_all (load_t *self, zsock_t *socket, const void *bytes, size_t size, int flags)
{
    while (zmq_send (zsock_resolve (socket), bytes, size, flags) < 0) {
        assert (zmq_errno () == EAGAIN || zmq_errno () == EINTR);
    }
    self->in_bytes += size;
}

static void
say (load_t *self, event_type_t type, mix_kind_t source, size_t worker)
{
    //  Three of the kinds are one collector's.
    uint64_t *sequence = &self->sequences [source > MIX_CML ? MIX_CML : source];

    buffer_reset (&self->topic);
    buffer_reset (&self->subject);
    buffer_reset (&self->text);
    mix_write_subject (&self->subject, worker);
    envelope_write_topic (&self->topic, type, self->subject.data);
    envelope_write (&self->text, type, mix_source (source), self->epoch, ++*sequence,
                    self->subject.data, clock_now ().wall, NULL, self->data.data, self->data.size);
    send_all (self, self->speaker, self->topic.data, self->topic.size, ZMQ_SNDMORE);
    send_all (self, self->speaker, self->text.data, self->text.size, 0);
}

static void
say_mark (load_t *self, size_t number)
{
    buffer_reset (&self->data);
    buffer_format (&self->data,
                   "{\"lab_id\":\"mark\",\"element_type\":\"node\",\"element_id\":\"%zu\","
                   "\"event\":\"BOOTED\",\"state\":\"BOOTED\"}",
                   number);
    self->marks [number] = clock_now ().steady;
    say (self, EVENT_LAB_STATE_CHANGED, MIX_CML, number % self->workers);
}

static void
say_next (load_t *self)
{
    size_t number = ++self->said;

    if (number % MARK_EVERY == 0) {
        say_mark (self, number / MARK_EVERY);
        return;
    }
    mix_step_t step = mix_step (MIX_AS_COLLECTED, self->workers, number - number / MARK_EVERY - 1);
    buffer_reset (&self->data);
    mix_write_data (&self->data, step.kind, step.worker, step.value);
    say (self, mix_type (step.kind), step.kind, step.worker);
}

//  --- what is heard

static void
take_mark (load_t *self, zmq_msg_t *body)
{
    const char *found =
        memmem (zmq_msg_data (body), zmq_msg_size (body), MARK_NUMBER, sizeof MARK_NUMBER - 1);
    size_t number = found ? strtoul (found + sizeof MARK_NUMBER - 1, NULL, 10) : 0;

    assert (number > 0 && number <= self->marks_most);
    self->marks [number] = clock_now ().steady - self->marks [number];
    self->marks_heard++;
    self->heard = number * MARK_EVERY;
}

//  `event|type|region|worker|job type|priority|epoch|seq|...`: each number follows the last.
static void
follow (load_t *self, const char *header, size_t size)
{
    const char *end = header + size;

    if (size < 6 || memcmp (header, "event|", 6) != 0) {
        return;
    }
    for (int bars = 0; header < end && bars < 7; header++) {
        bars += *header == '|';
    }
    uint64_t seq = strtoull (header, NULL, 10);  //  a bar ends it
    self->gaps += self->last_seq > 0 && seq != self->last_seq + 1;
    self->last_seq = seq;
}

static bool
hear_one (load_t *self)
{
    void *handle = zsock_resolve (self->feed);
    zmq_msg_t header, body;

    zmq_msg_init (&header);
    if (zmq_msg_recv (&header, handle, ZMQ_DONTWAIT) < 0) {
        return false;
    }
    const char *text = zmq_msg_data (&header);
    size_t size = zmq_msg_size (&header);
    self->feed_messages++;
    self->feed_bytes += size;
    follow (self, text, size);
    bool is_mark =
        size > sizeof MARK_EVENT - 1 && memcmp (text, MARK_EVENT, sizeof MARK_EVENT - 1) == 0;
    if (zmq_msg_more (&header)) {
        zmq_msg_init (&body);
        if (zmq_msg_recv (&body, handle, 0) >= 0) {
            self->feed_bytes += zmq_msg_size (&body);
            if (is_mark) {
                take_mark (self, &body);
            }
        }
        zmq_msg_close (&body);
    }
    zmq_msg_close (&header);
    return true;
}

static void
hear (load_t *self, long wait_ms)
{
    zmq_pollitem_t item = {.socket = zsock_resolve (self->feed), .events = ZMQ_POLLIN};

    if (zmq_poll (&item, 1, wait_ms) == 0 && wait_ms >= PATIENCE_MS) {
        fprintf (stderr, "ingest_load: nothing is heard any more; %zu said, %zu heard\n",
                 self->said, self->heard);
        exit (EXIT_FAILURE);
    }
    for (int i = 0; i < TAKE_AT_ONCE && hear_one (self); i++) {
    }
}

static void
list_workers (load_t *self)
{
    for (size_t worker = 0; worker < self->workers; worker++) {
        buffer_reset (&self->data);
        mix_write_data (&self->data, MIX_EC2, worker, 10);
        say (self, EVENT_INSTANCE_OBSERVED, MIX_EC2, worker);
        hear (self, 0);
    }
    say_mark (self, 1);
    while (self->marks_heard == 0) {
        hear (self, PATIENCE_MS);
    }
    self->marks_heard = self->in_bytes = self->feed_messages = self->feed_bytes = 0;
    self->heard = 0;
}

static int
by_value (const void *a, const void *b)
{
    const time_us_t *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

static void
report (load_t *self, double seconds)
{
    size_t marks = self->said / MARK_EVERY, half = 1 + marks / 2, most = 1 + marks * 99 / 100;

    qsort (self->marks + 1, marks, sizeof *self->marks, by_value);
    printf ("{\"observations\":%zu,\"seconds\":%.4f,\"per_second\":%.0f,\"in_bytes\":%" PRIu64
            ",\"feed_messages\":%" PRIu64 ",\"feed_bytes\":%" PRIu64 ",\"gaps\":%" PRIu64
            ",\"p50_ms\":%.2f,\"p99_ms\":%.2f}\n",
            self->said, seconds, (double) self->said / seconds, self->in_bytes, self->feed_messages,
            self->feed_bytes, self->gaps, (double) self->marks [half] / 1000,
            (double) self->marks [most] / 1000);
}

static int
speak (char **argv)
{
    load_t self = {.workers = strtoul (argv [4], NULL, 10),
                   .observations = strtoul (argv [5], NULL, 10),
                   .window = strtoul (argv [6], NULL, 10)};
    reason_t why = {0};

    if (self.workers == 0 || self.observations < MARK_EVERY || self.window < MARK_EVERY) {
        fprintf (stderr, "ingest_load: WORKERS over 0, OBSERVATIONS and WINDOW from %d on\n",
                 MARK_EVERY);
        return EXIT_FAILURE;
    }
    self.observations -= self.observations % MARK_EVERY;
    self.marks_most = self.observations / MARK_EVERY;
    self.marks = calloc (self.marks_most + 2, sizeof *self.marks);
    snprintf (self.epoch, sizeof self.epoch, "%08x", (unsigned) getpid ());
    self.feed = bus_socket (ZMQ_SUB, BUS_CONNECT, argv [3], HWM, 0, &why);
    self.speaker = bus_socket (ZMQ_PUB, BUS_CONNECT, argv [2], HWM, 1000, &why);
    if (!self.marks || !self.feed || !self.speaker) {
        fprintf (stderr, "ingest_load: %s\n", why.text);
        return EXIT_FAILURE;
    }
    zsock_set_subscribe (self.feed, "");
    zclock_sleep (JOIN_MS);  //  a PUB drops what it says before the other side has joined
    list_workers (&self);
    time_us_t from = clock_now ().steady;
    while (self.heard < self.observations) {
        for (int i = 0;
             i < 64 && self.said < self.observations && self.said - self.heard < self.window; i++) {
            say_next (&self);
        }
        bool full = self.said == self.observations || self.said - self.heard >= self.window;
        hear (&self, full ? PATIENCE_MS : 0);
    }
    report (&self, (double) (clock_now ().steady - from) / SECOND_US);
    zsock_destroy (&self.speaker);
    zsock_destroy (&self.feed);
    free (self.marks);
    buffer_clear (&self.topic);
    buffer_clear (&self.data);
    buffer_clear (&self.subject);
    buffer_clear (&self.text);
    return EXIT_SUCCESS;
}

//  --- the limit

typedef struct relay {
    zsock_t *in, *out;
    size_t messages, bytes;  //  a thousand; each
    size_t owed;             //  thousandths of a message
    uint64_t seq;
    char *body;
} relay_t;

static void
pass_on (relay_t *self, const char *type, const void *body, size_t size)
{
    char header [200];
    int length = snprintf (header, sizeof header,
                           "event|%s|us-east-1|e8f523ea-a9a5-569d-9866-987d0bd076e4||0|0badcafe|"
                           "%" PRIu64 "|1795860000000000|0+0",
                           type, ++self->seq);

    (void) zmq_send (zsock_resolve (self->out), header, (size_t) length, ZMQ_SNDMORE);
    (void) zmq_send (zsock_resolve (self->out), body, size, 0);
}

static bool
relay_one (relay_t *self)
{
    void *handle = zsock_resolve (self->in);
    zmq_msg_t topic, body;

    zmq_msg_init (&topic);
    if (zmq_msg_recv (&topic, handle, ZMQ_DONTWAIT) < 0) {
        return false;
    }
    zmq_msg_init (&body);
    (void) zmq_msg_recv (&body, handle, 0);
    if (zmq_msg_size (&topic) > sizeof MARK_TOPIC - 1 &&
        memcmp (zmq_msg_data (&topic), MARK_TOPIC, sizeof MARK_TOPIC - 1) == 0) {
        pass_on (self, "worker.lab.state_changed", zmq_msg_data (&body), zmq_msg_size (&body));
    }
    for (self->owed += self->messages; self->owed >= 1000; self->owed -= 1000) {
        pass_on (self, "worker.snapshot", self->body, self->bytes);
    }
    zmq_msg_close (&topic);
    zmq_msg_close (&body);
    return true;
}

static int
relay (char **argv)
{
    relay_t self = {.messages = strtoul (argv [4], NULL, 10),
                    .bytes = strtoul (argv [5], NULL, 10)};
    reason_t why = {0};

    self.in = bus_socket (ZMQ_SUB, BUS_BIND, argv [2], HWM, 0, &why);
    self.out = bus_socket (ZMQ_PUB, BUS_BIND, argv [3], HWM, 0, &why);
    self.body = calloc (1, self.bytes + 1);
    if (!self.in || !self.out || !self.body) {
        fprintf (stderr, "ingest_load: %s\n", why.text);
        return EXIT_FAILURE;
    }
    memset (self.body, 'x', self.bytes);
    zsock_set_subscribe (self.in, "");
    zmq_pollitem_t items [] = {{.socket = zsock_resolve (self.in), .events = ZMQ_POLLIN},
                               {.fd = STDIN_FILENO, .events = ZMQ_POLLIN}};
    while (zmq_poll (items, 2, -1) >= 0 && !items [1].revents) {
        for (int i = 0; i < BUS_BATCH_MAX && relay_one (&self); i++) {
        }
    }
    zsock_destroy (&self.in);
    zsock_destroy (&self.out);
    free (self.body);
    return EXIT_SUCCESS;
}

int
main (int argc, char **argv)
{
    zsys_handler_set (NULL);
    if (argc == 7 && strcmp (argv [1], "speak") == 0) {
        return speak (argv);
    }
    if (argc == 6 && strcmp (argv [1], "relay") == 0) {
        return relay (argv);
    }
    fprintf (stderr, "usage: ingest_load speak INGEST FEED WORKERS OBSERVATIONS WINDOW\n"
                     "       ingest_load relay INGEST FEED MESSAGES BYTES\n");
    return EXIT_FAILURE;
}
