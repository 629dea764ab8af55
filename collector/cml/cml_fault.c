// SPDX-License-Identifier: MIT

#include "cml_fault.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define ERROR_BODY_MAX ((size_t) 64 * 1024)

static const struct {
    const char *code;
    const char *outcome;
    bool ends_round;
} ROWS [] = {
#define ROW(symbol, code, outcome, ends) [CML_##symbol] = {code, outcome, ends},
    CML_FAULTS (ROW)
#undef ROW
};

const char *
cml_fault_code (cml_fault_t fault)
{
    return ROWS [fault].code;
}

const char *
cml_fault_outcome (cml_fault_t fault)
{
    return ROWS [fault].outcome;
}

bool
cml_fault_ends_round (cml_fault_t fault)
{
    return ROWS [fault].ends_round;
}

static const cml_fault_t OF_OUTCOME [] = {
    [HTTP_ANSWERED] = CML_OK,         [HTTP_UNREACHABLE] = CML_UNREACHABLE,
    [HTTP_TIMED_OUT] = CML_TIMEOUT,   [HTTP_TLS_REFUSED] = CML_TLS,
    [HTTP_TOO_LARGE] = CML_TOO_LARGE, [HTTP_BROKEN] = CML_HTTP,
};

static const struct {
    int status;
    cml_fault_t fault;
} OF_STATUS [] = {
    {200, CML_OK},       {401, CML_TOKEN},    {403, CML_DENIED},   {404, CML_MISSING},
    {502, CML_STARTING}, {503, CML_STARTING}, {504, CML_STARTING},
};

static cml_fault_t
of_status (int status)
{
    for (size_t i = 0; i < sizeof OF_STATUS / sizeof *OF_STATUS; i++) {
        if (OF_STATUS [i].status == status) {
            return OF_STATUS [i].fault;
        }
    }
    return CML_HTTP;
}

static bool
is_html (const http_answer_t *answer)
{
    const char *text = answer->body + strspn (answer->body, " \t\r\n");
    return strncasecmp (answer->content_type, "text/html", strlen ("text/html")) == 0 ||
           *text == '<';
}

//  CML's own words for an error: {"code":…,"description":"…"}.
static void
explain_status (const http_answer_t *answer, const char *url, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    const char *words = NULL;

    if (json_parse (&json, answer->body, answer->size, ERROR_BODY_MAX, NULL) == 0) {
        words = json_get_text (json, "description");
    }
    reason_set (why, CML_REASON, "%s answered %d%s%.160s", url, answer->status, words ? ": " : "",
                words ? words : "");
}

static cml_fault_t
read_body (const http_answer_t *answer, const char *url, enum json_type type,
           struct json_object **json_p, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    reason_t fault = {0};

    if (is_html (answer)) {
        reason_set (why, CML_REASON, "%s answered a page of HTML (%zu bytes), not JSON", url,
                    answer->size);
        return CML_PAGE;
    }
    if (json_parse (&json, answer->body, answer->size, SIZE_MAX, &fault) < 0) {
        reason_set (why, CML_REASON, "%s: %zu bytes that are not JSON, or cut: %.200s", url,
                    answer->size, fault.text);
        return CML_JSON;
    }
    if (!json_object_is_type (json, type)) {
        reason_set (why, CML_REASON, "%s answered JSON of type %s, not %s", url,
                    json_type_to_name (json_object_get_type (json)), json_type_to_name (type));
        return CML_JSON;
    }
    *json_p = take_ptr (json);
    return CML_OK;
}

cml_fault_t
cml_fault_of (const http_answer_t *answer, const char *url, enum json_type type,
              struct json_object **json_p, reason_t *why)
{
    cml_fault_t fault = OF_OUTCOME [answer->outcome];
    if (fault != CML_OK) {
        reason_set (why, CML_REASON, "%s: %.240s", url, answer->why.text);
        return fault;
    }
    fault = of_status (answer->status);
    if (fault != CML_OK) {
        explain_status (answer, url, why);
        return fault;
    }
    return read_body (answer, url, type, json_p, why);
}
