/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bng-bench-gateway: loads one XDP object onto an access and a core device and
 * keeps it there until standard input ends. `bare` is the program that only
 * redirects; `direct` is bng.bpf.o with its maps filled here, without daemons.
 * With `direct`, each line on standard input is answered with the verdicts so far.
 */
#include "test/bench/gateway.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/abi/cgnat.h"

static const char usage[] =
	"Usage: bng-bench-gateway bare|direct --object FILE --access DEV --core DEV\n"
	"  direct: [--subscribers N] [--address A] [--mac HEX] [--gateway A] [--public A] [--publics N]\n"
	"          [--block-shift 6-12] [--max-blocks 1-8]\n";

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

static int bare_fill(struct bpf_object *object, const struct gateway_options *options)
{
	int fd = bpf_object__find_map_fd_by_name(object, "tx");
	uint32_t to_core = 0, to_access = 1;

	if (bpf_map_update_elem(fd, &to_core, &options->core.ifindex, BPF_ANY) ||
	    bpf_map_update_elem(fd, &to_access, &options->access.ifindex, BPF_ANY))
		return -errno;
	return 0;
}

static int start(const struct gateway_options *options, bool bare, struct bpf_object **loaded)
{
	struct bpf_object *object = bpf_object__open_file(options->object, NULL);
	int code = object ? 0 : -errno;

	*loaded = object;
	if (code)
		return refuse("open", options->object, strerror(-code));
	if (!bare)
		code = gateway_direct_size(object, options);
	if (code)
		return refuse("size the maps of", options->object, strerror(-code));
	code = bpf_object__load(object);
	if (code)
		return refuse("load", options->object, strerror(-code));
	code = bare ? bare_fill(object, options) : gateway_direct_fill(object, options);
	if (code)
		return refuse("fill the maps of", options->object, strerror(-code));
	code = attach(object, bare ? "bare_access" : "bng_access", &options->access);
	return code ? code : attach(object, bare ? "bare_core" : "bng_core", &options->core);
}

static uint32_t address_of(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		exit(refuse("address", text, "expected an IPv4 address") ? 2 : 0);
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
		{"max-blocks", required_argument, NULL, 'x'}, {NULL, 0, NULL, 0},
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
	bool bare = argc > 1 && !strcmp(argv[1], "bare");
	char line[64];
	int code;

	if (argc < 2 || (!bare && strcmp(argv[1], "direct"))) {
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
		code = start(&options, bare, &object);
	if (!code) {
		puts("{\"ready\": true}");
		fflush(stdout);
	}
	while (!code && fgets(line, sizeof(line), stdin))
		if (!bare)
			code = gateway_direct_verdicts(object);
	bpf_object__close(object);
	return code ? 1 : 0;
}
