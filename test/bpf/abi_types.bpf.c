/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Never loaded: an object whose BTF describes every type and constant of
 * dataplane/abi/, so that the tests (btf.py) need no copy of them.
 */
#include "dataplane/abi/alg.h"
#include "dataplane/abi/capture.h"
#include "dataplane/abi/cgnat.h"
#include "dataplane/abi/event.h"
#include "dataplane/abi/filter.h"
#include "dataplane/abi/first_packet.h"
#include "dataplane/abi/flow.h"
#include "dataplane/abi/fragment.h"
#include "dataplane/abi/interface.h"
#include "dataplane/abi/mapping_word.h"
#include "dataplane/abi/meta.h"
#include "dataplane/abi/pcp.h"
#include "dataplane/abi/pppoe.h"
#include "dataplane/abi/punt.h"
#include "dataplane/abi/subscriber.h"
#include "dataplane/abi/tunnel.h"
#include "dataplane/abi/verdict.h"
#include "dataplane/abi/version.h"

#define CONSTANT(name) constant_##name = name

enum constants {
	CONSTANT(BNG_CAPTURE_BYTES),
	CONSTANT(BNG_CAPTURE_FRAME),
	CONSTANT(BNG_POOLS),
	CONSTANT(BNG_POOL_SEGMENTS),
	CONSTANT(BNG_BLOCK_SHIFT_MIN),
	CONSTANT(BNG_BLOCK_SHIFT_MAX),
	CONSTANT(BNG_BLOCKS_PER_ADDRESS_MAX),
	CONSTANT(BNG_FIRST_PORT),
	CONSTANT(BNG_PORTS_PER_BUCKET),
	CONSTANT(BNG_INTERFACES),
	CONSTANT(BNG_INTERFACE_PUNT),
	CONSTANT(BNG_PORT_TIMERS),
	CONSTANT(BNG_FLOWS_PER_BUCKET),
	CONSTANT(BNG_FLOW_PROBES),
	CONSTANT(BNG_FIRST_PACKET_INTERFACE_BITS),
	CONSTANT(BNG_FILTERS),
	CONSTANT(BNG_FILTER_CLOSED),
	CONSTANT(BNG_FILTER_RULES),
	CONSTANT(BNG_FRAGMENTS),
	CONSTANT(BNG_FRAGMENT_PROBES),
	CONSTANT(BNG_FRAGMENT_SECONDS),
	CONSTANT(BNG_TUNNELS),
	CONSTANT(BNG_TUNNELS_PER_BUCKET),
	CONSTANT(BNG_TUNNEL_PROBES),
	CONSTANT(BNG_TICK_SHIFT),
	CONSTANT(BNG_PCP_NONCE),
	CONSTANT(BNG_PCP_RESULTS),
	CONSTANT(BNG_PPPOE_BUCKETS),
	CONSTANT(BNG_PUNT_ETHERTYPE),
	CONSTANT(BNG_PUNT_LARGE_MAX),
	CONSTANT(BNG_PUNT_VERSION),
	CONSTANT(BNG_BLOCKS_PER_SUBSCRIBER),
	CONSTANT(BNG_INNER_RANGES),
	CONSTANT(BNG_PUBLIC_RANGES),
	CONSTANT(BNG_SLOTS_PER_GROUP),
	CONSTANT(BNG_RATE_SHIFT),
	CONSTANT(BNG_REFUSED_SECONDS),
	CONSTANT(BNG_VERDICT_SLOTS),
	CONSTANT(BNG_ALG_ENTRIES),
	CONSTANT(BNG_FTP_PORT),
	CONSTANT(BNG_FTP_DATA),
	CONSTANT(BNG_ABI_VERSION),
	CONSTANT(BNG_MAPPING_EPOCH_SHIFT),
	CONSTANT(BNG_EXEMPT_EPOCH_SHIFT),
	CONSTANT(BNG_EXEMPT_PORTS),
};

struct abi_types {
	struct bng_meta meta;
	struct bng_subscriber subscriber;
	struct bng_ranges ranges;
	struct bng_interface interface;
	struct bng_gateway_key gateway_key;
	struct bng_mapping mapping;
	struct bng_mapping_bucket bucket;
	struct bng_slot_group slot_group;
	struct bng_port_block port_block;
	struct bng_pool_address pool_address;
	struct bng_pool pool;
	struct bng_port_timer port_timer;
	struct bng_port_timers port_timers;
	struct bng_flow flow;
	struct bng_flow_bucket flow_bucket;
	struct bng_tunnel tunnel;
	struct bng_tunnel_bucket tunnel_bucket;
	struct bng_fragment fragment;
	struct bng_exempt_key exempt_key;
	struct bng_exempt_port_key exempt_port_key;
	struct bng_event event;
	struct bng_capture capture;
	enum bng_capture_entry capture_entry;
	struct bng_punt punt;
	struct bng_pin pin;
	struct bng_pin_lease pin_lease;
	struct bng_pcp pcp;
	struct bng_pcp_counts pcp_counts;
	enum bng_pcp_state pcp_state;
	enum bng_pin_action pin_action;
	struct bng_punt_limit punt_limit;
	struct bng_filter filter;
	struct bng_filter_hits filter_hits;
	enum bng_filter_flag filter_flag;
	struct bng_count count;
	enum constants constants;
	enum bng_protocol protocol;
	enum bng_mapping_state mapping_state;
	enum bng_mapping_flag mapping_flag;
	enum bng_pool_flag pool_flag;
	enum bng_refusal refusal;
	enum bng_fragment_direction fragment_direction;
	enum bng_block_state block_state;
	enum bng_block_flag block_flag;
	enum bng_pool_address_flag pool_address_flag;
	enum bng_exempt_flag exempt_flag;
	enum bng_event_type event_type;
	enum bng_event_flag event_flag;
	enum bng_interface_role interface_role;
	enum bng_interface_flag interface_flag;
	struct bng_pppoe_key pppoe_key;
	struct bng_pppoe_limit pppoe_limit;
	enum bng_pppoe_limited pppoe_limited;
	enum bng_punt_reason punt_reason;
	enum bng_punt_flag punt_flag;
	struct bng_alg_key alg_key;
	struct bng_alg alg;
	enum bng_alg_flag alg_flag;
	struct bng_expect expect;
	enum bng_subscriber_state subscriber_state;
	enum bng_subscriber_flag subscriber_flag;
	enum bng_session_kind session_kind;
	enum bng_verdict verdict;
};

struct abi_types abi_types __attribute__((used));
