/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bng-bench-gateway: loads one XDP object onto an access and a core device and
 * keeps it there until standard input ends. `bare` is the program that only
 * redirects; `fault` redirects and does wrong, to prove the meter; `direct` is
 * bng.bpf.o with its maps filled here, without daemons: each line on standard
 * input is answered with the verdicts so far.
 */
#include "test/bench/gateway.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/abi/cgnat.h"
#include "test/bench/fault.h"

static const char usage[] =
	"Usage: bng-bench-gateway bare|fault|direct --object FILE --access DEV --core DEV\n"
	"  fault:  --fault NAME --every N\n"
	"  direct: [--subscribers N] [--address A] [--mac HEX] [--gateway A] [--public A] [--publics N]\n"
	"          [--block-shift 6-12] [--max-blocks 1-8] [--outer-vid V] [--inner-vid V]\n";

static int refuse(const char *what, const char *value, const char *problem)
{
	fprintf(stderr, "bng-bench-gateway: %s %s: %s\n", what, value, problem);
	return -EINVAL;
}

static int port_find(struct gateway_port *port)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), code;

	memcpy(request.ifr_name, port->device, sizeof(request.ifr_name));
	port->ifindex = (int)if_nametoindex(port->device);
	code = fd < 0 || !port->ifindex || ioctl(fd, SIOCGIFHWADDR, &request);
	memcpy(port->mac, request.ifr_hwaddr.sa_data, sizeof(port->mac));
	if (!code)
		code = ioctl(fd, SIOCGIFMTU, &request);
	port->mtu = (uint16_t)request.ifr_mtu;
	if (fd >= 0)
		close(fd);
	return code ? refuse("device", port->device, "there is no such device in this network namespace") : 0;
}

static int attach(struct bpf_object *object, const char *name, const struct gateway_port *port)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
	int fd;

	if (!program)
		return refuse("program", name, "the object has none");
	fd = bpf_link_create(bpf_program__fd(program), port->ifindex, BPF_XDP, &options);
	return fd < 0 ? refuse("attach to", port->device, strerror(-fd)) : 0;
}

static int devmap_fill(struct bpf_object *object, const char *name, uint32_t key,
		       const struct gateway_port *port)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	return bpf_map_update_elem(fd, &key, &port->ifindex, BPF_ANY) ? -errno : 0;
}

static int bare_fill(struct bpf_object *object, const struct gateway_options *options)
{
	int code = devmap_fill(object, "tx", 0, &options->core);

	return code ? code : devmap_fill(object, "tx", 1, &options->access);
}

static int fault_size(struct bpf_object *object, const struct gateway_options *options)
{
	struct fault_config config = {.fault = options->fault, .every = options->every};
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.config");

	return map && !bpf_map__set_initial_value(map, &config, sizeof(config)) ? 0 : -EINVAL;
}

static int fault_fill(struct bpf_object *object, const struct gateway_options *options)
{
	int code = 0;

	for (uint32_t i = 0; i < 2 && !code; i++) {
		code = devmap_fill(object, "tx_core", i, &options->core);
		if (!code)
			code = devmap_fill(object, "tx_access", i, &options->access);
	}
	return code;
}

struct kind {
	const char *name;
	const char *access; /* programs */
	const char *core;
	int (*size)(struct bpf_object *object, const struct gateway_options *options);
	int (*fill)(struct bpf_object *object, const struct gateway_options *options);
	int (*answer)(struct bpf_object *object);
};

static const struct kind kinds[] = {
	{"bare", "bare_access", "bare_core", NULL, bare_fill, NULL},
	{"fault", "fault_access", "fault_core", fault_size, fault_fill, NULL},
	{"direct", "bng_access", "bng_core", gateway_direct_size, gateway_direct_fill,
	 gateway_direct_verdicts},
};

static const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; name && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

static int start(const struct gateway_options *options, const struct kind *kind, struct bpf_object **loaded)
{
	struct bpf_object *object = bpf_object__open_file(options->object, NULL);
	int code = object ? 0 : -errno;

	*loaded = object;
	if (code)
		return refuse("open", options->object, strerror(-code));
	if (kind->size)
		code = kind->size(object, options);
	if (code)
		return refuse("prepare the maps of", options->object, strerror(-code));
	code = bpf_object__load(object);
	if (code)
		return refuse("load", options->object, strerror(-code));
	code = kind->fill(object, options);
	if (code)
		return refuse("fill the maps of", options->object, strerror(-code));
	code = attach(object, kind->access, &options->access);
	return code ? code : attach(object, kind->core, &options->core);
}

static uint32_t fault_of(const char *text)
{
	static const char *const names[] = {
#define FAULT_TEXT(name, text) text,
		FAULTS(FAULT_TEXT)
#undef FAULT_TEXT
	};

	for (uint32_t i = 0; i < FAULT_COUNT; i++)
		if (!strcmp(text, names[i]))
			return i;
	refuse("fault", text, "unknown; see fault.h");
	exit(2);
}

static uint32_t address_of(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1) {
		refuse("address", text, "expected an IPv4 address");
		exit(2);
	}
	return ntohl(address.s_addr);
}

static void parse(int argc, char **argv, struct gateway_options *options)
{
	static const struct option long_options[] = {
		{"object", required_argument, NULL, 'o'},     {"access", required_argument, NULL, 'a'},
		{"core", required_argument, NULL, 'c'},       {"subscribers", required_argument, NULL, 's'},
		{"address", required_argument, NULL, 'i'},    {"mac", required_argument, NULL, 'm'},
		{"gateway", required_argument, NULL, 'g'},    {"public", required_argument, NULL, 'p'},
		{"publics", required_argument, NULL, 'n'},    {"block-shift", required_argument, NULL, 'b'},
		{"max-blocks", required_argument, NULL, 'x'}, {"outer-vid", required_argument, NULL, 'O'},
		{"inner-vid", required_argument, NULL, 'I'},  {"fault", required_argument, NULL, 'f'},
		{"every", required_argument, NULL, 'e'},      {NULL, 0, NULL, 0},
	};
	int code;

	while ((code = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (code) {
		case 'o':
			options->object = optarg;
			break;
		case 'a':
			snprintf(options->access.device, sizeof(options->access.device), "%s", optarg);
			break;
		case 'c':
			snprintf(options->core.device, sizeof(options->core.device), "%s", optarg);
			break;
		case 's':
			options->subscribers = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'i':
			options->address = address_of(optarg);
			break;
		case 'm':
			options->mac = strtoull(optarg, NULL, 16);
			break;
		case 'g':
			options->gateway = address_of(optarg);
			break;
		case 'p':
			options->public_address = address_of(optarg);
			break;
		case 'n':
			options->public_count = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			options->block_shift = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'x':
			options->max_blocks = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'O':
			options->outer_vid = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'I':
			options->inner_vid = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'f':
			options->fault = fault_of(optarg);
			break;
		case 'e':
			options->every = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct gateway_options options = {.subscribers = 1,
					  .address = 0x0a00000a,
					  .gateway = 0x0a000001,
					  .mac = 0x020000000001,
					  .public_address = 0xcb007100,
					  .public_count = 1,
					  .block_shift = 9,
					  .max_blocks = 8};
	struct bpf_object *object = NULL;
	const struct kind *kind = kind_find(argv[1]);
	char line[64];
	int code;

	if (!kind) {
		fputs(usage, stderr);
		return 2;
	}
	parse(argc - 1, argv + 1, &options);
	if (!options.object || !options.public_count || !options.subscribers ||
	    options.block_shift < BNG_BLOCK_SHIFT_MIN || options.block_shift > BNG_BLOCK_SHIFT_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	code = port_find(&options.access);
	if (!code)
		code = port_find(&options.core);
	if (!code)
		code = start(&options, kind, &object);
	if (!code) {
		puts("{\"ready\": true}");
		fflush(stdout);
	}
	while (!code && fgets(line, sizeof(line), stdin))
		if (kind->answer)
			code = kind->answer(object);
	bpf_object__close(object);
	return code ? 1 : 0;
}
