/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Groups by name: a folder of a bpffs for each, in one folder. What is not finished, or
 * half removed, has a name that begins with '+', and is nobody's.
 */
#ifndef BNG_LIB_GROUP_FOLDER_H
#define BNG_LIB_GROUP_FOLDER_H

#include "lib/bpf/group.h"

#define GROUP_FOLDERS_MAX 16
#define GROUP_NAME_TEXT   32

/* Each returns 0, or not 0 and a problem. */
int group_folder_open(const char *folder, const char *name, struct group *group, struct problem *problem);
/* Makes it when it is not there (*made); what is given as options must be true of one that is. */
int group_folder_need(const char *folder, const char *name, const json_t *options, struct group *group,
		      bool *made, struct problem *problem);
int group_folder_remove(const char *folder, const char *name, struct problem *problem);
/* Reports of all, or of the one that is named, with their names; sorted. */
json_t *group_folder_report(const char *folder, const char *wanted);
/* Whether there is the generation of a socket whose name is NAME.GENERATION.INDEX. */
bool group_folder_owns(const char *folder, const char *socket);
/* Once a second: what is over goes. */
void group_folder_sweep(const char *folder);
/* At a start: what is not finished goes. */
void group_folder_tidy(const char *folder);

#endif
