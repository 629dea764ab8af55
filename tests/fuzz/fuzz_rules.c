//  What an operator writes for the aggregator, by the first line: `rules` (the alerts' file), `when` (one
//  condition), `prices` (their file), `list` (the same in the setting itself), `order` (whose load counts).
//  What is refused is said why; what is taken can be judged by, and is read the same when it is written again.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../aggregator/alert_rules.h"
#include "../../aggregator/prices.h"
#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATH_SIZE 40
#define TOLD_AT   ((time_us_t) 1700000000 * SECOND_US)

static struct {
    worker_t *unknown, *busy;
    char path [PATH_SIZE];
    int fd;
} world = {.fd = -1};

static void
tell (event_type_t type, const char *data)
{
    _cleanup_ (buffer_clear) buffer_t message = {0};
    observation_t said;
    reason_t why = {""};

    envelope_write (&message, type, "/collector/any/fuzz", "0badcafe", 1, "us-east-1/i-1", TOLD_AT,
                    NULL, data, strlen (data));
    CHECK (observation_decode (&said, message.data, message.size, 1 << 16, &why) == 0);
    if (type == EVENT_INSTANCE_OBSERVED) {
        worker_update_ec2 (world.busy, &said.instance_observed, TOLD_AT);
    } else if (type == EVENT_SYSTEM_OBSERVED) {
        worker_update_cml (world.busy, &said.system_observed, TOLD_AT);
    } else {
        worker_update_cloudwatch (world.busy, &said.utilization_observed, TOLD_AT);
    }
    observation_clear (&said);
}

static void
start (void)
{
    world.fd = memfd_create ("fuzz", 0);
    CHECK (world.fd >= 0);
    snprintf (world.path, sizeof world.path, "/proc/self/fd/%d", world.fd);
    world.unknown = worker_new ("us-east-1", "i-0", 0);
    world.busy = worker_new ("us-east-1", "i-1", 0);
    CHECK (world.unknown && world.busy);
    tell (EVENT_INSTANCE_OBSERVED, "{\"instance_id\":\"i-1\",\"region\":\"us-east-1\","
                                   "\"name\":\"exam-1\",\"state\":\"running\"}");
    tell (EVENT_UTILIZATION_OBSERVED, "{\"cpu_percent\":95}");
    tell (EVENT_SYSTEM_OBSERVED, "{\"reachable\":true,\"ready\":true,\"cml_version\":\"2.8\"}");
}

static const char *
in_file (const char *text)
{
    CHECK (ftruncate (world.fd, 0) == 0);
    CHECK (pwrite (world.fd, text, strlen (text), 0) == (ssize_t) strlen (text));
    return world.path;
}

//  --- conditions and rules

static bool
judge (const condition_t *when, const worker_t *worker)
{
    _cleanup_ (buffer_clear) buffer_t out = {0};
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    json_writer_t json = json_writer (&out);
    condition_facts_t facts = condition_facts (worker);
    reason_t why = {""};

    json_open_array (&json);
    condition_write_value (when, &facts, &json);
    condition_write_threshold (when, &json);
    json_close_array (&json);
    CHECK (json_parse (&tree, out.data, out.size, out.size, &why) == 0);
    CHECK (json_object_array_length (tree) == 2);
    return condition_holds (when, &facts);
}

static void
check_condition (const condition_t *when)
{
    const char *text = condition_text (when);
    reason_t why = {""};
    _cleanup_ (condition_destroy) condition_t *again = condition_parse (text, &why);

    CHECK (again && strcmp (condition_text (again), text) == 0);
    CHECK (strcmp (condition_subject (again), condition_subject (when)) == 0);
    CHECK (judge (when, world.unknown) == judge (again, world.unknown));
    CHECK (judge (when, world.busy) == judge (again, world.busy));
}

static void
check_rule (const alert_rules_t *rules, size_t at)
{
    const alert_rule_t *rule = &rules->rows [at];
    char words [CONDITION_BYTES_MAX + 100];

    CHECK (alert_rules_find (rules, rule->name) == at && rule->when && rule->name [0]);
    CHECK (rule->for_seconds >= 0 && rule->for_seconds <= ALERT_SECONDS_MAX);
    CHECK (rule->clear_seconds >= 0 && rule->clear_seconds <= ALERT_SECONDS_MAX);
    CHECK (rule->at_least >= 0 && rule->at_least <= ALERT_AT_LEAST_MAX);
    CHECK (alert_severity_name (rule->severity));
    alert_rule_words (rule, words, sizeof words);
    CHECK (strstr (words, condition_text (rule->when)));
    check_condition (rule->when);
}

static void
try_rules (const char *text)
{
    reason_t why = {""};
    _cleanup_ (alert_rules_destroy) alert_rules_t *rules = alert_rules_new (in_file (text), &why);

    CHECK (rules || strstr (why.text, world.path));
    for (size_t i = 0; rules && i < rules->count; i++) {
        check_rule (rules, i);
    }
    CHECK (!rules || alert_rules_find (rules, "no such") == rules->count);
}

static void
try_condition (const char *text)
{
    reason_t why = {""};
    _cleanup_ (condition_destroy) condition_t *when = condition_parse (text, &why);

    CHECK (when || why.text [0]);
    if (when) {
        check_condition (when);
    }
}

//  --- prices

static bool
is_price (double usd)
{
    return isnan (usd) || (usd >= 0 && usd <= PRICE_MOST_USD);
}

static void
check_prices (const prices_t *prices, const reason_t *why)
{
    CHECK (prices || why->text [0]);
    if (prices) {
        CHECK (prices_count (prices) <= PRICES_MAX && isnan (prices_of (prices, "a", NULL)));
        CHECK (is_price (prices_of (prices, "us-east-1", "m5.large")));
        CHECK (is_price (prices_of (prices, "", "m5.large")));
    }
}

//  As the setting and as a file, an entry a line, it is the same.
static void
try_list (char *list)
{
    reason_t why = {""}, other = {""};

    if (!strchr (list, '=') || strpbrk (list, "#\n")) {
        return;
    }
    _cleanup_ (prices_destroy) prices_t *prices = prices_read (list, &why);
    check_prices (prices, &why);
    for (char *at = list; (at = strchr (at, ',')); at++) {
        *at = '\n';
    }
    _cleanup_ (prices_destroy) prices_t *lines = prices_read (in_file (list), &other);
    check_prices (lines, &other);
    CHECK (!prices == !lines);
    CHECK (!prices || prices_count (prices) == prices_count (lines));
}

static void
try_prices (const char *text)
{
    reason_t why = {""};
    _cleanup_ (prices_destroy) prices_t *prices = prices_read (in_file (text), &why);

    check_prices (prices, &why);
    CHECK (prices || strstr (why.text, world.path));
}

//  --- whose load counts

static void
try_order (const char *text)
{
    load_order_t order, before;
    reason_t why = {""};

    memset (&order, 0x55, sizeof order);
    before = order;
    if (load_order_parse (&order, text, &why) < 0) {
        CHECK (why.text [0] && memcmp (&order, &before, sizeof order) == 0);
        return;
    }
    CHECK (order.count > 0 && order.count <= LOAD_ORDER_MAX);
    for (size_t i = 0; i < order.count; i++) {
        CHECK (order.kinds [i][0] && load_order_names (&order, order.kinds [i]));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);
    char *rest = text;
    const char *kind = strsep (&rest, "\n");

    if (world.fd < 0) {
        start ();
    }
    rest = rest ? rest : text + strlen (text);
    if (strcmp (kind, "rules") == 0) {
        try_rules (rest);
    } else if (strcmp (kind, "when") == 0) {
        try_condition (rest);
    } else if (strcmp (kind, "prices") == 0) {
        try_prices (rest);
    } else if (strcmp (kind, "list") == 0) {
        try_list (rest);
    } else if (strcmp (kind, "order") == 0) {
        try_order (rest);
    }
    return 0;
}
