/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The client's own parts: requests on their way, source ports, the governor.
 */
#ifndef BNG_CONTROLD_RADIUS_CLIENT_H
#define BNG_CONTROLD_RADIUS_CLIENT_H

#include <event2/event.h>

#include "controld/radius/attributes.h"
#include "controld/radius/radius.h"
#include "controld/radius/servers.h"
#include "lib/rpc.h"

/* A request on its way: what is not in its record because it is made anew at a start. */
struct request {
	TAILQ_ENTRY(request) next;
	struct radius *radius;
	struct request_record *record;
	uint32_t index;
	bool is_queued;
	bool has_id;
	struct server *server; /* whose secret it is sealed with; perhaps a retired one */
	struct server_id id;   /* in use there */
	struct event *due;
};

TAILQ_HEAD(request_queue, request);

struct port {
	int fd;        /* -1: not open */
	bool is_taken; /* from the holder: what was sent from it may be answered */
	struct event *readable;
	struct radius *radius;
	uint16_t index;
};

/* So many packets a second, to all servers together. */
struct governor {
	uint64_t interval_ns;
	uint64_t slack_ns;
	uint64_t next_ns; /* when the next would go if they all kept their distance */
};

struct radius {
	struct controld *controld;
	struct config_radius config; /* its numbers; the servers are in `servers` */
	struct requests *requests;
	struct request **live; /* by index of the record; NULL: free */
	uint32_t *free;        /* indexes below header->high that are free */
	uint32_t free_count;
	uint32_t count;             /* of all requests */
	struct request_queue queue; /* those whose turn it is */
	struct servers servers;
	struct port ports[CONFIG_RADIUS_PORTS];
	uint32_t open_ports;
	struct governor governor;
	struct event *pump;
	radius_handler *handlers[RADIUS_OWNERS];
	struct dictionary *dictionary;
	struct attribute_map attributes;
};

/* The longest a governor lets burst; nothing is due when it returns 0. */
void governor_set(struct governor *governor, uint32_t rate, uint32_t burst);
uint64_t governor_wait(struct governor *governor, uint64_t now_ns);
void governor_take(struct governor *governor, uint64_t now_ns);

/* ports.c: as many sockets as the configuration says, from the holder where it has them.
 * 0 or -errno with the reason logged. */
int ports_open(struct radius *radius, uint32_t count, uint32_t source_be);
void ports_close(struct radius *radius);

/* request.c */
struct request *request_new(struct radius *radius, uint32_t index);
void request_free(struct request *request);
struct request_sealed *request_sealed(const struct request *request);
enum server_kind request_kind(const struct request *request);
void request_set(struct request *request, enum request_state state);
void request_enqueue(struct request *request);
void request_dequeue(struct request *request);
void request_sealed_by(struct request *request, struct server *server);
void request_give_id(struct request *request);
/* For another server, or another id. 0 or -errno, and it is as it was. */
int request_reseal(struct request *request, struct server *to, struct server_id id);
/* Timers; both in client.c. */
void request_on_due(evutil_socket_t fd, short what, void *request);
void client_on_pump(evutil_socket_t fd, short what, void *radius);

/* client.c, adopt.c */
int client_new(struct controld *controld, struct radius **radius);
void client_free(struct radius *radius);
/* After a start, with servers and ports as configured. */
void client_adopt(struct radius *radius);
/* A datagram that came to a port. */
void client_receive(struct radius *radius, const struct port *port, const struct radius_endpoint *from,
		    uint8_t *data, size_t length);
/* What was sent from this port is sent again from another. */
void client_move(struct radius *radius, uint16_t port);
/* Sends what may be sent, now or as soon as the loop turns. */
void client_pump(struct radius *radius);
void client_pump_soon(struct radius *radius);
void client_set_timer(struct event *timer, uint64_t wait_ns);
uint32_t client_waiting(const struct radius *radius);

extern const struct rpc_method radius_methods[];

#endif
