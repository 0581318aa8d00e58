/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Whatever a function does, its call ends in exactly one answer.
 */
#include "lib/rpc_call.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/json.h"

bool rpc_name_ok(const char *name)
{
	size_t length = strlen(name);
	return length > 0 && length < RPC_NAME_TEXT &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length;
}

bool rpc_key_ok(const char *text, size_t length)
{
	bool ok = length > 0 && length <= RPC_KEY_MAX;
	for (size_t i = 0; ok && i < length; i++)
		ok = text[i] > ' ' && text[i] <= '~' && text[i] != '"' && text[i] != '\\';
	return ok;
}

static const char *wrong_text(char kind, const char *text)
{
	size_t length = strlen(text);
	if (kind == 'n' && !rpc_name_ok(text))
		return "must be 1-63 letters, digits, '.', '_' or '-'";
	if (kind == 'k')
		return rpc_key_ok(text, length) ? NULL : "must be " RPC_KEY_RULE;
	if (kind == 'l')
		return !length || length >= RPC_LONG_TEXT ? "must be text of 1-511 bytes" : NULL;
	if (kind == 's')
		return length && length <= RPC_TEXT_MAX ? NULL : "must be text of 1-16384 bytes";
	if (kind == 'i' && (!length || length >= IF_NAMESIZE || strpbrk(text, "/: \t\n")))
		return "must be the name of an interface";
	return !length || length >= RPC_NAME_TEXT ? "must be text of 1-63 bytes" : NULL;
}

static const char *wrong_array(const json_t *array)
{
	size_t i;
	const json_t *text;
	bool ok = json_array_size(array) >= 1 && json_array_size(array) <= RPC_FDS_MAX;
	json_array_foreach(array, i, text) ok = ok && json_is_string(text);
	return ok ? NULL : "must be an array of 1-64 texts";
}

/* What is wrong with a value, or NULL and the argument. */
static const char *take(char kind, const json_t *value, union rpc_argument *argument)
{
	switch (kind) {
	case 'u':
		argument->number = json_integer_value(value);
		return json_is_integer(value) && argument->number >= 0 ? NULL
								       : "must be an integer, 0 or more";
	case 'b':
		argument->flag = json_is_true(value);
		return json_is_boolean(value) ? NULL : "must be true or false";
	case 'a':
		argument->value = value;
		return wrong_array(value);
	case 'o':
		argument->value = value;
		return json_is_object(value) ? NULL : "must be an object";
	}
	argument->text = json_string_value(value);
	return argument->text ? wrong_text(kind, argument->text) : "must be text";
}

static void absent(char kind, union rpc_argument *argument)
{
	if (kind == 'u')
		argument->number = -1;
	else if (kind == 'b')
		argument->flag = false;
	else
		argument->text = NULL;
}

static void read_argument(struct json_reader *reader, const json_t *params, const char *name, bool optional,
			  char kind, union rpc_argument *argument)
{
	const json_t *value = json_enter(reader, params, name);
	const char *wrong = value ? take(kind, value, argument) : optional ? NULL : "must be given";
	if (wrong)
		json_reader_fail(reader, value, "%s", wrong);
	else if (!value)
		absent(kind, argument);
	json_leave(reader);
}

static int read_arguments(struct rpc_call *call, const json_t *params, const char *parameters)
{
	char text[256], *rest = text, *word;
	const char *names[RPC_ARGUMENTS_MAX + 1] = {NULL};
	struct json_reader reader;
	json_reader_init(&reader);
	if (!json_is_object(params))
		json_reader_fail(&reader, params, "must be an object");
	snprintf(text, sizeof(text), "%s", parameters);
	for (size_t i = 0; i < RPC_ARGUMENTS_MAX && (word = strsep(&rest, " ")) && *word; i++) {
		char *colon = strchr(word, ':');
		bool optional = colon[-1] == '?';
		colon[optional ? -1 : 0] = '\0';
		names[i] = word;
		read_argument(&reader, params, word, optional, colon[1], &call->argument[i]);
	}
	json_read_only(&reader, params, names);
	if (json_reader_ok(&reader))
		return 0;
	return refuse(&call->problem, RPC_INVALID_PARAMS, NULL, "params%s", reader.error);
}

int rpc_call_send_fd(struct rpc_call *call, int fd, const char *what)
{
	if (fd >= 0 && call->fd_count < RPC_FDS_MAX) {
		call->fds[call->fd_count++] = fd;
		return 0;
	}
	if (fd == -ENOENT)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "%s: there is none of this name", what);
	if (fd < 0)
		return refuse_errno(&call->problem, fd, "%s", what);
	close(fd);
	return refuse(&call->problem, RPC_LIMIT, NULL, "an answer carries at most %d descriptors",
		      RPC_FDS_MAX);
}

void rpc_call_run(struct rpc_request *request, void *context, const struct rpc_call_row *row)
{
	struct rpc_call call = {.request = request};
	json_t *params = rpc_params(request) ? json_incref((json_t *)rpc_params(request)) : json_object();
	problem_context(&call.problem, "%s", row->name);
	int error = read_arguments(&call, params, row->parameters);
	if (!error && row->fd_count == RPC_CALL_FDS && !rpc_fd_count(request))
		error = refuse(&call.problem, RPC_INVALID_PARAMS, NULL,
			       "no descriptors came with the line, expected at least one");
	if (!error && row->fd_count != RPC_CALL_FDS && rpc_fd_count(request) != row->fd_count)
		error = refuse(&call.problem, RPC_INVALID_PARAMS, NULL,
			       "%zu descriptors came with the line, expected %zu", rpc_fd_count(request),
			       row->fd_count);
	if (!error)
		error = row->function(&call, context);
	if (error) {
		json_decref(call.result);
		rpc_fail(request, call.problem.code ? call.problem.code : RPC_INTERNAL, call.problem.data,
			 "%s", call.problem.text);
	} else {
		rpc_reply(request, call.result ? call.result : json_object(), call.fds, call.fd_count);
	}
	json_decref(params);
	for (size_t i = 0; i < call.fd_count; i++)
		close(call.fds[i]);
}
