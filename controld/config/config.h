/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The configuration as one immutable value. A reload parses a complete new one,
 * features compare it with the running one, and only then is it applied.
 *
 * Addresses are network byte order (_be) or host byte order ranges, as named.
 */
#ifndef BNG_CONTROLD_CONFIG_H
#define BNG_CONTROLD_CONFIG_H

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/abi/cgnat.h"
#include "dataplane/abi/filter.h"
#include "dataplane/abi/interface.h"
#include "dataplane/abi/subscriber.h"
#include "lib/deterministic.h"

#define CONFIG_NAME_MAX      32
#define CONFIG_DNS_MAX       4
#define CONFIG_RELAY_SERVERS 4
#define CONFIG_ERROR_TEXT    512

struct config_interface {
	char name[IF_NAMESIZE];
	bool access; /* else core */
	bool generic;
};

struct config_gateway {
	char interface[IF_NAMESIZE];
	uint32_t address_be;
};

struct config_prefix {
	uint32_t first; /* host order */
	uint32_t last;
	unsigned length;
};

/* A destination that is not translated. */
struct config_exempt {
	struct config_prefix prefix;
	uint8_t protocol; /* BNG_PROTOCOL_UDP or BNG_PROTOCOL_TCP; 0: whatever is sent there */
	uint16_t port;    /* with a protocol */
};

struct config_dhcp4_pool {
	char name[CONFIG_NAME_MAX];
	char (*interfaces)[IF_NAMESIZE];
	size_t interface_count;
	struct config_prefix prefix;
	uint32_t first; /* host order, leased addresses */
	uint32_t last;
	uint32_t router_be;
	uint32_t dns_be[CONFIG_DNS_MAX];
	size_t dns_count;
	uint16_t mtu;
	uint32_t lease_seconds;
	char nat_pool[CONFIG_NAME_MAX]; /* "" : sessions are exempt */
	uint32_t max_sessions_per_interface;
	uint16_t mss;                            /* 0: as it is */
	uint32_t relay_be[CONFIG_RELAY_SERVERS]; /* servers that lease the addresses; none: we do */
	size_t relay_count;
	uint32_t giaddr_be; /* where they answer to */
};

/* What is believed of Option 82 (RFC 3046). */
enum option82_policy {
	OPTION82_IGNORE,
	OPTION82_ACCEPT,
	OPTION82_REQUIRE, /* nobody is authorised without */
};

struct config_option82 {
	uint8_t policy;               /* enum option82_policy */
	char (*trusted)[IF_NAMESIZE]; /* access nodes are there; none: on every interface */
	size_t trusted_count;
};

/* Where a session comes up by its first packet. */
struct config_first_packet {
	char interface[IF_NAMESIZE];
	struct config_prefix prefix;
	char nat_pool[CONFIG_NAME_MAX]; /* "": sessions are exempt */
	uint16_t mss;                   /* 0: as it is */
	uint32_t idle_timeout_s;        /* 0: none */
};

/* A public port that always leads to an inner port of the session. */
struct config_forward {
	uint8_t protocol; /* BNG_PROTOCOL_UDP or BNG_PROTOCOL_TCP */
	uint16_t inner_port;
	uint16_t public_port; /* 0: any */
};

struct config_session {
	uint32_t address_be;
	uint8_t mac[6];
	char interface[IF_NAMESIZE];
	uint16_t outer_vid;
	uint16_t inner_vid;
	bool outer_ad; /* 802.1ad tag */
	bool inner_ad;
	char nat_pool[CONFIG_NAME_MAX];
	uint8_t max_blocks;
	uint32_t max_mappings;
	uint16_t mss; /* 0: as it is */
	struct config_forward *forwards;
	size_t forward_count;
};

/* A destination port whose mappings live longer or shorter than others. */
struct config_port_timer {
	uint8_t protocol; /* BNG_PROTOCOL_UDP or BNG_PROTOCOL_TCP */
	uint16_t port;
	uint32_t seconds;
};

/* What subscribers of a NAT pool may ask for by PCP. */
struct config_pcp {
	bool enabled;
	uint32_t min_lifetime_s;
	uint32_t max_lifetime_s;
	uint32_t max_mappings; /* of one session */
	uint16_t min_port;     /* lowest inner port */
};

struct config_nat_pool {
	char name[CONFIG_NAME_MAX];
	struct config_prefix *prefixes;
	size_t prefix_count;
	unsigned block_shift;
	uint8_t max_blocks;
	uint32_t max_mappings;
	uint32_t timeout_s[BNG_MAPPING_STATES]; /* by enum bng_mapping_state */
	struct config_port_timer port_timers[BNG_PORT_TIMERS];
	size_t port_timer_count;
	uint8_t flags;         /* enum bng_pool_flag */
	uint8_t refusal;       /* enum bng_refusal */
	uint32_t mapping_rate; /* 0: unlimited */
	uint32_t mapping_burst;
	struct deterministic *deterministic; /* lib/deterministic.h; NULL: blocks are dynamic */
	struct config_pcp pcp;
};

/* A log collector: an IPv4 address and port, or a Unix datagram socket. */
struct config_endpoint {
	uint32_t address_be;
	uint16_t port;
	bool stream; /* TCP, else UDP */
	char path[108];
};

/* Where records of port blocks go; not `on`: nowhere. */
struct config_log {
	uint32_t queue_records;
	struct {
		bool on;
		char path[256];
		uint64_t max_bytes; /* 0: no rotation */
		uint32_t keep;
	} file;
	struct {
		bool on;
		struct config_endpoint to;
		uint8_t facility;
		char hostname[256]; /* "": the machine's */
	} syslog;
	struct {
		bool on;
		struct config_endpoint to;
		uint32_t observation_domain;
	} ipfix;
};

/* What is done about public addresses in trouble; see docs/steering.md. */
struct config_steering {
	uint8_t mode; /* enum bng_steering_mode */
	uint32_t interval_s;
	uint32_t hold_down_s;
	double half_life_s;
	double weight_failures;
	double weight_limit_hits;
	double weight_drops;
	double pressured_below; /* scores, 0-100 */
	double degraded_below;
	double threshold;
	double margin;
	double share;    /* of a pool's subscribers in an interval, 0-1 */
	double max_fill; /* of an address's port blocks, 0-1 */
};

#define CONFIG_RADIUS_SERVERS    8
#define CONFIG_RADIUS_PORTS      16
#define CONFIG_RADIUS_QUEUE      65536
#define CONFIG_RADIUS_DICTIONARY "/usr/share/bng/radius/dictionary"

struct config_radius_server {
	char name[CONFIG_NAME_MAX];
	uint32_t address_be;
	uint16_t port;
	uint16_t acct_port;
	char secret[129]; /* "": it is in secret_file */
	char secret_file[256];
	uint32_t timeout_ms; /* of the first try; it doubles */
	uint32_t retries;
	bool needs_message_authenticator; /* in replies */
};

/* Who authorises subscribers; not `on`: nobody. */
struct config_radius {
	bool on;
	struct config_radius_server *servers; /* in the order of preference */
	size_t server_count;
	char dictionary[256];
	char nas_identifier[64];
	uint32_t nas_address_be; /* 0: not told */
	uint32_t source_be;      /* 0: what the route says */
	uint32_t ports;          /* source ports, 256 requests each */
	uint32_t rate;           /* packets a second, to all servers together */
	uint32_t burst;
	uint32_t queue; /* requests that wait, for their turn or for a reply */
	uint32_t dead_seconds;
};

#define CONFIG_AAA_ATTRIBUTES 64
#define CONFIG_AAA_PROFILES   64
#define CONFIG_AAA_NAME_MAX   64
#define CONFIG_AAA_NOT_GIVEN  (-1)

enum config_aaa_method {
	CONFIG_AAA_NONE,  /* granted, nobody is asked */
	CONFIG_AAA_LOCAL, /* granted with what /aaa/profiles says */
	CONFIG_AAA_RADIUS,
};

/* Who authorises subscribers of one kind. */
struct config_aaa_access {
	uint8_t method;     /* enum config_aaa_method */
	bool falls_back;    /* to local, when nobody answers */
	char user[128];     /* IPoE: how User-Name is made, config_user_part() */
	char password[129]; /* IPoE: "": the user's name */
};

struct config_aaa_attribute {
	char name[CONFIG_AAA_NAME_MAX];
	uint8_t target; /* enum attribute_target, config/aaa.h */
	uint32_t scale; /* of numbers */
};

/* What is granted where an answer says nothing; numbers may be CONFIG_AAA_NOT_GIVEN. */
struct config_aaa_profile {
	char pool[CONFIG_NAME_MAX]; /* Framed-Pool of the answer; "": any other, or none */
	bool has_nat_pool;
	char nat_pool[CONFIG_NAME_MAX];
	int64_t rate_up; /* bit/s */
	int64_t rate_down;
	int64_t burst_up; /* bytes */
	int64_t burst_down;
	int64_t session_timeout;
	int64_t idle_timeout;
	int64_t interim;
	int64_t max_mappings;
	int64_t max_blocks;
	uint32_t dns_be[2];
	size_t dns_count;
	char filter[CONFIG_NAME_MAX]; /* "": none */
};

struct config_aaa {
	struct config_aaa_access ipoe; /* DHCP and first packet */
	struct config_aaa_access pppoe;
	uint32_t hold_off_s;  /* who was denied is not asked about again; 0: at once */
	bool ignores_invalid; /* values that make no sense; else they refuse the session */
	struct config_aaa_attribute *attributes;
	size_t attribute_count;
	struct config_aaa_profile *profiles;
	size_t profile_count;
};

#define CONFIG_HOOKS      32
#define CONFIG_HOOK_WORDS 32

enum hook_event {
	HOOK_UP = 1 << 0,
	HOOK_CHANGE = 1 << 1,
	HOOK_DOWN = 1 << 2,
};

/* A command that is told of sessions. */
struct config_hook {
	unsigned events; /* enum hook_event */
	char **argv;     /* owned; ends with NULL */
	uint32_t timeout_s;
	uint32_t concurrency;
};

struct config_hooks {
	struct config_hook *commands;
	size_t count;
	uint32_t queue; /* of each command */
};

#define CONFIG_COA_CLIENTS 64

struct config_coa_client {
	struct config_prefix prefix;
	char secret[129]; /* "": it is in secret_file */
	char secret_file[256];
	bool needs_message_authenticator;
};

/* Who may change and end sessions (RFC 5176); not `on`: nobody. */
struct config_coa {
	bool on;
	uint32_t listen_be; /* 0: any address */
	uint16_t port;
	struct config_coa_client *clients;
	size_t client_count;
	uint32_t window_s; /* how old, or how far ahead, Event-Timestamp may be */
	bool needs_timestamp;
};

#define CONFIG_PPPOE_SERVICES 16
#define CONFIG_PPPOE_AUTHS    3
#define CONFIG_PPPOE_DNS      2
#define CONFIG_PPPOE_POOLS    16
#define CONFIG_PPPOE_LIMITS   3 /* by enum bng_pppoe_limited */

struct config_pppoe_pool {
	char name[CONFIG_NAME_MAX];
	struct config_prefix prefix;
	uint32_t first; /* host order, addresses given out */
	uint32_t last;
	uint32_t gateway_be; /* our end, told by IPCP */
	uint32_t dns_be[CONFIG_PPPOE_DNS];
	size_t dns_count;
	char nat_pool[CONFIG_NAME_MAX]; /* "": sessions are exempt */
	uint16_t mss;                   /* 0: what fits into the session's MTU */
};

/* PPPoE; not `on`: on no interface. */
struct config_pppoe {
	bool on;
	char (*interfaces)[IF_NAMESIZE];
	size_t interface_count;
	char ac_name[65];
	char service[CONFIG_PPPOE_SERVICES][65];
	size_t service_count;             /* 0: any name is served */
	uint16_t mru;                     /* largest IP packet; above 1492 only as RFC 4638 allows */
	uint8_t auth[CONFIG_PPPOE_AUTHS]; /* enum credential, by preference; 0 ends them */
	struct config_pppoe_pool *pools;
	size_t pool_count;
	uint32_t max_sessions_per_mac; /* on one interface and VLAN */
	uint32_t max_sessions_per_vlan;
	uint32_t max_setup;   /* sessions that come up at the same time */
	uint32_t setup_s;     /* after which one that did not come up is ended */
	uint32_t keepalive_s; /* 0: nobody is asked */
	uint32_t keepalive_missed;
	struct {
		uint32_t rate; /* packets a second */
		uint32_t burst;
	} limits[CONFIG_PPPOE_LIMITS];
};

/* Of IP packets; bits_s 0: unlimited, burst_bytes 0: the default. */
struct config_rate {
	uint64_t bits_s;
	uint32_t burst_bytes;
};

/* What sessions have that nobody gave anything else. */
struct config_qos {
	struct config_rate up;
	struct config_rate down;
};

#define CONFIG_FILTERS 62

/* A packet filter, by the name that Filter-Id gives. */
struct config_filter {
	char name[CONFIG_NAME_MAX];
	struct bng_filter_half rules;
};

struct config_filters {
	struct config_filter *filter;
	size_t count;
};

/* What the servers of /radius are told about sessions. */
struct config_accounting {
	bool enabled;
	bool local_sessions; /* also those that no server has authorised */
	uint32_t interim_s;  /* where the server says nothing; 0: none */
	uint32_t spool_max;  /* records that wait; beyond it interim records are dropped */
	uint32_t disk_share; /* percent of the disk of the bus's store; the same */
};

/* The phases of controld's start, as /startup/deadline_s names them, in their order, and the
 * seconds that each may take. */
#define CONFIG_PHASES(X)                                                                                     \
	X(hello, 30)                                                                                         \
	X(object, 60)                                                                                        \
	X(migrate, 300)                                                                                      \
	X(maps, 60)                                                                                          \
	X(descriptors, 30)                                                                                   \
	X(records, 60)                                                                                       \
	X(compare, 10)                                                                                       \
	X(sessions, 30)                                                                                      \
	X(blocks, 10)                                                                                        \
	X(configuration, 60)                                                                                 \
	X(ready, 30)

enum config_phase {
#define CONFIG_PHASE(name, deadline_s) CONFIG_PHASE_##name,
	CONFIG_PHASES(CONFIG_PHASE)
#undef CONFIG_PHASE
		CONFIG_PHASE_COUNT
};

/* What is asked of a new object before it runs: how far it may differ from the old one. */
struct config_verify {
	bool enabled;
	uint32_t packets; /* captured of the live traffic at most; 0: none */
	double seconds;   /* for so long */
	/* How many runs of packets, or entries of maps, may differ. */
	uint64_t verdicts, bytes, map_effects;
	double time_ratio; /* of a packet, new to old, at most */
	char golden[256];  /* folder */
};

struct config {
	struct config_interface *interfaces;
	size_t interface_count;
	struct config_gateway *gateways;
	size_t gateway_count;
	struct config_dhcp4_pool *dhcp4_pools;
	size_t dhcp4_pool_count;
	struct config_option82 option82;
	struct config_first_packet *first_packets;
	size_t first_packet_count;
	struct config_session *sessions;
	size_t session_count;
	struct config_nat_pool *nat_pools;
	size_t nat_pool_count;
	struct config_exempt *exempt;
	size_t exempt_count;
	char *exempt_file; /* more of them, one a line (exempt.h); NULL: none */
	uint32_t hold_down_s;
	uint32_t hold_down_blocks; /* of one public address at most */
	struct config_log log;
	struct config_steering steering;
	struct config_radius radius;
	struct config_accounting accounting;
	struct config_pppoe pppoe;
	struct config_aaa aaa;
	struct config_coa coa;
	struct config_hooks hooks;
	struct config_qos qos;
	struct config_filters filters;
	uint32_t deadline_s[CONFIG_PHASE_COUNT];
	struct config_verify verify;
	uint32_t dhcp4_rate;
	uint32_t dhcp4_burst;
	uint32_t first_packet_rate;
	uint32_t first_packet_burst;
	uint32_t fragment_rate; /* of each direction */
	uint32_t fragment_burst;
	uint32_t syn_rate;
	uint32_t syn_burst;
	uint32_t pppoe_discovery_rate;
	uint32_t pppoe_discovery_burst;
	uint32_t pppoe_session_rate;
	uint32_t pppoe_session_burst;
	struct {
		uint32_t subscribers;
		uint32_t public_addresses;
		uint32_t port_blocks;
		uint32_t exempt;
		uint32_t flows; /* a power of two */
		uint32_t pcp;
	} sizes;
	json_t *document; /* what was read, defaults filled in */
	char sha256[65];  /* of the text */
};

/* 0 and *config, or -EINVAL and an error with file, JSON pointer, found and
 * expected. `name` is what the error calls the text. */
int config_parse(const char *text, size_t length, const char *name, struct config **config, char *error,
		 size_t error_size);
int config_load(const char *file, struct config **config, char *error, size_t error_size);
void config_free(struct config *config);

/* New reference: texts such as "/punt/dhcp4_rate: 5000 -> 6000". */
json_t *config_differences(const struct config *before, const struct config *after);

/* 0 or -ENOMEM. */
int config_hook_copy(const struct config_hook *from, struct config_hook *to);
void config_hook_done(struct config_hook *hook);
/* The same command for the same events. */
bool config_hook_same(const struct config_hook *a, const struct config_hook *b);

const char *config_phase_name(enum config_phase phase);
const struct config_nat_pool *config_find_nat_pool(const struct config *config, const char *name);
const struct config_filter *config_find_filter(const struct config *config, const char *name);
/* Inner addresses can be taken from a pool of that name (Framed-Pool). */
bool config_has_address_pool(const struct config *config, const char *name);
const struct config_interface *config_find_interface(const struct config *config, const char *name);

#endif
