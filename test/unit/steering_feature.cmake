# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
bng_check(check_steering_feature ${BNG_TEST_DIR}/steering_feature.c ${BNG_TEST_DIR}/cgnat_fixture.c
          ${BNG_TEST_DIR}/controld_fixture.c LIBS bng_controld_core m)
