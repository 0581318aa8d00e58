/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who was authorised and who not.
 */
#include <stdio.h>

#include "print.h"
#include "run.h"

int print_aaa(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"METHOD", "method", COLUMN_TEXT, NULL},          {"ASKED", "asked", COLUMN_COUNT, NULL},
		{"GRANTED", "granted", COLUMN_COUNT, NULL},       {"DENIED", "denied", COLUMN_COUNT, NULL},
		{"UNANSWERED", "unanswered", COLUMN_COUNT, NULL}, {0},
	};
	static const struct {
		const char *member;
		const char *label;
	} facts[] = {
		{"under_way", "questions under way"},       {"local", "granted locally"},
		{"fallback", "granted as nobody answered"}, {"no_server", "refused, no server alive"},
		{"queue_full", "refused, queue full"},      {"repeated", "refused, asked already"},
		{"malformed", "denied, nothing to ask"},    {"refused_values", "denied for values"},
		{"invalid_values", "values without sense"}, {"held_off", "denied again at once"},
		{"holding_off", "clients held off now"},    {"not_held_off", "no room to hold off"},
	};
	int status = print_table(cli, json_object_get(result, "methods"), columns);
	char text[32];

	(void)invocation;
	printf("\n");
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		printf("%-27s %s\n", facts[i].label,
		       count_text(cli, member_integer(result, facts[i].member), text, sizeof(text)));
	return status;
}
