// A set of jobs lives through 200,000 random things: jobs are asked for, taken, reported of, lost,
// given back, cancelled, timed out, forgotten. Beside it stands a model, a plain array with a plain
// search; after each the two must agree on every job, on what is next, and on what was heard.
#include "job_rig.h"

#define STEPS   200000
#define WORKERS 4
#define JOBS    64
#define SEED    20261128u

typedef struct model {
    char id [JOB_ID_SIZE];
    const char *type;
    int worker;  //  WORKERS: of none
    job_status_t status;
    int priority;
    uint64_t order;
    int64_t attempts, attempt;
    time_us_t expires, ready, ended;  //  steady; ready: when it may be taken
    time_us_t since;                  //  when its wait began
    unsigned returned;
    size_t heard;  //  transitions
} model_t;

typedef struct world {
    uint32_t random;
    jobs_rules_t rules;
    jobs_t *jobs;
    worker_t *workers [WORKERS];
    model_t models [JOBS];
    size_t count;
    uint64_t order;
    size_t ends [JOB_STATUS_COUNT], refused, forgotten;
} world_t;

static uint32_t
draw (world_t *world, uint32_t below)
{
    world->random = world->random * 1664525u + 1013904223u;
    return (world->random >> 8) % below;
}

static model_t *
find (world_t *world, const char *id)
{
    for (size_t i = 0; i < world->count; i++) {
        if (strcmp (world->models [i].id, id) == 0) {
            return &world->models [i];
        }
    }
    return NULL;
}

static void
hear (void *argument, const job_t *job, const job_change_t *change)
{
    world_t *world = argument;
    model_t *model = find (world, job->id);

    if (model && change->event != EVENT_JOB_PROGRESS) {
        assert_true (job_status_may_follow (change->old_status, job->status));
        assert_int_equal (model->status, change->old_status);
        model->heard++;
        model->status = job->status;
        world->ends [job->status]++;
    }
}

static void
hear_forgotten (void *argument, const job_t *job)
{
    world_t *world = argument;
    model_t *model = find (world, job->id);

    assert_true (model && job_status_is_over (model->status));
    *model = world->models [--world->count];
    world->forgotten++;
}

static bool
is_open_in_model (const world_t *world, const char *type, int worker)
{
    for (size_t i = 0; i < world->count; i++) {
        const model_t *model = &world->models [i];
        if (model->worker == worker && worker < WORKERS && strcmp (model->type, type) == 0 &&
            !job_status_is_over (model->status)) {
            return true;
        }
    }
    return false;
}

static size_t
count_open (const world_t *world)
{
    size_t open = 0;

    for (size_t i = 0; i < world->count; i++) {
        open += !job_status_is_over (world->models [i].status);
    }
    return open;
}

static void
ask_for_one (world_t *world)
{
    bool is_built_in = draw (world, 3) == 0;
    int worker = (int) draw (world, is_built_in ? WORKERS : WORKERS + 1);
    const char *type = is_built_in ? "worker.pause" : draw (world, 2) ? "build" : "test";
    job_order_t order = order_of (type, worker < WORKERS ? world->workers [worker] : NULL);
    const job_t *job;

    order.priority = (int64_t) draw (world, 5) - 2;
    order.timeout_seconds = 1 + draw (world, 60);
    job_verdict_t wanted = is_built_in && is_open_in_model (world, type, worker)  ? JOB_IS_OPEN
                           : count_open (world) >= (size_t) world->rules.jobs_max ? JOB_TOO_MANY
                                                                                  : JOB_IS_NEW;
    assert_int_equal (jobs_submit (world->jobs, &order, now, &job), wanted);
    if (wanted != JOB_IS_NEW) {
        world->refused++;
        return;
    }
    model_t *model = &world->models [world->count++];
    *model = (model_t){.type = type,
                       .worker = worker,
                       .priority = (int) order.priority,
                       .order = ++world->order,
                       .since = now.steady,
                       .expires = now.steady + world->rules.job_pending_minutes * MINUTE_US};
    memcpy (model->id, job->id, sizeof model->id);
}

//  What is next of a type, searched for.
static model_t *
next_in_model (world_t *world, const char *type)
{
    model_t *best = NULL;

    for (size_t i = 0; i < world->count; i++) {
        model_t *model = &world->models [i];
        if (model->status == JOB_PENDING && model->ready <= now.steady &&
            strcmp (model->type, type) == 0 &&
            (!best || model->priority > best->priority ||
             (model->priority == best->priority && model->order < best->order))) {
            best = model;
        }
    }
    return best;
}

static void
check_next (world_t *world)
{
    static const char *const TYPES [] = {"build", "test", "worker.pause"};

    for (size_t i = 0; i < COUNT (TYPES); i++) {
        const queued_t *first =
            job_queue_first (jobs_queue (world->jobs), TYPES [i], i < 2 ? '*' : 'o', "");
        const model_t *wanted = next_in_model (world, TYPES [i]);
        if ((first == NULL) != (wanted == NULL) ||
            (first && strcmp (first->job->id, wanted->id) != 0)) {
            fail_msg ("%s: %s is next, not %s", TYPES [i], first ? first->job->id : "nobody",
                      wanted ? wanted->id : "nobody");
        }
    }
}

static void
take_one (world_t *world)
{
    const char *type = draw (world, 2) ? "build" : draw (world, 2) ? "test" : "worker.pause";
    model_t *model = next_in_model (world, type);
    const job_t *job = model ? jobs_find (world->jobs, model->id) : NULL;

    if (job) {
        jobs_assign (world->jobs, job, "a", now);
        model->attempts++;
        model->attempt++;
        model->expires = now.steady + job->timeout_seconds * SECOND_US;
    }
}

static void
back_in_model (world_t *world, model_t *model, time_us_t delay)
{
    if (model->status == JOB_PENDING) {
        model->since = now.steady;
        model->expires = now.steady + world->rules.job_pending_minutes * MINUTE_US;
        model->ready = now.steady + delay;
    }
}

static void
lose (world_t *world, model_t *model, const job_t *job)
{
    bool is_last = model->attempts == JOB_ATTEMPTS_MAX;

    jobs_release (world->jobs, job, JOB_LOST, "runner_lost", 0, now);
    assert_int_equal (model->status, is_last ? JOB_FAILED : JOB_PENDING);
    back_in_model (world, model, 0);
}

static void
give_back (world_t *world, model_t *model, const job_t *job)
{
    time_us_t delay = draw (world, 2) * SECOND_US, since = model->since;
    bool unbegun = model->status == JOB_ASSIGNED;

    jobs_release (world->jobs, job, JOB_GIVEN_BACK, "released", delay, now);
    model->attempts--;
    model->returned += unbegun;
    for (unsigned times = 5; times <= model->returned && times <= 10; times++) {
        delay *= 2;
    }
    back_in_model (world, model, delay);
    if (unbegun) {
        model->since = since;
        model->expires = since + world->rules.job_pending_minutes * MINUTE_US;
    }
}

static void
happen_to_one (world_t *world)
{
    model_t *model = world->count ? &world->models [draw (world, (uint32_t) world->count)] : NULL;
    const job_t *job = model ? jobs_find (world->jobs, model->id) : NULL;
    bool is_active = model && job_status_is_active (model->status);
    bool runs = model && model->status == JOB_IN_PROGRESS;

    switch (draw (world, 12)) {
    case 0:
        if (model && !job_status_is_over (model->status) && draw (world, 2)) {
            jobs_cancel (world->jobs, job, "me", NULL, now);
        }
        break;
    case 1:
        if (is_active) {
            lose (world, model, job);
        }
        break;
    case 2:
        if (is_active) {
            give_back (world, model, job);
        }
        break;
    case 3:
        if (runs) {
            jobs_fail (world->jobs, job, "broken", "it broke", now);
        }
        break;
    case 4:
    case 5:
        if (runs) {
            jobs_progress (world->jobs, job, draw (world, 100), NULL, NULL, now);
        }
        break;
    case 6:
    case 7:
        if (runs) {
            jobs_complete (world->jobs, job, NULL, now);
        }
        break;
    default:
        if (model && model->status == JOB_ASSIGNED) {
            jobs_start (world->jobs, job, now);
            model->returned = 0;
        }
        break;
    }
}

//  The deadlines that are over by now, in a plain loop: which jobs they would change, and how.
static void
let_time_pass (world_t *world)
{
    pass (draw (world, 50) == 0 ? 20 * MINUTE_US : (time_us_t) draw (world, 3000) * MS_US);
    size_t changed = 0;
    model_t before [JOBS];
    memcpy (before, world->models, sizeof before);

    jobs_do_due (world->jobs, now);

    for (size_t i = 0; i < world->count; i++) {
        model_t *model = &world->models [i];
        bool is_due = !job_status_is_over (before [i].status) && before [i].expires <= now.steady;
        job_status_t wanted = !is_due                                   ? before [i].status
                              : before [i].status == JOB_PENDING        ? JOB_FAILED
                              : before [i].attempts == JOB_ATTEMPTS_MAX ? JOB_FAILED
                                                                        : JOB_PENDING;
        assert_int_equal (model->status, wanted);
        changed += is_due;
        if (is_due) {
            back_in_model (world, model, 0);
        }
    }
    assert_true (jobs_due_at (world->jobs) > now.steady);
    jobs_trim (world->jobs, now);
}

static void
check_all (world_t *world)
{
    size_t counted = 0;

    for (size_t i = 0; i < world->count; i++) {
        const model_t *model = &world->models [i];
        const job_t *job = jobs_find (world->jobs, model->id);
        assert_non_null (job);  //  none is lost
        assert_int_equal (job->status, model->status);
        assert_int_equal (job->attempts, model->attempts);
        assert_int_equal (job->attempt, model->attempt);
        assert_in_range (job->attempts, 0, JOB_ATTEMPTS_MAX);
    }
    for (const job_t *job = jobs_newest (world->jobs); job; job = jobs_older (job)) {
        counted++;
        const job_t *older = jobs_older (job);
        assert_true (!older || older->created_at <= job->created_at);
    }
    assert_int_equal (counted, world->count);  //  and none is there twice
    assert_int_equal (jobs_open (world->jobs), count_open (world));
}

static void
any_life_is_as_the_model_says (void **state)
{
    (void) state;
    world_t world = {.random = SEED, .rules = RULES};

    world.rules.jobs_max = 30;
    world.rules.jobs_keep = 20;
    now = (moment_t){.wall = AT (0), .steady = 0};
    owner_of_all = "";
    world.jobs = jobs_new (&world.rules, &(jobs_listener_t){hear, hear_forgotten, owner, &world});
    for (int i = 0; i < WORKERS; i++) {
        world.workers [i] = worker_that_runs (i, SERVICE_AVAILABLE);
    }
    for (int step = 0; step < STEPS; step++) {
        switch (draw (&world, 8)) {
        case 0:
        case 1: ask_for_one (&world); break;
        case 2: take_one (&world); break;
        case 3: let_time_pass (&world); break;
        default: happen_to_one (&world); break;
        }
        check_next (&world);
        if (step % 64 == 0) {
            check_all (&world);
        }
        if (world.count > JOBS - 2) {
            jobs_trim (world.jobs, now);
        }
    }
    //  It was no quiet life.
    assert_true (world.ends [JOB_COMPLETED] > 500 && world.ends [JOB_FAILED] > 1000 &&
                 world.ends [JOB_CANCELLED] > 1000 && world.refused > 100 &&
                 world.forgotten > 1000 && world.ends [JOB_PENDING] > 1000);

    for (int i = 0; i < WORKERS; i++) {
        worker_destroy (&world.workers [i]);
    }
    jobs_destroy (&world.jobs);
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {cmocka_unit_test (any_life_is_as_the_model_says)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
