//  The head of a request: what is refused before anything of it is looked at.

#include "../../../gateway/request_check.h"

#include "gateway_rig.h"

#include <errno.h>

#define PAIR(kind, name, value)                                               \
    {                                                                         \
        MHD_##kind##_KIND, name, sizeof (name) - 1, value, sizeof (value) - 1 \
    }
#define HOST PAIR (HEADER, "Host", "x")

typedef struct pair {
    enum MHD_ValueKind kind;
    const char *name;
    size_t name_size;
    const char *value;
    size_t value_size;
} pair_t;

struct MHD_Connection {
    pair_t pairs [4];
};

//  Stands before the library's: what it has parsed is the test's to say.
int
MHD_get_connection_values_n (struct MHD_Connection *self, enum MHD_ValueKind kind,
                             MHD_KeyValueIteratorN each, void *argument)
{
    int count = 0;

    for (const pair_t *pair = self->pairs; pair < self->pairs + COUNT (self->pairs) && pair->name;
         pair++) {
        if (pair->kind == kind) {
            count++;
            if (each (argument, kind, pair->name, pair->name_size, pair->value, pair->value_size) ==
                MHD_NO) {
                return count;
            }
        }
    }
    return count;
}

static void
head_that_two_readers_would_understand_alike_is_taken (void **state)
{
    (void) state;
    struct MHD_Connection rows [] = {
        {{HOST}},
        {{HOST, PAIR (HEADER, "Content-Length", "5"), PAIR (HEADER, "X-a_b.c~1", "any thing\t")}},
        {{HOST, PAIR (HEADER, "Transfer-Encoding", "Chunked")}},
        {{HOST, PAIR (GET_ARGUMENT, "client", "wall 3"), PAIR (GET_ARGUMENT, "", "")}}};

    for (size_t i = 0; i < COUNT (rows); i++) {
        assert_int_equal (request_check (&rows [i], "HTTP/1.1", NULL), 0);
    }
    assert_int_equal (request_check (&(struct MHD_Connection){0}, "HTTP/1.0", NULL), 0);
}

static void
head_that_would_be_understood_in_two_ways_is_refused (void **state)
{
    (void) state;
    struct {
        struct MHD_Connection head;
        const char *says;
    } rows [] = {
        {{{{0}}}, "one Host"},
        {{{HOST, PAIR (HEADER, "host", "y")}}, "one Host"},
        {{{HOST, PAIR (HEADER, "Content-Length", "2"), PAIR (HEADER, "content-length", "2")}},
         "one length"},
        {{{HOST, PAIR (HEADER, "Content-Length", "2"),
           PAIR (HEADER, "Transfer-Encoding", "chunked")}},
         "one length"},
        {{{HOST, PAIR (HEADER, "Transfer-Encoding", "chunked, chunked")}}, "chunked"},
        {{{HOST, PAIR (HEADER, "Transfer-Encoding", "identity")}}, "chunked"},
        {{{HOST, PAIR (HEADER, "X ", "y")}}, "one word"},
        {{{HOST, PAIR (HEADER, "X\0Y", "y")}}, "one word"},
        {{{HOST, PAIR (HEADER, "", "y")}}, "one word"},
        {{{HOST, PAIR (HEADER, "X", "a\0b")}}, "NUL"},
        {{{HOST, PAIR (HEADER, "X", "a\rY: b")}}, "line's end"},
        {{{HOST, PAIR (GET_ARGUMENT, "region", "a\0b")}}, "parameter"},
        {{{HOST, PAIR (GET_ARGUMENT, "reg\0ion", "a")}}, "parameter"}};

    for (size_t i = 0; i < COUNT (rows); i++) {
        reason_t why = {""};
        assert_int_equal (request_check (&rows [i].head, "HTTP/1.1", &why), -EINVAL);
        if (!strstr (why.text, rows [i].says)) {
            fail_msg ("row %zu says '%s', not '%s'", i, why.text, rows [i].says);
        }
    }
}

static void
another_version_is_refused (void **state)
{
    (void) state;
    struct MHD_Connection head = {{HOST}};

    assert_int_equal (request_check (&head, "HTTP/2.0", NULL), -EINVAL);
    assert_int_equal (request_check (&head, "", NULL), -EINVAL);
}

static void
escapes_are_undone_but_a_nul_and_what_is_none (void **state)
{
    (void) state;
    static const struct {
        const char *text, *wanted;
    } ROWS [] = {
        {"", ""},       {"/api", "/api"}, {"%2Fa%2fb", "/a/b"}, {"a%00b", "a%00b"},
        {"%", "%"},     {"a%4", "a%4"},   {"%zz%41", "%zzA"},   {"%e2%82%ac", "\xe2\x82\xac"},
        {"%%41", "%A"}, {"%2541", "%41"}, {"a+b", "a+b"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        char text [32];
        snprintf (text, sizeof text, "%s", ROWS [i].text);
        assert_int_equal (request_unescape (NULL, NULL, text), strlen (ROWS [i].wanted));
        assert_string_equal (text, ROWS [i].wanted);
    }
}

static void
path_is_that_of_the_origin_whatever_the_form (void **state)
{
    (void) state;
    static const struct {
        const char *target, *path;
    } ROWS [] = {{"/", "/"},
                 {"/api/workers", "/api/workers"},
                 {"//x/y", "//x/y"},
                 {"/a http://b", "/a http://b"},
                 {"http://h", "/"},
                 {"http://h/", "/"},
                 {"HTTPS://h:8443/api/state", "/api/state"},
                 {"http:///x", "/x"},
                 {"*", "*"},
                 {"h:443", "h:443"},
                 {"ftp://h/x", "ftp://h/x"},
                 {"", ""}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        assert_string_equal (request_path (ROWS [i].target), ROWS [i].path);
    }
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (head_that_two_readers_would_understand_alike_is_taken),
        cmocka_unit_test (head_that_would_be_understood_in_two_ways_is_refused),
        cmocka_unit_test (another_version_is_refused),
        cmocka_unit_test (escapes_are_undone_but_a_nul_and_what_is_none),
        cmocka_unit_test (path_is_that_of_the_origin_whatever_the_form)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
