/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The file is mapped, so that its owner's position in it does not matter.
 */
#include "controld/maps/object.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define VERDICT_PREFIX "BNG_"
#define VERDICT_TEXT   64

bool maps_object_open(struct maps_object *opened, int file)
{
	struct stat stat;

	*opened = (struct maps_object){0};
	if (fstat(file, &stat) || stat.st_size <= 0)
		return false;
	opened->size = (size_t)stat.st_size;
	opened->data = mmap(NULL, opened->size, PROT_READ, MAP_PRIVATE, file, 0);
	if (opened->data == MAP_FAILED)
		return false;
	opened->object = bpf_object__open_mem(opened->data, opened->size, NULL);
	opened->btf = opened->object ? bpf_object__btf(opened->object) : NULL;
	if (opened->btf)
		return true;
	maps_object_close(opened);
	return false;
}

void maps_object_close(struct maps_object *opened)
{
	bpf_object__close(opened->object);
	munmap(opened->data, opened->size);
}

static void add_verdict(json_t *names, const char *text)
{
	char name[VERDICT_TEXT];
	size_t prefix = strlen(VERDICT_PREFIX);

	if (strncmp(text, VERDICT_PREFIX, prefix) != 0)
		return;
	snprintf(name, sizeof(name), "%s", text + prefix);
	for (char *letter = name; *letter; letter++)
		*letter = (char)tolower((unsigned char)*letter);
	if (strcmp(name, "verdict_count") != 0)
		json_array_append_new(names, json_string(name));
}

json_t *maps_object_verdicts(int file)
{
	json_t *names = json_array();
	struct maps_object opened;

	if (!maps_object_open(&opened, file))
		return names;
	int id = btf__find_by_name_kind(opened.btf, "bng_verdict", BTF_KIND_ENUM);
	const struct btf_type *type = id > 0 ? btf__type_by_id(opened.btf, (uint32_t)id) : NULL;

	for (unsigned i = 0; type && i < btf_vlen(type); i++)
		add_verdict(names, btf__name_by_offset(opened.btf, btf_enum(type)[i].name_off));
	maps_object_close(&opened);
	return names;
}
