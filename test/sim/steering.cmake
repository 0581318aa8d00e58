# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The policy as it is in bng-controld, over a model of a pool.
set(STEERING_DIR ${CMAKE_SOURCE_DIR}/controld/steering)
set(STEERING_SIM ${BNG_TEST_DIR}/steering_model.c ${BNG_TEST_DIR}/steering_run.c
    ${STEERING_DIR}/score.c ${STEERING_DIR}/plan.c ${STEERING_DIR}/targets.c)
add_executable(sim-steering ${BNG_TEST_DIR}/steering_main.c ${STEERING_SIM})
target_link_libraries(sim-steering PRIVATE m)
bng_check(check_steering_sim ${BNG_TEST_DIR}/steering_check.c ${STEERING_SIM} LIBS m)
