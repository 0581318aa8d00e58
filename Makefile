# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The commands people type. CMake builds; what is here only calls it.
#   make demo [KEEP=1]   the gateway at work, upgraded under load (as root)
#   make test            every test, one summary line (as root)
#   make test-kernel-6.1 the gateway on the oldest kernel, under QEMU (as root)
#   make test-restart-connectivity  each daemon stopped and killed under load, controld away for AWAY=60 seconds: 0 lost
#   make test-ha-crash   the same CYCLES=20 times, and killed at every step of swaps and upgrades
#   make test-upgrade-downgrade     every data plane kept in test/abi/ to the newest and back, and a release with other layouts, under load
#   make test-chaos      whoever is killed whenever, while swapping under load: ROUNDS=20 (0: for ever) SEED=n
#   make test-systemd    the installed units under a systemd of their own: restarted, killed, replaced under load (as root)
#   make test-migrate    maps grow and change their layout under load: SESSIONS=100000 MAPPINGS=1000000 GROW=1000000
#   make test-swaps      COUNT=10000 swaps under full load
#   make test-pppd       the subscriber emulator, and the gateway, against Debian's pppd under QEMU (as root)
#   make conformance     docs/conformance.md anew, from the tests it lists (as root)
#   make bench           the benchmark (docs/performance.md)
#   make sim-steering    steering of subscribers over a model of a pool (docs/steering.md)
#   make test-sessions   sessions in number over restarts and outages: SESSIONS=10000 ROUNDS=200 AWAY=60 OUTAGE=120
#   make bench-sessions  setup rate and memory of sessions against FreeRADIUS: SESSIONS=10000
#   make bench-start     how long a killed bng-controld is away: SESSIONS=100000
#   make bench-sync      the state bus alone
#   make bench-verify    time and memory of comparing a new object: SESSIONS=100000
#   make install         release build into DESTDIR/PREFIX

PREFIX ?= /usr
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
NINJA_FLAGS ?=
PYTHON := /usr/bin/python3

.PHONY: all deps build demo demo-stop test test-restart-connectivity test-ha-crash test-upgrade-downgrade test-chaos \
	test-systemd test-migrate test-swaps test-kernel-6.1 test-pppd conformance bench bench-sync bench-start bench-sessions bench-verify test-sessions \
	install clean

all: build

deps:
	@packaging/deps.sh

build/release/build.ninja:
	@mkdir -p build
	@cmake -S . -B build/release -G Ninja -DCMAKE_INSTALL_PREFIX=$(PREFIX) >build/configure.log 2>&1 || \
		{ cat build/configure.log; exit 1; }

build: deps
	@$(MAKE) --no-print-directory build/release/build.ninja
	@ninja --quiet -C build/release $(NINJA_FLAGS)

demo: build
	@$(PYTHON) test/demo/demo.py $(if $(KEEP),--keep)

demo-stop:
	@$(PYTHON) test/demo/demo.py --stop

test: deps
	@test/run

test-kernel-6.1: deps
	@test/run -- -s test/kernel/test_kernel.py

test-restart-connectivity: deps
	@BNG_TEST_AWAY_SECONDS=$(or $(AWAY),60) test/run -- -s -k "restart_of or dead_for_a_while" \
		test/fault/test_kills.py test/netns/test_restart.py

test-ha-crash: deps
	@BNG_TEST_CYCLES=$(or $(CYCLES),20) test/run -- -s test/fault/test_kills.py test/fault/test_holder_crash.py

test-upgrade-downgrade: deps
	@test/run -- -s test/netns/test_upgrade_downgrade.py test/netns/test_layout.py

test-chaos: deps
	@BNG_CHAOS_ROUNDS=$(or $(ROUNDS),20) BNG_CHAOS_SEED=$(or $(SEED),0) test/run -- -s test/fault/test_chaos.py

test-systemd: deps
	@test/run test/packaging/test_systemd.py

# With a release build: sanitizers would measure themselves.
test-migrate: build
	@$(PYTHON) test/bench/migrate.py --sessions $(or $(SESSIONS),100000) --mappings $(or $(MAPPINGS),1000000) \
		--grow $(or $(GROW),1000000)

test-swaps: deps
	@BNG_TEST_SWAPS=$(or $(COUNT),10000) test/run -- -s -k thousand test/netns/test_swap.py

test-pppd: deps
	@test/run test/emulator/check_pppd.py test/emulator/check_pppd_client.py

conformance: deps
	@test/run --conformance

bench: build
	@$(PYTHON) test/bench/run.py $(BENCH_FLAGS)

sim-steering: deps build/release/build.ninja
	@ninja --quiet -C build/release $(NINJA_FLAGS) sim-steering
	@build/release/bin/sim-steering build/sim-steering.dat $(or $(SEEDS),10) $(or $(LOAD),80)
	@gnuplot -c test/sim/steering.gp build/sim-steering.dat build/sim-steering.png
	@echo "plot of the first seed: build/sim-steering.png"

# With release builds: sanitizers would measure themselves.
test-sessions: build
	@BNG_BUILD=$(CURDIR)/build/release BNG_TEST_SESSIONS=$(or $(SESSIONS),10000) BNG_TEST_ROUNDS=$(or $(ROUNDS),200) \
		BNG_TEST_AWAY_SECONDS_SESSIONS=$(or $(AWAY),60) BNG_TEST_OUTAGE_SECONDS=$(or $(OUTAGE),120) \
		$(PYTHON) -m pytest -q -s -x -p no:cacheprovider test/netns/test_sessions_scale.py

bench-sessions: build
	@$(PYTHON) test/bench/sessions.py --sessions $(or $(SESSIONS),10000)

bench-start: build
	@$(PYTHON) test/bench/start.py --sessions $(or $(SESSIONS),100000)

bench-verify: build
	@$(PYTHON) test/bench/verify.py --sessions $(or $(SESSIONS),100000)

bench-sync: build
	@folder=$$(mktemp -d build/bench-sync.XXXXXX) && \
		{ build/release/bin/bench_sync build/release/bin/bngsync "$$folder"; status=$$?; rm -r "$$folder"; exit $$status; }

install: build
	packaging/install.sh build/release "$(DESTDIR)" "$(PREFIX)" "$(SYSCONFDIR)" "$(UNITDIR)"

clean:
	rm -rf build
