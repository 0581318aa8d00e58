/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the meter says. Sent is what the veth's ring took (its own counter), not
 * what was generated: a frame refused there was never on the way, and is shown
 * as `refused`. lost = sent - received, where received counts every packet once,
 * with both checksums right and at its own destination.
 */
#include "test/bench/meter_run.h"

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static const char *const direction_names[] = {[METER_UP] = "up", [METER_DOWN] = "down"};

/* ---- Counters of the device ---------------------------------------------- */

static uint32_t string_count(const struct meter_port *port, struct ifreq *request)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} sets = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_STATS}};

	request->ifr_data = (char *)&sets;
	if (ioctl(port->socket_fd, SIOCETHTOOL, request) || !sets.info.sset_mask)
		return 0;
	return sets.count;
}

/* Frames that the device took over from XDP, all queues. False: it does not say. */
static bool device_accepted(const struct meter_port *port, uint64_t *accepted)
{
	struct ifreq request = {0};
	struct ethtool_gstrings *names = NULL;
	struct ethtool_stats *values = NULL;
	uint32_t count;
	bool found = false;

	memcpy(request.ifr_name, port->device, sizeof(request.ifr_name));
	count = string_count(port, &request);
	names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + count * sizeof(uint64_t));
	if (!count || !names || !values)
		goto out;
	*names = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS, .len = count};
	*values = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = count};
	request.ifr_data = (char *)names;
	if (ioctl(port->socket_fd, SIOCETHTOOL, &request))
		goto out;
	request.ifr_data = (char *)values;
	if (ioctl(port->socket_fd, SIOCETHTOOL, &request))
		goto out;
	*accepted = 0;
	for (uint32_t i = 0; i < count; i++) {
		char *name = (char *)names->data + (size_t)i * ETH_GSTRING_LEN;
		size_t length = strnlen(name, ETH_GSTRING_LEN);

		if (length < 9 || strncmp(name, "tx_queue_", 9) || strncmp(name + length - 9, "_xdp_xmit", 9))
			continue;
		*accepted += values->data[i];
		found = true;
	}
out:
	free(names);
	free(values);
	return found;
}

void meter_totals_read(struct meter *meter, struct meter_totals totals[static METER_DIRECTIONS])
{
	for (int direction = 0; direction < METER_DIRECTIONS; direction++) {
		struct meter_totals sum = {0};

		for (int cpu = 0; cpu < METER_CPUS; cpu++) {
			const struct meter_generator *made =
				&meter->generator[cpu * METER_DIRECTIONS + direction];
			const struct meter_sink *got = &meter->sink[cpu * METER_DIRECTIONS + direction];

			sum.generated += made->generated;
			sum.skipped += made->skipped;
			sum.bytes_generated += made->bytes;
			sum.received += got->received;
			sum.bytes += got->bytes;
			sum.reordered += got->reordered;
			sum.duplicated += got->duplicated;
			sum.bad_ip_checksum += got->bad_ip_checksum;
			sum.bad_udp_checksum += got->bad_udp_checksum;
			sum.misdelivered += got->misdelivered;
			sum.remapped += got->remapped;
			sum.other += got->other;
			sum.mapped += got->mapped;
			if (got->gap_ns > sum.gap_ns)
				sum.gap_ns = got->gap_ns;
			if (got->first_ns && (!sum.first_ns || got->first_ns < sum.first_ns))
				sum.first_ns = got->first_ns;
			if (got->last_ns > sum.last_ns)
				sum.last_ns = got->last_ns;
		}
		if (!device_accepted(&meter->options.port[direction], &sum.accepted))
			sum.accepted = sum.generated;
		totals[direction] = sum;
	}
}

/* ---- JSON ----------------------------------------------------------------- */

static json_t *direction_json(const struct meter_totals *before, const struct meter_totals *after)
{
	const struct {
		const char *name;
		size_t offset;
	} plain[] = {
		{"generated", offsetof(struct meter_totals, generated)},
		{"skipped", offsetof(struct meter_totals, skipped)},
		{"sent", offsetof(struct meter_totals, accepted)},
		{"received", offsetof(struct meter_totals, received)},
		{"reordered", offsetof(struct meter_totals, reordered)},
		{"duplicated", offsetof(struct meter_totals, duplicated)},
		{"bad_ip_checksum", offsetof(struct meter_totals, bad_ip_checksum)},
		{"bad_udp_checksum", offsetof(struct meter_totals, bad_udp_checksum)},
		{"misdelivered", offsetof(struct meter_totals, misdelivered)},
		{"remapped", offsetof(struct meter_totals, remapped)},
		{"other", offsetof(struct meter_totals, other)},
		{"mapped", offsetof(struct meter_totals, mapped)},
		{"bytes", offsetof(struct meter_totals, bytes)},
	};
	int64_t sent = (int64_t)(after->accepted - before->accepted);
	int64_t received = (int64_t)(after->received - before->received);
	/* From the first to the last arrival: starting and ending a test run takes time. */
	double seconds = (double)(after->last_ns - after->first_ns) / 1e9;
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		uint64_t was = *(const uint64_t *)((const char *)before + plain[i].offset);
		uint64_t is = *(const uint64_t *)((const char *)after + plain[i].offset);

		json_object_set_new(object, plain[i].name, json_integer((json_int_t)(is - was)));
	}
	json_object_set_new(object, "refused",
			    json_integer((json_int_t)(after->generated - before->generated) - sent));
	json_object_set_new(object, "lost", json_integer(sent - received));
	json_object_set_new(object, "longest_gap_us", json_real((double)after->gap_ns / 1000));
	json_object_set_new(object, "seconds", json_real(seconds));
	json_object_set_new(object, "mpps", json_real(seconds > 0 ? (double)received / seconds / 1e6 : 0));
	return object;
}

json_t *meter_mappings_json(const struct meter *meter)
{
	const struct meter_config *config = &meter->options.config;
	uint64_t digest = 0xcbf29ce484222325ull; /* FNV-1a */
	json_int_t count = 0;
	char text[17];

	for (uint32_t i = 0; i < config->max_flows; i++) {
		uint32_t place = i % config->threads * config->flows_per_thread + i / config->threads;
		const struct meter_up_flow *flow = &meter->up_flow[place];
		uint32_t words[3] = {i, flow->public_be, flow->public_port_be};
		const uint8_t *bytes = (const uint8_t *)words;

		if (!flow->known)
			continue;
		count++;
		for (size_t k = 0; k < sizeof(words); k++)
			digest = (digest ^ bytes[k]) * 0x100000001b3ull;
	}
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)digest);
	return json_pack("{sIss}", "count", count, "digest", text);
}

json_t *meter_phase_json(struct meter *meter, const struct meter_phase *phase, const char *name)
{
	double seconds = (double)(meter_now() - phase->started_ns) / 1e9;
	uint64_t waited = 0;
	json_t *object = json_pack("{sssfsi}", "phase", name, "seconds", seconds, "flows", (int)meter->flows);

	for (int i = 0; i < METER_DIRECTIONS; i++)
		json_object_set_new(object, direction_names[i],
				    direction_json(&phase->before[i], &phase->after[i]));
	json_object_set_new(object, "mappings", meter_mappings_json(meter));
	for (uint32_t i = 0; i < meter->worker_count; i++)
		if (meter->worker[i].waited_ns > waited)
			waited = meter->worker[i].waited_ns;
	json_object_set_new(object, "waited_us", json_real((double)waited / 1000));
	for (uint32_t i = 0; i < meter->worker_count; i++)
		if (meter->worker[i].error)
			json_object_set_new(object, "error",
					    json_sprintf("generator on CPU %u: test run: %s",
							 meter->options.cpu[i],
							 strerror(meter->worker[i].error)));
	return object;
}

void meter_progress(struct meter *meter, const struct meter_phase *phase)
{
	struct meter_totals now[METER_DIRECTIONS];

	meter_totals_read(meter, now);
	for (int i = 0; i < METER_DIRECTIONS; i++) {
		unsigned long long sent = now[i].accepted - phase->before[i].accepted;
		unsigned long long received = now[i].received - phase->before[i].received;

		if (sent)
			fprintf(stderr,
				"%7.1f s %-4s sent %llu received %llu reordered %llu longest gap %.1f us\n",
				(double)(meter_now() - phase->started_ns) / 1e9, direction_names[i], sent,
				received, (unsigned long long)(now[i].reordered - phase->before[i].reordered),
				(double)now[i].gap_ns / 1000);
	}
}
