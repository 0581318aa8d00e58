/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The version of everything in dataplane/abi/.
 *
 * It counts layout changes that a running gateway cannot adopt as they are
 * (an added field inside reserved bytes does not count).
 */
#ifndef BNG_ABI_VERSION_H
#define BNG_ABI_VERSION_H

#define BNG_ABI_VERSION 1

#endif
