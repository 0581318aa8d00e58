/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bng-meter's command line. Anything wrong ends the program with what was found
 * and what was expected.
 */
#include "test/bench/meter_run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME_CHECK 4 /* frame sizes are named with their check sequence, as usual */

static const char usage[] =
	"Usage: bng-meter --access DEV[@NETNS] --core DEV[@NETNS]\n"
	"                 --gateway-access-mac MAC --gateway-core-mac MAC [option...]\n"
	"\n"
	"Traffic\n"
	"  --subscribers N      subscribers (1)\n"
	"  --flows N            flows over all subscribers (1)\n"
	"  --max-flows N        as many flows may be opened later (--flows)\n"
	"  --size SIZE          64, 512, imix (7 x 64, 4 x 594, 1 x 1518) or a frame size (64)\n"
	"  --address A          inner address of the first subscriber (10.0.0.10)\n"
	"  --mac MAC            MAC of the first subscriber (02:00:00:00:00:01)\n"
	"  --port P             first inner port (10000)\n"
	"  --remote A           first address on the internet (198.18.0.1)\n"
	"  --remotes N          number of them, a power of two (1)\n"
	"  --remote-port P      (7777)\n"
	"  --outer-vid V[:ad]   tags on the access side; ad: 802.1ad\n"
	"  --inner-vid V[:ad]\n"
	"  --core-mac MAC       source of frames from the internet (the core device's)\n"
	"  --no-mac-check       subscribers take frames for any MAC\n"
	"Run\n"
	"  --direction D        up, down or both (both)\n"
	"  --seconds S | --packets N   (until SIGINT or SIGTERM)\n"
	"  --no-prime           do not open every flow upwards before sending downwards\n"
	"  --rate N             packets per second over all (0: full speed)\n"
	"  --cpus LIST          one generator on each of these 1, 2, 4 or 8 CPUs (0)\n"
	"  --batch N            frames between two turns of the gateway, 1-256 (64)\n"
	"  --interval S         progress on standard error\n"
	"  --commands           read commands from standard input\n"
	"  --object FILE        the BPF object (../bpf/meter.bpf.o from the program)\n"
	"\n"
	"Commands: prime | run DIRECTION [seconds=S] [packets=N] [rate=N] [flows=N] |\n"
	"  start DIRECTION [rate=N] [flows=N] | report | flows N | rate N | stop | quit\n";

static void die(const char *what, const char *value, const char *expected)
{
	fprintf(stderr, "bng-meter: %s \"%s\": expected %s\n", what, value, expected);
	exit(2);
}

/* ---- Options --------------------------------------------------------------- */

static uint64_t parse_number(const char *name, const char *text, uint64_t min, uint64_t max)
{
	char expected[64], *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max) {
		snprintf(expected, sizeof(expected), "a number from %llu to %llu", (unsigned long long)min,
			 (unsigned long long)max);
		die(name, text, expected);
	}
	return value;
}

static double parse_seconds(const char *name, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0) || value > 1e6)
		die(name, text, "seconds");
	return value;
}

static uint32_t parse_address(const char *name, const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		die(name, text, "an IPv4 address");
	return ntohl(address.s_addr);
}

static void parse_mac(const char *name, const char *text, uint8_t mac[static 6])
{
	struct ether_addr parsed;

	if (!ether_aton_r(text, &parsed))
		die(name, text, "a MAC, aa:bb:cc:dd:ee:ff");
	memcpy(mac, &parsed, 6);
}

static void parse_port(const char *name, const char *text, struct meter_port *port)
{
	size_t length = strcspn(text, "@");

	if (!length || length >= sizeof(port->device) ||
	    (text[length] && strlen(text + length + 1) >= sizeof(port->netns)))
		die(name, text, "DEV or DEV@NETNS");
	memcpy(port->device, text, length);
	port->device[length] = 0;
	snprintf(port->netns, sizeof(port->netns), "%s", text[length] ? text + length + 1 : "");
}

static void parse_tag(const char *name, const char *text, struct meter_config *config, int index)
{
	char number[8];
	size_t length = strcspn(text, ":");

	if (length >= sizeof(number) || (text[length] && strcmp(text + length, ":ad")))
		die(name, text, "VID or VID:ad");
	memcpy(number, text, length);
	number[length] = 0;
	config->vid[index] = (uint16_t)parse_number(name, number, 1, 4094);
	config->tpid_be[index] = htons(text[length] ? 0x88a8 : 0x8100);
}

unsigned meter_direction(const char *text)
{
	if (!strcmp(text, "up"))
		return 1 << METER_UP;
	if (!strcmp(text, "down"))
		return 1 << METER_DOWN;
	if (!strcmp(text, "both"))
		return 1 << METER_UP | 1 << METER_DOWN;
	return 0;
}

static void parse_cpus(const char *text, struct meter_options *options)
{
	char *copy = strdup(text), *rest = copy, *part;
	uint32_t count = 0;

	while (copy && (part = strsep(&rest, ","))) {
		if (count == METER_THREADS)
			die("--cpus", text, "at most 8 CPUs");
		options->cpu[count++] = (uint32_t)parse_number("--cpus", part, 0, METER_CPUS - 1);
	}
	options->config.threads = count;
	free(copy);
}

static void parse_sizes(const char *text, struct meter_config *config)
{
	static const uint16_t imix[METER_SIZES] = {64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64};

	config->size_count = strcmp(text, "imix") ? 1 : METER_SIZES;
	for (int i = 0; i < config->size_count; i++)
		config->size[i] =
			config->size_count > 1 ? imix[i] : (uint16_t)parse_number("--size", text, 64, 1518);
	for (int i = 0; i < config->size_count; i++)
		config->size[i] -= FRAME_CHECK;
}

/* Ones' complement sum of `length` bytes of padding, as the UDP checksum sees it. */
static uint32_t pad_sum(uint32_t length)
{
	uint32_t sum = length / 2 * (METER_PAD << 8 | METER_PAD);

	return length & 1 ? sum + htons(METER_PAD << 8) : sum;
}

static void finish_config(struct meter_options *options)
{
	struct meter_config *config = &options->config;
	uint32_t largest = 0;

	config->tags = config->vid[0] ? config->vid[1] ? 2 : 1 : 0;
	if (config->vid[1] && !config->vid[0])
		die("--inner-vid", "", "--outer-vid with it");
	for (int i = 0; i < config->size_count; i++) {
		config->pad_sum[i] = pad_sum(config->size[i] - METER_FRAME_MIN);
		if (config->size[i] > largest)
			largest = config->size[i];
	}
	config->data_size = largest + 4 * config->tags;
	config->resize = config->size_count > 1 || config->tags;
	if (config->max_flows < options->flows)
		config->max_flows = options->flows;
	if (config->threads & (config->threads - 1))
		die("--cpus", "", "1, 2, 4 or 8 CPUs");
	while (1u << config->thread_shift < config->threads)
		config->thread_shift++;
	config->flows_per_thread = (config->max_flows + config->threads - 1) / config->threads;
	if (config->remotes & (config->remotes - 1))
		die("--remotes", "", "a power of two");
	if ((config->max_flows - 1) / config->subscribers + config->inner_port > 65535)
		die("--flows", "", "not more ports per subscriber than there are from --port to 65535");
}

enum option_code {
	OPTION_ACCESS = 1,
	OPTION_CORE,
	OPTION_GATEWAY_ACCESS_MAC,
	OPTION_GATEWAY_CORE_MAC,
	OPTION_SUBSCRIBERS,
	OPTION_FLOWS,
	OPTION_MAX_FLOWS,
	OPTION_SIZE,
	OPTION_ADDRESS,
	OPTION_MAC,
	OPTION_PORT,
	OPTION_REMOTE,
	OPTION_REMOTES,
	OPTION_REMOTE_PORT,
	OPTION_OUTER_VID,
	OPTION_INNER_VID,
	OPTION_CORE_MAC,
	OPTION_NO_MAC_CHECK,
	OPTION_DIRECTION,
	OPTION_SECONDS,
	OPTION_PACKETS,
	OPTION_NO_PRIME,
	OPTION_RATE,
	OPTION_CPUS,
	OPTION_BATCH,
	OPTION_INTERVAL,
	OPTION_COMMANDS,
	OPTION_OBJECT,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"access", required_argument, NULL, OPTION_ACCESS},
	{"core", required_argument, NULL, OPTION_CORE},
	{"gateway-access-mac", required_argument, NULL, OPTION_GATEWAY_ACCESS_MAC},
	{"gateway-core-mac", required_argument, NULL, OPTION_GATEWAY_CORE_MAC},
	{"subscribers", required_argument, NULL, OPTION_SUBSCRIBERS},
	{"flows", required_argument, NULL, OPTION_FLOWS},
	{"max-flows", required_argument, NULL, OPTION_MAX_FLOWS},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"address", required_argument, NULL, OPTION_ADDRESS},
	{"mac", required_argument, NULL, OPTION_MAC},
	{"port", required_argument, NULL, OPTION_PORT},
	{"remote", required_argument, NULL, OPTION_REMOTE},
	{"remotes", required_argument, NULL, OPTION_REMOTES},
	{"remote-port", required_argument, NULL, OPTION_REMOTE_PORT},
	{"outer-vid", required_argument, NULL, OPTION_OUTER_VID},
	{"inner-vid", required_argument, NULL, OPTION_INNER_VID},
	{"core-mac", required_argument, NULL, OPTION_CORE_MAC},
	{"no-mac-check", no_argument, NULL, OPTION_NO_MAC_CHECK},
	{"direction", required_argument, NULL, OPTION_DIRECTION},
	{"seconds", required_argument, NULL, OPTION_SECONDS},
	{"packets", required_argument, NULL, OPTION_PACKETS},
	{"no-prime", no_argument, NULL, OPTION_NO_PRIME},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"cpus", required_argument, NULL, OPTION_CPUS},
	{"batch", required_argument, NULL, OPTION_BATCH},
	{"interval", required_argument, NULL, OPTION_INTERVAL},
	{"commands", no_argument, NULL, OPTION_COMMANDS},
	{"object", required_argument, NULL, OPTION_OBJECT},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

static void defaults(struct meter_options *options)
{
	char path[200];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	*options = (struct meter_options){.flows = 1, .batch = 64, .directions = 3};
	options->config = (struct meter_config){.subscribers = 1,
						.remotes = 1,
						.threads = 1,
						.inner_address = 0x0a00000a,
						.remote_address = 0xc6120001,
						.inner_port = 10000,
						.remote_port = 7777,
						.subscriber_mac_high_be = htons(0x0200),
						.subscriber_mac_low = 1,
						.check_mac = 1};
	parse_sizes("64", &options->config);
	if (length <= 0)
		return;
	path[length] = 0;
	*strrchr(path, '/') = 0;
	snprintf(options->object, sizeof(options->object), "%s/../bpf/meter.bpf.o", path);
}

/* What is sent. False: not one of these. */
static bool traffic_option(int code, const char *name, const char *value, struct meter_options *options)
{
	struct meter_config *config = &options->config;
	uint8_t mac[6];

	switch (code) {
	case OPTION_SUBSCRIBERS:
		config->subscribers = (uint32_t)parse_number(name, value, 1, 1 << 24);
		return true;
	case OPTION_FLOWS:
		options->flows = (uint32_t)parse_number(name, value, 1, 1 << 24);
		return true;
	case OPTION_MAX_FLOWS:
		config->max_flows = (uint32_t)parse_number(name, value, 1, 1 << 24);
		return true;
	case OPTION_SIZE:
		parse_sizes(value, config);
		return true;
	case OPTION_ADDRESS:
		config->inner_address = parse_address(name, value);
		return true;
	case OPTION_MAC:
		parse_mac(name, value, mac);
		memcpy(&config->subscriber_mac_high_be, mac, 2);
		config->subscriber_mac_low = (uint32_t)mac[2] << 24 | mac[3] << 16 | mac[4] << 8 | mac[5];
		return true;
	case OPTION_PORT:
		config->inner_port = (uint16_t)parse_number(name, value, 1, 65535);
		return true;
	case OPTION_REMOTE:
		config->remote_address = parse_address(name, value);
		return true;
	case OPTION_REMOTES:
		config->remotes = (uint32_t)parse_number(name, value, 1, 1 << 16);
		return true;
	case OPTION_REMOTE_PORT:
		config->remote_port = (uint16_t)parse_number(name, value, 1, 65535);
		return true;
	case OPTION_OUTER_VID:
		parse_tag(name, value, config, 0);
		return true;
	case OPTION_INNER_VID:
		parse_tag(name, value, config, 1);
		return true;
	}
	return false;
}

/* Where and how it is sent. False: not one of these. */
static bool run_option(int code, const char *name, const char *value, struct meter_options *options)
{
	switch (code) {
	case OPTION_ACCESS:
		parse_port(name, value, &options->port[METER_UP]);
		return true;
	case OPTION_CORE:
		parse_port(name, value, &options->port[METER_DOWN]);
		return true;
	case OPTION_GATEWAY_ACCESS_MAC:
		parse_mac(name, value, options->config.gateway_access_mac);
		return true;
	case OPTION_GATEWAY_CORE_MAC:
		parse_mac(name, value, options->config.gateway_core_mac);
		return true;
	case OPTION_CORE_MAC:
		parse_mac(name, value, options->config.core_mac);
		options->core_mac_given = true;
		return true;
	case OPTION_NO_MAC_CHECK:
		options->config.check_mac = 0;
		return true;
	case OPTION_DIRECTION:
		options->directions = meter_direction(value);
		if (!options->directions)
			die(name, value, "up, down or both");
		return true;
	case OPTION_SECONDS:
		options->seconds = parse_seconds(name, value);
		return true;
	case OPTION_PACKETS:
		options->packets = parse_number(name, value, 1, UINT64_MAX - 1);
		return true;
	case OPTION_NO_PRIME:
		options->no_prime = true;
		return true;
	case OPTION_RATE:
		options->rate = parse_number(name, value, 0, 1000000000);
		return true;
	case OPTION_CPUS:
		parse_cpus(value, options);
		return true;
	case OPTION_BATCH:
		options->batch = (uint32_t)parse_number(name, value, 1, 256);
		return true;
	case OPTION_INTERVAL:
		options->interval = parse_seconds(name, value);
		return true;
	case OPTION_COMMANDS:
		options->commands = true;
		return true;
	case OPTION_OBJECT:
		snprintf(options->object, sizeof(options->object), "%s", value);
		return true;
	}
	return false;
}

void meter_options_parse(int argc, char **argv, struct meter_options *options)
{
	int code, index = 0;

	defaults(options);
	while ((code = getopt_long(argc, argv, "h", long_options, &index)) != -1) {
		if (code == OPTION_HELP || code == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (code == '?')
			exit(2);
		if (!traffic_option(code, long_options[index].name, optarg, options))
			run_option(code, long_options[index].name, optarg, options);
	}
	if (optind < argc)
		die("argument", argv[optind], "options only; see --help");
	if (!options->port[METER_UP].device[0] || !options->port[METER_DOWN].device[0])
		die("options", "", "--access and --core; see --help");
	finish_config(options);
}
