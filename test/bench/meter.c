/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bng-meter: sends numbered packets through a gateway from the subscribers' side
 * and from the internet's side, and says what became of them.
 *
 * Without --commands it runs one phase and prints one JSON object. With
 * --commands it reads commands from standard input and answers each with one
 * line of JSON, so that several meters can take turns. SIGINT and SIGTERM end
 * the phase, not the report.
 */
#include "test/bench/meter_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define WORDS_MAX 8

struct session {
	struct meter meter;
	struct meter_phase phase; /* of start */
	bool started;
	int signal_fd;
	bool ended; /* by a signal */
};

static void print_line(json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

__attribute__((format(printf, 1, 2))) static void print_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(json_pack("{so}", "error", json_vsprintf(format, args)));
	va_end(args);
}

/* Waits; true when a signal has come. */
static bool wait_signal(struct session *session, int milliseconds)
{
	struct pollfd poll_fd = {.fd = session->signal_fd, .events = POLLIN};

	if (!session->ended && poll(&poll_fd, 1, milliseconds) == 1)
		session->ended = true;
	return session->ended;
}

/* Runs a phase to its end. `seconds` 0: until its packets are sent or a signal. */
static json_t *run_phase(struct session *session, struct meter_phase *phase, double seconds, const char *name)
{
	struct meter *meter = &session->meter;
	uint64_t now, end, report = (uint64_t)(meter->options.interval * 1e9), next_report;

	meter_phase_start(meter, phase);
	end = seconds > 0 ? phase->started_ns + (uint64_t)(seconds * 1e9) : UINT64_MAX;
	next_report = phase->started_ns + report;
	while ((now = meter_now()) < end && !meter_phase_sent(meter)) {
		uint64_t left = (end - now) / 1000000 + 1;

		if (wait_signal(session, left < 5 ? (int)left : 5))
			break;
		if (!report || meter_now() < next_report)
			continue;
		meter_progress(meter, phase);
		next_report += report;
	}
	meter_phase_end(meter, phase);
	return meter_phase_json(meter, phase, name);
}

/* One packet upwards on every flow: the gateway maps it, the sink learns it. */
static json_t *prime(struct session *session)
{
	struct meter_phase phase = {.directions = 1 << METER_UP,
				    .packets = session->meter.flows,
				    .rate = session->meter.options.rate};

	return run_phase(session, &phase, 0, "prime");
}

/* ---- Commands -------------------------------------------------------------- */

struct order {
	unsigned directions;
	double seconds;
	uint64_t packets;
	uint64_t rate;
	uint64_t flows;
};

/* key=value words behind the direction. False: an error was printed. */
static bool parse_order(char **words, int count, struct order *order)
{
	*order = (struct order){0};
	order->directions = count > 1 ? meter_direction(words[1]) : 0;
	if (!order->directions) {
		print_error("%s \"%s\": expected up, down or both", words[0], count > 1 ? words[1] : "");
		return false;
	}
	for (int i = 2; i < count; i++) {
		char *value = strchr(words[i], '='), *end = NULL;
		double number = value ? strtod(value + 1, &end) : -1;

		if (!value || end == value + 1 || *end || !(number >= 0) || number > 1e15) {
			print_error("%s \"%s\": expected seconds=, packets=, rate= or flows= and a number",
				    words[0], words[i]);
			return false;
		}
		if (!strncmp(words[i], "seconds=", 8))
			order->seconds = number;
		else if (!strncmp(words[i], "packets=", 8))
			order->packets = (uint64_t)number;
		else if (!strncmp(words[i], "rate=", 5))
			order->rate = (uint64_t)number;
		else if (!strncmp(words[i], "flows=", 6))
			order->flows = (uint64_t)number;
		else {
			print_error("%s \"%s\": expected seconds=, packets=, rate= or flows=", words[0],
				    words[i]);
			return false;
		}
	}
	return true;
}

static bool set_flows(struct session *session, uint64_t flows)
{
	struct meter *meter = &session->meter;

	if (flows < 1 || flows > meter->options.config.max_flows) {
		print_error("flows %llu: expected 1 to %u (--max-flows)", (unsigned long long)flows,
			    meter->options.config.max_flows);
		return false;
	}
	meter_set_flows(meter, (uint32_t)flows);
	return true;
}

static bool standing(struct session *session, const char *command)
{
	if (!session->started)
		return true;
	print_error("%s: a phase is running; stop it first", command);
	return false;
}

static void on_run(struct session *session, char **words, int count)
{
	struct meter_phase phase = {0};
	struct order order;

	if (!standing(session, "run") || !parse_order(words, count, &order))
		return;
	if (!order.seconds && !order.packets) {
		print_error("run: expected seconds= or packets=");
		return;
	}
	if (order.flows && !set_flows(session, order.flows))
		return;
	phase.directions = order.directions;
	phase.packets = order.packets;
	phase.rate = order.rate;
	print_line(run_phase(session, &phase, order.seconds, "run"));
}

static void on_prime(struct session *session, char **words, int count)
{
	(void)words;
	(void)count;
	if (standing(session, "prime"))
		print_line(prime(session));
}

static void on_start(struct session *session, char **words, int count)
{
	struct order order;

	if (!standing(session, "start") || !parse_order(words, count, &order))
		return;
	if (order.flows && !set_flows(session, order.flows))
		return;
	session->phase = (struct meter_phase){
		.directions = order.directions, .packets = order.packets, .rate = order.rate};
	meter_phase_start(&session->meter, &session->phase);
	session->started = true;
	print_line(json_pack("{sb}", "started", 1));
}

static void on_report(struct session *session, char **words, int count)
{
	(void)words;
	(void)count;
	if (session->started)
		meter_totals_read(&session->meter, session->phase.after);
	print_line(meter_phase_json(&session->meter, &session->phase, "report"));
}

static void on_stop(struct session *session, char **words, int count)
{
	(void)words;
	(void)count;
	if (!session->started) {
		print_error("stop: no phase is running");
		return;
	}
	meter_phase_end(&session->meter, &session->phase);
	session->started = false;
	print_line(meter_phase_json(&session->meter, &session->phase, "stop"));
}

static void on_flows(struct session *session, char **words, int count)
{
	uint64_t flows = count > 1 ? strtoull(words[1], NULL, 10) : 0;

	if (set_flows(session, flows))
		print_line(json_pack("{sI}", "flows", (json_int_t)flows));
}

static void on_rate(struct session *session, char **words, int count)
{
	uint64_t rate = count > 1 ? strtoull(words[1], NULL, 10) : 0;

	meter_set_rate(&session->meter, rate);
	print_line(json_pack("{sI}", "rate", (json_int_t)rate));
}

static void on_quit(struct session *session, char **words, int count)
{
	(void)words;
	(void)count;
	session->ended = true;
}

static const struct {
	const char *name;
	void (*handle)(struct session *session, char **words, int count);
} commands[] = {
	{"run", on_run},     {"prime", on_prime}, {"start", on_start}, {"report", on_report},
	{"flows", on_flows}, {"rate", on_rate},   {"stop", on_stop},   {"quit", on_quit},
};

static void handle_line(struct session *session, char *line)
{
	char *words[WORDS_MAX], *rest = line, *word;
	int count = 0;

	while ((word = strsep(&rest, " \t\r\n")) && count < WORDS_MAX)
		if (*word)
			words[count++] = word;
	if (!count)
		return;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(words[0], commands[i].name))
			continue;
		commands[i].handle(session, words, count);
		return;
	}
	print_error("command \"%s\": expected prime, run, start, report, flows, rate, stop or quit",
		    words[0]);
}

/* True while there is more. */
static bool read_command(struct session *session, char *buffer, size_t size, size_t *used)
{
	ssize_t got = read(STDIN_FILENO, buffer + *used, size - 1 - *used);
	char *newline;

	if (got <= 0)
		return false;
	*used += (size_t)got;
	buffer[*used] = 0;
	while (!session->ended && (newline = strchr(buffer, '\n'))) {
		size_t length = (size_t)(newline - buffer) + 1;

		*newline = 0;
		handle_line(session, buffer);
		*used -= length;
		memmove(buffer, buffer + length, *used + 1);
	}
	return !session->ended && *used < size - 1;
}

static void serve(struct session *session)
{
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
				{.fd = session->signal_fd, .events = POLLIN}};
	char buffer[1024];
	size_t used = 0;

	print_line(json_pack("{sb}", "ready", 1));
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		if (fds[0].revents && !read_command(session, buffer, sizeof(buffer), &used))
			break;
	}
	if (!session->started)
		return;
	meter_phase_end(&session->meter, &session->phase);
	print_line(meter_phase_json(&session->meter, &session->phase, "stop"));
}

static void run_once(struct session *session)
{
	const struct meter_options *options = &session->meter.options;
	struct meter_phase phase = {
		.directions = options->directions, .packets = options->packets, .rate = options->rate};
	json_t *result = json_object();

	if (options->directions & 1 << METER_DOWN && !options->no_prime)
		json_object_set_new(result, "prime", prime(session));
	if (!session->ended)
		json_object_set_new(result, "run", run_phase(session, &phase, options->seconds, "run"));
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(result);
}

/* Signals are read from a descriptor: no thread and no test run is interrupted. */
static int signals_open(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	static struct session session;
	char error[METER_ERROR_TEXT] = "";
	int code;

	meter_options_parse(argc, argv, &session.meter.options);
	session.signal_fd = signals_open();
	code = meter_load(&session.meter, error, sizeof(error));
	if (!code) {
		code = meter_workers_start(&session.meter);
		if (code)
			snprintf(error, sizeof(error), "start a generator: %s; is its CPU online (--cpus)?",
				 strerror(-code));
	}
	if (code) {
		fprintf(stderr, "bng-meter: %s\n", error);
	} else {
		meter_set_flows(&session.meter, session.meter.options.flows);
		if (session.meter.options.commands)
			serve(&session);
		else
			run_once(&session);
	}
	if (session.meter.worker_count)
		meter_workers_end(&session.meter);
	meter_unload(&session.meter);
	return code ? 1 : 0;
}
