/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Results as text: tables (one row for each object of an array) and facts (one
 * line each). What is missing or null is shown as "-".
 */
#ifndef BNG_CLI_PRINT_H
#define BNG_CLI_PRINT_H

#include <jansson.h>
#include <stddef.h>

#include "command.h"

#define VALUE_TEXT  512
#define LABEL_WIDTH 20

enum column_format {
	COLUMN_TEXT,   /* to the left */
	COLUMN_NUMBER, /* to the right, as it is: ids, ports */
	COLUMN_COUNT,  /* to the right, with separators on a terminal */
};

struct column {
	const char *title;
	const char *member; /* of the object */
	enum column_format format;
	/* Or made from the object. */
	void (*text)(const struct cli *cli, const json_t *object, char *out, size_t size);
};

/* Columns end with title NULL. 0 or CLI_REFUSED when out of memory. */
int print_table(const struct cli *cli, const json_t *objects, const struct column *columns);

/* Lines in colour where colours are on: a name such as "red", or NULL. */
int print_table_colored(const struct cli *cli, const json_t *objects, const struct column *columns,
			const char *(*color)(const json_t *object));

/* "label   text" */
__attribute__((format(printf, 2, 3))) void print_fact(const char *label, const char *format, ...);
/* A member as text; count: with separators. Returns `out`. */
char *value_text(const struct cli *cli, const json_t *value, enum column_format format, char *out,
		 size_t size);
char *count_text(const struct cli *cli, json_int_t count, char *out, size_t size);
/* "1d 02:03:04" */
char *duration_text(double seconds, char *out, size_t size);
/* outer.inner, or "-" */
void vlan_text(const struct cli *cli, const json_t *object, char *out, size_t size);

/* The members of an object, one line each, labels in `width` columns or more; lists of
 * objects are left out. */
void print_tree(const struct cli *cli, const json_t *object, const char *indent, int width);

/* Counters of one kind on one line; zeros only when `all`. */
void print_counters(const struct cli *cli, const char *title, const json_t *counters, bool all);

json_int_t member_integer(const json_t *object, const char *member);
const char *member_string(const json_t *object, const char *member); /* "-" when it is not there */
const char *member_text(const json_t *object, const char *member);   /* "" when it is not there */

void print_json(const json_t *value);

#endif
