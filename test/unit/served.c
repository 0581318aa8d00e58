/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A UDP port over restarts with a holder that knows no groups: one that keeps descriptors and
 * nothing else. (With groups: test/netns/test_coa.py.)
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/hand.h"
#include "controld/ctl/holder.h"
#include "controld/ctl/served.h"
#include "lib/fdstore.h"
#include "lib/keeper.h"
#include "lib/log.h"
#include "run.h"

#define PORT      39799
#define NEXT_PORT 39800

static char path[64];
static pid_t keeper;
static struct controld controld;
static struct served *served;
static unsigned got, dies_at;

static bool permit(const struct rpc_credentials *peer, unsigned permission, void *context)
{
	(void)peer;
	(void)permission;
	(void)context;
	return true;
}

static void keep_descriptors(int fd)
{
	static struct fdstore store;
	struct rpc_server_options options = {keeper_methods, &store, permit, NULL, 8, 1u << 20};
	struct event_base *base = event_base_new();

	rpc_server_new(base, fd, &options);
	event_base_dispatch(base);
	_exit(0);
}

static void setup(void)
{
	int fd;

	log_init("check_served", LOG_LEVEL_ERROR);
	snprintf(path, sizeof(path), "/tmp/check-served-%d.sock", getpid());
	fd = rpc_listen(path, (gid_t)-1);
	ck_assert_int_ge(fd, 0);
	keeper = fork();
	if (!keeper)
		keep_descriptors(fd);
	close(fd);
	got = dies_at = 0;
}

static void teardown(void)
{
	kill(keeper, SIGKILL);
	waitpid(keeper, NULL, 0);
	unlink(path);
}

static void count_one(int fd, const struct hand_datagram *datagram, void *context)
{
	(void)fd;
	(void)context;
	ck_assert_uint_eq(datagram->length, 1);
	got++;
	if (got == dies_at)
		_exit(0);
}

static void start(uint16_t port)
{
	controld.base = event_base_new();
	controld.epoch++;
	ck_assert_int_eq(holder_open(&controld, path), 0);
	ck_assert_int_eq(
		served_open(&controld, "test", htonl(INADDR_LOOPBACK), port, count_one, NULL, &served), 0);
}

static void stop(void)
{
	served_leave(served);
	holder_close(&controld);
	event_base_free(controld.base);
}

static void send_to(uint16_t port, unsigned count)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (unsigned i = 0; i < count; i++)
		ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	close(fd);
}

static void run(void)
{
	event_base_loop(controld.base, EVLOOP_NONBLOCK);
}

static bool is_stored(void)
{
	int fd;
	bool stored = !holder_take(controld.holder, "controld.test", &fd);

	if (stored)
		close(fd);
	return stored;
}

START_TEST(one_socket_is_handed_on)
{
	start(PORT);
	send_to(PORT, 3);
	run();
	ck_assert_uint_eq(got, 3);
	stop();
	send_to(PORT, 2);
	start(PORT);
	run();
	ck_assert_uint_eq(got, 5);
	ck_assert(is_stored());
	stop();
}
END_TEST

START_TEST(one_that_is_bound_elsewhere_is_replaced)
{
	start(PORT);
	stop();
	start(NEXT_PORT);
	send_to(NEXT_PORT, 2);
	run();
	ck_assert_uint_eq(got, 2);
	stop();
	send_to(NEXT_PORT, 1);
	start(NEXT_PORT);
	run();
	ck_assert_uint_eq(got, 3);
	stop();
}
END_TEST

START_TEST(what_waits_is_served_before_the_end)
{
	start(PORT);
	send_to(PORT, 100);
	served_end(served);
	served = NULL;
	ck_assert_uint_eq(got, 100);
	ck_assert(!is_stored());
	stop();
}
END_TEST

START_TEST(what_is_in_hand_is_served_again_by_the_next_start)
{
	pid_t child = fork();

	if (!child) {
		start(PORT);
		send_to(PORT, 5);
		dies_at = 2;
		run();
		_exit(1);
	}
	int status;
	waitpid(child, &status, 0);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	start(PORT);
	run();
	ck_assert_uint_eq(got, 4);
	stop();
}
END_TEST

START_TEST(a_name_that_is_too_long_is_refused)
{
	controld.base = event_base_new();
	ck_assert_int_eq(served_open(&controld, "a.stem.that.is.too.long", htonl(INADDR_LOOPBACK), PORT,
				     count_one, NULL, &served),
			 -ENAMETOOLONG);
	event_base_free(controld.base);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("served");
	TCase *tcase = tcase_create("without groups");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, one_socket_is_handed_on);
	tcase_add_test(tcase, one_that_is_bound_elsewhere_is_replaced);
	tcase_add_test(tcase, what_waits_is_served_before_the_end);
	tcase_add_test(tcase, what_is_in_hand_is_served_again_by_the_next_start);
	tcase_add_test(tcase, a_name_that_is_too_long_is_refused);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
