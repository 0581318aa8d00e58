/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Tables by libsmartcols, and how values look.
 */
#include "print.h"

#include <libsmartcols/libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *count_text(const struct cli *cli, json_int_t count, char *out, size_t size)
{
	char digits[32];
	int length = snprintf(digits, sizeof(digits), "%lld", (long long)count);
	size_t used = 0;

	for (int i = 0; i < length && used + 2 < size; i++) {
		bool group = cli->separators && i && (length - i) % 3 == 0 && digits[i - 1] != '-';
		if (group)
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = '\0';
	return out;
}

static void array_text(const struct cli *cli, const json_t *array, char *out, size_t size)
{
	const json_t *element;
	size_t i, used = 0;

	out[0] = '\0';
	json_array_foreach(array, i, element)
	{
		char text[VALUE_TEXT];
		value_text(cli, element, COLUMN_TEXT, text, sizeof(text));
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? " " : "", text);
		if (used >= size)
			return;
	}
	if (!used)
		snprintf(out, size, "-");
}

char *value_text(const struct cli *cli, const json_t *value, enum column_format format, char *out,
		 size_t size)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		snprintf(out, size, "%s", json_string_value(value)[0] ? json_string_value(value) : "-");
		break;
	case JSON_INTEGER:
		if (format == COLUMN_COUNT)
			count_text(cli, json_integer_value(value), out, size);
		else
			snprintf(out, size, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		snprintf(out, size, "%.1f", json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(out, size, "%s", json_is_true(value) ? "yes" : "no");
		break;
	case JSON_ARRAY:
		array_text(cli, value, out, size);
		break;
	default:
		snprintf(out, size, "-");
		break;
	}
	return out;
}

typedef const char *color_of(const json_t *object);

static int add_row(struct libscols_table *table, const struct cli *cli, const json_t *object,
		   const struct column *columns, color_of *color)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	int err = line ? 0 : -1;

	if (!err && color && color(object))
		err = scols_line_set_color(line, color(object));

	for (size_t i = 0; !err && columns[i].title; i++) {
		char text[VALUE_TEXT] = "-";
		if (columns[i].text)
			columns[i].text(cli, object, text, sizeof(text));
		else
			value_text(cli, json_object_get(object, columns[i].member), columns[i].format, text,
				   sizeof(text));
		err = scols_line_set_data(line, i, text);
	}
	return err;
}

int print_table(const struct cli *cli, const json_t *objects, const struct column *columns)
{
	return print_table_colored(cli, objects, columns, NULL);
}

int print_table_colored(const struct cli *cli, const json_t *objects, const struct column *columns,
			color_of *color)
{
	struct libscols_table *table = scols_new_table();
	const json_t *object;
	size_t i;
	int err = table ? scols_table_enable_colors(table, cli->color) : -1;

	for (i = 0; !err && columns[i].title; i++) {
		int flags = columns[i].format == COLUMN_TEXT ? 0 : SCOLS_FL_RIGHT;
		err = scols_table_new_column(table, columns[i].title, 0, flags) ? 0 : -1;
	}
	json_array_foreach(objects, i, object)
	{
		if (!err)
			err = add_row(table, cli, object, columns, color);
	}
	if (!err && json_array_size(objects))
		err = scols_print_table(table);
	if (!json_array_size(objects))
		printf("none\n");
	scols_unref_table(table);
	if (err)
		fprintf(stderr, "%s: cannot print the table: out of memory\n", cli->name);
	return err ? CLI_REFUSED : CLI_OK;
}

void print_fact(const char *label, const char *format, ...)
{
	va_list arguments;

	printf("%-*s ", LABEL_WIDTH, label);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

char *duration_text(double seconds, char *out, size_t size)
{
	long long whole = (long long)seconds;

	if (whole >= 86400)
		snprintf(out, size, "%lldd %02lld:%02lld:%02lld", whole / 86400, whole / 3600 % 24,
			 whole / 60 % 60, whole % 60);
	else
		snprintf(out, size, "%02lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
	return out;
}

void vlan_text(const struct cli *cli, const json_t *object, char *out, size_t size)
{
	json_int_t outer = member_integer(object, "outer_vid"), inner = member_integer(object, "inner_vid");

	(void)cli;
	if (inner)
		snprintf(out, size, "%lld.%lld", (long long)outer, (long long)inner);
	else if (outer)
		snprintf(out, size, "%lld", (long long)outer);
	else
		snprintf(out, size, "-");
}

json_int_t member_integer(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

const char *member_text(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

const char *member_string(const json_t *object, const char *member)
{
	const char *text = member_text(object, member);

	return text[0] ? text : "-";
}

void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	putchar('\n');
}

void print_counters(const struct cli *cli, const char *title, const json_t *counters, bool all)
{
	const char *member;
	json_t *value;
	bool any = false;

	printf("%-20s", title);
	json_object_foreach((json_t *)counters, member, value)
	{
		char text[64];
		if (!all && !json_integer_value(value))
			continue;
		printf("%s %s %s", any ? "," : "", member,
		       value_text(cli, value, COLUMN_COUNT, text, sizeof(text)));
		any = true;
	}
	printf("%s\n", any ? "" : " none");
}
