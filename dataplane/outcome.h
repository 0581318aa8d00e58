/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * How the fast path ends: a verdict, or one more step that is off it.
 *
 * The fast path is one function that returns an outcome; the entry program then
 * takes the step, which gets the context and reads the packet again. So rare work
 * costs the fast path neither registers nor stack (BPF has 512 bytes of it for a
 * whole chain of calls).
 *
 *   bits  0-7 verdict   8-15 enum step   16-31 parameter   32-63 slot, 0: none
 */
#ifndef BNG_DATAPLANE_OUTCOME_H
#define BNG_DATAPLANE_OUTCOME_H

#include <linux/types.h>

enum step {
	STEP_NONE = 0,
	STEP_CREATE,  /* make a mapping, then the fast path once more */
	STEP_CONTROL, /* ARP, DHCP, the gateway's own services */
	STEP_HAIRPIN, /* parameter: public address index */
	STEP_FRAGMENT_UP,
	STEP_FRAGMENT_HAIRPIN, /* parameter: public address index */
	STEP_FRAGMENT_DOWN,    /* parameter: public address index */
	STEP_FRAGMENT_DOWN_EXEMPT,
	STEP_ICMP_ERROR_UP,
	STEP_ICMP_ERROR_HAIRPIN, /* parameter: public address index */
	STEP_ICMP_ERROR_DOWN,    /* parameter: public address index */
	STEP_ICMP_ERROR_DOWN_EXEMPT,
	STEP_TUNNEL_UP,
	STEP_TUNNEL_DOWN,   /* parameter: public address index */
	STEP_HOLD_FRAGMENT, /* its first has not been seen: to controld */
	STEP_HOLD_SYN,      /* unsolicited; parameter: public address index */
	STEP_ANSWER_SYN,    /* it has been held long enough; parameter: ingress interface */
	STEP_ALG_UP,        /* of an FTP control connection */
	STEP_ALG_DOWN,      /* the same; parameter: public address index */
	STEP_ALG_BACK,      /* the same as UP, handed back by controld; parameter: flags */
	STEP_ALG_PUNT,      /* a command with an address: to controld */
	STEP_PPPOE,         /* discovery, PPP control */
	STEP_PPPOE_TRIM,    /* padding off, then the fast path once more */
	STEP_TELL_TTL,      /* send an ICMP error; the verdict says why */
	STEP_TELL_TOO_BIG,  /* parameter: MTU */
	STEP_TELL_HOST,
	STEP_TELL_PROHIBITED,
};

#define TOLD   0x100 /* with a verdict, from a step: the frame is to go back where it came from */
#define PUNTED 0x200 /* the same: it is dropped, and goes to controld */

static __always_inline __u64 outcome_step(__u32 verdict, enum step step, __u16 parameter)
{
	return verdict | (__u32)step << 8 | (__u32)parameter << 16;
}

static __always_inline __u64 outcome_of(__u64 outcome, __u32 slot)
{
	return outcome | (__u64)slot << 32;
}

static __always_inline __u32 outcome_verdict(__u64 outcome)
{
	return outcome & 0xff;
}

static __always_inline __u32 outcome_action(__u64 outcome)
{
	return (outcome >> 8) & 0xff;
}

static __always_inline __u16 outcome_parameter(__u64 outcome)
{
	return outcome >> 16;
}

static __always_inline __u32 outcome_slot(__u64 outcome)
{
	return outcome >> 32;
}

#endif
