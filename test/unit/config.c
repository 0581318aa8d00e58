/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The configuration: what is read, what is filled in, and for every rule the
 * error that names its place.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "controld/steering/steering.h"
#include "run.h"

static const char example[] =
	"{\"interfaces\": [{\"name\": \"access0\", \"role\": \"access\", \"mode\": \"generic\"},"
	" {\"name\": \"core0\", \"role\": \"core\"}],"
	"\"sizes\": {\"subscribers\": 131072, \"public_addresses\": 64, \"port_blocks\": 8192, \"exempt\": "
	"3, \"flows\": 1024},"
	"\"dhcp4\": {\"pools\": [{\"name\": \"homes\", \"interfaces\": [\"access0\"], \"prefix\": "
	"\"10.0.0.0/16\","
	" \"first\": \"10.0.0.10\", \"last\": \"10.0.255.254\", \"router\": \"10.0.0.1\", \"dns\": "
	"[\"192.0.2.53\"],"
	" \"mtu\": 1492, \"lease_seconds\": 600, \"nat_pool\": \"second\", \"max_sessions_per_interface\": "
	"500}]},"
	"\"gateways\": [{\"interface\": \"access0\", \"address\": \"10.0.0.1\"}],"
	"\"sessions\": [{\"address\": \"10.9.0.2\", \"mac\": \"02:00:00:00:00:02\", \"interface\": "
	"\"access0\","
	" \"outer_vid\": 100, \"inner_vid\": 7, \"outer_tpid\": \"802.1ad\", \"max_blocks\": 2, \"mss\": "
	"1400,"
	" \"forwards\": [{\"protocol\": \"tcp\", \"inner_port\": 22, \"public_port\": 40022},"
	" {\"protocol\": \"udp\", \"inner_port\": 22}]},"
	" {\"address\": \"10.9.0.3\", \"mac\": \"02:00:00:00:00:03\", \"interface\": \"access0\", "
	"\"nat_pool\": \"\"}],"
	"\"cgnat\": {\"pools\": [{\"name\": \"first\", \"prefixes\": [\"203.0.113.0/29\", "
	"\"198.51.100.0/31\"]},"
	" {\"name\": \"second\", \"prefixes\": [\"192.0.2.8/32\"], \"block_size\": 1024, \"timeouts\": "
	"{\"udp\": 120}, \"timeouts_by_port\": {\"udp/53\": 10, \"tcp/22\": 86400, \"udp/1024\": 120}, "
	"\"filtering\": \"address-dependent\", \"refresh_inbound\": true, \"refusal\": "
	"\"host\", \"mapping_rate\": 100, \"mapping_burst\": 50, \"answer_syn\": false, \"alg\": [\"ftp\"],"
	" \"pcp\": {\"max_lifetime\": 7200, \"max_mappings\": 8, \"min_port\": 2000},"
	" \"deterministic\": {\"subscribers\": [\"10.0.0.0/27\"], \"dynamic_blocks\": 8}}],"
	"\"exempt_file\": \"/etc/bng/exempt\","
	"\"steering\": {\"mode\": \"enforce\", \"interval_seconds\": 5, \"share_per_interval\": 0.1, "
	"\"weights\": {\"drops\": 7}, \"degraded_below\": 40, \"threshold\": 66.5},"
	"\"hold_down_seconds\": 60, \"hold_down_blocks\": 77, \"exempt\": [\"192.0.2.0/24\", "
	"\"100.64.0.0/10\", \"198.51.100.7 \\ttcp/443\"],"
	"\"log\": {\"file\": {\"path\": \"/var/log/b.log\", \"max_bytes\": 8192}, \"syslog\": {\"path\": "
	"\"/dev/log\", "
	"\"facility\": \"daemon\"}, \"ipfix\": {\"address\": \"192.0.2.6\", \"observation_domain\": 9}}},"
	"\"punt\": {\"dhcp4_rate\": 77, \"fragment_rate\": 78, \"syn_burst\": 9}}";

static char error[CONFIG_ERROR_TEXT];

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	int failure = config_parse(text, strlen(text), "bng.json", &config, error, sizeof(error));

	ck_assert_msg(!failure, "%s", error);
	return config;
}

START_TEST(everything_is_read)
{
	struct config *config = parse(example);
	const struct config_dhcp4_pool *pool = &config->dhcp4_pools[0];

	ck_assert_uint_eq(config->interface_count, 2);
	ck_assert(config->interfaces[0].access && config->interfaces[0].generic);
	ck_assert(!config->interfaces[1].access && !config->interfaces[1].generic);
	ck_assert_uint_eq(ntohl(config->gateways[0].address_be), 0x0a000001);
	ck_assert_uint_eq(pool->prefix.first, 0x0a000000);
	ck_assert_uint_eq(pool->prefix.last, 0x0a00ffff);
	ck_assert_uint_eq(pool->first, 0x0a00000a);
	ck_assert_uint_eq(pool->dns_count, 1);
	ck_assert_uint_eq(ntohl(pool->dns_be[0]), 0xc0000235);
	ck_assert_uint_eq(pool->mtu, 1492);
	ck_assert_uint_eq(pool->lease_seconds, 600);
	ck_assert_str_eq(pool->nat_pool, "second");
	ck_assert_uint_eq(pool->max_sessions_per_interface, 500);
	ck_assert_uint_eq(config->sessions[0].outer_vid, 100);
	ck_assert_uint_eq(config->sessions[0].inner_vid, 7);
	ck_assert(config->sessions[0].outer_ad && !config->sessions[0].inner_ad);
	ck_assert_str_eq(config->sessions[0].nat_pool, "first");
	ck_assert_uint_eq(config->sessions[0].max_blocks, 2);
	ck_assert_str_eq(config->sessions[1].nat_pool, "");
	ck_assert_uint_eq(config->nat_pools[0].block_shift, 9);
	ck_assert_uint_eq(config->nat_pools[0].max_mappings, 2048);
	ck_assert_uint_eq(config->nat_pools[1].block_shift, 10);
	ck_assert_uint_eq(config->nat_pools[1].timeout_s[BNG_MAPPING_UDP], 120);
	ck_assert_uint_eq(config->nat_pools[1].timeout_s[BNG_MAPPING_TCP_ESTABLISHED], 7440);
	ck_assert_uint_eq(config->nat_pools[1].timeout_s[BNG_MAPPING_TUNNEL], 300);
	ck_assert_uint_eq(config->nat_pools[0].port_timer_count, 0);
	ck_assert_uint_eq(config->nat_pools[1].port_timer_count, 3);
	ck_assert_uint_eq(config->nat_pools[1].port_timers[1].protocol, BNG_PROTOCOL_TCP);
	ck_assert_uint_eq(config->nat_pools[1].port_timers[1].port, 22);
	ck_assert_uint_eq(config->nat_pools[1].port_timers[1].seconds, 86400);
	ck_assert_uint_eq(config->exempt_count, 3);
	ck_assert_uint_eq(config->exempt[1].prefix.length, 10);
	ck_assert(!config->exempt[1].protocol && !config->exempt[1].port);
	ck_assert(config->exempt[2].prefix.first == 0xc6336407 && config->exempt[2].prefix.length == 32);
	ck_assert(config->exempt[2].protocol == BNG_PROTOCOL_TCP && config->exempt[2].port == 443);
	ck_assert_uint_eq(config->hold_down_s, 60);
	ck_assert_uint_eq(config->hold_down_blocks, 77);
	ck_assert_str_eq(config->exempt_file, "/etc/bng/exempt");
	ck_assert_uint_eq(config->sizes.flows, 1024);
	ck_assert_uint_eq(config->dhcp4_rate, 77);
	ck_assert_uint_eq(config->dhcp4_burst, 2000);
	ck_assert_uint_eq(config->fragment_rate, 78);
	ck_assert_uint_eq(config->fragment_burst, 500);
	ck_assert_uint_eq(config->syn_rate, 100);
	ck_assert_uint_eq(config->syn_burst, 9);
	ck_assert(config->nat_pools[0].flags & BNG_POOL_ANSWER_SYN);
	ck_assert(!(config->nat_pools[1].flags & BNG_POOL_ANSWER_SYN));
	ck_assert(!(config->nat_pools[0].flags & BNG_POOL_ALG_FTP));
	ck_assert_uint_eq(strlen(config->sha256), 64);
	config_free(config);
}
END_TEST

START_TEST(how_packets_are_treated_is_read)
{
	struct config *config = parse(example);
	const struct config_nat_pool *plain = &config->nat_pools[0], *other = &config->nat_pools[1];
	const struct config_session *session = &config->sessions[0];

	ck_assert(plain->flags == BNG_POOL_ANSWER_SYN && plain->refusal == BNG_REFUSAL_PROHIBITED);
	ck_assert(!plain->mapping_rate && !plain->mapping_burst);
	ck_assert_uint_eq(other->flags, BNG_POOL_FILTER_ADDRESS | BNG_POOL_REFRESH_INBOUND | BNG_POOL_PCP |
						BNG_POOL_ALG_FTP);
	ck_assert_uint_eq(other->refusal, BNG_REFUSAL_HOST);
	ck_assert(other->mapping_rate == 100 && other->mapping_burst == 50);
	ck_assert(!plain->pcp.enabled && !(plain->flags & BNG_POOL_PCP));
	ck_assert(other->pcp.enabled && other->flags & BNG_POOL_PCP);
	ck_assert(other->pcp.min_lifetime_s == 120 && other->pcp.max_lifetime_s == 7200);
	ck_assert(other->pcp.max_mappings == 8 && other->pcp.min_port == 2000);
	ck_assert_uint_eq(config->dhcp4_pools[0].mss, 0);
	ck_assert_uint_eq(session->mss, 1400);
	ck_assert_uint_eq(config->sessions[1].mss, 0);
	ck_assert_uint_eq(session->forward_count, 2);
	ck_assert_uint_eq(config->sessions[1].forward_count, 0);
	ck_assert(session->forwards[0].protocol == BNG_PROTOCOL_TCP &&
		  session->forwards[0].inner_port == 22 && session->forwards[0].public_port == 40022);
	ck_assert(session->forwards[1].protocol == BNG_PROTOCOL_UDP &&
		  session->forwards[1].inner_port == 22 && session->forwards[1].public_port == 0);
	config_free(config);
}
END_TEST

START_TEST(steering_is_read)
{
	struct config *config = parse(example);
	const struct config_steering *steering = &config->steering;

	ck_assert_uint_eq(steering->mode, BNG_STEERING_ENFORCE);
	ck_assert_str_eq(config_steering_mode_name(steering->mode), "enforce");
	ck_assert_uint_eq(steering->interval_s, 5);
	ck_assert(steering->share == 0.1 && steering->weight_drops == 7 && steering->threshold == 66.5);
	ck_assert(steering->degraded_below == 40 && steering->pressured_below == 80);
	config_free(config);
}
END_TEST

/* The policy knows its own defaults; what is written into a configuration is the same. */
START_TEST(steering_defaults_are_the_policys)
{
	struct config *config = parse("{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}]}");
	struct plan_policy policy = steering_policy(&config->steering);

	ck_assert_uint_eq(config->steering.mode, BNG_STEERING_OFF);
	ck_assert_mem_eq(&policy, &plan_policy_default, sizeof(policy));
	config_free(config);
}
END_TEST

/* What is shown with its defaults means the same when it is read again. */
START_TEST(destinations_of_logs_are_read)
{
	struct config *config = parse(example);
	const struct config_log *log = &config->log;

	ck_assert_uint_eq(log->queue_records, 65536);
	ck_assert(log->file.on && log->syslog.on && log->ipfix.on);
	ck_assert_str_eq(log->file.path, "/var/log/b.log");
	ck_assert_uint_eq(log->file.max_bytes, 8192);
	ck_assert_uint_eq(log->file.keep, 10);
	ck_assert_str_eq(log->syslog.to.path, "/dev/log");
	ck_assert_uint_eq(log->syslog.facility, 3);
	ck_assert_str_eq(log->syslog.hostname, "");
	ck_assert_uint_eq(ntohl(log->ipfix.to.address_be), 0xc0000206);
	ck_assert_uint_eq(log->ipfix.to.port, 4739);
	ck_assert(log->ipfix.to.stream);
	ck_assert_uint_eq(log->ipfix.observation_domain, 9);
	config_free(config);
}
END_TEST

START_TEST(filled_in_defaults_change_nothing)
{
	struct config *config = parse(example), *again;
	char *text = json_dumps(config->document, 0);
	json_t *differences;

	ck_assert_ptr_nonnull(strstr(text, "\"tcp_established\": 7440"));
	ck_assert_ptr_nonnull(strstr(text, "\"dhcp4_burst\": 2000"));
	ck_assert_ptr_nonnull(strstr(text, "\"subscribers_per_address\": 32"));
	again = parse(text);
	differences = config_differences(config, again);
	ck_assert_uint_eq(json_array_size(differences), 0);
	json_decref(differences);
	free(text);
	config_free(config);
	config_free(again);
}
END_TEST

/* The example with one text replaced. */
static char *edited(const char *find, const char *replace)
{
	const char *at = strstr(example, find);
	char *text = calloc(1, sizeof(example) + strlen(replace));

	ck_assert_msg(at != NULL, "%s is not in the example", find);
	memcpy(text, example, (size_t)(at - example));
	strcat(text, replace);
	strcat(text, at + strlen(find));
	return text;
}

static const struct {
	const char *find;
	const char *replace;
	const char *expected;
} wrong[] = {
	{"10.0.0.0/27", "10.0.0.0/26",
	 "/cgnat/pools/1/deterministic/subscribers: [\"10.0.0.0/26\"]: are 64 addresses, but 55 fit: 1 "
	 "public "
	 "addresses for 55 subscribers each (block_size 1024, blocks 1, dynamic_blocks 8, first_port 1024)"},
	{"\"10.0.0.0/27\"], \"dynamic_blocks\": 8", "\"10.0.0.0/29\"], \"blocks\": 5",
	 "/cgnat/pools/1/deterministic/blocks: 5: must be at most the pool's blocks_per_subscriber, 4"},
	{"\"subscribers\": [\"10.0.0.0/27\"], ", "",
	 "/cgnat/pools/1/deterministic/subscribers: missing: must be an array of 1-64 prefixes"},
	{"/var/log/b.log", "b.log", "/cgnat/log/file/path: \"b.log\": must be an absolute path"},
	{"\"max_bytes\": 8192", "\"max_bytes\": 4095",
	 "/cgnat/log/file/max_bytes: 4095: must be at least 4096"},
	{"\"max_bytes\": 8192", "\"keep\": 0", "/cgnat/log/file/keep: 0"},
	{"\"log\": {", "\"log\": {\"queue_records\": 15, ", "/cgnat/log/queue_records: 15"},
	{"\"path\": \"/dev/log\", ", "", "/cgnat/log/syslog/address: "},
	{"\"path\": \"/dev/log\", ", "\"path\": \"/dev/log\", \"port\": 514, ", "/cgnat/log/syslog/port: "},
	{"\"facility\": \"daemon\"", "\"facility\": \"local8\"",
	 "/cgnat/log/syslog/facility: \"local8\": must be a syslog facility"},
	{"\"192.0.2.6\"", "\"224.0.0.1\"",
	 "/cgnat/log/ipfix/address: \"224.0.0.1\": must be a unicast address"},
	{"\"observation_domain\": 9", "\"protocol\": \"sctp\"",
	 "/cgnat/log/ipfix/protocol: \"sctp\": must be \"tcp\" or \"udp\""},
	{"\"punt\":", "\"pnut\":", "/pnut: "},
	{"\"mode\": \"generic\"", "\"mode\": \"fast\"",
	 "/interfaces/0/mode: \"fast\": must be \"native\" or"},
	{"\"role\": \"core\"", "\"role\": \"wan\"",
	 "/interfaces/1/role: \"wan\": must be \"access\" or \"core\""},
	{"\"role\": \"core\"", "\"role\": 7", "/interfaces/1/role: 7: must be a string"},
	{"{\"name\": \"core0\"", "{\"nam\": \"core0\"", "/interfaces/1/nam: "},
	{"\"name\": \"core0\"", "\"name\": \"access0\"", "/interfaces/1/name: \"access0\": is listed twice"},
	{"\"name\": \"core0\"", "\"name\": \"a-name-that-is-too-long\"", "/interfaces/1/name: "},
	{"\"name\": \"core0\"", "\"name\": \"a b\"", "/interfaces/1/name: \"a b\""},
	{"\"subscribers\": 131072", "\"subscribers\": 65536",
	 "/sizes/subscribers: 65536: must be at least 65539"},
	{"\"subscribers\": 131072", "\"subscribers\": 3", "/sizes/subscribers: 3: must be an integer 16-"},
	{"\"public_addresses\": 64", "\"public_addresses\": 10",
	 "/sizes/public_addresses: 10: must be at least 11"},
	{"\"port_blocks\": 8192", "\"port_blocks\": 1343", "/sizes/port_blocks: 1343: must be at least 1344"},
	{"\"exempt\": 3", "\"exempt\": 1", "/cgnat/exempt: missing: 3 elements found, at most 1"},
	{"\"prefix\": \"10.0.0.0/16\"", "\"prefix\": \"10.0.0.0/33\"",
	 "/dhcp4/pools/0/prefix: \"10.0.0.0/33\": prefix length must be 0-32"},
	{"\"prefix\": \"10.0.0.0/16\"", "\"prefix\": \"10.0.0.1/16\"",
	 "/dhcp4/pools/0/prefix: \"10.0.0.1/16\": must be an IPv4 prefix"},
	{"\"prefix\": \"10.0.0.0/16\"", "\"prefix\": \"10.0.0.0/31\"",
	 "/dhcp4/pools/0/prefix: \"10.0.0.0/31\": prefix length must be 8-30"},
	{"\"first\": \"10.0.0.10\"", "\"first\": \"10.0.0.0\"",
	 "/dhcp4/pools/0/first: \"10.0.0.0\": must be a host address"},
	{"\"first\": \"10.0.0.10\"", "\"first\": \"10.0.0\"",
	 "/dhcp4/pools/0/first: \"10.0.0\": must be an IPv4 address"},
	{"\"last\": \"10.0.255.254\"", "\"last\": \"10.0.255.255\"",
	 "/dhcp4/pools/0/last: \"10.0.255.255\": must be a host"},
	{"\"last\": \"10.0.255.254\"", "\"last\": \"10.0.0.9\"",
	 "/dhcp4/pools/0/last: \"10.0.0.9\": must not be below first"},
	{"\"first\": \"10.0.0.10\"", "\"first\": \"10.0.0.1\"",
	 "/dhcp4/pools/0/router: \"10.0.0.1\": must lie outside"},
	{"\"router\": \"10.0.0.1\"", "\"router\": \"10.0.0.2\"",
	 "/dhcp4/pools/0/router: \"10.0.0.2\": must be a gateway address: add {\"interface\": \"access0\", "
	 "\"address\": \"10.0.0.2\"} to /gateways"},
	{"\"router\": \"10.0.0.1\"", "\"router\": \"10.1.0.1\"",
	 "/dhcp4/pools/0/router: \"10.1.0.1\": must be a host"},
	{"\"interfaces\": [\"access0\"]", "\"interfaces\": [\"core0\"]", "/dhcp4/pools/0/interfaces: "},
	{"\"interfaces\": [\"access0\"]", "\"interfaces\": []",
	 "/dhcp4/pools/0/interfaces: []: must name at least one"},
	{"\"mtu\": 1492", "\"mtu\": 500", "/dhcp4/pools/0/mtu: 500: must be an integer 576-65535"},
	{"\"dns\": [\"192.0.2.53\"]", "\"dns\": [\"x\"]", "/dhcp4/pools/0/dns/0: \"x\": must be an IPv4"},
	{"\"nat_pool\": \"second\"", "\"nat_pool\": \"third\"",
	 "/dhcp4/pools/0/nat_pool: \"third\": must be the name of one of /cgnat/pools"},
	{"{\"interface\": \"access0\", \"address\": \"10.0.0.1\"}",
	 "{\"interface\": \"core0\", \"address\": \"10.0.0.1\"}",
	 "/gateways/0/interface: \"core0\": must be the name of an access interface"},
	{"\"address\": \"10.0.0.1\"}", "\"address\": \"224.0.0.1\"}",
	 "/gateways/0/address: \"224.0.0.1\": must be a unicast"},
	{"[{\"interface\": \"access0\", \"address\": \"10.0.0.1\"}",
	 "[{\"interface\": \"access0\", \"address\": \"10.0.0.1\"}, {\"interface\": \"access0\", "
	 "\"address\": \"10.0.0.1\"}",
	 "/gateways/1/address: \"10.0.0.1\": is listed twice"},
	{"\"address\": \"10.9.0.3\"", "\"address\": \"10.9.0.2\"",
	 "/sessions/1/address: \"10.9.0.2\": is also the address of /sessions/0"},
	{"\"address\": \"10.9.0.3\"", "\"address\": \"203.0.113.3\"",
	 "/sessions/1/address: \"203.0.113.3\": lies in a prefix of a CGNAT pool"},
	{"\"address\": \"10.9.0.3\"", "\"address\": \"10.0.0.1\"",
	 "/sessions/1/address: \"10.0.0.1\": is an address of the gateway"},
	{"\"address\": \"10.9.0.3\"", "\"address\": \"10.0.255.255\"",
	 "/sessions/1/address: \"10.0.255.255\": is the first or last"},
	{"\"mac\": \"02:00:00:00:00:03\"", "\"mac\": \"03:00:00:00:00:03\"",
	 "/sessions/1/mac: \"03:00:00:00:00:03\": must be a unicast MAC"},
	{"\"mac\": \"02:00:00:00:00:03\"",
	 "\"mac\": \"02:00:00:00:00:02\", \"outer_vid\": 100, \"inner_vid\": 7",
	 "/sessions/1/mac: \"02:00:00:00:00:02\": has the same interface, VLANs and MAC as the client of "
	 "/sessions/0"},
	{"\"outer_vid\": 100, ", "", "/sessions/0/inner_vid: 7: needs an outer_vid"},
	{"\"outer_vid\": 100", "\"outer_vid\": 4095",
	 "/sessions/0/outer_vid: 4095: must be an integer 0-4094"},
	{"\"outer_tpid\": \"802.1ad\"", "\"outer_tpid\": \"88a8\"",
	 "/sessions/0/outer_tpid: \"88a8\": must be \"802.1Q\" or"},
	{"\"max_blocks\": 2", "\"max_blocks\": 9", "/sessions/0/max_blocks: 9: must be an integer 0-8"},
	{"\"name\": \"second\"", "\"name\": \"first\"", "/dhcp4/pools/0/nat_pool"},
	{"[\"203.0.113.0/29\", \"198.51.100.0/31\"]", "[]",
	 "/cgnat/pools/0/prefixes: []: must hold at least one"},
	{"\"198.51.100.0/31\"", "\"203.0.113.4/31\"",
	 "/cgnat/pools/0/prefixes: [\"203.0.113.0/29\",\"203.0.113.4/31\"]: element 1 overlaps element 0 of "
	 "pool first"},
	{"\"192.0.2.8/32\"", "\"203.0.113.7/32\"",
	 "/cgnat/pools/1/prefixes: [\"203.0.113.7/32\"]: element 0 overlaps element 0 of pool first"},
	{"\"192.0.2.8/32\"", "\"10.0.7.0/32\"",
	 "/cgnat/pools/1/prefixes: [\"10.0.7.0/32\"]: element 0 overlaps DHCP pool homes"},
	{"\"192.0.2.8/32\"", "\"0.0.0.0/1\"",
	 "/cgnat/pools/1/prefixes/0: \"0.0.0.0/1\": prefix length must be 16-32"},
	{"\"block_size\": 1024", "\"block_size\": 1000",
	 "/cgnat/pools/1/block_size: 1000: must be a power of two, 64-4096"},
	{"\"block_size\": 1024", "\"block_size\": 8192",
	 "/cgnat/pools/1/block_size: 8192: must be an integer 64-4096"},
	{"\"timeouts\": {\"udp\": 120}", "\"timeouts\": {\"upd\": 120}", "/cgnat/pools/1/timeouts/upd: "},
	{"\"timeouts\": {\"udp\": 120}", "\"timeouts\": [120]",
	 "/cgnat/pools/1/timeouts: [120]: must be an object"},
	{"\"udp/1024\": 120", "\"udp/1024\": 119",
	 "/cgnat/pools/1/timeouts_by_port/udp~11024: 119: must be at least 120: only ports below 1024 may"},
	{"\"udp/53\": 10", "\"udp/53\": 0",
	 "/cgnat/pools/1/timeouts_by_port/udp~153: 0: must be an integer 1-2592000"},
	{"\"tcp/22\"", "\"icmp/22\"",
	 "/cgnat/pools/1/timeouts_by_port/icmp~122: 86400: the name must be a protocol and a destination "
	 "port"},
	{"\"tcp/22\"", "\"tcp/022\"", "/timeouts_by_port/tcp~1022: 86400: the name must be"},
	{"\"tcp/22\"", "\"tcp/65536\"", "/timeouts_by_port/tcp~165536: 86400: the name must be"},
	{"\"tcp/22\"", "\"tcp/22 \"", "/timeouts_by_port/tcp~122 : 86400: the name must be"},
	{"\"tcp/22\": 86400",
	 "\"udp/1\":1,\"udp/2\":1,\"udp/3\":1,\"udp/4\":1,\"udp/5\":1,\"udp/6\":1,\"udp/7\":1,"
	 "\"udp/8\":1,\"udp/9\":1,\"udp/10\":1,\"udp/11\":1,\"udp/12\":1,\"udp/13\":1,\"udp/14\":1,"
	 "\"udp/15\":1",
	 "17 ports found, at most 16 may be given"},
	{"\"hold_down_seconds\": 60", "\"hold_down_seconds\": -1",
	 "/cgnat/hold_down_seconds: -1: must be an integer 0-86400"},
	{"\"hold_down_blocks\": 77", "\"hold_down_blocks\": 0",
	 "/cgnat/hold_down_blocks: 0: must be an integer 1-1024"},
	{"\"100.64.0.0/10\"", "\"192.0.2.0/24\"", "/cgnat/exempt/1: \"192.0.2.0/24\": is listed twice"},
	{"\"100.64.0.0/10\"", "\"198.51.100.7/32 tcp/443\"",
	 "/cgnat/exempt/2: \"198.51.100.7 \\ttcp/443\": is listed twice"},
	{"\"100.64.0.0/10\"", "\"192.0.2.0/33\"",
	 "/cgnat/exempt/1: \"192.0.2.0/33\": must be an IPv4 prefix such as 192.0.2.0/24, no bits set behind "
	 "its length; behind it a port"},
	{"\"100.64.0.0/10\"", "7", "/cgnat/exempt/1: 7: must be an IPv4 prefix"},
	{"\"100.64.0.0/10\"", "\"10.0.0.0/8 tcp/0\"",
	 "/cgnat/exempt/1: \"10.0.0.0/8 tcp/0\": must have nothing behind the prefix but a destination port "
	 "such as tcp/443 or udp/53"},
	{"\"100.64.0.0/10\"", "\"10.0.0.0/8 sctp/1\"",
	 "/cgnat/exempt/1: \"10.0.0.0/8 sctp/1\": must have nothing behind"},
	{"\"100.64.0.0/10\"", "\"10.0.0.0/8 \"",
	 "/cgnat/exempt/1: \"10.0.0.0/8 \": must have nothing behind"},
	{"\"100.64.0.0/10\"", "\"tcp/443\"", "/cgnat/exempt/1: \"tcp/443\": must be an IPv4 prefix"},
	{"\"flows\": 1024", "\"flows\": 1000", "/sizes/flows: 1000: must be a power of two"},
	{"\"address-dependent\"", "\"full-cone\"",
	 "/cgnat/pools/1/filtering: \"full-cone\": must be one of \"endpoint-independent\", "
	 "\"address-dependent\", "
	 "\"address-and-port-dependent\""},
	{"\"refresh_inbound\": true", "\"refresh_inbound\": 1", "/cgnat/pools/1/refresh_inbound: 1: must be"},
	{"\"answer_syn\": false", "\"answer_syn\": \"no\"", "/cgnat/pools/1/answer_syn: \"no\": must be"},
	{"\"alg\": [\"ftp\"]", "\"alg\": [\"sip\"]",
	 "/cgnat/pools/1/alg/0: \"sip\": is not available; the only one there is is \"ftp\""},
	{"\"alg\": [\"ftp\"]", "\"alg\": [\"tftp\"]", "/cgnat/pools/1/alg/0: \"tftp\": must be \"ftp\""},
	{"\"alg\": [\"ftp\"]", "\"alg\": \"ftp\"", "/cgnat/pools/1/alg: \"ftp\": must be an array"},
	{"\"alg\": [\"ftp\"]", "\"alg\": [\"ftp\", \"ftp\"]", "2 elements found, at most 1 may be given"},
	{"\"fragment_rate\": 78", "\"fragment_rate\": 0",
	 "/punt/fragment_rate: 0: must be an integer 1-10000000"},
	{"\"syn_burst\": 9", "\"syn_burst\": 0", "/punt/syn_burst: 0: must be an integer 1-10000000"},
	{"\"syn_burst\"", "\"syn_bursts\"", "/punt/syn_bursts: 9: "},
	{"\"host\"", "\"port\"", "/cgnat/pools/1/refusal: \"port\": must be one of \"prohibited\", \"host\""},
	{"\"max_lifetime\": 7200", "\"max_lifetime\": 119",
	 "/cgnat/pools/1/pcp/max_lifetime: 119: must be at least min_lifetime, 120"},
	{"\"max_lifetime\": 7200", "\"min_lifetime\": 0",
	 "/cgnat/pools/1/pcp/min_lifetime: 0: must be an integer 1-86400"},
	{"\"max_mappings\": 8", "\"max_mappings\": 1025",
	 "/cgnat/pools/1/pcp/max_mappings: 1025: must be an integer 1-1024"},
	{"\"min_port\": 2000", "\"enabled\": 1", "/cgnat/pools/1/pcp/enabled: 1: must be true or false"},
	{"\"min_port\": 2000", "\"port\": 2000", "/cgnat/pools/1/pcp/port: 2000: "},
	{"\"mapping_burst\": 50", "\"mapping_burst\": 26",
	 "/cgnat/pools/1/mapping_burst: 26: must be at least 27, or mapping_rate cannot be reached"},
	{"\"mapping_rate\": 100", "\"mapping_rate\": -1",
	 "/cgnat/pools/1/mapping_rate: -1: must be an integer"},
	{"\"mss\": 1400", "\"mss\": 87", "/sessions/0/mss: 87: must be 0 (as it is) or 88-65495"},
	{"\"mtu\": 1492", "\"mss\": 65496", "/dhcp4/pools/0/mss: 65496: must be an integer 0-65495"},
	{"\"protocol\": \"tcp\"", "\"protocol\": \"icmp\"",
	 "/sessions/0/forwards/0/protocol: \"icmp\": must be \"tcp\" or \"udp\""},
	{"\"inner_port\": 22,", "\"inner_port\": 0,",
	 "/sessions/0/forwards/0/inner_port: 0: must be an integer 1-"},
	{"\"public_port\": 40022", "\"public_port\": 1023",
	 "/sessions/0/forwards/0/public_port: 1023: must be an integer 1024-65535"},
	{"\"protocol\": \"tcp\"", "\"protocol\": \"udp\"",
	 "elements 0 and 1 have the same inner or public port"},
	{"\"mode\": \"enforce\"", "\"mode\": \"on\"",
	 "/cgnat/steering/mode: \"on\": must be \"off\", \"observe\" or \"enforce\""},
	{"\"mode\": \"enforce\"", "\"mode\": 1", "/cgnat/steering/mode: 1: must be a string"},
	{"\"share_per_interval\": 0.1", "\"share_per_interval\": 1.01",
	 "/cgnat/steering/share_per_interval: 1.01: must be a number 0-1"},
	{"\"share_per_interval\": 0.1", "\"share_per_interval\": \"1%\"",
	 "/cgnat/steering/share_per_interval: \"1%\": must be a number 0-1"},
	{"\"interval_seconds\": 5", "\"interval_seconds\": 0",
	 "/cgnat/steering/interval_seconds: 0: must be an integer 1-3600"},
	{"\"drops\": 7", "\"drop\": 7", "/cgnat/steering/weights/drop: "},
	{"\"drops\": 7", "\"drops\": -0.5",
	 "/cgnat/steering/weights/drops: -0.5: must be a number 0-1000000"},
	{"\"degraded_below\": 40", "\"degraded_below\": 80.5",
	 "/cgnat/steering/degraded_below: 80.5: must not be above pressured_below, which is 80"},
	{"\"threshold\": 66.5", "\"treshold\": 66.5", "/cgnat/steering/treshold: "},
	{"\"/etc/bng/exempt\"", "\"exempt\"", "/cgnat/exempt_file: \"exempt\": must be the absolute path"},
	{"\"dhcp4\": {", "\"dhcp4\": {\"option82\": \"trust\", ",
	 "/dhcp4/option82: \"trust\": must be \"ignore\", \"accept\" or \"require\""},
	{"\"mtu\": 1492", "\"relay\": {\"servers\": []}",
	 "/dhcp4/pools/0/relay: {\"servers\":[]}: servers must name at least one"},
	{"\"mtu\": 1492", "\"relay\": {\"servers\": [\"x\"]}",
	 "/dhcp4/pools/0/relay/servers/0: \"x\": must be an IPv4"},
	{"\"mtu\": 1492", "\"relay\": {\"servers\": [\"224.0.0.1\"]}", "servers must be unicast addresses"},
	{"\"dhcp4\": {", "\"dhcp4\": {\"option82_trusted\": [\"access0\", \"core0\"], ",
	 "/dhcp4/option82_trusted/1: \"core0\": must be the name of an access interface"},
	{"\"dhcp4\": {",
	 "\"first_packet\": [{\"interface\": \"core0\", \"prefix\": \"172.20.0.0/16\"}], \"dhcp4\": {",
	 "/first_packet/0/interface: \"core0\": must be the name of an access interface"},
	{"\"dhcp4\": {",
	 "\"first_packet\": [{\"interface\": \"access0\", \"prefix\": \"10.0.4.0/24\"}], \"dhcp4\": {",
	 "/first_packet/0/prefix: \"10.0.4.0/24\": overlaps the addresses that a DHCP pool leases"},
	{"\"dhcp4\": {",
	 "\"first_packet\": [{\"interface\": \"access0\", \"prefix\": \"224.0.0.0/8\"}], \"dhcp4\": {",
	 "/first_packet/0/prefix: \"224.0.0.0/8\": must hold unicast addresses"},
	{"\"dhcp4\": {",
	 "\"first_packet\": [{\"interface\": \"access0\", \"prefix\": \"0.0.0.0/1\"}], \"dhcp4\": {",
	 "/first_packet/0/prefix: \"0.0.0.0/1\": prefix length must be 8-32"},
	{"\"dhcp4\": {",
	 "\"first_packet\": [{\"interface\": \"access0\", \"prefix\": \"172.20.0.0/16\"}, {\"interface\": "
	 "\"access0\", \"prefix\": \"172.20.0.0/16\"}], \"dhcp4\": {",
	 "/first_packet/1/prefix: \"172.20.0.0/16\": is the prefix of /first_packet/0, too"},
	{"\"dhcp4_rate\": 77", "\"first_packet_rate\": 0",
	 "/punt/first_packet_rate: 0: must be an integer 1-"},
	{"\"dhcp4_rate\": 77", "\"dhcp4_rate\": 0", "/punt/dhcp4_rate: 0: must be an integer 1-"},
	{"\"punt\": {", "\"punt\": {{", "line 1 column "},
	{"\"punt\": {", "\"punt\": {\"dhcp4_rate\": 3, ", "duplicate object key"},
};

START_TEST(every_error_names_its_place)
{
	char *text = edited(wrong[_i].find, wrong[_i].replace);
	struct config *config = NULL;

	ck_assert_int_eq(config_parse(text, strlen(text), "bng.json", &config, error, sizeof(error)),
			 -EINVAL);
	ck_assert_ptr_null(config);
	ck_assert_msg(!strncmp(error, "bng.json ", 9) && strstr(error, wrong[_i].expected),
		      "expected %s, found %s", wrong[_i].expected, error);
	free(text);
}
END_TEST

static const struct {
	const char *text;
	const char *expected;
} broken[] = {
	{"", "not JSON"},
	{"[]", "/: []: must be an object"},
	{"{}", "/interfaces: "},
	{"{\"interfaces\": []}", "/interfaces: []: must name at least one interface"},
	{"{\"interfaces\": 3}", "/interfaces: 3: must be an array"},
	{"{\"interfaces\": [3]}", "/interfaces/0: 3: must be an object"},
};

START_TEST(what_is_no_configuration_is_refused)
{
	struct config *config = NULL;
	const char *text = broken[_i].text;

	ck_assert_int_eq(config_parse(text, strlen(text), "bng.json", &config, error, sizeof(error)),
			 -EINVAL);
	ck_assert_msg(strstr(error, broken[_i].expected) != NULL, "%s", error);
}
END_TEST

START_TEST(rfc4787_req5c_rfc5382_req5_rfc5508_req2_rfc7857_s2_1_timers_without_a_word_about_them)
{
	struct config *config = parse(example);
	const uint32_t *seconds = config->nat_pools[0].timeout_s;

	ck_assert_uint_eq(seconds[BNG_MAPPING_UDP], 300);
	ck_assert_uint_eq(seconds[BNG_MAPPING_ICMP], 60);
	ck_assert_uint_eq(seconds[BNG_MAPPING_TCP_ESTABLISHED], 2 * 3600 + 4 * 60);
	ck_assert_uint_eq(seconds[BNG_MAPPING_TCP_PARTIAL], 240);
	ck_assert_uint_eq(seconds[BNG_MAPPING_TCP_CLOSING], 240);
	ck_assert_uint_eq(seconds[BNG_MAPPING_TCP_RESET], 240);
	config_free(config);
}
END_TEST

START_TEST(rfc4787_req7_inner_and_public_addresses_do_not_overlap)
{
	static const char *const inner[] = {"\"10.0.0.0/16\"", "\"10.0.7.0/32\"", "\"10.0.128.0/17\""};
	struct config *config = NULL;

	for (size_t i = 0; i < sizeof(inner) / sizeof(inner[0]); i++) {
		char *text = edited("\"192.0.2.8/32\"", inner[i]);

		ck_assert_int_eq(config_parse(text, strlen(text), "bng.json", &config, error, sizeof(error)),
				 -EINVAL);
		ck_assert_msg(strstr(error, "element 0 overlaps DHCP pool homes"), "%s", error);
		free(text);
	}
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	struct config *config = NULL;

	ck_assert_int_eq(config_load("/nonexistent/bng.json", &config, error, sizeof(error)), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, "/nonexistent/bng.json"));
	ck_assert_ptr_nonnull(strstr(error, "No such file"));
}
END_TEST

START_TEST(differences_are_by_name_not_by_place)
{
	char *text = edited("\"sessions\": [", "\"sessions\": [{\"address\": \"10.9.0.1\", \"mac\": "
					       "\"02:00:00:00:00:01\", \"interface\": \"access0\"}, ");
	char *other = edited("\"hold_down_seconds\": 60", "\"hold_down_seconds\": 90");
	struct config *before = parse(example), *after = parse(text), *third = parse(other);
	json_t *differences = config_differences(before, after);

	ck_assert_uint_eq(json_array_size(differences), 1);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_array_get(differences, 0)),
				     "/sessions/10.9.0.1: nothing -> {"));
	json_decref(differences);
	differences = config_differences(before, third);
	ck_assert_uint_eq(json_array_size(differences), 1);
	ck_assert_str_eq(json_string_value(json_array_get(differences, 0)),
			 "/cgnat/hold_down_seconds: 60 -> 90");
	json_decref(differences);
	free(text);
	free(other);
	config_free(before);
	config_free(after);
	config_free(third);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *test = tcase_create("config");

	tcase_add_test(test, everything_is_read);
	tcase_add_test(test, how_packets_are_treated_is_read);
	tcase_add_test(test, destinations_of_logs_are_read);
	tcase_add_test(test, steering_is_read);
	tcase_add_test(test, steering_defaults_are_the_policys);
	tcase_add_test(test, filled_in_defaults_change_nothing);
	tcase_add_loop_test(test, every_error_names_its_place, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_loop_test(test, what_is_no_configuration_is_refused, 0,
			    (int)(sizeof(broken) / sizeof(broken[0])));
	tcase_add_test(test,
		       rfc4787_req5c_rfc5382_req5_rfc5508_req2_rfc7857_s2_1_timers_without_a_word_about_them);
	tcase_add_test(test, rfc4787_req7_inner_and_public_addresses_do_not_overlap);
	tcase_add_test(test, a_file_that_is_not_there_is_named);
	tcase_add_test(test, differences_are_by_name_not_by_place);
	suite_add_tcase(suite, test);
	return run_suite(suite);
}
