/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * An object as facts, one line for each member. Members of objects in it have their names
 * in front, "profile.interim_s"; what they are is in one column, however long the names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "run.h"

#define LABEL_MAX 64

struct tree {
	const struct cli *cli;
	const char *indent;
	int width;
	bool measures; /* only finds the width */
};

static bool is_rate(const char *member, const json_t *value)
{
	return json_object_get(value, "bits_s") || !strcmp(member, "rate_up") || !strcmp(member, "rate_down");
}

/* What a tag that is not there would be, were it there, is of no interest. */
static bool is_void(const json_t *object, const char *member)
{
	return (!strcmp(member, "outer_tpid") && !member_integer(object, "outer_vid")) ||
	       (!strcmp(member, "inner_tpid") && !member_integer(object, "inner_vid"));
}

/* Objects in a list are a table, which is somebody else's to print. */
static bool is_table(const json_t *value, const char *prefix)
{
	return !prefix[0] && json_is_array(value) && !json_is_string(json_array_get(value, 0));
}

static void list_text(const json_t *list, char *text, size_t size)
{
	const json_t *element;
	size_t i;

	snprintf(text, size, "%s", json_array_size(list) ? "" : "-");
	json_array_foreach(list, i, element)
	{
		char *dump = json_is_string(element) ? NULL : json_dumps(element, JSON_COMPACT);
		size_t used = strlen(text);

		snprintf(text + used, size - used, "%s%s", i ? ", " : "",
			 dump ? dump : json_string_value(element));
		free(dump);
	}
}

static void fact(struct tree *tree, const char *label, const char *member, const json_t *value)
{
	bool amount = strstr(member, "packets") || strstr(member, "bytes") || strstr(member, "drops") ||
		      strstr(member, "mappings");
	int length = (int)strlen(label);
	char text[VALUE_TEXT];

	if (tree->measures) {
		tree->width = length > tree->width ? length : tree->width;
		return;
	}
	if (is_rate(member, value))
		rate_text(value, text, sizeof(text));
	else if (json_is_array(value))
		list_text(value, text, sizeof(text));
	else
		value_text(tree->cli, value, amount ? COLUMN_COUNT : COLUMN_TEXT, text, sizeof(text));
	printf("%s%-*s %s\n", tree->indent, tree->width, label, text);
}

static void walk(struct tree *tree, const json_t *object, const char *prefix)
{
	const char *member;
	json_t *value;

	json_object_foreach((json_t *)object, member, value)
	{
		char label[LABEL_MAX];
		bool is_object = json_is_object(value) && !is_rate(member, value);

		snprintf(label, sizeof(label), "%s%s%s", prefix, member, is_object ? "." : "");
		if (is_object)
			walk(tree, value, label);
		else if (!is_void(object, member) && !is_table(value, prefix))
			fact(tree, label, member, value);
	}
}

void print_tree(const struct cli *cli, const json_t *object, const char *indent, int width)
{
	struct tree tree = {.cli = cli, .indent = indent, .width = width, .measures = true};

	walk(&tree, object, "");
	tree.measures = false;
	walk(&tree, object, "");
}
