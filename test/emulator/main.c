/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bng-subscribers: the emulator on real interfaces, led by commands on its standard input
 * (README.md). It ends with its input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "test/emulator/command.h"

#define STEP_MS     1
#define LINE_BYTES  65536
#define DEFAULT_MAX 32768

/* The emulator is a member, so that its `send` finds the wires. */
struct program {
	struct emulator emulator;
	struct wire wire[SIDES];
	char line[LINE_BYTES];
	size_t line_length;
	bool ended;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void send_frame(struct emulator *emulator, enum side side, const uint8_t *data, size_t length)
{
	struct program *program = (struct program *)((char *)emulator - offsetof(struct program, emulator));

	wire_send(&program->wire[side], data, length);
}

static void on_access(void *context, const uint8_t *data, size_t length)
{
	emulator_input(context, SIDE_ACCESS, data, length);
}

static void on_core(void *context, const uint8_t *data, size_t length)
{
	emulator_input(context, SIDE_CORE, data, length);
}

static void answer(struct program *program, const char *line)
{
	json_t *json = command_run(&program->emulator, program->wire, line);

	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(json);
}

static void read_commands(struct program *program)
{
	ssize_t length = read(STDIN_FILENO, program->line + program->line_length,
			      sizeof(program->line) - 1 - program->line_length);
	char *end;

	if (length <= 0) {
		program->ended = length == 0 || errno != EINTR;
		return;
	}
	program->line_length += (size_t)length;
	program->line[program->line_length] = 0;
	while ((end = strchr(program->line, '\n'))) {
		size_t used = (size_t)(end + 1 - program->line);
		*end = 0;
		answer(program, program->line);
		memmove(program->line, end + 1, program->line_length - used + 1);
		program->line_length -= used;
	}
	program->ended = program->line_length == sizeof(program->line) - 1; /* no line is so long */
}

static void run(struct program *program)
{
	struct emulator *emulator = &program->emulator;
	struct pollfd wait[] = {{.fd = STDIN_FILENO, .events = POLLIN},
				{.fd = program->wire[SIDE_ACCESS].socket, .events = POLLIN},
				{.fd = program->wire[SIDE_CORE].socket, .events = POLLIN}};

	while (!program->ended) {
		poll(wait, 3, STEP_MS);
		emulator_run(emulator, now_ns());
		wire_read(&program->wire[SIDE_CORE], on_core, emulator);
		wire_read(&program->wire[SIDE_ACCESS], on_access, emulator);
		if (wait[0].revents)
			read_commands(program);
		wire_flush(&program->wire[SIDE_ACCESS]);
		wire_flush(&program->wire[SIDE_CORE]);
	}
}

static bool open_wire(struct wire *wire, const char *interface, const struct sock_fprog *filter)
{
	int error = interface ? wire_open(wire, interface, filter) : 0;

	if (!interface)
		wire->socket = -1;
	if (error)
		fprintf(stderr, "bng-subscribers: interface \"%s\": %s\n", interface, strerror(-error));
	return !error;
}

struct options {
	const char *access, *core;
	uint32_t remote_be, max;
};

static bool read_options(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {{"access", required_argument, NULL, 'a'},
					      {"core", required_argument, NULL, 'c'},
					      {"remote", required_argument, NULL, 'r'},
					      {"max", required_argument, NULL, 'm'},
					      {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'a')
			options->access = optarg;
		else if (option == 'c')
			options->core = optarg;
		else if (option == 'm')
			options->max = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option != 'r' || inet_pton(AF_INET, optarg, &options->remote_be) != 1)
			return false;
	}
	return options->access && options->max && optind == argc;
}

int main(int argc, char **argv)
{
	struct options options = {.remote_be = htonl(0xc6130001), .max = DEFAULT_MAX}; /* 198.19.0.1 */
	struct program *program = calloc(1, sizeof(*program));
	int status = EXIT_FAILURE;

	if (!read_options(argc, argv, &options)) {
		fprintf(stderr,
			"usage: bng-subscribers --access INTERFACE [--core INTERFACE] [--remote ADDRESS] "
			"[--max SUBSCRIBERS]\n");
	} else if (program && !emulator_init(&program->emulator, options.max, now_ns()) &&
		   open_wire(&program->wire[SIDE_ACCESS], options.access, &wire_filter_access) &&
		   open_wire(&program->wire[SIDE_CORE], options.core, &wire_filter_core)) {
		program->emulator.send = send_frame;
		program->emulator.traffic.remote_be = options.remote_be;
		puts("{\"ready\":true}");
		fflush(stdout);
		run(program);
		wire_close(&program->wire[SIDE_ACCESS]);
		wire_close(&program->wire[SIDE_CORE]);
		status = EXIT_SUCCESS;
	}
	if (program)
		emulator_done(&program->emulator);
	free(program);
	return status;
}
