/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who asks, by owner, and the one who answers.
 */
#include "controld/session/authorise.h"

#include <errno.h>

#include "controld/controld.h"
#include "controld/session/sessions.h"

void authorise_register(struct controld *controld, enum authorise_owner owner, authorise_handler *handler)
{
	controld->sessions->authorise_handlers[owner] = handler;
}

void authorise_set_backend(struct controld *controld, authorise_backend *backend)
{
	controld->sessions->authorise_backend = backend;
}

int authorise_ask(struct controld *controld, const struct authorise_question *question,
		  const struct authorise_ticket *ticket)
{
	authorise_backend *backend = controld->sessions->authorise_backend;

	return backend ? backend(controld, question, ticket) : -ENOTSUP;
}

void authorise_answered(struct controld *controld, const struct authorise_answer *answer,
			const struct authorise_ticket *ticket)
{
	authorise_handler *handler = ticket->owner < AUTHORISE_OWNERS
					     ? controld->sessions->authorise_handlers[ticket->owner]
					     : NULL;

	if (handler)
		handler(controld, answer, ticket);
}
