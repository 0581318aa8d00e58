# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The policy alone: no maps, no daemon.
set(STEERING_DIR ${CMAKE_SOURCE_DIR}/controld/steering)
set(STEERING_POLICY ${STEERING_DIR}/score.c ${STEERING_DIR}/plan.c ${STEERING_DIR}/targets.c)
bng_check(check_steering_score ${BNG_TEST_DIR}/steering_score.c ${STEERING_POLICY} LIBS m)
foreach(part plan target random)
  bng_check(check_steering_${part} ${BNG_TEST_DIR}/steering_${part}.c ${BNG_TEST_DIR}/steering_fixture.c
            ${STEERING_POLICY} LIBS m)
endforeach()
# Memory runs out when the test says so.
target_link_options(check_steering_random PRIVATE -Wl,--wrap=calloc)
