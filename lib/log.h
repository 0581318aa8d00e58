/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Log lines to standard error, with systemd's <N> priority prefix when standard
 * error is the journal, else with an RFC 3339 time. Programs log; library code
 * returns errors instead.
 */
#ifndef BNG_LIB_LOG_H
#define BNG_LIB_LOG_H

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

void log_init(const char *program, enum log_level level);
__attribute__((format(printf, 2, 3))) void log_write(enum log_level level, const char *format, ...);

/* What was logged last as an error; "": nothing. */
const char *log_last_error(void);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
