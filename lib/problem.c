/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Texts are "context: what was found".
 */
#include "lib/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc.h"

void problem_context(struct problem *problem, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(problem->context, sizeof(problem->context), format, arguments);
	va_end(arguments);
}

static int set(struct problem *problem, int code, json_t *data, const char *format, va_list arguments)
{
	int length = snprintf(problem->text, sizeof(problem->text), "%s%s", problem->context,
			      problem->context[0] ? ": " : "");
	vsnprintf(problem->text + length, sizeof(problem->text) - (size_t)length, format, arguments);
	json_decref(problem->data);
	problem->code = code;
	problem->data = data;
	return -EINVAL;
}

int refuse(struct problem *problem, int code, json_t *data, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	set(problem, code, data, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int refuse_errno(struct problem *problem, int error, const char *format, ...)
{
	error = abs(error);
	va_list arguments;
	va_start(arguments, format);
	set(problem, RPC_SYSTEM, json_pack("{s:i}", "errno", error), format, arguments);
	va_end(arguments);
	size_t length = strlen(problem->text);
	snprintf(problem->text + length, sizeof(problem->text) - length, ": %s", strerror(error));
	return -EINVAL;
}
