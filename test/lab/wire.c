/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Attaches the lab's XDP programs (vlan.bpf.c) in the network namespace it runs
 * in, and leaves them attached:
 *   lab-wire OBJECT pass INTERFACE...
 *   lab-wire OBJECT tag CLIENT-INTERFACE TRUNK-INTERFACE TPID:VID [TPID:VID]
 */
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

struct tag {
	uint16_t tpid;
	uint16_t vid;
};

/* The object's .rodata, in the order of vlan.bpf.c. */
struct settings {
	struct tag tags[2];
	uint32_t client_ifindex;
	uint32_t trunk_ifindex;
};

static unsigned interface_index(const char *name)
{
	unsigned ifindex = if_nametoindex(name);
	if (!ifindex)
		fprintf(stderr, "lab-wire: interface \"%s\": %s\n", name, strerror(errno));
	return ifindex;
}

static int attach(struct bpf_object *object, const char *program_name, unsigned ifindex)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, program_name);
	if (!ifindex || !program)
		return -ENOENT;
	int error = bpf_xdp_attach((int)ifindex, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL);
	if (error)
		fprintf(stderr, "lab-wire: attaching %s to interface %u: %s\n", program_name, ifindex,
			strerror(-error));
	return error;
}

static int parse_tag(const char *text, struct tag *tag)
{
	unsigned tpid = 0, vid = 0;
	if (sscanf(text, "%x:%u", &tpid, &vid) != 2 || tpid > 0xffff || vid > 4094) {
		fprintf(stderr, "lab-wire: \"%s\" is no TPID:VID such as 88a8:100\n", text);
		return -EINVAL;
	}
	*tag = (struct tag){(uint16_t)tpid, (uint16_t)vid};
	return 0;
}

static int set_rodata(struct bpf_object *object, const struct settings *settings)
{
	struct bpf_map *map;
	bpf_object__for_each_map(map, object)
	{
		if (!strstr(bpf_map__name(map), ".rodata"))
			continue;
		if (bpf_map__value_size(map) != sizeof(*settings))
			return -EINVAL;
		return bpf_map__set_initial_value(map, settings, sizeof(*settings));
	}
	return -ENOENT;
}

static int run_pass(struct bpf_object *object, int count, char **interfaces)
{
	int error = bpf_object__load(object);
	for (int i = 0; i < count && !error; i++)
		error = attach(object, "lab_pass", interface_index(interfaces[i]));
	return error;
}

static int run_tag(struct bpf_object *object, int count, char **args)
{
	struct settings settings = {0};
	if (count < 3 || count > 4)
		return -EINVAL;
	settings.client_ifindex = interface_index(args[0]);
	settings.trunk_ifindex = interface_index(args[1]);
	for (int i = 2; i < count; i++)
		if (parse_tag(args[i], &settings.tags[i - 2]))
			return -EINVAL;
	int error = set_rodata(object, &settings);
	if (!error)
		error = bpf_object__load(object);
	if (!error)
		error = attach(object, "lab_push", settings.client_ifindex);
	if (!error)
		error = attach(object, "lab_pop", settings.trunk_ifindex);
	return error;
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: %s OBJECT pass INTERFACE... | tag CLIENT TRUNK TPID:VID [TPID:VID]\n",
			argv[0]);
		return 2;
	}
	struct bpf_object *object = bpf_object__open(argv[1]);
	if (!object) {
		fprintf(stderr, "lab-wire: opening %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	int error = -EINVAL;
	if (!strcmp(argv[2], "pass"))
		error = run_pass(object, argc - 3, argv + 3);
	else if (!strcmp(argv[2], "tag"))
		error = run_tag(object, argc - 3, argv + 3);
	bpf_object__close(object);
	if (error)
		fprintf(stderr, "lab-wire: %s: %s\n", argv[2], strerror(-error));
	return error ? 1 : 0;
}
