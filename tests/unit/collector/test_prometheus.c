#include "../../../collector/prometheus/prometheus.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>  //  needs the three above it

#define CPU(idle, user)                                           \
    "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} " #idle "\n" \
    "node_cpu_seconds_total{cpu=\"0\",mode=\"user\"} " #user "\n"

static bool
is_near (double value, double wanted)
{
    return fabs (value - wanted) < 1e-6;
}

static void
load_is_read_out_of_an_exporters_page (void **state)
{
    (void) state;
    static const char PAGE [] =
        "# HELP node_memory_MemTotal_bytes Memory information field MemTotal_bytes.\n"
        "# TYPE node_memory_MemTotal_bytes gauge\n"
        "node_memory_MemTotal_bytes 1.6e+10\n"
        "node_memory_MemTotal_bytes_other 7\n"
        "node_memory_MemAvailable_bytes 4e+09\n"
        "node_filesystem_size_bytes{device=\"/dev/a\",fstype=\"ext4\",mountpoint=\"/boot\"} 100\n"
        "node_filesystem_size_bytes{device=\"/dev/b\",fstype=\"ext4\",mountpoint=\"/\"} 200\n"
        "node_filesystem_avail_bytes{device=\"/dev/b\",fstype=\"ext4\",mountpoint=\"/\"} 150 "
        "1700000000000\n"
        "node_filesystem_avail_bytes{device=\"}\",fstype=\"ext4\",mountpoint=\"/boot\"} 1\n" CPU (
            30, 10);
    prometheus_load_t load = prometheus_read (PAGE, "/");

    assert_true (is_near (load.memory_percent, 75));
    assert_true (is_near (load.storage_percent, 25));
    assert_true (is_near (load.cpu_idle, 30));
    assert_true (is_near (load.cpu_all, 40));
}

static void
use_of_cpus_is_that_of_the_time_between_two_readings (void **state)
{
    (void) state;
    prometheus_load_t before = prometheus_read (CPU (100, 50), "/");
    prometheus_load_t now = prometheus_read (CPU (106, 54), "/");
    prometheus_load_t anew = prometheus_read (CPU (1, 1), "/");

    assert_true (is_near (prometheus_cpu_percent (&before, &now), 40));
    assert_true (isnan (prometheus_cpu_percent (&now, &anew)));
    assert_true (isnan (prometheus_cpu_percent (&now, &now)));
}

static void
what_is_not_there_or_no_number_is_unknown (void **state)
{
    (void) state;
    static const char *const PAGES [] = {
        "",
        "\n\n",
        "node_memory_MemTotal_bytes NaN\nnode_memory_MemAvailable_bytes 1\n",
        "node_memory_MemTotal_bytes +Inf\nnode_memory_MemAvailable_bytes 1\n",
        "node_memory_MemTotal_bytes 5\nnode_memory_MemAvailable_bytes 7\n",
        "node_memory_MemTotal_bytes\nnode_memory_MemAvailable_bytes 1",
        "node_memory_MemTotal_bytes{ 5\nnode_memory_MemAvailable_bytes} 1",
        "node_filesystem_size_bytes{xmountpoint=\"/\"} "
        "5\nnode_filesystem_avail_bytes{mountpoint=\"/\"} 1\n",
        "node_cpu_seconds_total{mode=\"idle\"",
        "<html>no such page</html>",
    };

    for (size_t i = 0; i < sizeof PAGES / sizeof *PAGES; i++) {
        prometheus_load_t load = prometheus_read (PAGES [i], "/");
        assert_true (isnan (load.memory_percent) && isnan (load.storage_percent));
        assert_true (isnan (prometheus_cpu_percent (&load, &load)));
    }
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (load_is_read_out_of_an_exporters_page),
        cmocka_unit_test (use_of_cpus_is_that_of_the_time_between_two_readings),
        cmocka_unit_test (what_is_not_there_or_no_number_is_unknown),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
