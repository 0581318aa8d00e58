/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sorted tables of names, see the header. Of several definitions of one number the last
 * is kept.
 */
#include "controld/radius/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX (1u << 17) /* of each sort */

/* Room for one more: its address, or NULL and *failure. */
static void *append(void *array, size_t *count, size_t size, int *failure)
{
	void **all = array;
	char *more = *all;

	if (*count == NAMES_MAX) {
		*failure = -ENOSPC;
		return NULL;
	}
	/* It doubles whenever the count is a power of two. */
	if (!(*count & (*count - 1))) {
		more = realloc(*all, (*count ? *count * 2 : 1) * size);
		if (!more) {
			*failure = -ENOMEM;
			return NULL;
		}
		*all = more;
	}
	*failure = 0;
	return memset(more + (*count)++ * size, 0, size);
}

int names_add_vendor(struct names_of *names, const char *name, uint32_t number, bool is_other)
{
	int failure;
	struct name_vendor *vendor = append(&names->vendors, &names->vendor_count, sizeof(*vendor), &failure);

	if (failure)
		return failure;
	*vendor = (struct name_vendor){strdup(name), number, is_other};
	return vendor->name ? 0 : -ENOMEM;
}

int names_add_attribute(struct names_of *names, const char *name, uint32_t vendor, uint8_t type,
			enum name_kind kind)
{
	int failure;
	struct name_attribute *attribute =
		append(&names->attributes, &names->attribute_count, sizeof(*attribute), &failure);

	if (failure)
		return failure;
	*attribute = (struct name_attribute){strdup(name), vendor, type, kind, names->next_order++};
	return attribute->name ? 0 : -ENOMEM;
}

/* Values follow their attribute closely. */
static const struct name_attribute *last_of_name(const struct names_of *names, const char *name)
{
	for (size_t i = names->attribute_count; i--;)
		if (names->attributes[i].name && !strcasecmp(names->attributes[i].name, name))
			return &names->attributes[i];
	return NULL;
}

int names_add_value(struct names_of *names, const char *attribute, const char *name, uint32_t value)
{
	const struct name_attribute *of = last_of_name(names, attribute);
	struct name_value *new;
	int failure;

	if (!of)
		return 0;
	new = append(&names->values, &names->value_count, sizeof(*new), &failure);
	if (failure)
		return failure;
	*new = (struct name_value){strdup(name), of->vendor, of->type, value, names->next_order++};
	return new->name ? 0 : -ENOMEM;
}

static int compare(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int attribute_key(const struct name_attribute *a, const struct name_attribute *b)
{
	int order = compare(a->vendor, b->vendor);

	return order ? order : compare(a->type, b->type);
}

static int value_key(const struct name_value *a, const struct name_value *b)
{
	int order = compare(a->vendor, b->vendor);

	order = order ? order : compare(a->type, b->type);
	return order ? order : compare(a->value, b->value);
}

static int attribute_order(const void *a, const void *b)
{
	int order = attribute_key(a, b);
	const struct name_attribute *left = a, *right = b;

	return order ? order : compare(left->order, right->order);
}

static int value_order(const void *a, const void *b)
{
	int order = value_key(a, b);
	const struct name_value *left = a, *right = b;

	return order ? order : compare(left->order, right->order);
}

static int attribute_find(const void *key, const void *member)
{
	return attribute_key(key, member);
}

static int value_find(const void *key, const void *member)
{
	return value_key(key, member);
}

void names_sort(struct names_of *names)
{
	size_t kept = 0;

	if (names->attribute_count)
		qsort(names->attributes, names->attribute_count, sizeof(*names->attributes), attribute_order);
	if (names->value_count)
		qsort(names->values, names->value_count, sizeof(*names->values), value_order);
	for (size_t i = 0; i < names->attribute_count; i++) {
		if (kept && !attribute_key(&names->attributes[kept - 1], &names->attributes[i]))
			free(names->attributes[--kept].name);
		names->attributes[kept++] = names->attributes[i];
	}
	names->attribute_count = kept;
	kept = 0;
	for (size_t i = 0; i < names->value_count; i++) {
		if (kept && !value_key(&names->values[kept - 1], &names->values[i]))
			free(names->values[--kept].name);
		names->values[kept++] = names->values[i];
	}
	names->value_count = kept;
}

void names_done(struct names_of *names)
{
	for (size_t i = 0; i < names->vendor_count; i++)
		free(names->vendors[i].name);
	for (size_t i = 0; i < names->attribute_count; i++)
		free(names->attributes[i].name);
	for (size_t i = 0; i < names->value_count; i++)
		free(names->values[i].name);
	free(names->vendors);
	free(names->attributes);
	free(names->values);
	*names = (struct names_of){0};
}

bool names_vendor(const struct names_of *names, const char *name, uint32_t *number)
{
	for (size_t i = names->vendor_count; i--;) {
		if (!names->vendors[i].name || strcasecmp(names->vendors[i].name, name))
			continue;
		*number = names->vendors[i].number;
		return true;
	}
	return false;
}

bool names_vendor_is_other(const struct names_of *names, uint32_t number)
{
	for (size_t i = names->vendor_count; i--;)
		if (names->vendors[i].number == number)
			return names->vendors[i].is_other;
	return false;
}

const struct name_attribute *names_attribute(const struct names_of *names, uint32_t vendor, uint8_t type)
{
	struct name_attribute key = {.vendor = vendor, .type = type};

	return names->attribute_count
		       ? bsearch(&key, names->attributes, names->attribute_count, sizeof(key), attribute_find)
		       : NULL;
}

const struct name_attribute *names_attribute_named(const struct names_of *names, const char *name)
{
	const struct name_attribute *found = NULL;

	for (size_t i = 0; i < names->attribute_count; i++)
		if (!strcasecmp(names->attributes[i].name, name) &&
		    (!found || found->order < names->attributes[i].order))
			found = &names->attributes[i];
	return found;
}

const struct name_value *names_value(const struct names_of *names, uint32_t vendor, uint8_t type,
				     uint32_t value)
{
	struct name_value key = {.vendor = vendor, .type = type, .value = value};

	return names->value_count ? bsearch(&key, names->values, names->value_count, sizeof(key), value_find)
				  : NULL;
}
