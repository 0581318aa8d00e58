/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any text as a configuration: refused with a message, or good, and then what is
 * shown of it is read again as the same, but for secrets, which are not shown.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"

static struct config *previous;

static void __attribute__((destructor)) forget(void)
{
	config_free(previous);
}

static void restore_secrets(struct config *config)
{
	json_t *servers = json_object_get(json_object_get(config->document, "radius"), "servers"), *server;
	json_t *ipoe = json_object_get(json_object_get(config->document, "aaa"), "ipoe");
	size_t i;

	if (json_object_get(ipoe, "password"))
		json_object_set_new(ipoe, "password", json_string(config->aaa.ipoe.password));
	json_array_foreach(servers, i, server)
	{
		if (json_object_get(server, "secret"))
			json_object_set_new(server, "secret", json_string(config->radius.servers[i].secret));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[CONFIG_ERROR_TEXT] = "";
	struct config *config = NULL, *again = NULL;
	json_t *differences;
	char *text;

	if (config_parse((const char *)data, size, "fuzz", &config, error, sizeof(error))) {
		if (config || !error[0])
			abort();
		return 0;
	}
	restore_secrets(config);
	text = json_dumps(config->document, 0);
	if (!text || config_parse(text, strlen(text), "again", &again, error, sizeof(error)))
		abort();
	restore_secrets(again);
	differences = config_differences(config, again);
	if (json_array_size(differences))
		abort();
	json_decref(differences);
	json_decref(config_differences(previous ? previous : config, config));
	free(text);
	config_free(again);
	config_free(previous);
	previous = config;
	return 0;
}
