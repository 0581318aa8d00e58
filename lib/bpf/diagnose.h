/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Why an object did not load: libbpf says it in warnings, the verifier in a log.
 */
#ifndef BNG_LIB_DIAGNOSE_H
#define BNG_LIB_DIAGNOSE_H

#include <bpf/libbpf.h>

#include "lib/problem.h"

#define DIAGNOSE_LINES 20

struct diagnosis {
	char program[64];   /* that the kernel refused, or "" */
	char warning[256];  /* libbpf's last one, or "" */
	char *verifier_log; /* for bpf_object_open_opts.kernel_log_buf */
	unsigned verifier_log_size;
};

/* Collects into `diagnosis` until the end (one at a time). 0 or -ENOMEM. */
int diagnose_begin(struct diagnosis *diagnosis);
void diagnose_end(struct diagnosis *diagnosis);
/* Why it was not loaded: with the last lines of the verifier's log, which is cut up. */
int diagnose_refuse(struct diagnosis *diagnosis, int error, struct problem *problem);

#endif
