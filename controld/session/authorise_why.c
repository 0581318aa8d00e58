/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Why nobody was asked, in words.
 */
#include <errno.h>

#include "controld/session/authorise.h"

const char *authorise_why_not(int failure)
{
	switch (failure) {
	case -ENOBUFS:
		return "too many are waiting to be authorised";
	case -EALREADY:
		return "the client's last question is not answered yet";
	case -EHOSTUNREACH:
		return "nobody who authorises can be reached";
	case -ENOTSUP:
		return "nobody authorises here";
	default:
		return "the question could not be asked";
	}
}
