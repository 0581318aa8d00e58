/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The place of controld/aaa in the daemon. Its kept memory is taken with the first
 * configuration, and so are the questions that were under way.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/aaa/aaa.h"
#include "controld/controld.h"
#include "controld/feature.h"
#include "lib/log.h"

#define MEMORY_NAME  "controld.aaa"
#define MEMORY_MAGIC 0x3161616164676e62ull /* "bngdaaa1": also the layout's version */
#define BOOT_ID      "/proc/sys/kernel/random/boot_id"

/* Nobody outside knows it, and it is the same after a restart. */
static int make_key(struct aaa *aaa)
{
	char text[64];
	int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	if (length > 0 && EVP_Digest(text, (size_t)length, aaa->key, NULL, EVP_sha256(), NULL) == 1)
		return 0;
	log_warning("reading %s failed: who was denied before this start is asked about at once", BOOT_ID);
	return RAND_bytes(aaa->key, sizeof(aaa->key)) == 1 ? 0 : -EIO;
}

static int feature_init(struct controld *controld)
{
	struct aaa *aaa = calloc(1, sizeof(*aaa));

	if (!aaa)
		return -ENOMEM;
	controld->aaa = aaa;
	aaa->controld = controld;
	aaa->memory.fd = -1;
	TAILQ_INIT(&aaa->local);
	TAILQ_INIT(&aaa->tests);
	aaa->soon = event_new(controld->base, -1, 0, local_answers_give, aaa);
	if (!aaa->soon || under_way_new(&aaa->under_way))
		return -ENOMEM;
	radius_register(controld->radius, RADIUS_OWNER_AAA, on_radius_answer);
	radius_register(controld->radius, RADIUS_OWNER_TEST, on_test_answer);
	authorise_set_backend(controld, aaa_ask);
	return make_key(aaa);
}

static void feature_free(struct controld *controld)
{
	struct aaa *aaa = controld->aaa;

	if (!aaa)
		return;
	authorise_set_backend(controld, NULL);
	radius_register(controld->radius, RADIUS_OWNER_AAA, NULL);
	radius_register(controld->radius, RADIUS_OWNER_TEST, NULL);
	tests_end(aaa);
	local_answers_drop(aaa);
	under_way_free(&aaa->under_way);
	kept_close(&aaa->memory);
	if (aaa->soon)
		event_free(aaa->soon);
	free(aaa);
	controld->aaa = NULL;
}

static bool adopt_question(void *context, const struct radius_ticket *ticket)
{
	struct aaa *aaa = context;

	under_way_add(&aaa->under_way, ticket_unpack(ticket).client);
	return true;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct aaa *aaa = controld->aaa;
	bool is_adopted;
	int failure;

	(void)old;
	(void)next;
	if (aaa->kept)
		return 0;
	failure = kept_open(controld, MEMORY_NAME, MEMORY_MAGIC, sizeof(struct aaa_kept), &aaa->memory,
			    &is_adopted);
	if (failure)
		return failure;
	aaa->kept = (struct aaa_kept *)aaa->memory.header;
	radius_each(controld->radius, RADIUS_OWNER_AAA, adopt_question, aaa);
	return 0;
}

const struct bng_feature aaa_feature = {
	.name = "aaa",
	.init = feature_init,
	.free = feature_free,
	.apply = feature_apply,
	.methods = aaa_methods,
};
