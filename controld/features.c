/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The features of bng-controld, in the order in which they are initialised and
 * apply a configuration: what sessions need is there before sessions are.
 */
#include <stddef.h>

#include "controld/feature.h"

extern const struct bng_feature startup_feature, interfaces_feature, punt_feature, cgnat_feature,
	session_feature, forward_feature, steering_feature, dhcp4_feature, blocklog_feature, events_feature,
	drops_feature, issu_feature, history_feature, refusals_feature, hold_feature, pcp_feature,
	alg_feature, large_feature, radius_feature, aaa_feature, coa_feature, first_packet_feature,
	hooks_feature, pppoe_feature, qos_feature, routes_feature, accounting_feature, filter_feature;

const struct bng_feature *const bng_features[] = {
	&startup_feature,
	&interfaces_feature,
	&punt_feature,
	&cgnat_feature,
	&qos_feature,
	&filter_feature,
	&radius_feature,
	&accounting_feature,
	&session_feature,
	&routes_feature,
	&forward_feature,
	&steering_feature,
	&pcp_feature,
	&dhcp4_feature,
	&blocklog_feature,
	&events_feature,
	&drops_feature,
	&issu_feature,
	&history_feature,
	&refusals_feature,
	&hold_feature,
	&alg_feature,
	&large_feature,
	&aaa_feature,
	&coa_feature,
	&first_packet_feature,
	&hooks_feature,
	&pppoe_feature,
	NULL,
};
