//  Memory that was freed in the middle of the heap goes back to the system.

#include "../../../common/heap.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>  //  needs the three above it

#define BLOCKS      40000
#define BLOCK_BYTES 2000
#define KEPT_EVERY  1000

//  A sanitizer's allocator keeps no free memory that could be given back.
#ifdef __SANITIZE_ADDRESS__
#define IS_GLIBC 0
#else
#define IS_GLIBC 1
#endif

static size_t
resident_pages (void)
{
    unsigned long all = 0, resident = 0;
    FILE *file = fopen ("/proc/self/statm", "re");

    assert_non_null (file);
    assert_int_equal (fscanf (file, "%lu %lu", &all, &resident), 2);
    fclose (file);
    return resident;
}

static char *blocks [BLOCKS];

static void *
allocate (void *argument)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks [i] = malloc (BLOCK_BYTES);
        assert_non_null (blocks [i]);
        memset (blocks [i], 1, BLOCK_BYTES);
    }
    return argument;
}

//  But for some, that lie between the others.
static void
free_most (void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % KEPT_EVERY != KEPT_EVERY - 1) {
            free (blocks [i]);
        }
    }
}

static void
free_the_rest (void)
{
    for (size_t i = KEPT_EVERY - 1; i < BLOCKS; i += KEPT_EVERY) {
        assert_int_equal (*blocks [i], 1);
        free (blocks [i]);
    }
}

static void
assert_most_goes_back (void)
{
    size_t page = (size_t) sysconf (_SC_PAGESIZE), before = resident_pages ();
    bool gave = heap_give_back ();

    if (IS_GLIBC) {
        assert_true (gave);
        assert_true (before - resident_pages () > BLOCKS / 2 * BLOCK_BYTES / page);
        assert_false (heap_give_back ());  //  and then there is no more
    }
}

static void
much_that_was_freed_goes_back_to_the_system_though_some_between_is_kept (void **state)
{
    (void) state;
    allocate (NULL);
    free_most ();

    assert_most_goes_back ();
    free_the_rest ();
}

//  As libzmq's does with messages, which we free.
static void
what_another_thread_allocated_goes_back_as_well (void **state)
{
    pthread_t thread;

    (void) state;
    assert_int_equal (pthread_create (&thread, NULL, allocate, NULL), 0);
    assert_int_equal (pthread_join (thread, NULL), 0);
    free_most ();

    assert_most_goes_back ();
    free_the_rest ();
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (much_that_was_freed_goes_back_to_the_system_though_some_between_is_kept),
        cmocka_unit_test (what_another_thread_allocated_goes_back_as_well)};

    return cmocka_run_group_tests (tests, NULL, NULL);
}
