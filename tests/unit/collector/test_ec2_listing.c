#include "../../../collector/ec2/ec2_listing.h"

#include "../../../collector/ec2/ec2_images.h"
#include "../../../common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define RECEIVED ((time_us_t) 1795000000 * SECOND_US)

//  As EC2 writes it, with what is there beside what we read.
static const char ONE_INSTANCE [] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">"
    "<requestId>r</requestId><reservationSet><item><reservationId>r-1</reservationId><groupSet/>"
    "<instancesSet><item>"
    "<networkInterfaceSet><item><privateIpAddress>10.9.9.9</privateIpAddress>"
    "<tagSet><item><key>Name</key><value>interface</value></item></tagSet>"
    "<instanceId>i-wrong</instanceId></item></networkInterfaceSet>"
    "<instanceId>i-0abc</instanceId><imageId>ami-1</imageId>"
    "<instanceState><code>272</code><name>running</name></instanceState>"
    "<reason/><instanceType>m5zn.metal</instanceType>"
    "<launchTime>2026-11-20T09:00:00.000Z</launchTime>"
    "<placement><availabilityZone>us-east-1a</availabilityZone><groupName/></placement>"
    "<monitoring><state>enabled</state></monitoring>"
    "<privateIpAddress>10.0.0.5</privateIpAddress><ipAddress>203.0.113.7</ipAddress>"
    "<stateReason><code>c</code><message>why</message></stateReason>"
    "<aThingOfTheFuture><state>x</state><instanceId>i-no</instanceId></aThingOfTheFuture>"
    "<tagSet><item><value>worker-1</value><key>Name</key></item>"
    "<item><key>Team</key><value/></item></tagSet>"
    "</item></instancesSet></item></reservationSet><nextToken>t2</nextToken>"
    "</DescribeInstancesResponse>";

static int
read_instances (ec2_listing_t *listing, const char *text)
{
    int rc = xml_read (text, strlen (text), "DescribeInstancesResponse", EC2_INSTANCES_RULES,
                       listing, NULL);
    ec2_listing_stamp (listing, RECEIVED);
    return rc;
}

static int
read_statuses (ec2_listing_t *listing, const char *text)
{
    return xml_read (text, strlen (text), "DescribeInstanceStatusResponse", EC2_STATUS_RULES,
                     listing, NULL);
}

static void
instance_is_observed_as_the_wire_names_it (void **state)
{
    (void) state;
    _cleanup_ (ec2_listing_clear) ec2_listing_t listing = {0};
    observation_t observation;
    observation_init (&observation, EVENT_INSTANCE_OBSERVED);

    assert_int_equal (read_instances (&listing, ONE_INSTANCE), 0);
    assert_int_equal (listing.count, 1);
    ec2_instance_observe (&listing.rows [0], &observation.instance_observed);

    const instance_observed_t *seen = &observation.instance_observed;
    assert_string_equal (seen->instance_id, "i-0abc");
    assert_string_equal (seen->state, "running");
    assert_string_equal (seen->state_reason, "why");
    assert_string_equal (seen->availability_zone, "us-east-1a");
    assert_int_equal (seen->detailed_monitoring, FLAG_YES);
    assert_true (seen->launch_time != TIME_UNKNOWN);
    assert_int_equal (listing.rows [0].observed, RECEIVED);
}

static void
addresses_and_tags_of_a_network_interface_are_not_the_instances (void **state)
{
    (void) state;
    _cleanup_ (ec2_listing_clear) ec2_listing_t listing = {0};

    read_instances (&listing, ONE_INSTANCE);

    assert_string_equal (listing.rows [0].private_ip, "10.0.0.5");
    assert_string_equal (listing.rows [0].public_ip, "203.0.113.7");
    assert_string_equal (listing.rows [0].name, "worker-1");
    assert_string_equal (json_get_text (listing.rows [0].tags, "Team"), "");
}

static void
empty_set_is_a_complete_listing_of_nothing (void **state)
{
    (void) state;
    _cleanup_ (ec2_listing_clear) ec2_listing_t listing = {0};

    assert_int_equal (read_instances (&listing, "<DescribeInstancesResponse><reservationSet/>"
                                                "<nextToken/></DescribeInstancesResponse>"),
                      0);

    assert_int_equal (listing.count, 0);
}

static void
absent_and_empty_members_are_unknown (void **state)
{
    (void) state;
    _cleanup_ (ec2_listing_clear) ec2_listing_t listing = {0};
    observation_t observation;
    observation_init (&observation, EVENT_INSTANCE_OBSERVED);

    read_instances (&listing,
                    "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
                    "<instanceId>i-1</instanceId><ipAddress/></item></instancesSet></item>"
                    "</reservationSet></DescribeInstancesResponse>");
    ec2_instance_observe (&listing.rows [0], &observation.instance_observed);

    assert_null (observation.instance_observed.public_ip);
    assert_null (observation.instance_observed.state);
    assert_null (observation.instance_observed.tags.tree);
    assert_int_equal (observation.instance_observed.detailed_monitoring, FLAG_UNKNOWN);
    assert_true (observation.instance_observed.launch_time == TIME_UNKNOWN);
}

static void
item_without_an_id_is_passed_over (void **state)
{
    (void) state;
    _cleanup_ (ec2_listing_clear) ec2_listing_t listing = {0};

    read_instances (&listing,
                    "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
                    "<imageId>ami-1</imageId></item></instancesSet></item></reservationSet>"
                    "</DescribeInstancesResponse>");

    assert_int_equal (listing.count, 0);
}

static void
text_longer_than_an_observation_holds_is_cut_between_characters (void **state)
{
    (void) state;
    _cleanup_ (ec2_listing_clear) ec2_listing_t listing = {0};
    char text [1024];
    int size = snprintf (text, sizeof text,
                         "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>"
                         "<instanceId>i-1</instanceId><instanceType>");
    for (int i = 0; i < 40; i++) {
        size += snprintf (text + size, sizeof text - (size_t) size, "\xc3\xa4");
    }
    snprintf (text + size, sizeof text - (size_t) size,
              "</instanceType></item></instancesSet></item></reservationSet>"
              "</DescribeInstancesResponse>");

    assert_int_equal (read_instances (&listing, text), 0);

    assert_int_equal (strlen (listing.rows [0].instance_type), 62);
}

static void
status_goes_to_its_instance_whatever_the_order_of_elements (void **state)
{
    (void) state;
    _cleanup_ (ec2_listing_clear) ec2_listing_t listing = {0};
    read_instances (&listing, ONE_INSTANCE);
    assert_int_equal (ec2_listing_index (&listing), 0);

    int rc = read_statuses (
        &listing, "<DescribeInstanceStatusResponse><instanceStatusSet>"
                  "<item><instanceId>i-stranger</instanceId><systemStatus><status>ok</status>"
                  "</systemStatus></item>"
                  "<item><systemStatus><status>impaired</status><details><item>"
                  "<name>reachability</name><status>failed</status></item></details></systemStatus>"
                  "<instanceStatus><status>initializing</status></instanceStatus>"
                  "<instanceId>i-0abc</instanceId></item>"
                  "</instanceStatusSet></DescribeInstanceStatusResponse>");

    assert_int_equal (rc, 0);
    assert_string_equal (listing.rows [0].system_status, "impaired");
    assert_string_equal (listing.rows [0].instance_status, "initializing");
}

static void
cut_listing_is_a_failure_not_a_shorter_fleet (void **state)
{
    (void) state;
    _cleanup_ (ec2_listing_clear) ec2_listing_t listing = {0};
    reason_t why = {0};

    int rc = xml_read (ONE_INSTANCE, sizeof ONE_INSTANCE - 30, "DescribeInstancesResponse",
                       EC2_INSTANCES_RULES, &listing, &why);

    assert_int_equal (rc, -EBADMSG);
    assert_non_null (strstr (why.text, "at byte"));
}

//  --- images

static void
read_image (ec2_images_t *images, const char *id)
{
    char text [512];

    int size = snprintf (text, sizeof text,
                         "<DescribeImagesResponse><imagesSet><item><imageId>%s</imageId>"
                         "<name>cml-2.9</name><description/>"
                         "<creationDate>2026-01-02T03:04:05.000Z</creationDate></item></imagesSet>"
                         "</DescribeImagesResponse>",
                         id);
    assert_int_equal (
        xml_read (text, (size_t) size, "DescribeImagesResponse", EC2_IMAGES_RULES, images, NULL),
        0);
}

static void
image_is_asked_for_once_and_then_known (void **state)
{
    (void) state;
    _cleanup_ (ec2_images_destroy) ec2_images_t *images = ec2_images_new ();
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    observation_t observation;
    observation_init (&observation, EVENT_INSTANCE_OBSERVED);
    ec2_images_want (images, "ami-1");
    ec2_images_want (images, "ami-1");
    ec2_images_want (images, NULL);

    assert_int_equal (ec2_images_write_question (images, &fields, 0), 1);
    assert_string_equal (fields.data, "ImageId.1=ami-1");
    read_image (images, "ami-1");
    observation.instance_observed.image_id = "ami-1";
    ec2_images_observe (images, &observation.instance_observed);

    assert_string_equal (observation.instance_observed.image_name, "cml-2.9");
    assert_null (observation.instance_observed.image_description);
    assert_true (observation.instance_observed.image_creation_date != TIME_UNKNOWN);
    assert_int_equal (ec2_images_write_question (images, &fields, HOUR_US), 0);
}

static void
image_that_spoils_its_batch_is_asked_for_alone_and_seldom (void **state)
{
    (void) state;
    _cleanup_ (ec2_images_destroy) ec2_images_t *images = ec2_images_new ();
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    ec2_images_want (images, "ami-good");
    ec2_images_want (images, "ami-bad");

    assert_int_equal (ec2_images_write_question (images, &fields, 0), 2);
    assert_int_equal (ec2_images_write_question (images, &fields, SECOND_US), 1);
    assert_int_equal (ec2_images_write_question (images, &fields, 2 * SECOND_US), 1);
    read_image (images, "ami-good");

    assert_int_equal (ec2_images_write_question (images, &fields, MINUTE_US), 0);
    assert_int_equal (
        ec2_images_write_question (images, &fields, EC2_IMAGES_AGAIN_AFTER + MINUTE_US), 1);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (instance_is_observed_as_the_wire_names_it),
        cmocka_unit_test (addresses_and_tags_of_a_network_interface_are_not_the_instances),
        cmocka_unit_test (empty_set_is_a_complete_listing_of_nothing),
        cmocka_unit_test (absent_and_empty_members_are_unknown),
        cmocka_unit_test (item_without_an_id_is_passed_over),
        cmocka_unit_test (text_longer_than_an_observation_holds_is_cut_between_characters),
        cmocka_unit_test (status_goes_to_its_instance_whatever_the_order_of_elements),
        cmocka_unit_test (cut_listing_is_a_failure_not_a_shorter_fleet),
        cmocka_unit_test (image_is_asked_for_once_and_then_known),
        cmocka_unit_test (image_that_spoils_its_batch_is_asked_for_alone_and_seldom),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
