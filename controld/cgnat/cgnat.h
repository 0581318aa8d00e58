/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The methods of this folder.
 */
#ifndef BNG_CONTROLD_CGNAT_H
#define BNG_CONTROLD_CGNAT_H

struct rpc_request;

void cgnat_handle_pools(struct rpc_request *request, void *context);
void cgnat_handle_blocks(struct rpc_request *request, void *context);
void cgnat_handle_mappings(struct rpc_request *request, void *context);
void cgnat_handle_tunnels(struct rpc_request *request, void *context);
void cgnat_handle_digest(struct rpc_request *request, void *context);
void cgnat_handle_lookup(struct rpc_request *request, void *context);

#endif
