/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading where records of port blocks go: /cgnat/log.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "controld/config/parse.h"

static const char *const facilities[] = {"kern",   "user",   "mail",   "daemon", "auth",     "syslog",
					 "lpr",    "news",   "uucp",   "cron",   "authpriv", "ftp",
					 "ntp",    "audit",  "alert",  "clock",  "local0",   "local1",
					 "local2", "local3", "local4", "local5", "local6",   "local7"};

static void fail_at(struct json_reader *reader, json_t *object, const char *member, const char *expected)
{
	json_reader_fail(reader, json_enter(reader, object, member), "%s", expected);
	json_leave(reader);
}

static void read_path(struct json_reader *reader, json_t *object, char *path, size_t size)
{
	const char *text = config_string(reader, object, "path", NULL);

	if (text && (text[0] != '/' || strlen(text) >= size))
		fail_at(reader, object, "path", "must be an absolute path, not too long");
	else if (text)
		snprintf(path, size, "%s", text);
}

static void read_endpoint(struct json_reader *reader, json_t *object, uint16_t port,
			  struct config_endpoint *to)
{
	to->address_be = config_address(reader, object, "address");
	if (json_reader_ok(reader) && (!to->address_be || ntohl(to->address_be) >> 28 >= 14))
		fail_at(reader, object, "address", "must be a unicast address");
	to->port = (uint16_t)config_integer(reader, object, "port", 1, 65535, port);
}

static void read_file(struct json_reader *reader, json_t *log, struct config_log *config)
{
	static const char *const members[] = {"path", "max_bytes", "keep", NULL};
	json_t *file = json_enter(reader, log, "file");

	if (file) {
		json_read_only(reader, file, members);
		config->file.on = true;
		read_path(reader, file, config->file.path, sizeof(config->file.path));
		config->file.max_bytes =
			(uint64_t)config_integer(reader, file, "max_bytes", 0, INT64_MAX, 100 << 20);
		config->file.keep = (uint32_t)config_integer(reader, file, "keep", 1, 1000, 10);
		if (config->file.max_bytes && config->file.max_bytes < 4096)
			fail_at(reader, file, "max_bytes", "must be at least 4096, or 0 for no rotation");
	}
	json_leave(reader);
}

static void read_facility(struct json_reader *reader, json_t *syslog, struct config_log *config)
{
	const char *name = config_string(reader, syslog, "facility", "local0");

	for (size_t i = 0; name && i < sizeof(facilities) / sizeof(facilities[0]); i++) {
		if (strcmp(name, facilities[i]))
			continue;
		config->syslog.facility = (uint8_t)i;
		return;
	}
	fail_at(reader, syslog, "facility", "must be a syslog facility such as \"local0\" or \"daemon\"");
}

/* RFC 5424: printable ASCII without spaces. */
static void read_hostname(struct json_reader *reader, json_t *syslog, struct config_log *config)
{
	if (json_object_get(syslog, "hostname"))
		config_name(reader, syslog, "hostname", config->syslog.hostname,
			    sizeof(config->syslog.hostname));
}

static void read_syslog(struct json_reader *reader, json_t *log, struct config_log *config)
{
	static const char *const local[] = {"path", "facility", "hostname", NULL};
	static const char *const remote[] = {"address", "port", "facility", "hostname", NULL};
	json_t *syslog = json_enter(reader, log, "syslog");
	bool path = json_object_get(syslog, "path");

	if (syslog) {
		json_read_only(reader, syslog, path ? local : remote);
		config->syslog.on = true;
		if (path)
			read_path(reader, syslog, config->syslog.to.path, sizeof(config->syslog.to.path));
		else
			read_endpoint(reader, syslog, 514, &config->syslog.to);
		read_facility(reader, syslog, config);
		read_hostname(reader, syslog, config);
	}
	json_leave(reader);
}

static void read_ipfix(struct json_reader *reader, json_t *log, struct config_log *config)
{
	static const char *const members[] = {"address", "port", "protocol", "observation_domain", NULL};
	json_t *ipfix = json_enter(reader, log, "ipfix");
	const char *protocol;

	if (ipfix) {
		json_read_only(reader, ipfix, members);
		config->ipfix.on = true;
		read_endpoint(reader, ipfix, 4739, &config->ipfix.to);
		protocol = config_string(reader, ipfix, "protocol", "tcp");
		config->ipfix.to.stream = protocol && !strcmp(protocol, "tcp");
		if (protocol && !config->ipfix.to.stream && strcmp(protocol, "udp"))
			fail_at(reader, ipfix, "protocol", "must be \"tcp\" or \"udp\"");
		config->ipfix.observation_domain =
			(uint32_t)config_integer(reader, ipfix, "observation_domain", 0, UINT32_MAX, 1);
	}
	json_leave(reader);
}

void config_read_log(struct json_reader *reader, json_t *cgnat, struct config_log *config)
{
	static const char *const members[] = {"queue_records", "file", "syslog", "ipfix", NULL};
	json_t *log = json_enter(reader, cgnat, "log");

	if (log) {
		json_read_only(reader, log, members);
		config->queue_records =
			(uint32_t)config_integer(reader, log, "queue_records", 16, 1 << 22, 65536);
		read_file(reader, log, config);
		read_syslog(reader, log, config);
		read_ipfix(reader, log, config);
	}
	json_leave(reader);
}
