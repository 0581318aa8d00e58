/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading dictionaries, see the header. A later definition wins, as with FreeRADIUS.
 */
#include "controld/radius/dictionary.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/radius/names.h"
#include "lib/file.h"

#define FILE_MAX_BYTES (4u << 20)
#define DEPTH_MAX      8
#define WORDS          6
#define LINE_TEXT      512

struct source {
	struct dictionary *dictionary;
	const char *name;
	unsigned line;
	const char *folder; /* of $INCLUDE; NULL: refused */
	unsigned depth;
	uint32_t vendor; /* of BEGIN-VENDOR */
	bool is_other;   /* its attributes are not one byte of type and one of length */
	unsigned tlv;    /* BEGIN-TLV around this line */
	char *error;
	size_t error_size;
};

static int load(struct dictionary *dictionary, const char *file, unsigned depth, char *error, size_t size);

__attribute__((format(printf, 2, 3))) static int fail(const struct source *source, const char *format, ...)
{
	int used = snprintf(source->error, source->error_size, "%s line %u: ", source->name, source->line);
	va_list arguments;

	if (used > 0 && (size_t)used < source->error_size) {
		va_start(arguments, format);
		vsnprintf(source->error + used, source->error_size - (size_t)used, format, arguments);
		va_end(arguments);
	}
	return -EINVAL;
}

/* Decimal or 0x..., the whole word. */
static bool number(const char *word, uint32_t max, uint32_t *value)
{
	char *end;
	unsigned long long all;

	if (*word < '0' || *word > '9')
		return false;
	errno = 0;
	all = strtoull(word, &end, word[1] == 'x' || word[1] == 'X' ? 16 : 10);
	if (*end || errno || all > max)
		return false;
	*value = (uint32_t)all;
	return true;
}

static int out_of_memory(const struct source *source, int failure)
{
	return failure ? fail(source, "%s",
			      failure == -ENOSPC ? "more definitions than a dictionary may have"
						 : "out of memory")
		       : 0;
}

static enum name_kind kind_of(const char *word)
{
	static const struct {
		const char *word;
		enum name_kind kind;
	} kinds[] = {
		{"string", NAME_STRING},   {"ipaddr", NAME_ADDRESS},    {"combo-ip", NAME_ADDRESS},
		{"integer", NAME_INTEGER}, {"uint32", NAME_INTEGER},    {"date", NAME_INTEGER},
		{"signed", NAME_SIGNED},   {"byte", NAME_INTEGER},      {"uint8", NAME_INTEGER},
		{"short", NAME_INTEGER},   {"uint16", NAME_INTEGER},    {"integer64", NAME_INTEGER},
		{"uint64", NAME_INTEGER},  {"ipv6addr", NAME_ADDRESS6}, {"ipv6prefix", NAME_PREFIX6},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(word, kinds[i].word))
			return kinds[i].kind;
	return NAME_OCTETS;
}

/* Of a vendor by an older form: ATTRIBUTE name number type vendor. */
static int read_attribute(struct source *source, char *const *words, size_t count)
{
	uint32_t vendor = source->vendor, type;

	if (count < 4)
		return fail(source, "ATTRIBUTE: must be followed by name, number and type");
	if (source->tlv || source->is_other || strchr(words[2], '.'))
		return 0;
	if (!number(words[2], UINT32_MAX, &type))
		return fail(source, "ATTRIBUTE %s: \"%.40s\": must be a number", words[1], words[2]);
	if (count > 4 && !vendor)
		names_vendor(&source->dictionary->names, words[4], &vendor);
	if (type > UINT8_MAX) /* FreeRADIUS's own, never in a packet */
		return 0;
	return out_of_memory(source, names_add_attribute(&source->dictionary->names, words[1], vendor,
							 (uint8_t)type, kind_of(words[3])));
}

static int read_value(struct source *source, char *const *words, size_t count)
{
	uint32_t value;

	if (count < 4)
		return fail(source, "VALUE: must be followed by attribute, name and number");
	if (!number(words[3], UINT32_MAX, &value))
		return number(words[3][0] == '-' ? words[3] + 1 : "", UINT32_MAX, &value) ||
				       strlen(words[3]) > 10 || source->tlv
			       ? 0 /* 64 bits, or signed */
			       : fail(source, "VALUE %s %s: \"%.40s\": must be a number", words[1], words[2],
				      words[3]);
	return out_of_memory(source, names_add_value(&source->dictionary->names, words[1], words[2], value));
}

static int read_vendor(struct source *source, char *const *words, size_t count)
{
	uint32_t vendor;
	bool other = count > 3 && !strncmp(words[3], "format=", 7) && strncmp(words[3] + 7, "1,1", 3);

	if (count < 3)
		return fail(source, "VENDOR: must be followed by name and number");
	if (!number(words[2], 0xffffff, &vendor) || !vendor)
		return fail(source, "VENDOR %s: \"%.40s\": must be a number 1-16777215", words[1], words[2]);
	return out_of_memory(source, names_add_vendor(&source->dictionary->names, words[1], vendor, other));
}

static int begin_vendor(struct source *source, char *const *words, size_t count)
{
	if (count < 2)
		return fail(source, "BEGIN-VENDOR: must be followed by a vendor's name");
	if (source->vendor)
		return fail(source, "BEGIN-VENDOR %s: the vendor before has no END-VENDOR", words[1]);
	if (!names_vendor(&source->dictionary->names, words[1], &source->vendor))
		return fail(source, "BEGIN-VENDOR %s: no VENDOR of this name came before", words[1]);
	/* "format=Extended-Vendor-Specific-5" and the like */
	source->is_other = count > 2 || names_vendor_is_other(&source->dictionary->names, source->vendor);
	return 0;
}

static int end_vendor(struct source *source, char *const *words, size_t count)
{
	uint32_t vendor = 0;

	if (count < 2 || !names_vendor(&source->dictionary->names, words[1], &vendor) ||
	    vendor != source->vendor)
		return fail(source, "END-VENDOR: must name the vendor of the BEGIN-VENDOR before");
	source->vendor = 0;
	source->is_other = false;
	return 0;
}

static int begin_tlv(struct source *source, char *const *words, size_t count)
{
	(void)words;
	(void)count;
	source->tlv++;
	return 0;
}

static int end_tlv(struct source *source, char *const *words, size_t count)
{
	(void)words;
	(void)count;
	if (!source->tlv)
		return fail(source, "END-TLV: no BEGIN-TLV came before");
	source->tlv--;
	return 0;
}

static int include(struct source *source, char *const *words, size_t count)
{
	char path[PATH_MAX];

	if (count < 2)
		return fail(source, "$INCLUDE: must be followed by a file");
	if (!source->folder || source->depth >= DEPTH_MAX)
		return fail(source, "$INCLUDE %s: not here, or more than %d files deep", words[1], DEPTH_MAX);
	if (words[1][0] == '/')
		snprintf(path, sizeof(path), "%s", words[1]);
	else if (snprintf(path, sizeof(path), "%s/%s", source->folder, words[1]) >= (int)sizeof(path))
		return fail(source, "$INCLUDE: the name is too long");
	if (words[0][strlen("$INCLUDE")] == '-' && access(path, F_OK))
		return 0; /* $INCLUDE-: if it is there */
	return load(source->dictionary, path, source->depth + 1, source->error, source->error_size);
}

static int ignore(struct source *source, char *const *words, size_t count)
{
	(void)source;
	(void)words;
	(void)count;
	return 0;
}

static int read_words(struct source *source, char *const *words, size_t count)
{
	static const struct {
		const char *keyword;
		int (*read)(struct source *source, char *const *words, size_t count);
	} rows[] = {
		{"ATTRIBUTE", read_attribute}, {"VALUE", read_value},
		{"VENDOR", read_vendor},       {"BEGIN-VENDOR", begin_vendor},
		{"END-VENDOR", end_vendor},    {"BEGIN-TLV", begin_tlv},
		{"END-TLV", end_tlv},          {"$INCLUDE", include},
		{"$INCLUDE-", include},        {"FLAGS", ignore},
		{"PROTOCOL", ignore},          {"BEGIN-PROTOCOL", ignore},
		{"END-PROTOCOL", ignore},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcasecmp(words[0], rows[i].keyword))
			return rows[i].read(source, words, count);
	return fail(source,
		    "\"%.40s\": must be ATTRIBUTE, VALUE, VENDOR, BEGIN-VENDOR, END-VENDOR or $INCLUDE",
		    words[0]);
}

static int read_line(struct source *source, const char *text, size_t length)
{
	char line[LINE_TEXT], *words[WORDS], *rest = line;
	size_t count = 0;

	if (length >= sizeof(line))
		return fail(source, "longer than %zu bytes", sizeof(line) - 1);
	if (memchr(text, '\0', length))
		return fail(source, "a NUL byte found, text expected");
	memcpy(line, text, length);
	line[length] = '\0';
	line[strcspn(line, "#\r")] = '\0';
	while (count < WORDS && (words[count] = strtok_r(count ? NULL : line, " \t", &rest)))
		count++;
	return count ? read_words(source, words, count) : 0;
}

static int parse(struct source *source, const char *text, size_t length)
{
	const char *end = text + length;
	int failure = 0;

	while (!failure && text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		stop = stop ? stop : end;
		source->line++;
		failure = read_line(source, text, (size_t)(stop - text));
		text = stop + 1;
	}
	if (!failure && source->vendor)
		failure = fail(source, "END-VENDOR is missing at the end");
	return failure;
}

int dictionary_parse(struct dictionary *dictionary, const char *text, size_t length, const char *name,
		     char *error, size_t error_size)
{
	struct source source = {
		.dictionary = dictionary, .name = name, .error = error, .error_size = error_size};
	int failure = parse(&source, text, length);

	names_sort(&dictionary->names);
	return failure;
}

static int load(struct dictionary *dictionary, const char *file, unsigned depth, char *error, size_t size)
{
	char folder[PATH_MAX], *text = NULL;
	struct source source = {.dictionary = dictionary,
				.name = file,
				.folder = folder,
				.depth = depth,
				.error = error,
				.error_size = size};
	size_t length;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int failure = fd < 0 ? -errno : file_read(fd, FILE_MAX_BYTES, &text, &length);

	if (fd >= 0)
		close(fd);
	if (failure) {
		snprintf(error, size, "dictionary %s: reading it failed: %s", file, strerror(-failure));
		return failure;
	}
	snprintf(folder, sizeof(folder), "%s", file);
	dirname(folder);
	failure = parse(&source, text, length);
	free(text);
	return failure;
}

int dictionary_load(struct dictionary *dictionary, const char *file, char *error, size_t error_size)
{
	int failure = load(dictionary, file, 0, error, error_size);

	names_sort(&dictionary->names);
	return failure;
}

struct dictionary *dictionary_new(void)
{
	return calloc(1, sizeof(struct dictionary));
}

void dictionary_free(struct dictionary *dictionary)
{
	if (dictionary)
		names_done(&dictionary->names);
	free(dictionary);
}

size_t dictionary_count(const struct dictionary *dictionary)
{
	return dictionary->names.attribute_count;
}
