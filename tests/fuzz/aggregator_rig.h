// aggregator_rig.h - the whole aggregator in one process, asked and told over its sockets, for who fuzzes it.
//
// A line each of what is said to it:
//
//     lease {"collector_id":"/collector/cml/a","kind":"cml"}    a question
//     !cml system.observed us-east-1/i-1 {"reachable":true}     what a collector of that kind says
//     :request|state|1|{}                                       frames of a question, as they are
//     ;instance.observed|r|i-1|{}                               a topic (to the first `{` or `[`) and what follows
//
// `$0` to `$7` in a question are the ids that answers have named so far. A question has one answer, which is
// JSON and says what is wrong when something is.
//
// SPDX-License-Identifier: MIT

#ifndef TESTS_FUZZ_AGGREGATOR_RIG_H
#define TESTS_FUZZ_AGGREGATOR_RIG_H

#include "fuzz.h"

#include "../../aggregator/control.h"
#include "../../aggregator/ownership.h"
#include "../../common/cleanup.h"

#include <stdio.h>

#define TURNS_MAX 8
#define IDS       8
#define ID_SIZE   37
#define NUMBER    "q%u"  //  not what lines of frames are likely to have

typedef struct rig {
    unsigned run;
    store_t *store;  //  borrowed; null: nothing is kept
    loop_t *loop;
    metrics_t *metrics;
    leases_t *leases;
    losses_t *losses;
    feed_t *feed;
    broker_t *broker;
    fleet_t *fleet;
    alerts_t *alerts;
    control_t *control;
    ownership_t *ownership;
    ingest_t *ingest;
    zsock_t *asks, *says;
    unsigned asked, answers;  //  the number of the last question; how often it was answered
    uint64_t said;
    bool is_whole;  //  each worker of the store could be read
    bool is_raw;    //  a line of frames was among them: an answer may name any number
    char ids [IDS][ID_SIZE];
    size_t id_count;
} rig_t;

//  --- the aggregator

static const broker_settings_t WORK = {.rules = {.jobs_max = 20,
                                                 .jobs_bytes_max = 4000,
                                                 .jobs_keep = 10,
                                                 .jobs_keep_hours = 72,
                                                 .job_pending_minutes = 60},
                                       .runners_max = 4,
                                       .renew_ms = 2000};
static fleet_settings_t rules = {
    .workers_max = 8,
    .terminated_keep_minutes = 60,
    .history = {.fine_minutes = 10, .thin_days = 1},
    .rules = {.idle = {.idle_timeout_minutes = 60, .snooze_minutes = 60}, .service_failures = 2}};

static inline void
open_fleet (rig_t *self, const char *feed)
{
    reason_t why = {""};
    alert_rules_t *alert_rules = alert_rules_new ("", &why);

    self->feed = feed_open (self->loop, feed, NULL, 250, 1000, self->store, self->metrics, &why);
    CHECK (self->feed && alert_rules);
    self->broker = broker_new (self->loop, self->feed, self->store, &WORK, self->metrics, &why);
    CHECK (self->broker &&
           load_order_parse (&rules.rules.load_order, LOAD_ORDER_DEFAULT, &why) == 0);
    self->fleet =
        fleet_new (self->loop, self->feed, self->broker, self->store, &rules, self->metrics, &why);
    CHECK (self->fleet);
    self->is_whole = fleet_restore (self->fleet, &why) == 0;
    CHECK (self->is_whole || (self->store && why.text [0]));
    CHECK (broker_follow (self->broker, self->fleet, self->leases, &why) == 0);
    self->alerts = alerts_new (self->loop, self->feed, self->fleet, self->store, NULL, &alert_rules,
                               10, self->metrics, &why);
    CHECK (self->alerts);
}

static inline void
open_all (rig_t *self)
{
    char feed [40], control [40], ingest [40];
    reason_t why = {""};

    snprintf (feed, sizeof feed, "inproc://feed-%u", self->run);
    snprintf (control, sizeof control, "inproc://control-%u", self->run);
    snprintf (ingest, sizeof ingest, "inproc://ingest-%u", self->run);
    self->loop = loop_new (1000);
    self->metrics = metrics_new (1000);
    self->leases = leases_new (6 * SECOND_US, 4);
    self->losses = losses_new (SECOND_US);
    CHECK (self->loop && self->metrics && self->leases && self->losses);
    open_fleet (self, feed);
    self->control =
        control_open (self->loop, self->fleet, self->feed, self->store, self->leases, self->losses,
                      self->alerts, control, NULL, 2000, self->metrics, &why);
    self->ownership = ownership_new (self->fleet, self->leases, self->metrics);
    const ingest_settings_t from = {ingest, NULL, 262144, 1000};
    self->ingest = ingest_open (self->loop, self->fleet, self->feed, self->losses, self->store,
                                &from, self->metrics, &why);
    CHECK (self->control && self->ownership && self->ingest);
    control_follow (self->control, self->ingest);
    self->asks = bus_socket (ZMQ_DEALER, BUS_CONNECT, control, 1000, 0, &why);
    self->says = bus_socket (ZMQ_PUB, BUS_CONNECT, ingest, 1000, 0, &why);
    CHECK (self->asks && self->says);
}

static inline void
close_all (rig_t *self)
{
    zsock_destroy (&self->asks);
    zsock_destroy (&self->says);
    ingest_destroy (&self->ingest);
    ownership_destroy (&self->ownership);
    control_destroy (&self->control);
    alerts_destroy (&self->alerts);
    fleet_destroy (&self->fleet);
    broker_destroy (&self->broker);
    feed_destroy (&self->feed);
    losses_destroy (&self->losses);
    leases_destroy (&self->leases);
    loop_destroy (&self->loop);
    metrics_destroy (&self->metrics);
}

//  --- what it answers

static inline void
note_ids (rig_t *self, const char *text)
{
    static const char BEFORE [] = "id\":\"";

    while (self->id_count < IDS && (text = strstr (text, BEFORE))) {
        text += strlen (BEFORE);
        size_t length = strcspn (text, "\"");
        bool is_new = length == ID_SIZE - 1;
        for (size_t i = 0; is_new && i < self->id_count; i++) {
            is_new = strncmp (self->ids [i], text, length) != 0;
        }
        if (is_new) {
            snprintf (self->ids [self->id_count++], ID_SIZE, "%s", text);
        }
    }
}

static inline void
check_json (rig_t *self, zframe_t *frame, bool is_answer)
{
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    _cleanup_ (string_destroy) char *text = zframe_strdup (frame);
    reason_t why = {""};

    if (json_parse (&json, text, strlen (text), 1 << 24, &why) < 0) {
        fprintf (stderr, "not JSON: %s\n%s\n", why.text, text);
        abort ();
    }
    CHECK (strlen (text) == zframe_size (frame));
    CHECK (json_object_is_type (json, json_type_object));
    struct json_object *error = json_get_object (json, "error");
    CHECK (!is_answer || !error ||
           (json_get_text (error, "code") && *json_get_text (error, "message")));
    note_ids (self, text);
}

static inline void
take_answer (rig_t *self, zmsg_t *msg)
{
    char number [20];
    zframe_t *mark = zmsg_first (msg), *operation = zmsg_next (msg), *own = zmsg_next (msg),
             *answer = zmsg_next (msg), *frame;

    CHECK (answer && zframe_streq (mark, "reply"));
    check_json (self, answer, true);
    bool in_pairs = zframe_streq (operation, "state") || zframe_streq (operation, "events");
    for (bool is_header = in_pairs; (frame = zmsg_next (msg)); is_header = in_pairs && !is_header) {
        feed_header_t header;
        reason_t why = {""};
        if (is_header) {
            CHECK (feed_header_parse (&header, (const char *) zframe_data (frame),
                                      zframe_size (frame), &why) == 0);
        } else {
            check_json (self, frame, false);
        }
    }
    snprintf (number, sizeof number, NUMBER, self->asked);
    self->answers += zframe_streq (own, number);
}

//  A turn, and what was answered in it.
static inline void
turn (rig_t *self)
{
    loop_turn (self->loop, 0);
    while (zsock_events (self->asks) & ZMQ_POLLIN) {
        _cleanup_ (zmsg_destroy) zmsg_t *msg = zmsg_recv (self->asks);
        CHECK (msg);
        take_answer (self, msg);
    }
}

//  --- what it is told and asked

//  With the ids that `$0` to `$7` stand for.
static inline void
fill (const rig_t *self, const char *text, buffer_t *out)
{
    for (; *text; text++) {
        size_t id = text [0] == '$' ? (size_t) (text [1] - '0') : IDS;
        if (id < self->id_count) {
            buffer_text (out, self->ids [id]);
            text++;
        } else {
            buffer_append (out, text, 1);
        }
    }
}

static inline void
send_two (zsock_t *socket, const void *first, size_t first_size, const void *second, size_t size)
{
    zmsg_t *msg = zmsg_new ();

    CHECK (msg);
    zmsg_addmem (msg, first, first_size);
    zmsg_addmem (msg, second, size);
    (void) zsock_events (socket);  //  takes in who has subscribed since
    CHECK (zmsg_send (&msg, socket) == 0);
}

static inline void
ask (rig_t *self, const char *line)
{
    _cleanup_ (buffer_clear) buffer_t body = {0};
    const char *space = strchr (line, ' ');
    size_t length = space ? (size_t) (space - line) : strlen (line);
    zmsg_t *msg = zmsg_new ();

    self->asked++;
    self->answers = 0;
    fill (self, space ? space + 1 : "", &body);
    CHECK (msg && !buffer_failed (&body));
    zmsg_addstr (msg, "request");
    zmsg_addmem (msg, line, length);
    zmsg_addstrf (msg, NUMBER, self->asked);
    zmsg_addmem (msg, body.data, body.size);
    CHECK (zmsg_send (&msg, self->asks) == 0);
    for (int turns = 0; turns < TURNS_MAX && self->answers == 0; turns++) {
        turn (self);
    }
    //  A runner may be told to wait.
    bool may_wait = strncmp (line, "runner", length) == 0;
    CHECK (self->answers == 1 || (self->answers == 0 && may_wait) || self->is_raw);
}

static inline void
say (rig_t *self, char *line)
{
    _cleanup_ (buffer_clear) buffer_t topic = {0}, text = {0};
    char source [80];
    const char *kind = strsep (&line, " "), *type = strsep (&line, " "),
               *subject = strsep (&line, " "), *data = line;
    event_type_t event = type ? event_type_parse_ingest (type) : EVENT_UNKNOWN;

    if (!data || event == EVENT_UNKNOWN) {
        return;
    }
    snprintf (source, sizeof source, "/collector/%.20s/fuzz", kind);
    envelope_write_topic (&topic, event, subject);
    envelope_write (&text, event, source, "0badcafe", ++self->said, subject, clock_now ().wall,
                    NULL, data, strlen (data));
    send_two (self->says, topic.data, topic.size, text.data, text.size);
    turn (self);
}

static inline void
say_raw (rig_t *self, const char *line)
{
    size_t topic = strcspn (line, "{[");

    send_two (self->says, line, topic, line + topic, strlen (line + topic));
    turn (self);
}

static inline void
ask_raw (rig_t *self, char *line)
{
    zmsg_t *msg = zmsg_new ();
    const char *frame;

    CHECK (msg);
    self->is_raw = true;
    while ((frame = strsep (&line, "|"))) {
        zmsg_addstr (msg, frame);
    }
    CHECK (zmsg_send (&msg, self->asks) == 0);
    turn (self);
}

static inline void
take (rig_t *self, const char *text)
{
    _cleanup_ (string_destroy) char *line = strdup (text);

    CHECK (line);
    switch (*line) {
    case '\0': break;
    case '!': say (self, line + 1); break;
    case ';': say_raw (self, line + 1); break;
    case ':': ask_raw (self, line + 1); break;
    default: ask (self, line);
    }
}

#endif
