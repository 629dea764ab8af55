// A fleet is told 120,000 random things: in any order, twice, damaged, of the past, by sources
// that fall silent. Beside it stands a model of a few lines, a plain fold over what was accepted.
// After each the two must agree, and the feed must have numbered what it said without a gap.
#include "../../../aggregator/fleet.h"
#include "../../../common/bus.h"
#include "../../../common/digest.h"

#include "fleet_model.h"

#include <math.h>
#include <stdlib.h>

#define OBSERVATIONS 120000
#define WORKERS      7
#define SEED         20261120u
#define SPAN_SECONDS 50  //  times are drawn from a window that moves on: many are out of order

typedef struct world {
    uint32_t random;
    loop_t *loop;
    metrics_t *metrics;
    feed_t *feed;
    broker_t *broker;
    fleet_t *fleet;
    fleet_settings_t settings;
    bus_subscriber_t *subscriber;
    uint64_t heard, first_heard;
    bool gap;
    uint64_t mirror [WORKERS];  //  what a client knows: the digests of the last snapshots
    model_t models [WORKERS];
    size_t accepted, refused, damaged, repeated, mirrored;
} world_t;

static uint32_t
draw (world_t *world, uint32_t below)
{
    world->random = world->random * 1664525u + 1013904223u;
    return (world->random >> 8) % below;
}

static void
id_of (char id [WORKER_ID_SIZE], size_t worker)
{
    char instance_id [20];

    snprintf (instance_id, sizeof instance_id, "i-%zu", worker);
    worker_id_make (id, "r", instance_id);
}

static void
mirror_snapshot (world_t *world, const feed_header_t *header, const char *body)
{
    char id [WORKER_ID_SIZE];

    for (size_t worker = 0; worker < WORKERS; worker++) {
        id_of (id, worker);
        if (strcmp (id, header->worker_id) == 0) {
            world->mirror [worker] =
                digest_of_snapshot (body + header->snapshot_offset, header->snapshot_size);
        }
    }
}

//  W8: whoever has the last snapshot of each worker has the digest of the fleet.
static void
check_mirror (world_t *world, size_t step)
{
    char id [WORKER_ID_SIZE];

    loop_turn (world->loop, 0);
    bool is_whole = world->heard == feed_sequence (world->feed);
    world->mirrored += is_whole;
    for (size_t i = 0; is_whole && i < WORKERS; i++) {
        _cleanup_ (buffer_clear) buffer_t header = {0}, json = {0};
        id_of (id, i);
        const worker_t *worker = fleet_find (world->fleet, id);
        if (worker) {
            feed_write_state (world->feed, worker, AT (0), &header, &json);
        }
        if (worker && digest_of_snapshot (json.data, json.size) != world->mirror [i]) {
            fail_msg ("seed %u, step %zu: no snapshot told of what changed in %s", SEED, step,
                      json.data);
        }
    }
}

static void
on_feed (void *argument, const bus_message_t *message)
{
    world_t *world = argument;
    feed_header_t header;
    reason_t why = {""};

    assert_int_equal (feed_header_parse (&header, message->bytes [0], message->size [0], &why), 0);
    if (header.kind != FEED_EVENT) {
        return;
    }
    world->first_heard = world->first_heard ? world->first_heard : header.seq;
    if (header.type == EVENT_WORKER_SNAPSHOT) {
        mirror_snapshot (world, &header, (const char *) message->bytes [1]);
    }
    world->gap |= world->heard && header.seq != world->heard + 1;
    world->heard = header.seq;
}

static void
open_world (world_t *world)
{
    reason_t why = {""};
    static const char *const EVERYTHING [] = {"", NULL};
    static const broker_settings_t WORK = {{99, 9999, .job_pending_minutes = 60}, 1, 2000};

    *world = (world_t){.random = SEED};
    world->settings = (fleet_settings_t){.workers_max = WORKERS,
                                         .terminated_keep_minutes = 5256000000,
                                         .history = {.fine_minutes = 60, .thin_days = 1}};
    world->settings.rules.idle = (idle_rules_t){60, 60, .auto_pause = true};
    world->settings.rules.service_failures = 2;
    load_order_parse (&world->settings.rules.load_order, LOAD_ORDER_DEFAULT, &why);
    world->metrics = metrics_new (1000);
    world->loop = loop_new (1000);
    world->feed = feed_open (world->loop, "inproc://property", NULL, 250, 1000000, NULL,
                             world->metrics, &why);
    assert_non_null (world->feed);
    world->broker = broker_new (world->loop, world->feed, NULL, &WORK, world->metrics, &why);
    world->fleet = fleet_new (world->loop, world->feed, world->broker, NULL, &world->settings,
                              world->metrics, &why);
    world->subscriber =
        bus_subscriber_new (world->loop, BUS_CONNECT, "inproc://property", EVERYTHING, 1000000,
                            NULL, NULL, on_feed, world, world->metrics, &why);
    assert_non_null (world->subscriber);
    for (int i = 0; i < WORKERS; i++) {
        world->models [i] = model_new ();
    }
}

static void
close_world (world_t *world)
{
    bus_subscriber_destroy (&world->subscriber);
    fleet_destroy (&world->fleet);
    broker_destroy (&world->broker);
    feed_destroy (&world->feed);
    loop_destroy (&world->loop);
    metrics_destroy (&world->metrics);
}

//  --- what is said

static void
say_instance (world_t *world, buffer_t *data)
{
    static const char *const STATES [] = {"pending", "running",  "running", "running",    "running",
                                          "stopped", "stopping", "running", "terminated", "odd"};

    buffer_format (data, "{\"name\":\"w%u\"", draw (world, 3));
    if (draw (world, 8)) {
        buffer_format (data, ",\"state\":\"%s\"", STATES [draw (world, COUNT (STATES))]);
    }
    if (!draw (world, 20)) {
        buffer_text (data, ",\"error_code\":\"Throttling\"");
    }
    buffer_format (data, ",\"detailed_monitoring\":%s}", draw (world, 2) ? "true" : "false");
}

static void
say_load (world_t *world, buffer_t *data)
{
    if (!draw (world, 10)) {
        buffer_text (data, "{\"error_code\":\"Throttling\",\"error_message\":\"slow down\"}");
        return;
    }
    buffer_format (data, "{\"interval_seconds\":%u", 1 + draw (world, 60));
    if (draw (world, 4)) {
        buffer_format (data, ",\"cpu_percent\":%u.%u", draw (world, 120), draw (world, 1000));
    }
    if (draw (world, 4)) {
        buffer_format (data, ",\"memory_percent\":%u", draw (world, 101));
    }
    buffer_text (data, "}");
}

static void
say_system (world_t *world, buffer_t *data)
{
    buffer_format (data, "{\"reachable\":%s,\"ready\":%s", draw (world, 5) ? "true" : "false",
                   draw (world, 3) ? "true" : "false");
    if (draw (world, 2)) {
        buffer_format (data, ",\"version\":\"2.%u\"", draw (world, 4));
    }
    if (draw (world, 2)) {
        buffer_format (data,
                       ",\"system_stats\":{\"computes\":{\"a\":{\"stats\":{\"cpu\":{\"percent\":%u}"
                       "}}}}",
                       draw (world, 130));
    }
    buffer_text (data, draw (world, 10) ? "}" : ",\"error_code\":\"login\"}");
}

static void
say_labs (world_t *world, buffer_t *data)
{
    buffer_text (data, "{\"labs\":[");
    for (uint32_t i = 0, count = draw (world, 4); i < count; i++) {
        buffer_format (data, "%s{\"lab_id\":\"l%u\",\"state\":\"%s\"}", i ? "," : "", i,
                       draw (world, 2) ? "STARTED" : "STOPPED");
    }
    buffer_text (data, "]}");
}

static void
say_activity (world_t *world, buffer_t *data)
{
    char text [CLOCK_TEXT_SIZE];

    if (!draw (world, 8)) {
        buffer_text (data, "{\"error_code\":\"timeout\"}");
        return;
    }
    buffer_format (data, "{\"last_activity_at\":\"%s\"}",
                   clock_format (text, AT (0) + (time_us_t) draw (world, 100000) * SECOND_US));
}

static void
say_gone (world_t *world, buffer_t *data)
{
    buffer_text (data, draw (world, 2) ? "{\"reason\":\"not_listed\"}" : "{}");
}

static void
say_lab_state (world_t *world, buffer_t *data)
{
    buffer_format (data, "{\"lab_id\":\"l%u\",\"element_type\":\"lab\",\"state\":\"STARTED\"}",
                   draw (world, 30));
}

static const struct {
    event_type_t type;
    const char *source;
    void (*say) (world_t *world, buffer_t *data);
    int (*apply) (fleet_t *fleet, const observation_t *observation, reason_t *why);
    uint32_t weight;
} KINDS [] = {
    {EVENT_INSTANCE_OBSERVED, "/collector/ec2/p", say_instance, fleet_apply_instance, 20},
    {EVENT_UTILIZATION_OBSERVED, "/collector/cloudwatch/p", say_load, fleet_apply_utilization, 20},
    {EVENT_SYSTEM_OBSERVED, "/collector/cml/p", say_system, fleet_apply_system, 20},
    {EVENT_LABS_OBSERVED, "/collector/cml/p", say_labs, fleet_apply_labs, 15},
    {EVENT_ACTIVITY_OBSERVED, "/collector/cml/p", say_activity, fleet_apply_activity, 15},
    {EVENT_LAB_STATE_CHANGED, "/collector/cml/p", say_lab_state, fleet_apply_lab_state, 9},
    {EVENT_INSTANCE_GONE, "/collector/ec2/p", say_gone, fleet_apply_gone, 1}};

static size_t
draw_kind (world_t *world)
{
    uint32_t at = draw (world, 100);
    size_t kind = 0;

    while (at >= KINDS [kind].weight) {
        at -= KINDS [kind++].weight;
    }
    return kind;
}

static void
damage (world_t *world, buffer_t *body)
{
    switch (draw (world, 3)) {
    case 0: body->size = draw (world, (uint32_t) body->size); break;
    case 1: body->data [draw (world, (uint32_t) body->size)] = (char) draw (world, 256); break;
    default:
        for (int i = 0; i < 8; i++) {
            body->data [draw (world, (uint32_t) body->size)] ^= (char) (1u << draw (world, 8));
        }
    }
    world->damaged++;
}

//  --- agreement

static bool
same_percent (double a, double b)
{
    return (isnan (a) && isnan (b)) || fabs (a - b) < 0.001;
}

static bool
same_text (const char *a, const char *b)
{
    return strcmp (a ? a : "", b ? b : "") == 0;
}

static void
check_model (const model_t *model, const worker_t *worker, size_t step)
{
    if (!worker) {
        assert_false (model->exists);
        return;
    }
    snapshot_t snapshot = worker_snapshot (worker);

    if (!model->exists || worker_status (worker) != model->status ||
        !same_text (snapshot.name, *model->name ? model->name : worker_instance_id (worker)) ||
        !same_percent (snapshot.cloudwatch_cpu_utilization, model->cpu) ||
        !same_percent (snapshot.cloudwatch_memory_utilization, model->memory) ||
        !same_text (snapshot.cml_version, model->version) ||
        snapshot.cml_labs_count != model->labs ||
        snapshot.last_activity_at != model->last_activity_at) {
        fail_msg ("seed %u, step %zu: the worker is not the fold of what was accepted", SEED, step);
    }
    assert_true (isnan (snapshot.cpu_utilization) ||
                 (snapshot.cpu_utilization >= 0 && snapshot.cpu_utilization <= 100));
    //  W7: they alternate; one that was first seen stopped is resumed first.
    assert_in_range (snapshot.manual_pause_count - snapshot.manual_resume_count + 1, 0, 2);
}

//  W1: of the groups that belong to one source, only the speaker's may differ.
static void
check_silent (const snapshot_t *before, const snapshot_t *after, event_type_t by, size_t step)
{
    field_set_t changed = snapshot_difference (before, after);

    for (int each = 0; each < SNAPSHOT_FIELD_COUNT; each++) {
        snapshot_field_t field = (snapshot_field_t) each;
        snapshot_group_t group = snapshot_field_group (field);
        bool ec2 = group == SNAPSHOT_GROUP_EC2 || group == SNAPSHOT_GROUP_EC2_QUIET ||
                   field == SNAPSHOT_cloudwatch_detailed_monitoring_enabled;
        bool cloudwatch = !ec2 && (group == SNAPSHOT_GROUP_CLOUDWATCH ||
                                   group == SNAPSHOT_GROUP_CLOUDWATCH_QUIET);
        bool cml = group == SNAPSHOT_GROUP_CML || group == SNAPSHOT_GROUP_CML_QUIET ||
                   group == SNAPSHOT_GROUP_LICENSE;
        bool speaks = (ec2 && (by == EVENT_INSTANCE_OBSERVED || by == EVENT_INSTANCE_GONE)) ||
                      (cloudwatch && by == EVENT_UTILIZATION_OBSERVED) ||
                      (cml && (by == EVENT_SYSTEM_OBSERVED || by == EVENT_LABS_OBSERVED));
        if ((ec2 || cloudwatch || cml) && !speaks && field_set_has (&changed, field)) {
            fail_msg ("seed %u, step %zu: %s changed by %s", SEED, step,
                      snapshot_field_name (field), event_type_name (by));
        }
    }
}

static void
apply_said (world_t *world, size_t kind, const observation_t *seen, size_t worker, size_t step)
{
    char id [WORKER_ID_SIZE];
    reason_t why = {""};

    id_of (id, worker);
    uint64_t said = feed_sequence (world->feed);

    int rc = KINDS [kind].apply (world->fleet, seen, &why);
    fold (&world->models [worker], seen);
    const worker_t *after = fleet_find (world->fleet, id);
    check_model (&world->models [worker], after, step);
    world->accepted += rc == 0;
    world->refused += rc < 0;
    if (draw (world, 4) == 0 && after) {  //  W2: a second copy
        _cleanup_ (string_destroy) char *now = snapshot_text (after);
        uint64_t told = feed_sequence (world->feed);
        (void) KINDS [kind].apply (world->fleet, seen, &why);
        assert_unchanged (after, now);
        assert_int_equal (feed_sequence (world->feed), told);
        world->repeated++;
    }
    assert_true (feed_sequence (world->feed) >= said);
}

static void
say (world_t *world, size_t step)
{
    size_t kind = draw_kind (world), worker = draw (world, WORKERS);
    _cleanup_ (buffer_clear) buffer_t data = {0}, body = {0};
    char subject [30];
    observation_t seen;
    reason_t why = {""};
    time_us_t at = AT (step / 100 + draw (world, SPAN_SECONDS));

    snprintf (subject, sizeof subject, "r/i-%zu", worker);
    KINDS [kind].say (world, &data);
    envelope_write (&body, KINDS [kind].type, KINDS [kind].source, "0123abcd", step + 1, subject,
                    at, NULL, data.data, data.size);
    bool damaged = draw (world, 12) == 0;
    if (damaged) {
        damage (world, &body);
    }
    if (observation_decode (&seen, body.data, body.size, OBSERVATION_BYTES_MAX, &why) < 0) {
        assert_true (damaged);
        assert_true (strlen (why.text) > 0);
        world->refused++;
        return;
    }
    //  Damage may have made another message of it, which is as good as any: whose is told by it.
    if (seen.envelope.type == KINDS [kind].type && strcmp (seen.envelope.subject, subject) == 0) {
        apply_said (world, kind, &seen, worker, step);
    }
    observation_clear (&seen);
}

static void
fleet_is_a_fold_over_what_was_accepted_and_numbers_grow_by_one (void **state)
{
    (void) state;
    world_t world;
    open_world (&world);

    for (size_t step = 0; step < OBSERVATIONS; step++) {
        say (&world, step);
        if (step % 64 == 0) {
            loop_turn (world.loop, 0);
            check_mirror (&world, step);
        }
    }
    for (int i = 0; i < 1000 && world.heard < feed_sequence (world.feed); i++) {
        loop_turn (world.loop, 1);
    }

    assert_false (world.gap);
    assert_int_equal (world.heard, feed_sequence (world.feed));
    assert_true (world.heard > 10000);
    assert_true (world.mirrored > OBSERVATIONS / 64 / 2);
    assert_true (world.accepted > OBSERVATIONS / 2 && world.refused > 1000);
    assert_true (world.damaged > 5000 && world.repeated > 10000);
    close_world (&world);
}

//  --- W1, on workers alone, for a snapshot's texts are borrowed from the worker

static void
tell_worker (worker_t *worker, const observation_t *seen)
{
    time_us_t at = seen->envelope.time;

    switch (seen->envelope.type) {
    case EVENT_INSTANCE_GONE: worker_terminate (worker, at); break;
    default: apply (worker, "cloudwatch", seen, at);
    }
}

//  As after the end of the process: all that is known of it is what was saved.
static void
restart (worker_t **worker_p)
{
    _cleanup_ (buffer_clear) buffer_t row = {0}, again = {0};
    reason_t why = {""};

    worker_save (*worker_p, (worker_text_t){0}, &row);
    worker_t *restored = worker_restore (row.data, row.size, 0, &why);
    if (!restored) {
        fail_msg ("%s", why.text);
    }
    worker_save (restored, (worker_text_t){0}, &again);
    assert_string_equal (again.data, row.data);
    worker_destroy (worker_p);
    *worker_p = restored;
}

//  Two workers are told the same but for the last word: what differs between them is its doing.
//  One of them is saved and restored now and then, which must make no difference ever after.
static void
no_field_of_a_silent_source_changes (void **state)
{
    (void) state;
    world_t world = {.random = SEED + 1};
    _cleanup_ (worker_destroy) worker_t *ahead = new_worker ();
    _cleanup_ (worker_destroy) worker_t *behind = new_worker ();

    for (size_t step = 0; step < OBSERVATIONS / 4; step++) {
        size_t kind = draw_kind (&world);
        _cleanup_ (buffer_clear) buffer_t data = {0}, body = {0};
        observation_t seen;
        reason_t why = {""};

        KINDS [kind].say (&world, &data);
        envelope_write (&body, KINDS [kind].type, KINDS [kind].source, "0123abcd", step + 1,
                        "us-east-1/i-0abc", AT (step / 10 + draw (&world, SPAN_SECONDS)), NULL,
                        data.data, data.size);
        assert_int_equal (
            observation_decode (&seen, body.data, body.size, OBSERVATION_BYTES_MAX, &why), 0);
        tell_worker (ahead, &seen);
        snapshot_t before = worker_snapshot (behind), after = worker_snapshot (ahead);
        check_silent (&before, &after, seen.envelope.type, step);
        tell_worker (behind, &seen);
        _cleanup_ (string_destroy) char *same = snapshot_text (ahead);
        assert_unchanged (behind, same);
        observation_clear (&seen);
        if (step % 20 == 0) {
            restart (&behind);
            assert_unchanged (behind, same);
        }
    }
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (fleet_is_a_fold_over_what_was_accepted_and_numbers_grow_by_one),
        cmocka_unit_test (no_field_of_a_silent_source_changes)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
