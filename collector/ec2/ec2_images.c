// SPDX-License-Identifier: MIT

#include "ec2_images.h"

#include "../../common/cleanup.h"
#include "../../common/url.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGES_MAX 10000  //  kept; a fleet runs a handful

typedef struct image {
    char id [64];
    char name [256];
    char description [512];
    time_us_t created;
    bool known;
    int asked;
    time_us_t asked_at;  //  steady
} image_t;

struct ec2_images {
    zhashx_t *images;  //  by id
    image_t row;       //  being read
};

static void
image_destroy (void **item_p)
{
    free (*item_p);
    *item_p = NULL;
}

ec2_images_t *
ec2_images_new (void)
{
    ec2_images_t *self = calloc (1, sizeof *self);
    if (self) {
        self->images = zhashx_new ();
        zhashx_set_destructor (self->images, image_destroy);
    }
    return self;
}

void
ec2_images_destroy (ec2_images_t **self_p)
{
    assert (self_p);

    ec2_images_t *self = *self_p;
    if (self) {
        zhashx_destroy (&self->images);
        free (self);
        *self_p = NULL;
    }
}

void
ec2_images_want (ec2_images_t *self, const char *image_id)
{
    if (!image_id || zhashx_lookup (self->images, image_id) ||
        zhashx_size (self->images) >= IMAGES_MAX) {
        return;
    }
    image_t *image = calloc (1, sizeof *image);
    if (image) {
        snprintf (image->id, sizeof image->id, "%s", image_id);
        image->created = TIME_UNKNOWN;
        zhashx_insert (self->images, image_id, image);
    }
}

//  Those never asked go together; one that was in vain goes alone, after a while.
static bool
is_due (const image_t *image, size_t count, time_us_t now)
{
    if (image->known) {
        return false;
    }
    if (image->asked == 0) {
        return count < EC2_IMAGES_BATCH;
    }
    return count == 0 && (image->asked == 1 || now - image->asked_at >= EC2_IMAGES_AGAIN_AFTER);
}

size_t
ec2_images_write_question (ec2_images_t *self, buffer_t *fields, time_us_t now_steady)
{
    size_t count = 0;
    bool alone = false;

    for (image_t *image = zhashx_first (self->images); image && !alone;
         image = zhashx_next (self->images)) {
        if (is_due (image, count, now_steady)) {
            char name [32];
            snprintf (name, sizeof name, "ImageId.%zu", ++count);
            url_add_field (fields, name, image->id);
            alone = image->asked > 0;
            image->asked++;
            image->asked_at = now_steady;
        }
    }
    return count;
}

static int
begin_image (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_images_t *self = argument;
    (void) rule, (void) text;

    self->row = (image_t){.created = TIME_UNKNOWN};
    return 0;
}

static int
take_text (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_images_t *self = argument;
    char *member = (char *) &self->row + rule->offset;
    size_t length = strlen (text) < rule->size ? strlen (text) : rule->size - 1;

    while (text [length] && length > 0 && ((unsigned char) text [length] & 0xc0) == 0x80) {
        length--;
    }
    memcpy (member, text, length);
    member [length] = '\0';
    return 0;
}

static int
take_created (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_images_t *self = argument;
    (void) rule;

    clock_parse (text, &self->row.created);
    return 0;
}

static int
end_image (void *argument, const xml_rule_t *rule, const char *text)
{
    ec2_images_t *self = argument;
    (void) rule, (void) text;
    image_t *image = zhashx_lookup (self->images, self->row.id);

    if (image) {
        memcpy (image->name, self->row.name, sizeof image->name);
        memcpy (image->description, self->row.description, sizeof image->description);
        image->created = self->row.created;
        image->known = true;
    }
    return 0;
}

#define TEXT(path_, member)                                                       \
    {                                                                             \
        .path = path_, .at_end = take_text, .offset = offsetof (image_t, member), \
        .size = sizeof ((image_t *) 0)->member                                    \
    }

const xml_rule_t EC2_IMAGES_RULES [] = {
    {.path = "imagesSet/item", .at_start = begin_image, .at_end = end_image},
    TEXT ("imagesSet/item/imageId", id),
    TEXT ("imagesSet/item/name", name),
    TEXT ("imagesSet/item/description", description),
    {.path = "imagesSet/item/creationDate", .at_end = take_created},
    {0},
};

void
ec2_images_observe (ec2_images_t *self, instance_observed_t *out)
{
    image_t *image = out->image_id ? zhashx_lookup (self->images, out->image_id) : NULL;

    if (image && image->known) {
        out->image_name = image->name [0] ? image->name : NULL;
        out->image_description = image->description [0] ? image->description : NULL;
        out->image_creation_date = image->created;
    }
}
