/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading golden packets. Everything is checked here, so that who uses them need not.
 */
#include "controld/issu/golden.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/json.h"
#include "lib/pcap.h"

#define FRAME_MIN 14
#define FRAME_MAX BNG_CAPTURE_FRAME

static bool is_hex(const json_t *value, size_t max)
{
	const char *text = json_string_value(value);

	return text && strspn(text, "0123456789abcdef") == strlen(text) && strlen(text) % 2 == 0 &&
	       strlen(text) / 2 <= max;
}

static enum map_id map_named(const char *name)
{
	enum map_id id = 0;

	while (id < MAP_COUNT && strcmp(maps_name(id), name) != 0)
		id++;
	return id;
}

/* {map: {key or index: bytes}}; sizes are the maps', and checked where they are set. */
static void check_world(struct json_reader *reader, const json_t *object, const char *member)
{
	json_t *world = json_enter(reader, object, member), *content, *value;
	const char *name, *key;

	if (!json_is_object(world))
		json_reader_fail(reader, world, "must be an object of maps");
	json_object_foreach(world, name, content)
	{
		json_t *map = json_enter(reader, world, name);

		if (map_named(name) == MAP_COUNT || !json_is_object(map))
			json_reader_fail(reader, map, "must be an object with the entries of a map");
		json_object_foreach(map, key, value)
		{
			json_enter(reader, map, key);
			if (!is_hex(value, GOLDEN_BYTES) && !json_is_null(value))
				json_reader_fail(reader, value, "must be bytes in hexadecimal, or null");
			json_leave(reader);
		}
		json_leave(reader);
	}
	json_leave(reader);
}

static uint8_t read_choice(struct json_reader *reader, const json_t *object, const char *member,
			   const char *(*name)(unsigned), unsigned count)
{
	const char *text = json_read_string(reader, object, member);
	unsigned i = 0;

	while (i < count && strcmp(name(i), text) != 0)
		i++;
	if (i < count)
		return (uint8_t)i;
	json_reader_fail(reader, json_enter(reader, object, member), "is not known here");
	json_leave(reader);
	return 0;
}

static const char *program_name(unsigned entry)
{
	static const char *const names[WORLD_ENTRIES] = {"access", "core", "inject"};

	return names[entry];
}

static void read_packet(struct json_reader *reader, const json_t *object, struct pcap *pcap,
			struct golden_packet *packet)
{
	static const char *const members[] = {"what",     "program", "interface", "verdict",
					      "clock_ns", "set",     NULL};

	json_read_only(reader, object, members);
	packet->what = json_read_string(reader, object, "what");
	packet->entry = read_choice(reader, object, "program", program_name, WORLD_ENTRIES);
	packet->verdict = read_choice(reader, object, "verdict", maps_verdict_name, BNG_VERDICT_COUNT);
	packet->interface = (uint16_t)json_read_integer(reader, object, "interface", 1, BNG_INTERFACE_PUNT);
	packet->clock_ns = (uint64_t)json_read_integer(reader, object, "clock_ns", 1, INT64_MAX / 2);
	check_world(reader, object, "set");
	packet->set = json_object_get(object, "set");
	if (pcap_next(pcap, &packet->frame.bytes, &packet->frame.length) != 1 ||
	    packet->frame.length < FRAME_MIN || packet->frame.length > FRAME_MAX)
		json_reader_fail(reader, NULL, "a whole frame of %d-%d bytes for it in the pcap file",
				 FRAME_MIN, FRAME_MAX);
}

static void read_document(struct json_reader *reader, struct golden *golden, struct pcap *pcap)
{
	static const char *const members[] = {"$comment", "about", "world", "packets", NULL};
	json_t *packets;
	const uint8_t *frame;
	uint32_t length;

	json_read_only(reader, golden->document, members);
	check_world(reader, golden->document, "world");
	packets = json_enter(reader, golden->document, "packets");
	if (!json_is_array(packets) || json_array_size(packets) > GOLDEN_PACKETS)
		json_reader_fail(reader, packets, "must be an array of at most %d packets", GOLDEN_PACKETS);
	for (size_t i = 0; json_reader_ok(reader) && i < json_array_size(packets); i++) {
		json_t *packet = json_enter_index(reader, packets, i);

		if (json_is_object(packet))
			read_packet(reader, packet, pcap, &golden->packet[i]);
		else
			json_reader_fail(reader, packet, "must be an object");
		json_leave(reader);
	}
	if (json_reader_ok(reader) && pcap_next(pcap, &frame, &length) != 0)
		json_reader_fail(reader, NULL, "a packet for each frame of the pcap file");
	golden->count = json_array_size(packets);
	json_leave(reader);
}

int golden_parse(char *text, size_t text_size, char *capture, size_t capture_size, struct golden **golden,
		 char *error, size_t size)
{
	struct golden *new = calloc(1, sizeof(*new));
	struct json_reader reader;
	json_error_t syntax;
	struct pcap pcap;

	if (!new) {
		free(text);
		free(capture);
		snprintf(error, size, "out of memory");
		return -ENOMEM;
	}
	new->capture = capture;
	new->document = json_loadb(text, text_size, JSON_REJECT_DUPLICATES, &syntax);
	free(text);
	json_reader_init(&reader);
	if (!new->document)
		snprintf(reader.error, sizeof(reader.error), "line %d: %s", syntax.line, syntax.text);
	else if (!json_is_object(new->document))
		json_reader_fail(&reader, new->document, "must be an object");
	else if (pcap_open(&pcap, capture, capture_size))
		snprintf(reader.error, sizeof(reader.error),
			 "the pcap file beside it is none of Ethernet frames");
	else
		read_document(&reader, new, &pcap);
	if (json_reader_ok(&reader)) {
		*golden = new;
		return 0;
	}
	snprintf(error, size, "%s", reader.error);
	golden_free(new);
	return -EINVAL;
}

void golden_free(struct golden *golden)
{
	if (!golden)
		return;
	json_decref(golden->document);
	free(golden->capture);
	free(golden);
}

static int read_file(const char *folder, const char *name, const char *suffix, char **bytes, size_t *length,
		     char *error, size_t size)
{
	char path[512];
	int fd, failure;

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	failure = fd < 0 ? -errno : file_read(fd, GOLDEN_FILE, bytes, length);
	if (fd >= 0)
		close(fd);
	if (failure)
		snprintf(error, size, "%s: %s", path, strerror(-failure));
	return failure;
}

int golden_load(const char *folder, const char *name, struct golden **golden, char *error, size_t size)
{
	char *text = NULL, *capture = NULL, why[JSON_ERROR_TEXT];
	size_t text_size = 0, capture_size = 0;
	int failure = read_file(folder, name, ".json", &text, &text_size, error, size);

	if (!failure)
		failure = read_file(folder, name, ".pcap", &capture, &capture_size, error, size);
	if (failure) {
		free(text);
		return failure;
	}
	failure = golden_parse(text, text_size, capture, capture_size, golden, why, sizeof(why));
	if (failure)
		snprintf(error, size, "%s/%s.json: %s", folder, name, why);
	return failure;
}
