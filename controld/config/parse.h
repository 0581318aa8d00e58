/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The three steps of reading a configuration, each in its file: the document's
 * shape (parse.c, pools.c), then what its parts say about each other (check.c).
 * All report through the reader; defaults are written into the document.
 */
#ifndef BNG_CONTROLD_CONFIG_PARSE_H
#define BNG_CONTROLD_CONFIG_PARSE_H

#include "controld/config/config.h"
#include "lib/json.h"

#define CONFIG_NO_DEFAULT (-1)
#define CONFIG_PATH_MAX   1024
#define FORWARDS_MAX      64 /* of one session */

/* Members of `object`; an absent one is filled in with its default. */
int64_t config_integer(struct json_reader *reader, json_t *object, const char *member, int64_t min,
		       int64_t max, int64_t fallback);
double config_number(struct json_reader *reader, json_t *object, const char *member, double min, double max,
		     double fallback);
bool config_bool(struct json_reader *reader, json_t *object, const char *member, bool fallback);
const char *config_string(struct json_reader *reader, json_t *object, const char *member,
			  const char *fallback);
void config_name(struct json_reader *reader, json_t *object, const char *member, char *name, size_t size);
uint32_t config_address(struct json_reader *reader, json_t *object, const char *member);
void config_prefix(struct json_reader *reader, const json_t *text, struct config_prefix *prefix);

/* Calls `read` for every element of the array `member` (absent: empty), with
 * room for one in *elements each. */
typedef void config_element(struct json_reader *reader, json_t *element, void *target, void *context);
void config_array(struct json_reader *reader, json_t *object, const char *member, size_t max,
		  size_t element_size, void *elements, size_t *count, config_element *read, void *context);

/* The object `member`, made empty when absent. */
json_t *config_object(struct json_reader *reader, json_t *object, const char *member);

void config_read_first_packet(struct json_reader *reader, json_t *root, struct config *config);
/* An element that names an interface; `target` has room for IF_NAMESIZE. */
config_element config_read_interface_name;
/* One that is an address; `target` is a uint32_t, network byte order. */
config_element config_read_address;
/* The name of a NAT pool, absent: of the first one; "": not translated. */
void config_read_nat_pool_name(struct json_reader *reader, json_t *object, const char *member,
			       const struct config *config, char name[static CONFIG_NAME_MAX]);
void config_read_dhcp4(struct json_reader *reader, json_t *root, struct config *config);
void config_read_cgnat(struct json_reader *reader, json_t *root, struct config *config);
void config_read_timeouts(struct json_reader *reader, json_t *element, struct config_nat_pool *pool);
/* With blocks_per_subscriber and what is above it read. */
void config_read_deterministic(struct json_reader *reader, json_t *element, struct config_nat_pool *pool);
void config_read_nat_policy(struct json_reader *reader, json_t *element, struct config_nat_pool *pool);
/* One, of a session or of cgnat.forward.add. */
void config_read_forward(struct json_reader *reader, json_t *object, struct config_forward *forward);
void config_read_forwards(struct json_reader *reader, json_t *element, struct config_session *session);
/* 0 when absent: as it is. */
uint16_t config_read_mss(struct json_reader *reader, json_t *object);
void config_read_log(struct json_reader *reader, json_t *cgnat, struct config_log *config);
void config_read_steering(struct json_reader *reader, json_t *cgnat, struct config_steering *steering);
/* enum bng_steering_mode by its name, of the configuration or of cgnat.steering.set. */
uint8_t config_steering_mode(struct json_reader *reader, json_t *object, const char *member,
			     const char *fallback);
const char *config_steering_mode_name(uint8_t mode);
void config_read_radius(struct json_reader *reader, json_t *root, struct config *config);
void config_read_pppoe(struct json_reader *reader, json_t *root, struct config *config);
void config_pppoe_free(struct config_pppoe *config);
void config_read_accounting(struct json_reader *reader, json_t *root, struct config *config);
void config_radius_free(struct config_radius *config);
/* With pools, filters and /radius read. */
void config_read_aaa(struct json_reader *reader, json_t *root, struct config *config);
void config_aaa_free(struct config_aaa *config);
/* A secret or password: it leaves the document, a mark comes in its place (secret.c). */
void config_secret(struct json_reader *reader, json_t *object, const char *member, char *secret, size_t size);
/* The members `secret` or `secret_file`, one of them; the other stays "". */
void config_secret_or_file(struct json_reader *reader, json_t *object, char *secret, size_t secret_size,
			   char *file, size_t file_size);
void config_read_hooks(struct json_reader *reader, json_t *root, struct config *config);
void config_hooks_free(struct config_hooks *config);
/* With /radius read. */
void config_read_coa(struct json_reader *reader, json_t *root, struct config *config);
void config_coa_free(struct config_coa *config);
void config_read_qos(struct json_reader *reader, json_t *root, struct config_qos *qos);
void config_read_filters(struct json_reader *reader, json_t *root, struct config_filters *filters);
void config_read_startup(struct json_reader *reader, json_t *root, struct config *config);
void config_read_issu(struct json_reader *reader, json_t *root, struct config_verify *verify);
void config_read_sessions(struct json_reader *reader, json_t *root, struct config *config);

/* One session, of the configuration or of session.add; `pool_member` names its
 * NAT pool. What else `object` may have is the caller's to check. */
void config_read_session(struct json_reader *reader, json_t *object, const char *pool_member,
			 const struct config *config, struct config_session *session);
/* Is the session where one can be: on an access interface, its address unicast
 * and not the gateway's or a public one? */
void config_check_session(struct json_reader *reader, const struct config *config,
			  const struct config_session *session);

void config_check_pppoe(struct json_reader *reader, const struct config *config);
void config_check(struct json_reader *reader, const struct config *config);

#endif
