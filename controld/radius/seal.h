/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What only those do who share a secret: hide the password, sign a request, believe a
 * reply (RFC 2865, 2866, 3579). Digests are compared in constant time.
 *
 * A sealed request can be opened again by who has the secret: that is how it goes to
 * another server, also after a restart, with no password kept in the clear.
 */
#ifndef BNG_CONTROLD_RADIUS_SEAL_H
#define BNG_CONTROLD_RADIUS_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RADIUS_SECRET_MAX 128

struct radius_secret {
	uint8_t data[RADIUS_SECRET_MAX];
	size_t length;
};

enum radius_verdict {
	RADIUS_GENUINE,
	RADIUS_MALFORMED,
	RADIUS_BAD_AUTHENTICATOR,        /* also a Message-Authenticator that is wrong */
	RADIUS_NO_MESSAGE_AUTHENTICATOR, /* and it was required */
	RADIUS_WRONG_CODE,               /* no reply to such a request */
};

/* Gives an open request its id, a new authenticator and what the secret makes of it.
 * `length` is what radius_end said. 0 or -errno. */
int radius_seal(uint8_t *data, size_t length, uint8_t id, const struct radius_secret *secret);
/* Takes it back. -EBADMSG, and nothing changed: it was not sealed with this secret. */
int radius_open(uint8_t *data, size_t length, const struct radius_secret *secret);

/* A reply to the sealed `request`; *length becomes the one the header tells. */
enum radius_verdict radius_verify(uint8_t *reply, size_t *length, const uint8_t *request,
				  const struct radius_secret *secret, bool need_message_authenticator);

/* The same for a request of somebody else's, that has no random authenticator: CoA-Request,
 * Disconnect-Request (RFC 5176 section 2.3). */
enum radius_verdict radius_verify_request(uint8_t *request, size_t *length,
					  const struct radius_secret *secret,
					  bool need_message_authenticator);
/* Makes an open reply, with an empty Message-Authenticator or none, the one to `request`.
 * 0 or -errno. */
int radius_seal_reply(uint8_t *reply, size_t length, const uint8_t *request,
		      const struct radius_secret *secret);

/* MD5 over id, password and challenge (RFC 1994). */
int radius_chap(uint8_t id, const uint8_t *challenge, size_t challenge_length, const void *password,
		size_t password_length, uint8_t answer[static 16]);

/* `text` if it is not empty, else what `file` holds without the newline at its end. 0, or
 * -errno and an error that begins with `pointer`. */
int radius_secret_read(const char *text, const char *file, const char *pointer, struct radius_secret *secret,
		       char *error, size_t error_size);

void radius_forget(void *memory, size_t size);

#endif
