/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Why something was refused, on its way to the one who asked: an RPC error code,
 * data for programs, a sentence for people.
 */
#ifndef BNG_LIB_PROBLEM_H
#define BNG_LIB_PROBLEM_H

#include <jansson.h>

struct problem {
	int code;          /* enum rpc_error; 0: no problem */
	json_t *data;      /* or NULL */
	char context[160]; /* what was tried, on what; starts every text */
	char text[2048];
};

/* "commit 4": starts the text of every refusal that follows. */
__attribute__((format(printf, 2, 3))) void problem_context(struct problem *problem, const char *format, ...);
/* Steals data; returns -EINVAL, so that a refusal is one statement. */
__attribute__((format(printf, 4, 5))) int refuse(struct problem *problem, int code, json_t *data,
						 const char *format, ...);
/* The system's refusal (an errno of either sign): its number is in the data, its
 * text at the end. */
__attribute__((format(printf, 3, 4))) int refuse_errno(struct problem *problem, int error, const char *format,
						       ...);

#endif
