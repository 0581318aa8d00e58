/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Loading the meter: the object with its constants, the devmap, the sinks on
 * both ends. Each device may be in another network namespace; only the attaching
 * happens there. Links are not pinned: when the process ends, nothing is left.
 */
#include "test/bench/meter_run.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((format(printf, 4, 5))) static int fail(char *error, size_t size, int code, const char *format,
						      ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, size, format, args);
	va_end(args);
	return code;
}

static int netns_open(const char *name)
{
	char path[192];

	if (!*name)
		return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s%s", *name == '/' ? "" : "/run/netns/", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static void *map_memory(struct bpf_object *object, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	size_t size = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int object_configure(struct meter *meter)
{
	struct bpf_object *object = meter->object;
	struct bpf_map *constants = bpf_object__find_map_by_name(object, ".rodata.config");
	const struct meter_config *config = &meter->options.config;
	size_t size = 0;
	uint32_t flows;

	if (!constants || !bpf_map__initial_value(constants, &size) || size != sizeof(*config))
		return -EINVAL;
	if (bpf_map__set_initial_value(constants, config, sizeof(*config)))
		return -EINVAL;
	flows = config->flows_per_thread * config->threads;
	if (bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "up_flow"), flows) ||
	    bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "down_flow"), flows))
		return -EINVAL;
	return 0;
}

static int object_load(struct meter *meter, char *error, size_t size)
{
	const char *file = meter->options.object;
	int code;

	meter->object = bpf_object__open_file(file, NULL);
	if (!meter->object)
		return fail(error, size, -errno,
			    "open BPF object %s: %s; build target bpf_meter or give --object", file,
			    strerror(errno));
	if (object_configure(meter))
		return fail(error, size, -EINVAL, "%s was built from another meter.h; build it again", file);
	code = bpf_object__load(meter->object);
	if (code)
		return fail(error, size, code, "load %s: %s; root and a kernel with BPF are needed", file,
			    strerror(-code));
	meter->generate_fd =
		bpf_program__fd(bpf_object__find_program_by_name(meter->object, "meter_generate"));
	meter->generator = map_memory(meter->object, "generator");
	meter->turn = map_memory(meter->object, "turn");
	meter->sink = map_memory(meter->object, "sink");
	meter->control = map_memory(meter->object, "control");
	meter->up_flow = map_memory(meter->object, "up_flow");
	if (!meter->generator || !meter->turn || !meter->sink || !meter->control || !meter->up_flow)
		return fail(error, size, -ENOMEM, "map the counters into memory: %s", strerror(errno));
	return 0;
}

/* In the device's namespace. */
static int port_attach(struct meter *meter, enum meter_direction direction, char *error, size_t size)
{
	static const char *const sinks[] = {[METER_UP] = "meter_sink_down", [METER_DOWN] = "meter_sink_up"};
	struct meter_port *port = &meter->options.port[direction];
	struct bpf_program *program = bpf_object__find_program_by_name(meter->object, sinks[direction]);
	int devmap = bpf_object__find_map_fd_by_name(meter->object, "out");
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
	uint32_t key = direction, value;

	value = port->ifindex = (int)if_nametoindex(port->device);
	if (!value)
		return fail(error, size, -ENODEV, "find device %s in network namespace \"%s\": there is none",
			    port->device, port->netns);
	port->link_fd = bpf_link_create(bpf_program__fd(program), port->ifindex, BPF_XDP, &options);
	if (port->link_fd < 0)
		return fail(error, size, port->link_fd,
			    "attach %s to %s: %s; is there another XDP program, or fewer rx queues than its "
			    "peer has tx queues?",
			    sinks[direction], port->device, strerror(-port->link_fd));
	if (bpf_map_update_elem(devmap, &key, &value, BPF_ANY))
		return fail(error, size, -errno, "put %s into the devmap: %s", port->device, strerror(errno));
	port->socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (port->socket_fd < 0)
		return fail(error, size, -errno, "open a socket: %s", strerror(errno));
	return 0;
}

static int port_enter(struct meter *meter, enum meter_direction direction, int home, char *error, size_t size)
{
	const char *name = meter->options.port[direction].netns;
	int fd = netns_open(name), code;

	if (fd < 0)
		return fail(error, size, -errno, "open network namespace \"%s\": %s", name, strerror(errno));
	code = setns(fd, CLONE_NEWNET) ? -errno : 0;
	close(fd);
	if (code)
		return fail(error, size, code, "enter network namespace \"%s\": %s", name, strerror(-code));
	code = port_attach(meter, direction, error, size);
	if (setns(home, CLONE_NEWNET) && !code)
		code = fail(error, size, -errno, "return from network namespace \"%s\": %s", name,
			    strerror(errno));
	return code;
}

/* The source MAC of frames from the internet: the core device's own. */
static int core_mac(struct meter_options *options, char *error, size_t size)
{
	struct meter_port *port = &options->port[METER_DOWN];
	int home = netns_open(""), fd = netns_open(port->netns), socket_fd = -1;
	struct ifreq request = {0};
	int code = 0;

	memcpy(request.ifr_name, port->device, sizeof(request.ifr_name));
	if (home < 0 || fd < 0 || setns(fd, CLONE_NEWNET))
		code = fail(error, size, -errno, "enter network namespace \"%s\": %s", port->netns,
			    strerror(errno));
	if (!code)
		socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!code && ioctl(socket_fd, SIOCGIFHWADDR, &request))
		code = fail(error, size, -errno, "read the MAC of %s: %s", port->device, strerror(errno));
	if (!code)
		memcpy(options->config.core_mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	if (home >= 0 && setns(home, CLONE_NEWNET) && !code)
		code = fail(error, size, -errno, "return to our network namespace: %s", strerror(errno));
	if (socket_fd >= 0)
		close(socket_fd);
	if (fd >= 0)
		close(fd);
	if (home >= 0)
		close(home);
	return code;
}

int meter_load(struct meter *meter, char *error, size_t error_size)
{
	int home, code = 0;

	meter->options.port[METER_UP].link_fd = meter->options.port[METER_UP].socket_fd = -1;
	meter->options.port[METER_DOWN].link_fd = meter->options.port[METER_DOWN].socket_fd = -1;
	if (!meter->options.core_mac_given)
		code = core_mac(&meter->options, error, error_size);
	if (!code)
		code = object_load(meter, error, error_size);
	if (code)
		return code;
	home = netns_open("");
	if (home < 0)
		return fail(error, error_size, -errno, "open our network namespace: %s", strerror(errno));
	code = port_enter(meter, METER_UP, home, error, error_size);
	if (!code)
		code = port_enter(meter, METER_DOWN, home, error, error_size);
	close(home);
	return code;
}

void meter_unload(struct meter *meter)
{
	for (int i = 0; i < METER_DIRECTIONS; i++) {
		struct meter_port *port = &meter->options.port[i];

		if (port->link_fd >= 0)
			close(port->link_fd);
		if (port->socket_fd >= 0)
			close(port->socket_fd);
	}
	bpf_object__close(meter->object);
}
